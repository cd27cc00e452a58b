//! Files as a stream: identity, growth, compression and what breaks.

use flate2::{Compression as Level, write::GzEncoder};
use proptest::prelude::*;
use sluice_batch::Position;
use sluice_local::{Compression, FileSource, FileSourceConfig};
use sluice_ports::{Kind, KnownShard, PortError, Read, ShardInfo, ShardReader, Source, suite};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

fn source(path: &Path) -> FileSource {
    FileSource::new(FileSourceConfig { paths: vec![path.to_owned()], ..Default::default() })
}

fn following(path: &Path) -> FileSource {
    FileSource::new(FileSourceConfig { paths: vec![path.to_owned()], follow: true, ..Default::default() })
}

fn accepting(path: &Path) -> FileSource {
    let (paths, accept_changed) = (vec![path.to_owned()], vec![path.to_owned()]);
    FileSource::new(FileSourceConfig { paths, accept_changed, ..Default::default() })
}

fn known(info: &ShardInfo, offset: usize) -> KnownShard {
    KnownShard { shard: info.shard.clone(), note: info.note.clone(), position: Position::offset(offset as u64) }
}

async fn only(source: &FileSource, known: &[KnownShard]) -> ShardInfo {
    let mut infos = source.discover(known).await.unwrap();
    assert_eq!(infos.len(), 1);
    infos.remove(0)
}

/// What a reader gives until it stops, and the error that stopped it.
async fn drain(reader: &mut dyn ShardReader) -> (Vec<u8>, Option<PortError>) {
    let mut all = vec![];
    loop {
        match reader.next().await {
            Ok(Read::Bytes { data, .. }) => all.extend_from_slice(&data),
            Ok(_) => return (all, None),
            Err(error) => return (all, Some(error)),
        }
    }
}

async fn read(path: &Path, from: usize) -> (Vec<u8>, Option<PortError>) {
    let source = source(path);
    let info = only(&source, &[]).await;
    match source.open(&info, &Position::offset(from as u64)).await {
        Ok(mut reader) => drain(reader.as_mut()).await,
        Err(error) => (vec![], Some(error)),
    }
}

fn append(path: &Path, data: &[u8]) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(data).unwrap();
}

/// Lines that compress about as well as records do.
fn lines(n: usize) -> Vec<u8> {
    let digest = |i: usize| i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..n).flat_map(|i| format!("{i},{:x},paid,2010-12-01T08:26:00Z\n", digest(i)).into_bytes()).collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::new(6));
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// How a file of some content is packed.
type Pack = fn(&[u8]) -> Vec<u8>;

#[tokio::test]
async fn it_keeps_the_contract_plain_gzip_and_zstd() {
    let ways: [Pack; 4] = [
        |data| data.to_vec(),
        gzip,
        zstd,
        // several members
        |data| data.chunks(100_000).flat_map(gzip).chain(if data.is_empty() { gzip(b"") } else { vec![] }).collect(),
    ];
    for pack in ways {
        let dir = tempfile::tempdir().unwrap();
        let next = std::sync::atomic::AtomicU32::new(0);
        suite::source(async |shards: &[Vec<u8>]| {
            let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let folder = dir.path().join(n.to_string());
            fs::create_dir(&folder).unwrap();
            for (i, data) in shards.iter().enumerate() {
                fs::write(folder.join(format!("{i}.csv")), pack(data)).unwrap();
            }
            source(&folder)
        })
        .await;
    }
}

#[tokio::test]
async fn folders_are_read_at_any_depth_in_the_order_of_paths_and_each_file_once() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b/2.csv", "a-b.csv", "b/1.csv", "b/c/3.csv", ".hidden", "b/.part.csv"] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, name).unwrap();
    }
    std::os::unix::fs::symlink(dir.path(), dir.path().join("b/loop")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("nowhere"), dir.path().join("b/dangling")).unwrap();
    let paths = vec![dir.path().to_owned(), dir.path().join("b/../b/1.csv")];
    let source = FileSource::new(FileSourceConfig { paths, ..Default::default() });
    let infos = source.discover(&[]).await.unwrap();
    let names: Vec<_> = infos.iter().map(|info| info.shard.shard.to_string()).collect();
    assert_eq!(names, ["a-b.csv", "1.csv", "2.csv", "3.csv"]);
    assert_eq!(infos[3].size, Some(9));
}

