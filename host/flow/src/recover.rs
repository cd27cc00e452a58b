//! Starting again: the cut without its commit is run again by its log, or aborted.

use crate::error::{FlowError, Result};
use crate::outside::Outside;
use crate::pipeline::Pipeline;
use crate::rollout::History;
use crate::run::Ports;
use crate::segment::{Closing, Outcome, Segments};
use crate::stream::{Fill, ShardStream, hex};
use crate::version::Version;
use crate::window::BoundGold;
use crate::work::{Decided, ShardTag, Shop, WorkItem, Worker};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use sluice_batch::{Abort, BatchEntry, Commit, Cut, Layer, Position, ShardRef};
use sluice_ports::{Entry, EntryKind, Kind, KnownShard, Lease, PortError, Put, ShardInfo};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a replay waits where a stream gives nothing although what was cut must be there.
const PAUSE: Duration = Duration::from_millis(200);

/// What starting again found.
pub(crate) struct Recovered {
    pub(crate) segments: Segments,
    /// The commit that a cut left open became, if there was one.
    pub(crate) commit: Option<Commit>,
    pub(crate) notes: Vec<String>,
}

/// Versions of a pipeline that may have left something open.
pub(crate) struct Versions {
    /// The one in use.
    pub(crate) main: Arc<Version>,
    /// Those that are on their way.
    pub(crate) others: Vec<Arc<Pipeline>>,
    /// Those that were in use before.
    pub(crate) history: Arc<dyn History>,
}

impl Versions {
    fn all(&self) -> impl Iterator<Item = Arc<Pipeline>> {
        // what was in use before is asked for only where the others do not do
        let history = self.history.clone();
        let before = std::iter::once_with(move || history.versions()).flatten();
        [self.main.pipeline.clone()].into_iter().chain(self.others.clone()).chain(before)
    }

    /// The version that cut a segment.
    fn that_cut(&self, cut: &Cut) -> Option<Arc<Version>> {
        if self.main.pipeline.identity == cut.identity {
            return Some(self.main.clone());
        }
        self.all().find(|pipeline| pipeline.identity == cut.identity).map(Version::new)
    }

    /// A definition of a gold that has windows open.
    fn gold(&self, name: &str, definition: &str) -> Option<BoundGold> {
        let is_it = |gold: &&BoundGold| gold.plan.name == name && gold.definition == definition;
        self.all().find_map(|pipeline| pipeline.golds.iter().find(is_it).cloned())
    }
}

/// Reads the log and brings it to a commit or an abort. The segment that is open then is one of the version in use.
pub(crate) async fn recover(
    versions: &Versions,
    ports: &Ports,
    lease: Arc<dyn Lease>,
    threads: usize,
) -> Result<Recovered> {
    let fence = lease.fence();
    let entries = ports.log.entries().await?;
    let last = entries.iter().rev().find(|entry| entry.kind == EntryKind::Commit);
    let last: Option<Commit> = match last {
        Some(entry) => Some(read(ports, *entry).await?),
        None => None,
    };
    let open = entries.last().copied().filter(|entry| entry.kind == EntryKind::Cut);
    let mut next = entries.last().map_or(1, |entry| entry.number + u64::from(open.is_none()));
    let (store, log, delivery) = (ports.store.clone(), ports.log.clone(), ports.delivery.clone());
    let outside = Outside { store, log, delivery, lease, threads };
    let find = |name: &str, definition: &str| versions.gold(name, definition);
    let restore = |pipeline: &Arc<Pipeline>, number| {
        Segments::restore(pipeline.clone(), outside.clone(), last.as_ref(), number, &find)
    };
    outside.lease.check()?;
    if let Some(entry) = entries.last().filter(|entry| entry.kind == EntryKind::Abort) {
        delete_aborted(ports, &read(ports, *entry).await?).await?;
    }
    let mut notes = Vec::new();
    if let Some(entry) = open {
        let cut: Cut = read(ports, entry).await?;
        let version = versions.that_cut(&cut).unwrap_or_else(|| versions.main.clone());
        let again = match restore(&version.pipeline, next).await {
            Ok(segments) => Replay { version: &version, ports, cut: &cut }.run(segments).await,
            Err(error) => Err(error.into()),
        };
        match again {
            Ok((mut segments, commit)) => {
                if !Arc::ptr_eq(&version, &versions.main) {
                    segments.adopt(versions.main.pipeline.clone())?;
                }
                notes.push(format!("cut {} was left without its commit and was run again", cut.number));
                outside.lease.check()?;
                sweep(ports, commit.as_ref(), cut.number).await?;
                return Ok(Recovered { segments, commit, notes });
            }
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Differs(reason)) => {
                abort(ports, &cut, fence, &reason).await?;
                notes.push(format!("cut {} was aborted and its records are cut anew: {reason}", cut.number));
                next = cut.number + 1;
            }
        }
    }
    outside.lease.check()?;
    sweep(ports, last.as_ref(), next).await?;
    Ok(Recovered { segments: restore(&versions.main.pipeline, next).await?, commit: None, notes })
}

