//! Gold where rows come for days that are over, and where files come in any order.

use crate::support::files;
use crate::support::lake::Lake;
use crate::support::pipeline;
use crate::support::random::Random;
use crate::support::retail::{Retail, lines};
use crate::support::sluice::Sluice;
use crate::support::table::Table;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
/// A line for a day that the sample has, and one that moves time on.
const LATER: &str = "536365,85123A,ONE MORE HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n";

struct Shop {
    folder: TempDir,
    file: PathBuf,
    data: PathBuf,
    text: String,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = lines(&pipeline("online-retail").join("sample/online_retail.csv.gz"));
        let text: String = text.lines().take(4_000).map(|line| format!("{line}\n")).collect();
        let (file, data) = (folder.path().join("sales.csv"), folder.path().join("lake"));
        files::write(&file, &text);
        Self { folder, file, data, text }
    }

    fn run(&self, options: &[&str]) -> Value {
        Sluice::run(&pipeline("online-retail"), &self.data).input(&self.file).args(options).output().ok().account()
    }

    fn append(&mut self) {
        files::append(&self.file, LATER.as_bytes());
        self.text.push_str(LATER);
    }

    fn lake(&self) -> Lake {
        Lake::new(&self.data)
    }
}

/// Insists that a lake's gold is what plain code makes of lines.
#[track_caller]
fn gold_is_of(lake: &Lake, text: &str) {
    let expected = Retail::of_lines(text);
    let found = lake.gold("revenue_per_day");
    let mut wanted: Vec<Vec<Option<String>>> = Vec::new();
    for ((country, day), (lines, units, revenue)) in &expected.by_day {
        let numbers: Vec<i64> = day.split('-').map(|number| number.parse().unwrap()).collect();
        let days = crate::support::oracle::days_since_1970(numbers[0], numbers[1], numbers[2]);
        let time = |days: i64| (days * 86_400_000_000).to_string();
        let cells = [country.clone(), time(days), time(days + 1), lines.to_string(), units.to_string()];
        wanted.push(cells.into_iter().chain([revenue.to_string()]).map(Some).collect());
    }
    wanted.sort_unstable();
    let columns = ["country", "window_start", "window_end", "lines", "units", "revenue"];
    let wanted = Table { columns: columns.iter().map(|name| (*name).to_owned()).collect(), rows: wanted };
    found.same(&wanted, "gold");
}

#[test]
fn rows_appended_for_a_closed_day_are_in_silver_and_late_for_gold() {
    let mut shop = Shop::new();
    shop.run(&[]);
    let before = shop.text.clone();
    gold_is_of(&shop.lake(), &before);
    shop.append();
    let account = shop.run(&[]);
    assert_eq!((account["read"].as_u64(), account["silver"].as_u64()), (Some(1), Some(1)));
    assert_eq!(account["windows"]["revenue_per_day"]["late"], 1, "{account}");
    assert_eq!(account["gold"]["revenue_per_day"], 0, "{account}");
    assert!(account["notes"].to_string().contains("1 rows came too late"), "{account}");
    gold_is_of(&shop.lake(), &before);
    assert_eq!(shop.lake().silver().rows.len() as u64, Retail::of_lines(&shop.text).silver);
}

#[test]
fn with_keep_open_rows_appended_for_a_day_are_in_its_gold() {
    let mut shop = Shop::new();
    let account = shop.run(&["--keep-open"]);
    assert_eq!(account["gold"]["revenue_per_day"], 0, "{account}");
    assert!(shop.lake().gold("revenue_per_day").rows.is_empty());
    shop.append();
    let account = shop.run(&["--keep-open"]);
    assert_eq!(account["windows"]["revenue_per_day"]["late"], 0, "{account}");
    let account = shop.run(&[]);
    assert_eq!(account["read"], 0);
    gold_is_of(&shop.lake(), &shop.text);
    shop.lake().nothing_is_left_behind();
}

