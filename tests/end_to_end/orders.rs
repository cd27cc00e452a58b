//! The pipeline `orders` against plain code that does the same, and against the checker beside the repository.

use crate::support::lake::Lake;
use crate::support::oracle::Expected;
use crate::support::sluice::{Sluice, query_text};
use crate::support::world::is_right;
use crate::support::{orders, pipeline, shared, skipped};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the pipeline as it is on a file or folder and holds the lake against the oracle.
#[track_caller]
fn comes_out_right(input: &Path, options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("lake");
    let account = Sluice::run(&pipeline("orders"), &data).input(input).args(options).output().ok().account();
    let expected = Expected::of(input);
    assert_eq!(account["reasons"], serde_json::json!(expected.reasons));
    is_right(&Lake::new(&data), &expected);
}

#[test]
fn the_sample_comes_out_as_plain_code_makes_it() {
    comes_out_right(&pipeline("orders").join("sample/orders.ndjson"), &[]);
}

#[test]
fn generated_orders_over_files_out_of_order_come_out_the_same_whatever_the_batches_and_threads() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    orders::write_files(&input, 30_000, 5, 1);
    for options in [["--threads", "1", "--batch-rows", "17"], ["--threads", "8", "--batch-rows", "20000"]] {
        comes_out_right(&input, &options);
    }
}

#[test]
fn sums_of_a_query_are_exact_to_the_cent() {
    let folder = tempfile::tempdir().unwrap();
    let (input, data) = (folder.path().join("orders.ndjson"), folder.path().join("lake"));
    std::fs::write(&input, orders::lines(5_000, 3).join("\n") + "\n").unwrap();
    Sluice::run(&pipeline("orders"), &data).input(&input).output().ok();
    let expected = Expected::of(&input).silver();
    let cents: i64 = expected.texts("amount").iter().map(|cents| cents.parse::<i64>().unwrap()).sum();
    let total = format!("{}.{:02}", cents / 100, cents % 100);
    let orders = pipeline("orders");
    assert_eq!(
        query_text(&orders, &data, "select sum(amount) as total from silver", "--csv"),
        format!("total\n{total}\n")
    );
    let json = query_text(&orders, &data, "select sum(amount) as total from silver", "--json");
    assert_eq!(json, format!("[\n{{\"total\":{total}}}\n]\n"));
}

/// Python with pyarrow, and the folder of the checker; none where one is missing.
fn checker() -> Option<PathBuf> {
    let tools = shared("orders/check.py").map(|file| file.parent().expect("it lies in a folder").to_owned());
    let python = Command::new("python3").args(["-c", "import pyarrow"]).output();
    match (tools, python) {
        (Some(tools), Ok(output)) if output.status.success() => Some(tools),
        (None, _) => {
            skipped("orders against its checker", "../shared/orders/check.py is not there");
            None
        }
        _ => {
            skipped("orders against its checker", "there is no python3 with pyarrow");
            None
        }
    }
}

#[track_caller]
fn python(tools: &Path, script: &str, args: &[&Path]) -> String {
    let output = Command::new("python3").arg(tools.join(script)).args(args).output().expect("python3 was there");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{script}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn the_checker_beside_the_repository_agrees() {
    let Some(tools) = checker() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (input, expected, data) = (path("orders.ndjson"), path("expected.json"), path("lake"));
    python(&tools, "gen.py", &[Path::new("--rows"), Path::new("20000"), &input]);
    python(&tools, "reference.py", &[&input, &expected]);
    Sluice::run(&pipeline("orders"), &data).input(&input).output().ok();
    let (silver, discard) = (data.join("silver"), data.join("quarantine"));
    let gold = data.join("gold/orders_per_minute");
    let [s, d, g] = ["--silver", "--discard", "--gold"].map(Path::new);
    let said = python(&tools, "check.py", &[&expected, &data, s, &silver, d, &discard, g, &gold]);
    assert!(said.contains("silver   ok\n") && said.contains("gold     ok"), "{said}");
    assert!(said.contains("discard  ok"), "{said}");
}
