//! The pipeline `online-retail`, exactly: on the sample, and on the whole file where it stands beside the repository.

use crate::support::lake::Lake;
use crate::support::retail::{Retail, decimal};
use crate::support::sluice::{Outcome, Sluice, query, query_text};
use crate::support::{pipeline, shared, skipped};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const WHOLE: &str = "data/retail/online_retail_2010-12_2011-10.csv.gz";

fn sample() -> PathBuf {
    pipeline("online-retail").join("sample/online_retail.csv.gz")
}

/// Runs with some options and holds everything against what plain code makes of the file.
#[track_caller]
fn runs_right(input: &Path, expected: &Retail, options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("lake");
    let retail = pipeline("online-retail");
    let outcome = Sluice::run(&retail, &data).input(input).args(options).output().ok();
    let account = outcome.account();
    assert_eq!((account["read"].as_u64(), account["silver"].as_u64()), (Some(expected.read), Some(expected.silver)));
    assert_eq!(account["quarantined"], expected.read - expected.silver, "{account}");
    assert_eq!(account["reasons"], serde_json::json!(expected.reasons), "{account}");
    assert_eq!(account["gold"]["revenue_per_day"], expected.by_day.len(), "{account}");
    sums_are_exact(&data, expected);
    pseudonyms_are_one_to_one(&data, expected);
    no_id_gets_out(&data, expected, &outcome);
    Lake::new(&data).nothing_is_left_behind();
}

#[track_caller]
fn sums_are_exact(data: &Path, expected: &Retail) {
    let retail = pipeline("online-retail");
    let sql = "select sum(units) as units, sum(revenue) as revenue from revenue_per_day";
    let total = format!("units,revenue\n{},{}\n", expected.units, decimal(expected.revenue));
    assert_eq!(query_text(&retail, data, sql, "--csv"), total);
    let sql = "select sum(quantity * unit_price) as revenue from silver";
    assert_eq!(query_text(&retail, data, sql, "--csv"), format!("revenue\n{}\n", decimal(expected.revenue)));
    let sql = "select country, sum(revenue) as revenue from revenue_per_day group by country order by country";
    let by_country: String =
        expected.by_country.iter().map(|(country, revenue)| format!("{country},{}\n", decimal(*revenue))).collect();
    assert_eq!(query_text(&retail, data, sql, "--csv"), format!("country,revenue\n{by_country}"));
    let sql = "select country, cast(window_start as date) as day, lines, units, revenue from revenue_per_day
               order by country, day";
    let by_day = expected.by_day.iter().map(|((country, day), (lines, units, revenue))| {
        format!("{country},{day},{lines},{units},{}\n", decimal(*revenue))
    });
    let by_day: String = std::iter::once("country,day,lines,units,revenue\n".to_owned()).chain(by_day).collect();
    assert_eq!(query_text(&retail, data, sql, "--csv"), by_day);
}

#[track_caller]
fn pseudonyms_are_one_to_one(data: &Path, expected: &Retail) {
    let sql = "select count(distinct customer_id) as customers, count(customer_id) as known from silver";
    let row = &query(&pipeline("online-retail"), data, sql)[0];
    assert_eq!(row["customers"], expected.customers.len(), "{row}");
}

/// No value that the lake decodes to, and nothing that was printed, is or holds the id of a customer.
#[track_caller]
fn no_id_gets_out(data: &Path, expected: &Retail, outcome: &Outcome) {
    let retail = pipeline("online-retail");
    let mut texts = BTreeSet::new();
    for sql in [
        "select distinct customer_id from silver",
        "select distinct description, stock_code from silver",
        "select distinct invoice_no, country from silver",
        "select reason, rule, version, field, reasons, source, shard, position, raw_policy, raw, raw_sha256 from quarantine",
        "select distinct country from revenue_per_day",
    ] {
        for row in query(&retail, data, sql) {
            let values = row.as_object().expect("rows are objects").values();
            texts.extend(values.filter_map(|value| value.as_str().map(str::to_owned)));
        }
    }
    texts.extend(outcome.printed().lines().map(str::to_owned));
    for text in &texts {
        assert!(!expected.ids.contains(text), "`{text}` is the id of a customer");
        assert!(!holds_an_id(text.as_bytes()), "`{text}` holds the id of a customer");
    }
    let lake = Lake::new(data);
    for name in lake.files().into_iter().filter(|name| !name.ends_with(".parquet")) {
        assert!(!holds_an_id(&lake.bytes(&name)), "`{name}` holds the id of a customer");
    }
}