/// Removes state objects that no commit needs any more. Those of later segments than this process knows of are another's.
async fn sweep(ports: &Ports, last: Option<&Commit>, newest: u64) -> Result<()> {
    let number = |name: &str| name.rsplit('/').next()?.get(..12)?.parse::<u64>().ok();
    let needed = |name: &str| {
        let named = last.is_some_and(|commit| commit.state.iter().any(|entry| entry.name == name));
        named || number(name).is_some_and(|number| number > newest)
    };
    let all = ports.store.list(&format!("{}/", Layer::State.folder())).await?;
    let gone: Vec<String> = all.into_iter().map(|meta| meta.name).filter(|name| !needed(name)).collect();
    if !gone.is_empty() {
        ports.store.delete(&gone).await?;
    }
    Ok(())
}

/// The abort is put first: where another host has committed the segment meanwhile, its objects must stay. Whoever finds an
/// abort as the last entry deletes once more.
async fn abort(ports: &Ports, cut: &Cut, fence: u64, reason: &str) -> Result<()> {
    let abort = Abort { number: cut.number, fence, cut: cut.digest(), reason: reason.to_owned() };
    let entry = Entry { number: cut.number, kind: EntryKind::Abort };
    let bytes = Bytes::from(abort.to_bytes());
    match ports.log.put(entry, bytes.clone()).await? {
        Put::Exists(there) if there != bytes => {
            let message = format!("{entry}: another process ended this segment; two hosts run on one lake: stop one");
            Err(PortError::new(Kind::Fenced, message).into())
        }
        Put::Written | Put::Exists(_) => delete_aborted(ports, &abort).await,
    }
}

/// Deletes every object that bears the digest of an aborted cut.
async fn delete_aborted(ports: &Ports, abort: &Abort) -> Result<()> {
    let mark = format!("{:012}-{}-", abort.number, &abort.cut[..16]);
    let all = ports.store.list("").await?;
    let ours: Vec<String> = all.into_iter().map(|meta| meta.name).filter(|name| name.contains(&mark)).collect();
    ports.store.delete(&ours).await?;
    ports.store.sync().await?;
    Ok(())
}

async fn read<T: DeserializeOwned>(ports: &Ports, entry: Entry) -> Result<T> {
    let bytes = ports.log.get(entry).await?;
    serde_json::from_slice(&bytes)
        .map_err(|e| FlowError::Log(format!("{entry} cannot be read: {e}; put the data folder back from a copy")))
}

/// Why a cut was not run again.
enum Stop {
    /// It cannot be had exactly: it is aborted.
    Differs(String),
    /// Something else is wrong: nothing is decided.
    Failed(FlowError),
}

impl From<FlowError> for Stop {
    fn from(error: FlowError) -> Self {
        match &error {
            FlowError::Port(port) if matches!(port.kind, Kind::Changed | Kind::NotFound | Kind::Broken) => {
                Self::Differs(format!("its input cannot be had any more: {error}"))
            }
            FlowError::Input { .. } | FlowError::Plan(_) => Self::Differs(error.to_string()),
            _ => Self::Failed(error),
        }
    }
}

struct Replay<'a> {
    version: &'a Arc<Version>,
    ports: &'a Ports,
    cut: &'a Cut,
}