/// Writes the lines in any order into four files, each with the header.
fn shuffled(folder: &Path, text: &str) -> PathBuf {
    let folder = folder.join("shuffled");
    std::fs::create_dir(&folder).unwrap();
    let mut lines: Vec<&str> = text.lines().skip(1).collect();
    Random::new(11).shuffle(&mut lines);
    for (number, part) in lines.chunks(lines.len().div_ceil(4)).enumerate() {
        files::write(&folder.join(format!("part-{number}.csv")), format!("{HEADER}{}\n", part.join("\n")));
    }
    folder
}

#[test]
fn the_same_rows_in_any_order_over_four_files_give_the_same_gold_with_1_and_8_threads() {
    let shop = Shop::new();
    let input = shuffled(shop.folder.path(), &shop.text);
    for threads in ["1", "8"] {
        let data = shop.folder.path().join(threads);
        let run = Sluice::run(&pipeline("online-retail"), &data).input(&input);
        let account = run.args(["--threads", threads, "--batch-rows", "333"]).output().ok().account();
        assert_eq!(account["windows"]["revenue_per_day"]["late"], 0, "{account}");
        gold_is_of(&Lake::new(&data), &shop.text);
    }
}

#[test]
fn a_row_of_the_far_future_is_set_aside_and_closes_no_window() {
    let mut shop = Shop::new();
    let future = "536365,85123A,FROM THE FUTURE,6,9999-12-31 08:26:00,2.55,17850.0,United Kingdom\n";
    shop.text = shop.text.replacen('\n', &format!("\n{future}"), 1);
    files::write(&shop.file, &shop.text);
    let account = shop.run(&[]);
    assert_eq!(account["reasons"]["event_time_ahead"], 1, "{account}");
    assert_eq!(account["windows"]["revenue_per_day"]["late"], 0, "{account}");
    let without = shop.text.replacen(future, "", 1);
    gold_is_of(&shop.lake(), &without);
}

#[test]
fn how_far_a_file_has_come_is_remembered_between_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (input, data) = (folder.path().join("input"), folder.path().join("lake"));
    std::fs::create_dir(&input).unwrap();
    let order = |id: &str, time: &str| {
        format!(
            "{{\"order_id\":\"{id}\",\"status\":\"paid\",\"quantity\":1,\"amount\":1,\"ts\":\"2025-09-16T{time}:00Z\"}}\n"
        )
    };
    files::write(&input.join("ahead.ndjson"), order("a", "10:00"));
    files::write(&input.join("behind.ndjson"), order("b", "07:00"));
    let run = || Sluice::run(&pipeline("orders"), &data).input(&input).arg("--keep-open").output().ok().account();
    run();
    // the file behind holds the windows open, but for the one ahead eight o'clock is over
    files::append(&input.join("ahead.ndjson"), order("c", "08:00").as_bytes());
    files::append(&input.join("behind.ndjson"), order("d", "08:00").as_bytes());
    let windows = run()["windows"]["orders_per_minute"].clone();
    assert_eq!((windows["late"].as_u64(), windows["folded"].as_u64()), (Some(1), Some(1)), "{windows}");
}

#[test]
fn rows_too_late_go_to_the_late_output_where_the_manifest_says_so() {
    let mut shop = Shop::new();
    let manifest = std::fs::read_to_string(pipeline("online-retail").join("pipeline.yaml")).unwrap();
    let manifest = manifest.replacen("lateness: 365d", "lateness: 365d\n      late: output", 1);
    let folder = shop.folder.path().join("with-late-output");
    let retail = crate::support::sluice::write_pipeline(&folder, &manifest);
    let run = || {
        let run = Sluice::run(&retail, &shop.data).input(&shop.file);
        run.env("SLUICE_TOKEN_KEY", "a key of 32 bytes for this test!").output().ok().account()
    };
    run();
    files::append(&shop.file, LATER.as_bytes());
    run();
    shop.text.push_str(LATER);
    let late = shop.lake().batches(&sluice_batch::Layer::Late("revenue_per_day".into()));
    let late = Table::new(&late, &[]);
    assert_eq!(late.texts("description"), ["ONE MORE HOLDER"]);
    assert_eq!(shop.lake().silver().rows.len() as u64, Retail::of_lines(&shop.text).silver);
}