#[tokio::test]
async fn an_input_that_is_not_there_is_named_unless_it_was_read_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    let missing = source(&path).discover(&[]).await.unwrap_err();
    assert_eq!(missing.kind, Kind::NotFound);
    assert!(missing.message.contains("x.csv"), "{missing}");
    fs::write(&path, "a\n").unwrap();
    let info = only(&source(&path), &[]).await;
    fs::remove_file(&path).unwrap();
    assert_eq!(source(&path).discover(&[known(&info, 2)]).await.unwrap(), []);
    assert_eq!(source(dir.path()).discover(&[known(&info, 2)]).await.unwrap(), []);
    let device = source(Path::new("/dev/null")).discover(&[]).await.unwrap_err();
    assert!(device.message.contains("neither a file nor a folder"), "{device}");
}

#[tokio::test]
async fn a_file_that_grows_past_its_head_keeps_its_reference() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    fs::write(&path, "id\n1\n").unwrap();
    let first = only(&source(&path), &[]).await;
    append(&path, &lines(1000));
    let fresh = only(&source(&path), &[]).await;
    assert_ne!(fresh.shard, first.shard, "whoever does not know the file names it by the head it has now");
    let again = only(&source(&path), &[known(&first, 5)]).await;
    assert_eq!((&again.shard, &again.note), (&first.shard, &first.note));
    let reader = source(&path).open(&again, &Position::offset(5)).await.unwrap();
    let (rest, error) = drain({ reader }.as_mut()).await;
    assert!(error.is_none());
    assert_eq!(rest, lines(1000));
}

#[tokio::test]
async fn a_replaced_or_truncated_file_stops_and_says_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    fs::write(&path, lines(500)).unwrap();
    let info = only(&source(&path), &[]).await;
    let length = lines(500).len();
    let cases: [(Vec<u8>, &str); 3] = [
        (lines(600).split_off(100), "its first 4096 bytes differ"),
        (lines(400), "bytes but was read up to"),
        (vec![], "its first 4096 bytes differ"),
    ];
    for (content, expected) in cases {
        fs::write(&path, content).unwrap();
        let error = source(&path).discover(&[known(&info, length)]).await.unwrap_err();
        assert_eq!(error.kind, Kind::Changed, "{error}");
        for part in [expected, "x.csv", "--reread"] {
            assert!(error.message.contains(part), "`{part}` in: {error}");
        }
    }
}

#[tokio::test]
async fn an_accepted_file_is_a_new_one_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    fs::write(&path, lines(500)).unwrap();
    let first = only(&source(&path), &[]).await;
    let length = lines(500).len();
    // the same head, so that nothing but the bytes before the position tells them apart
    let mut replaced = lines(500);
    replaced[length - 10] ^= 1;
    fs::write(&path, &replaced).unwrap();
    let before = [known(&first, length)];
    let second = only(&accepting(&path), &before).await;
    assert_ne!(second.shard, first.shard);
    assert_eq!(only(&accepting(&path), &before).await, second, "after a crash it gets the same reference again");
    // committed under its new reference, the same arguments do not read it once more
    let both = [known(&second, length), known(&first, length)];
    assert_eq!(only(&accepting(&path), &both).await.shard, second.shard);
    assert_eq!(only(&source(&path), &both).await.shard, second.shard);
    // replaced again, it must be accepted again
    fs::write(&path, "other").unwrap();
    assert_eq!(source(&path).discover(&both).await.unwrap_err().kind, Kind::Changed);
    let third = only(&accepting(&path), &both).await;
    assert!(third.shard != first.shard && third.shard != second.shard);
    // a name that is no input is a typing error
    let config = FileSourceConfig { paths: vec![path], accept_changed: vec![dir.path().into()], ..Default::default() };
    assert!(FileSource::new(config).discover(&[]).await.unwrap_err().message.contains("none of the input's files"));
}