impl Replay<'_> {
    async fn run(&self, mut segments: Segments) -> std::result::Result<(Segments, Option<Commit>), Stop> {
        self.check_identity()?;
        let mut streams = self.open(&mut segments).await?;
        // nothing is decided again, so nothing is audited either
        let shop = Shop { clock: self.ports.clock.clone(), audit_ppm: 0 };
        let mut worker = Worker::new(self.version.clone(), shop);
        for entry in &self.cut.batches {
            let (info, stream) = streams
                .get_mut(&entry.origin.shard)
                .ok_or_else(|| Stop::Differs(format!("`{}` is gone", entry.origin.shard)))?;
            self.batch(entry, info, stream, &mut worker, &mut segments).await?;
        }
        for shard in &self.cut.ended {
            let note = self.cut.notes.get(&shard.to_string()).map_or("", String::as_str);
            segments.shard_ended(shard, self.cut.shards_closed.contains(shard), note);
        }
        let commit = match segments.close(Closing::Again(self.cut), false).await? {
            Outcome::Committed(commit) => Some(*commit),
            Outcome::Nothing | Outcome::Refused(_) => None,
        };
        Ok((segments, commit))
    }

    fn check_identity(&self) -> std::result::Result<(), Stop> {
        let (then, now) = (&self.cut.identity, &self.version.pipeline.identity);
        let differs = |what: &str| Err(Stop::Differs(format!("{what} since it was cut")));
        if self.cut.format != Cut::FORMAT {
            return differs("the format of the log changed");
        }
        if then.build != now.build {
            return differs("the program changed");
        }
        if then.plan != now.plan {
            return differs("the manifest changed");
        }
        if then != now {
            return differs("a rule, lookup table or key changed");
        }
        Ok(())
    }

    /// The shards of the cut, each opened where the last commit left it.
    async fn open(
        &self,
        segments: &mut Segments,
    ) -> std::result::Result<BTreeMap<ShardRef, (ShardInfo, ShardStream)>, Stop> {
        let ends: BTreeMap<ShardRef, Position> =
            self.cut.batches.iter().map(|entry| (entry.origin.shard.clone(), entry.origin.to)).collect();
        let mut known: Vec<KnownShard> = crate::run::known(segments.shards());
        for shard in ends.keys().filter(|shard| !segments.shards().contains_key(*shard)) {
            let note = self.cut.notes.get(&shard.to_string()).cloned().unwrap_or_default();
            known.push(KnownShard { shard: shard.clone(), note, position: Position::TrimHorizon });
        }
        let infos = self.ports.source.discover(&known).await.map_err(FlowError::from)?;
        let mut streams = BTreeMap::new();
        for info in infos {
            segments.found(&info.shard, &info.parents);
            let Some(end) = ends.get(&info.shard) else { continue };
            let state = segments.shards().get(&info.shard);
            let from = state.map_or(info.start, |state| state.position);
            let tail = state.map(|state| state.tail.as_str());
            let source = self.ports.source.as_ref();
            let stream = ShardStream::open(source, &self.version.pipeline, &info, &from, tail, Some(end)).await?;
            streams.insert(info.shard.clone(), (info, stream));
        }
        Ok(streams)
    }

    async fn batch(
        &self,
        entry: &BatchEntry,
        info: &ShardInfo,
        stream: &mut ShardStream,
        worker: &mut Worker,
        segments: &mut Segments,
    ) -> std::result::Result<(), Stop> {
        let differs = |what: &str| Stop::Differs(format!("{}: {what}", info.label));
        let to = &entry.origin.to;
        let mut piece = loop {
            if let Some(piece) = stream.next_until(to)? {
                break piece;
            }
            match stream.fill().await? {
                Fill::More => {}
                Fill::End | Fill::Closed => {
                    stream.end();
                    break stream.next_until(to)?.ok_or_else(|| differs("it ends before what was cut"))?;
                }
                // a stream may answer with nothing although more is there
                Fill::CaughtUp if self.ports.source.is_stream() => tokio::time::sleep(PAUSE).await,
                Fill::CaughtUp => return Err(differs("it ends before what was cut")),
            }
        };
        if hex(piece.raw.digest) != entry.digest || piece.from() != entry.origin.from {
            return Err(differs("its bytes are not those that were cut"));
        }
        if piece.is_bytes() {
            piece.arrived_at = entry.arrived_at;
        }
        let tag = Arc::new(ShardTag { shard: info.shard.clone() });
        let item = WorkItem { tag, piece, again: Some(Decided::of(entry)) };
        let mut processed = worker.process(&item)?;
        if processed.account.read != entry.records || processed.decided != Decided::of(entry) {
            return Err(differs("the rules no longer do with it what they did"));
        }
        segments.append(&mut processed, &info.note, Duration::ZERO, Some(entry))?;
        Ok(())
    }
}
