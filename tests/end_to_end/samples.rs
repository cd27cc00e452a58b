//! The pipelines of the repository, each on the sample beside its manifest.

use crate::support::lake::Lake;
use crate::support::pipeline;
use crate::support::sluice::{Sluice, query, query_text};
use serde_json::Value;
use std::path::Path;

/// Runs a pipeline as a newcomer does, but for the data folder.
#[track_caller]
fn runs(name: &str, data: &Path) -> Value {
    Sluice::new("check").arg(pipeline(name)).output().ok();
    let account = Sluice::run(&pipeline(name), data).output().ok().account();
    let count = |key: &str| account[key].as_u64().unwrap_or_else(|| panic!("no `{key}` in {account}"));
    assert_eq!(count("read"), count("silver") + count("filtered") + count("quarantined"), "{account}");
    let reasons: u64 = account["reasons"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(reasons, count("filtered") + count("quarantined"), "{account}");
    for (gold, windows) in account["windows"].as_object().unwrap() {
        let accounted: u64 = windows.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(accounted, count("silver"), "gold `{gold}`: {account}");
    }
    let silver = query(&pipeline(name), data, "select count(*) as n from silver");
    assert_eq!(silver[0]["n"], account["silver"]);
    let quarantined = query(&pipeline(name), data, "select count(*) as n from quarantine");
    assert_eq!(quarantined[0]["n"], account["quarantined"]);
    for (gold, rows) in account["gold"].as_object().unwrap() {
        let found = query(&pipeline(name), data, &format!("select count(*) as n from {gold}"));
        assert_eq!(found[0]["n"], *rows, "gold `{gold}`");
    }
    Lake::new(data).nothing_is_left_behind();
    account
}

#[test]
fn every_pipeline_of_the_repository_has_a_test_here() {
    let mut names: Vec<String> = std::fs::read_dir(pipeline(""))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().join("pipeline.yaml").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["hr-employees", "iot-sensors", "online-retail", "orders"]);
}

#[test]
fn online_retail_runs_on_its_sample() {
    let folder = tempfile::tempdir().unwrap();
    let account = runs("online-retail", folder.path());
    assert_eq!((account["read"].as_u64(), account["quarantined"].as_u64()), (Some(20_000), Some(71)));
    // a partition for each country and day
    let objects = Lake::new(folder.path()).objects(&sluice_batch::Layer::Silver);
    assert!(objects.iter().any(|object| object.name.starts_with("silver/country=United%20Kingdom/day=2010-12-01/")));
}

#[test]
fn orders_runs_on_its_sample() {
    let folder = tempfile::tempdir().unwrap();
    let account = runs("orders", folder.path());
    assert_eq!(account["read"], 2_000);
    let reasons: Vec<&String> = account["reasons"].as_object().unwrap().keys().collect();
    let known = ["bad_amount", "bad_quantity", "bad_status", "bad_ts", "malformed_json", "missing_order_id"];
    assert_eq!(reasons, known);
}

#[test]
fn hr_employees_runs_on_its_sample_and_shows_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let account = runs("hr-employees", folder.path());
    assert_eq!(account["read"], 300);
    let sql = "select count(*) as n from silver where age is not null or marital_status is not null
               or employee_number not like '%*%' or gender in ('Male', 'Female')";
    assert_eq!(query(&pipeline("hr-employees"), folder.path(), sql)[0]["n"], 0);
    let sql =
        "select count(*) as n, count(distinct department) as departments from silver where monthly_income > 1000.00";
    let row = &query(&pipeline("hr-employees"), folder.path(), sql)[0];
    assert_eq!((&row["n"], row["departments"].as_u64()), (&account["silver"], Some(3)), "{row}");
}

#[test]
fn iot_sensors_runs_on_its_sample_and_leaves_rows_out_on_purpose() {
    let folder = tempfile::tempdir().unwrap();
    let account = runs("iot-sensors", folder.path());
    assert_eq!(account["read"], 5_000);
    assert!(
        account["filtered"].as_u64().unwrap() > 0 && account["reasons"]["motion"] == account["filtered"],
        "{account}"
    );
    let sql = "select min(temp_min) <= min(temp_avg) and max(temp_avg) <= max(temp_max) as ordered,
               sum(readings) as readings from climate_per_hour";
    let row = &query(&pipeline("iot-sensors"), folder.path(), sql)[0];
    assert_eq!((row["ordered"].as_bool(), &row["readings"]), (Some(true), &account["silver"]), "{row}");
    let times =
        query_text(&pipeline("iot-sensors"), folder.path(), "select ts from silver order by ts limit 1", "--csv");
    assert!(times.starts_with("ts\n20") && times.contains('.') && times.trim_end().ends_with('Z'), "{times}");
}
