//! Versions of one rule, and a pipeline that runs by it.

use super::files;
use super::lake::Lake;
use super::root;
use super::sluice::{Outcome, Running, Sluice, write_pipeline};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

const MARK: &[u8] = b"SLUICE-VARIANT:";

/// The component as it is built: version 1.100.0, which does as it should.
fn built() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("changing/1.100.0.wasm");
        let package = root().join("tests/guests/changing");
        Sluice::new("plugin").arg("build").arg(package).arg("--out").arg(&out).output().ok();
        std::fs::read(out).expect("it was built")
    })
}

/// The component of version `1.NNN.0` that does this: `well`, `nulls`, `reject`, `trap` or `loop`.
pub(crate) fn component(minor: u32, does: &str) -> Vec<u8> {
    let mut bytes = built().to_vec();
    let at = bytes.windows(MARK.len()).position(|window| window == MARK).expect("the mark is in its data") + MARK.len();
    bytes[at..at + 19].copy_from_slice(format!("1.{minor:03}.0{does:<12}").as_bytes());
    bytes
}

/// A dataset that follows a file, with a registry of its own.
pub(crate) struct Changing {
    folder: TempDir,
}

impl Changing {
    /// Segments of 2,500 rows and batches of 250; `rollout` is the manifest's section.
    pub(crate) fn new(rollout: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let changing = Self { folder };
        changing.write_manifest(rollout, "");
        changing.publish(100, "well");
        files::write(&changing.input(), "");
        changing
    }

    pub(crate) fn write_manifest(&self, rollout: &str, more: &str) {
        write_pipeline(
            &self.pipeline(),
            &format!(
                "dataset: changing
source: {{ format: json }}
schema:
  id: int64
  v: text
rules: ../rules
steps:
  - redact: changing@^1
    reads: [id, v]
    writes: [v, made_by]
    limits: {{ deadline: 20ms }}
  - check: {{ sql: id % 100 <> 13, reason: unlucky }}
batch: {{ rows: 250, age: 50ms }}
segment: {{ rows: 2_500, age: 200ms }}
{rollout}
{more}
"
            ),
        );
    }

    pub(crate) fn pipeline(&self) -> PathBuf {
        self.folder.path().join("changing")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    pub(crate) fn input(&self) -> PathBuf {
        self.folder.path().join("in.json")
    }

    pub(crate) fn lake(&self) -> Lake {
        Lake::new(&self.data())
    }

    /// Puts a version into the registry as a copy of a file would.
    pub(crate) fn publish(&self, minor: u32, does: &str) {
        let registry = self.folder.path().join("rules/changing");
        std::fs::create_dir_all(&registry).expect("a folder can be made");
        let draft = registry.join(format!(".1.{minor}.0"));
        std::fs::write(&draft, component(minor, does)).expect("a component can be written");
        std::fs::rename(draft, registry.join(format!("1.{minor}.0.wasm"))).expect("it takes its place");
    }

    /// Adds records to the input.
    pub(crate) fn append(&self, ids: std::ops::Range<u64>) {
        let lines: String = ids.map(|id| format!("{{\"id\":{id},\"v\":\"value {id}\"}}\n")).collect();
        files::append(&self.input(), lines.as_bytes());
    }

    pub(crate) fn follow(&self) -> Running {
        self.command().arg("--follow").spawn()
    }

    /// A run to the end of the input.
    pub(crate) fn command(&self) -> Sluice {
        let run = Sluice::new("run").arg(self.pipeline()).arg("--data-dir").arg(self.data()).arg("--json");
        run.input(&self.input()).args(["--threads", "2"])
    }

    /// `sluice rules WHAT`.
    pub(crate) fn rules(&self, what: &str) -> Sluice {
        Sluice::new("rules").arg(what).arg(self.pipeline()).arg("--data-dir").arg(self.data())
    }

    pub(crate) fn apply(&self) -> Outcome {
        self.rules("apply").args(["--json", "--timeout", "100"]).output()
    }

    /// What the host wrote last about where it stands.
    pub(crate) fn status(&self) -> Value {
        let file = self.data().join("_sluice/versions/status.json");
        std::fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Silver and quarantine by what stands in them: `id v`, and `id reason`, sorted; without who made them.
    pub(crate) fn content(&self) -> (Vec<String>, Vec<String>) {
        let lake = self.lake();
        let silver = lake.silver();
        let rows = silver.texts("id").into_iter().zip(silver.texts("v")).map(|(id, v)| format!("{id} {v}"));
        let mut rows: Vec<String> = rows.collect();
        let quarantine = lake.quarantine();
        let gone = quarantine.texts("raw").into_iter().zip(quarantine.texts("reason"));
        let mut gone: Vec<String> = gone.map(|(raw, reason)| format!("{raw} {reason}")).collect();
        rows.sort_unstable();
        gone.sort_unstable();
        (rows, gone)
    }

    /// What the good version alone makes of the first records.
    pub(crate) fn expected(records: u64) -> (Vec<String>, Vec<String>) {
        let good = |id: &u64| id % 100 != 13;
        let mut rows: Vec<String> = (0..records).filter(good).map(|id| format!("{id} value {id}")).collect();
        let line = |id: u64| format!("{{\"id\":{id},\"v\":\"value {id}\"}} unlucky");
        let mut gone: Vec<String> = (0..records).filter(|id| !good(id)).map(line).collect();
        rows.sort_unstable();
        gone.sort_unstable();
        (rows, gone)
    }
}
