//! Input that is broken: in a record, in its compression, or between two runs.

use crate::support::files;
use crate::support::lake::Lake;
use crate::support::oracle::Expected;
use crate::support::orders;
use crate::support::pipeline;
use crate::support::sluice::{Sluice, write_pipeline};
use std::io::Read;
use std::path::PathBuf;
use tempfile::TempDir;

struct Place {
    folder: TempDir,
    data: PathBuf,
    lines: Vec<String>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { data: folder.path().join("lake"), folder, lines: orders::lines(6_000, 31) }
    }

    fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, input: &str) -> Sluice {
        Sluice::run(&pipeline("orders"), &self.data).input(&self.file(input))
    }

    fn lake(&self) -> Lake {
        Lake::new(&self.data)
    }

    /// What must come of the first so many lines.
    fn expected(&self, lines: usize) -> Expected {
        let mut expected = Expected::default();
        expected.add(self.lines[..lines].iter().map(String::as_str));
        expected
    }
}

/// Whole lines that can be had from a broken gzip file.
fn whole_lines(packed: &[u8]) -> usize {
    let mut decoder = flate2::read::GzDecoder::new(packed);
    let (mut plain, mut block) = (Vec::new(), [0; 512]);
    while let Ok(read @ 1..) = decoder.read(&mut block) {
        plain.extend_from_slice(&block[..read]);
    }
    plain.iter().filter(|byte| **byte == b'\n').count()
}

#[test]
fn of_a_gzip_cut_off_the_whole_records_are_committed_and_the_rest_is_read_when_it_is_there() {
    let place = Place::new();
    let packed = files::gzip(place.text().as_bytes());
    let cut_off = &packed[..packed.len() * 2 / 3];
    files::write(&place.file("orders.gz"), cut_off);
    let outcome = place.run("orders.gz").output().exits(7);
    let account = outcome.account();
    assert!(account["broken"][0].as_str().unwrap().contains("orders.gz"), "{account}");
    let read = account["read"].as_u64().unwrap() as usize;
    let possible = whole_lines(cut_off);
    assert!(read > 1_000 && read <= possible && possible - read < 200, "{read} of {possible} lines were read");
    place.lake().silver_content().same(&place.expected(read).silver(), "silver before the break");
    // what breaks may be repaired: no window is closed, and reading goes on
    assert!(place.lake().gold("orders_per_minute").rows.is_empty());
    files::write(&place.file("orders.gz"), &packed);
    place.run("orders.gz").output().ok();
    let expected = place.expected(6_000);
    place.lake().silver_content().same(&expected.silver(), "silver");
    place.lake().gold("orders_per_minute").same(&expected.gold(), "gold");
    place.lake().nothing_is_left_behind();
}

#[test]
fn of_a_gzip_with_a_wrong_byte_nothing_doubtful_gets_into_silver() {
    let place = Place::new();
    let first = files::gzip((place.lines[..3_000].join("\n") + "\n").as_bytes());
    let mut second = files::gzip((place.lines[3_000..].join("\n") + "\n").as_bytes());
    let middle = second.len() / 2;
    second[middle] ^= 0x55;
    files::write(&place.file("orders.gz"), [first, second].concat());
    let account = place.run("orders.gz").output().exits(7).account();
    assert!(account["read"].as_u64().unwrap() >= 3_000, "{account}");
    assert_eq!(place.lake().read(), account["read"].as_u64().unwrap());
}

#[test]
fn a_broken_file_keeps_no_other_file_from_being_read() {
    let place = Place::new();
    let packed = files::gzip(place.text().as_bytes());
    std::fs::create_dir(place.file("input")).unwrap();
    files::write(&place.file("input/a.gz"), &packed[..packed.len() / 2]);
    files::write(&place.file("input/b.ndjson"), orders::lines(700, 32).join("\n") + "\n");
    place.run("input").output().exits(7);
    let silver = place.lake().silver();
    let of_b = silver.texts("_sluice_id").into_iter().filter(|id| id.contains("/b.ndjson/")).count();
    let mut expected = Expected::default();
    expected.add(orders::lines(700, 32).iter().map(String::as_str));
    assert_eq!(of_b as u64, expected.silver_rows());
}

