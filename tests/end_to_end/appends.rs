//! Reading on: again, after an append, and while a file grows.

use crate::support::files;
use crate::support::lake::Lake;
use crate::support::oracle::Expected;
use crate::support::orders;
use crate::support::sluice::{Sluice, variant};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// The pipeline `orders` over one file that grows; segments are committed soon.
struct Growing {
    _folder: TempDir,
    pipeline: PathBuf,
    file: PathBuf,
    data: PathBuf,
    lines: Vec<String>,
}

impl Growing {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let soon = "segment: { age: 200ms }\nbatch: { age: 50ms }";
        let pipeline = variant("orders", &folder.path().join("orders"), soon);
        let (file, data) = (folder.path().join("orders.ndjson"), folder.path().join("lake"));
        files::write(&file, "");
        Self { _folder: folder, pipeline, file, data, lines: orders::lines(3_000, 5) }
    }

    /// Lines as they are written to the file.
    fn text(&self, range: std::ops::Range<usize>) -> String {
        self.lines[range].iter().map(|line| format!("{line}\n")).collect()
    }

    fn run(&self) -> Sluice {
        Sluice::run(&self.pipeline, &self.data).input(&self.file)
    }

    fn lake(&self) -> Lake {
        Lake::new(&self.data)
    }

    fn expected(&self, range: std::ops::Range<usize>) -> Expected {
        let mut expected = Expected::default();
        expected.add(self.lines[range].iter().map(String::as_str));
        expected
    }
}

#[test]
fn a_second_run_reads_nothing_and_leaves_everything_as_it_is() {
    let growing = Growing::new();
    files::append(&growing.file, growing.text(0..3_000).as_bytes());
    growing.run().output().ok();
    let (files, account) = (growing.lake().files(), growing.lake().account());
    let again = growing.run().output().ok().account();
    assert_eq!((again["read"].as_u64(), again["segments"].as_u64()), (Some(0), Some(0)), "{again}");
    assert_eq!((growing.lake().files(), growing.lake().account()), (files, account));
}

#[test]
fn rows_appended_between_runs_are_read_and_no_others() {
    let growing = Growing::new();
    files::append(&growing.file, growing.text(0..1_000).as_bytes());
    growing.run().arg("--keep-open").output().ok();
    files::append(&growing.file, growing.text(1_000..3_000).as_bytes());
    let account = growing.run().output().ok().account();
    assert_eq!(account["read"], 2_000);
    let expected = growing.expected(0..3_000);
    growing.lake().silver_content().same(&expected.silver(), "silver");
    growing.lake().gold("orders_per_minute").same(&expected.gold(), "gold");
}

#[test]
fn a_followed_file_gives_its_whole_lines_as_they_come_and_sigterm_commits_and_exits_0() {
    let growing = Growing::new();
    files::append(&growing.file, growing.text(0..1_000).as_bytes());
    let mut run = growing.run().arg("--follow").spawn();
    run.until("the commit of the first rows", || growing.lake().read() == 1_000);
    // two thousand more, the last of them only begun
    let more = growing.text(1_000..3_000);
    let (whole, begun) = more.split_at(more.len() - 20);
    files::append(&growing.file, whole.as_bytes());
    run.until("the commit of the rows appended", || growing.lake().read() == 2_999);
    files::append(&growing.file, begun.as_bytes());
    run.until("the commit of the last row", || growing.lake().read() == 3_000);
    run.terminate();
    let account = run.wait().ok().account();
    assert_eq!((account["read"].as_u64(), account["stopped"].as_bool()), (Some(3_000), Some(true)), "{account}");
    let expected = growing.expected(0..3_000);
    growing.lake().silver_content().same(&expected.silver(), "silver");
    growing.lake().nothing_is_left_behind();
    // the windows were left open; a bounded run reads nothing and closes them
    assert!(growing.lake().gold("orders_per_minute").rows.len() < expected.gold().rows.len());
    assert_eq!(growing.run().output().ok().account()["read"], 0);
    growing.lake().gold("orders_per_minute").same(&expected.gold(), "gold");
    growing.lake().nothing_is_left_behind();
}

#[test]
fn a_file_that_appears_in_a_followed_folder_is_read() {
    let growing = Growing::new();
    let folder = growing.file.with_file_name("input");
    fs::create_dir(&folder).unwrap();
    files::write(&folder.join("a.ndjson"), growing.text(0..500));
    let mut run = Sluice::run(&growing.pipeline, &growing.data).input(&folder).arg("--follow").spawn();
    run.until("the commit of the first file", || growing.lake().read() == 500);
    files::write(&folder.join("b.ndjson"), growing.text(500..800));
    run.until("the commit of the second file", || growing.lake().read() == 800);
    run.terminate();
    run.wait().ok();
}

#[test]
fn stopping_a_bounded_run_commits_what_was_read_and_the_next_run_goes_on() {
    let growing = Growing::new();
    let lines: Vec<String> = orders::lines(300_000, 6);
    files::append(&growing.file, (lines.join("\n") + "\n").as_bytes());
    let mut run = growing.run().args(["--threads", "1", "--batch-rows", "500"]).spawn();
    run.until("the first commit", || !growing.lake().commits().is_empty());
    run.terminate();
    let account = run.wait().ok().account();
    assert_eq!(account["stopped"], true);
    let read = account["read"].as_u64().unwrap();
    assert!(read > 0 && read < 300_000, "{read}");
    assert_eq!(growing.lake().read(), read);
    let rest = growing.run().output().ok().account();
    assert_eq!(rest["read"].as_u64(), Some(300_000 - read));
}

#[test]
fn a_bounded_run_takes_an_unterminated_last_line_and_says_so() {
    let growing = Growing::new();
    files::write(&growing.file, growing.text(0..100).trim_end());
    let account = growing.run().output().ok().account();
    assert_eq!(account["read"], 100);
    assert!(account["notes"].to_string().contains("the last record has no line end"), "{account}");
}

#[test]
fn a_compressed_file_cannot_be_followed() {
    let growing = Growing::new();
    files::write(&growing.file, files::gzip(growing.text(0..100).as_bytes()));
    growing.run().arg("--follow").output().exits(1).says(&["cannot be followed", "orders.ndjson", "--follow"]);
}