#[tokio::test]
async fn a_file_changed_between_discovery_and_opening_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    fs::write(&path, "first\n").unwrap();
    let source = source(&path);
    let info = only(&source, &[]).await;
    fs::write(&path, "second\n").unwrap();
    assert_eq!(source.open(&info, &Position::TrimHorizon).await.err().unwrap().kind, Kind::Changed);
    fs::write(&path, "first\n").unwrap();
    assert_eq!(source.open(&info, &Position::offset(7)).await.err().unwrap().kind, Kind::Changed);
    assert_eq!(source.open(&info, &Position::AtTimestamp(0)).await.err().unwrap().kind, Kind::Fatal);
    fs::remove_file(&path).unwrap();
    assert_eq!(source.open(&info, &Position::TrimHorizon).await.err().unwrap().kind, Kind::NotFound);
}

#[tokio::test]
async fn a_bounded_run_ends_where_the_file_ended_when_it_was_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    fs::write(&path, lines(40_000)).unwrap();
    let source = source(&path);
    let info = only(&source, &[]).await;
    let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
    append(&path, b"later\n");
    let (all, error) = drain(reader.as_mut()).await;
    assert!(error.is_none());
    assert!(all == lines(40_000));
    assert_eq!(reader.consumed(), all.len() as u64);
}

#[tokio::test]
async fn a_bounded_file_cut_short_while_read_is_no_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    fs::write(&path, lines(60_000)).unwrap();
    let source = source(&path);
    let info = only(&source, &[]).await;
    let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
    assert!(matches!(reader.next().await.unwrap(), Read::Bytes { .. }));
    OpenOptions::new().write(true).open(&path).unwrap().set_len(10).unwrap();
    assert_eq!(drain(reader.as_mut()).await.1.unwrap().kind, Kind::Changed);
}

#[tokio::test]
async fn a_followed_file_gives_what_is_appended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    fs::write(&path, "").unwrap();
    let source = following(&path);
    let info = only(&source, &[]).await;
    let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
    let mut all = vec![];
    for i in 0..5 {
        assert!(matches!(reader.next().await.unwrap(), Read::CaughtUp));
        append(&path, format!("line {i}\n").as_bytes());
        match reader.next().await.unwrap() {
            Read::Bytes { offset, data } => {
                assert_eq!(offset, all.len() as u64);
                all.extend_from_slice(&data);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(all, fs::read(&path).unwrap());
    // moved away and not replaced: nothing more, and no error
    fs::rename(&path, dir.path().join("x.csv.1")).unwrap();
    assert!(matches!(reader.next().await.unwrap(), Read::CaughtUp));
}

#[tokio::test]
async fn a_followed_file_that_is_replaced_or_emptied_stops() {
    let changes: [fn(&Path); 4] = [
        |path| fs::write(path, "short").unwrap(),
        // emptied and filled past the position between two looks at it
        |path| fs::write(path, lines(2000)).unwrap(),
        |path| {
            fs::write(path.with_extension("new"), lines(1000)).unwrap();
            fs::rename(path.with_extension("new"), path).unwrap();
        },
        |path| {
            fs::rename(path, path.with_extension("old")).unwrap();
            fs::write(path, "rotated\n").unwrap();
        },
    ];
    for change in changes {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.csv");
        fs::write(&path, [b"header\n", &lines(1000)[..]].concat()).unwrap();
        let source = following(&path);
        let info = only(&source, &[]).await;
        let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
        assert!(drain(reader.as_mut()).await.1.is_none());
        change(&path);
        let error = reader.next().await.unwrap_err();
        assert_eq!(error.kind, Kind::Changed, "{error}");
        assert!(error.message.contains("--reread"), "{error}");
    }
}

#[tokio::test]
async fn compressed_files_cannot_be_followed() {
    for (data, name) in [(gzip(b"x"), "gzip"), (zstd(b"x"), "zstd")] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.csv");
        fs::write(&path, data).unwrap();
        let error = following(&path).discover(&[]).await.unwrap_err();
        assert!(error.message.contains(&format!("it is {name}")), "{error}");
        assert!(error.message.contains("without `--follow`"), "{error}");
    }
}

#[tokio::test]
async fn compression_is_told_by_the_first_bytes_and_can_be_overruled() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("not-gz-by-name.csv");
    fs::write(&path, gzip(b"content")).unwrap();
    assert_eq!(read(&path, 0).await.0, b"content");
    let (paths, compression) = (vec![path.clone()], Compression::None);
    let plain = FileSource::new(FileSourceConfig { paths, compression, ..Default::default() });
    let info = only(&plain, &[]).await;
    let mut reader = plain.open(&info, &Position::TrimHorizon).await.unwrap();
    assert_eq!(drain(reader.as_mut()).await.0, gzip(b"content"));
    let plain_named_gz = dir.path().join("plain.gz");
    fs::write(&plain_named_gz, "plain").unwrap();
    assert_eq!(read(&plain_named_gz, 0).await.0, b"plain");
    let (paths, compression) = (vec![plain_named_gz], Compression::Gzip);
    let wrong = FileSource::new(FileSourceConfig { paths, compression, ..Default::default() });
    let info = only(&wrong, &[]).await;
    let mut reader = wrong.open(&info, &Position::TrimHorizon).await.unwrap();
    assert_eq!(drain(reader.as_mut()).await.1.unwrap().kind, Kind::Broken);
}