#[test]
fn a_replaced_file_stops_the_run_and_is_read_anew_when_that_is_accepted() {
    let place = Place::new();
    files::write(&place.file("orders.ndjson"), place.text());
    place.run("orders.ndjson").arg("--keep-open").output().ok();
    let read = place.lake().read();
    files::write(&place.file("orders.ndjson"), orders::lines(200, 33).join("\n") + "\n");
    place.run("orders.ndjson").output().exits(7).says(&["orders.ndjson", "--reread"]);
    assert_eq!(place.lake().read(), read);
    let again = || place.run("orders.ndjson").arg("--reread").arg(place.file("orders.ndjson"));
    assert_eq!(again().output().ok().account()["read"], 200);
    assert_eq!(place.lake().read(), read + 200);
    // accepted once is accepted once
    assert_eq!(again().output().ok().account()["read"], 0);
}

#[test]
fn a_truncated_file_stops_the_run() {
    let place = Place::new();
    files::write(&place.file("orders.ndjson"), place.text());
    place.run("orders.ndjson").output().ok();
    files::write(&place.file("orders.ndjson"), &place.text()[..50_000]);
    place.run("orders.ndjson").output().exits(7).says(&["orders.ndjson", "read up to", "--reread"]);
}

#[test]
fn bytes_changed_before_the_position_stop_the_run() {
    let place = Place::new();
    files::write(&place.file("orders.ndjson"), place.text());
    place.run("orders.ndjson").output().ok();
    let mut bytes = place.text().into_bytes();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    bytes.extend_from_slice(b"{}\n");
    files::write(&place.file("orders.ndjson"), bytes);
    place.run("orders.ndjson").output().exits(7).says(&["orders.ndjson", "--reread"]);
}

#[test]
fn records_too_long_or_no_utf8_go_to_quarantine_with_their_place_and_stop_nobody() {
    let place = Place::new();
    let manifest = "dataset: lines\nsource: { format: json, max_record_bytes: 1KiB }\nschema: { a: text }\n";
    let pipeline = write_pipeline(&place.file("lines"), manifest);
    let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(2_000));
    let input = [b"{\"a\":\"1\"}\n", long.as_bytes(), b"{\"a\":\"\xff\"}\n", b"\n", b"{\"a\":\"2\"}\n"].concat();
    files::write(&place.file("in"), &input);
    let run = Sluice::run(&pipeline, &place.data).input(&place.file("in"));
    let account = run.output().ok().account();
    assert_eq!(account["read"], 4, "a blank line is no record: {account}");
    let quarantine = place.lake().quarantine();
    let mut found: Vec<_> = quarantine.texts("reason").into_iter().zip(quarantine.texts("position")).collect();
    found.sort_unstable();
    let after_long = (10 + long.len()).to_string();
    assert_eq!(found, [("malformed_json", after_long.as_str()), ("record_too_long", "10")]);
    assert_eq!(place.lake().silver().texts("a"), ["1", "2"]);
}

#[test]
fn undecodable_bytes_of_a_dataset_with_personal_data_are_not_kept() {
    let place = Place::new();
    let secret = "mallory@example.com";
    files::write(&place.file("in"), format!("{{\"order_id\":\"a\",\"email\":\"{secret}\n"));
    place.run("in").output().ok();
    let quarantine = place.lake().quarantine();
    assert_eq!(quarantine.texts("raw_policy"), ["withheld"]);
    assert_eq!(quarantine.column("raw"), [None]);
    assert_eq!(quarantine.texts("raw_sha256")[0].len(), 64);
    for name in place.lake().files() {
        let bytes = place.lake().bytes(&name);
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{name}");
    }
}

#[test]
fn bronze_keeps_records_as_they_arrived_where_the_manifest_asks() {
    let place = Place::new();
    let manifest = "dataset: orders\nsource: { format: json }\nschema: { order_id: text }\nbronze: { enabled: true }\n";
    let pipeline = write_pipeline(&place.file("orders"), manifest);
    files::write(&place.file("in"), place.text());
    Sluice::run(&pipeline, &place.data).input(&place.file("in")).output().ok();
    let bronze = place.lake().batches(&sluice_batch::Layer::Bronze);
    let contents: Vec<String> = bronze
        .iter()
        .flat_map(|batch| {
            let column = arrow_array::cast::AsArray::as_binary::<i32>(batch.column(2));
            column.iter().map(|value| String::from_utf8(value.unwrap().to_vec()).unwrap()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(contents, place.lines);
}