/// Five digits and `.0`, as the file writes ids, and no further digit on either side: that would be a price.
fn holds_an_id(bytes: &[u8]) -> bool {
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let mut windows = bytes.windows(7).enumerate();
    windows.any(|(at, window)| {
        let id = window.ends_with(b".0") && window[..5].iter().all(u8::is_ascii_digit);
        id && !digit(at.checked_sub(1)) && !digit(Some(at + 7))
    })
}

#[test]
fn the_sample_comes_out_exactly() {
    let expected = Retail::of(&sample());
    assert_eq!((expected.read, expected.silver), (20_000, 19_929));
    runs_right(&sample(), &expected, &[]);
}

#[test]
fn the_sample_comes_out_the_same_whatever_the_batches_and_threads() {
    let expected = Retail::of(&sample());
    for options in [["--batch-rows", "100", "--threads", "8"], ["--batch-rows", "65536", "--threads", "1"]] {
        runs_right(&sample(), &expected, &options);
    }
}

/// The whole file and what is known of it, or none where it is not there.
fn whole() -> Option<(PathBuf, Retail)> {
    let Some(file) = shared(WHOLE) else {
        skipped("online-retail on the whole file", &format!("../shared/{WHOLE} is not there"));
        return None;
    };
    let expected = Retail::of(&file);
    assert_eq!((expected.read, expected.silver), (431_673, 430_306));
    assert_eq!(
        serde_json::json!(expected.reasons).to_string(),
        r#"{"description_missing":1364,"invoice_malformed":3}"#
    );
    assert_eq!((expected.by_day.len(), expected.customers.len()), (1_467, 4_010));
    assert_eq!((expected.units, decimal(expected.revenue).as_str()), (4_224_266, "7863385.734"));
    assert_eq!(decimal(expected.by_country["United Kingdom"]), "6527327.214");
    Some((file, expected))
}

#[test]
fn the_whole_file_comes_out_exactly() {
    let Some((file, expected)) = whole() else { return };
    runs_right(&file, &expected, &[]);
}

#[test]
fn the_whole_file_comes_out_the_same_in_batches_of_100_rows_on_8_threads() {
    let Some((file, expected)) = whole() else { return };
    runs_right(&file, &expected, &["--batch-rows", "100", "--threads", "8"]);
}

#[test]
fn the_whole_file_comes_out_the_same_in_batches_of_65536_rows_on_1_thread() {
    let Some((file, expected)) = whole() else { return };
    runs_right(&file, &expected, &["--batch-rows", "65536", "--threads", "1"]);
}

#[test]
fn another_key_gives_other_pseudonyms_and_the_same_key_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let pseudonyms = |name: &str, key: Option<&str>| {
        let data = folder.path().join(name);
        let run = Sluice::run(&pipeline("online-retail"), &data).input(&sample());
        let run = if let Some(key) = key { run.env("SLUICE_TOKEN_KEY", key) } else { run };
        run.output().ok();
        let lake = Lake::new(&data);
        let silver = lake.silver();
        silver
            .texts("_sluice_id")
            .into_iter()
            .map(str::to_owned)
            .zip(silver.column("customer_id").into_iter().map(|id| id.map(str::to_owned)))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let demo = pseudonyms("demo", None);
    assert_eq!(demo, pseudonyms("demo-again", None));
    let other = pseudonyms("other", Some("a key of 32 bytes for this test!"));
    for (id, pseudonym) in &demo {
        assert_eq!(pseudonym.is_none(), other[id].is_none(), "an empty id stays empty");
        assert!(pseudonym.is_none() || *pseudonym != other[id]);
    }
}