#[tokio::test]
async fn members_frames_and_padding_are_one_stream() {
    let dir = tempfile::tempdir().unwrap();
    let text = lines(50_000);
    let (a, b) = text.split_at(777_777);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
    let files = [
        ("members", [gzip(a), gzip(b""), gzip(b)].concat()),
        ("padded", [gzip(&text), vec![0; 1000]].concat()),
        ("frames", [zstd(a), skippable.to_vec(), zstd(b"")].concat().into_iter().chain(zstd(b)).collect()),
        ("skippable first", [&skippable[..], &zstd(&text)].concat()),
    ];
    for (name, data) in files {
        let path = dir.path().join(name);
        fs::write(&path, &data).unwrap();
        for from in [0, 1, 777_776, 777_777, 777_778, text.len()] {
            let (rest, error) = read(&path, from).await;
            assert!(error.is_none(), "{name} from {from}: {error:?}");
            assert!(rest == text[from..], "{name} from {from}: {} bytes", rest.len());
        }
        let (_, error) = read(&path, text.len() + 1).await;
        assert_eq!(error.unwrap().kind, Kind::Changed, "{name}: it does not reach beyond its end");
    }
}

#[tokio::test]
async fn bytes_after_the_end_of_gzip_break_it() {
    let dir = tempfile::tempdir().unwrap();
    for (name, tail) in [("text", &b"garbage"[..]), ("after padding", b"\0\0x")] {
        let path = dir.path().join(name);
        fs::write(&path, [&gzip(b"content"), tail].concat()).unwrap();
        let (all, error) = read(&path, 0).await;
        assert_eq!((all.as_slice(), error.unwrap().kind), (&b"content"[..], Kind::Broken), "{name}");
    }
}

#[tokio::test]
async fn a_broken_file_gives_everything_before_the_break_and_then_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let text = lines(60_000);
    for (name, pack) in [("gzip", gzip as Pack), ("zstd", zstd)] {
        let whole = pack(&text);
        // cut short: by one byte (the checksum), in the middle, in the header
        for length in [whole.len() - 1, whole.len() - 8, whole.len() / 2, 12, 5, 3] {
            let path = dir.path().join(format!("{name}-{length}"));
            fs::write(&path, &whole[..length]).unwrap();
            let (paths, compression) = (vec![path], if name == "gzip" { Compression::Gzip } else { Compression::Zstd });
            let source = FileSource::new(FileSourceConfig { paths, compression, ..Default::default() });
            let info = only(&source, &[]).await;
            let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
            let (all, error) = drain(reader.as_mut()).await;
            let error = error.expect("a file that is cut short breaks");
            assert_eq!(error.kind, Kind::Broken, "{name} cut to {length}: {error}");
            assert!(text.starts_with(&all), "{name} cut to {length}: what is given is what was packed");
            let share = all.len() as f64 / text.len() as f64;
            let expected = length as f64 / whole.len() as f64;
            assert!((share - expected).abs() < 0.1, "{name} cut to {length}: {share} given of {expected}");
            assert!(error.message.contains(&format!("offset {}", all.len())), "{error}");
            assert_eq!(reader.next().await.unwrap_err().kind, Kind::Broken, "it stays broken");
        }
        // the last checksum is wrong: every byte is given, and the break is named
        let mut wrong = whole.clone();
        let at = wrong.len() - if name == "gzip" { 8 } else { 1 };
        wrong[at] ^= 0xff;
        let path = dir.path().join(format!("{name}-checksum"));
        fs::write(&path, &wrong).unwrap();
        let (all, error) = read(&path, 0).await;
        assert!(all == text, "{name}: {} of {} bytes", all.len(), text.len());
        assert_eq!(error.unwrap().kind, Kind::Broken);
        // what was read before may be skipped up to the break and no further
        let path = dir.path().join(format!("{name}-{}", whole.len() / 2));
        let (paths, given) = (vec![path.clone()], read(&path, 0).await.0.len());
        let source = FileSource::new(FileSourceConfig { paths, ..Default::default() });
        let info = only(&source, &[]).await;
        let mut reader = source.open(&info, &Position::offset(given as u64)).await.unwrap();
        assert_eq!(reader.next().await.unwrap_err().kind, Kind::Broken);
        let beyond = source.open(&info, &Position::offset(given as u64 + 1)).await.err().unwrap();
        assert_eq!(beyond.kind, Kind::Changed, "{beyond}");
    }
}

#[tokio::test]
async fn a_caller_that_gives_up_waiting_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    fs::write(&path, gzip(&lines(80_000))).unwrap();
    let source = source(&path);
    let info = only(&source, &[]).await;
    let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
    let mut all = vec![];
    loop {
        let next = tokio::select! {
            biased;
            () = std::future::ready(()) => None,
            next = reader.next() => Some(next),
        };
        assert!(next.is_none());
        match reader.next().await.unwrap() {
            Read::Bytes { data, .. } => all.extend_from_slice(&data),
            Read::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(all == lines(80_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_growing_file_is_read_once_however_it_grows_and_wherever_reading_stops(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6000), 1..8),
        stops in prop::collection::vec(any::<prop::sample::Index>(), 8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x");
            // a plain file of any bytes, also of some that look compressed
            let config = FileSourceConfig { paths: vec![path.clone()], compression: Compression::None, ..Default::default() };
            let source = FileSource::new(config);
            let (mut kept, mut before): (Vec<u8>, Option<KnownShard>) = (vec![], None);
            for (piece, stop) in pieces.iter().zip(&stops) {
                append(&path, piece);
                let info = only(&source, before.as_slice()).await;
                if let Some(before) = &before {
                    assert_eq!(before.shard, info.shard);
                }
                let mut reader = source.open(&info, &Position::offset(kept.len() as u64)).await.unwrap();
                let (rest, error) = drain(reader.as_mut()).await;
                assert!(error.is_none());
                // only part of it is committed
                kept.extend_from_slice(&rest[..stop.index(rest.len() + 1)]);
                before = Some(known(&info, kept.len()));
            }
            assert!(fs::read(&path).unwrap().starts_with(&kept));
        });
    }

    #[test]
    fn any_cut_of_any_packed_file_gives_a_prefix(
        text in prop::collection::vec(0_u8..4, 0..40_000),
        cut in any::<prop::sample::Index>(),
        flip in any::<Option<(prop::sample::Index, u8)>>(),
        gz: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let path: PathBuf = dir.path().join("x");
            let mut packed = if gz { gzip(&text) } else { zstd(&text) };
            if let Some((at, mask)) = flip {
                let at = at.index(packed.len());
                packed[at] ^= mask;
            }
            packed.truncate(cut.index(packed.len() + 1));
            fs::write(&path, &packed).unwrap();
            let compression = if gz { Compression::Gzip } else { Compression::Zstd };
            let source = FileSource::new(FileSourceConfig { paths: vec![path], compression, ..Default::default() });
            let info = only(&source, &[]).await;
            let mut reader = source.open(&info, &Position::TrimHorizon).await.unwrap();
            let (all, error) = drain(reader.as_mut()).await;
            // a flipped bit can change what is decoded before the checksum tells; without one it is a prefix
            if flip.is_none() {
                assert!(text.starts_with(&all));
            }
            if let Some(error) = error {
                assert_eq!(error.kind, Kind::Broken);
            } else if !packed.is_empty() {
                assert_eq!(all, text);
            }
        });
    }
}
