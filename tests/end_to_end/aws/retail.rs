//! The invoices, on AWS as on this machine.

use crate::support::sluice::{Sluice, build_rules};
use crate::support::{pipeline, root, shared, skipped};
use sluice_stand_ins::account::{Account, AccountOptions};
use std::path::PathBuf;

struct Expected {
    file: PathBuf,
    read: u64,
    silver: u64,
    quarantined: u64,
    days: u64,
    revenue: Option<&'static str>,
}

fn expected() -> Expected {
    match shared("data/retail/online_retail_2010-12_2011-10.csv.gz") {
        Some(file) => Expected {
            file,
            read: 431_673,
            silver: 430_306,
            quarantined: 1_367,
            days: 1_467,
            revenue: Some("7863385.734"),
        },
        None => {
            skipped("the whole of the invoices on AWS", "the file is not here; its first 20,000 lines are used");
            let file = pipeline("online-retail").join("sample/online_retail.csv.gz");
            Expected { file, read: 20_000, silver: 19_929, quarantined: 71, days: 46, revenue: None }
        }
    }
}

fn sluice(account: &Account, subcommand: &str, env: &str) -> Sluice {
    build_rules();
    let mut sluice = Sluice::new(subcommand).rules(&root().join("plugins")).arg(pipeline("online-retail"));
    for (name, value) in account.variables() {
        sluice = sluice.env(&name, &value);
    }
    sluice.args(["--env", env])
}

async fn number(account: &Account, sql: &str) -> String {
    let rows = account.redshift.sql(sql).await.expect("the warehouse answers");
    rows[0][0].clone().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_invoices_come_to_the_same_numbers_by_parquet_and_by_firehose() {
    let expected = expected();
    let account = Account::start(AccountOptions { firehose_interval: 1, ..AccountOptions::default() }).await.unwrap();
    let put = sluice(&account, "put", "aws").arg(&expected.file).arg("--json").output().ok();
    assert!(put.account()["records"].as_u64().unwrap() > 100);
    for (env, schema) in [("aws", "retail"), ("aws-firehose", "retail_firehose")] {
        let run = sluice(&account, "run", env).args(["--until-caught-up", "--json"]).output().ok().account();
        assert_eq!(run["read"], expected.read, "{env}");
        assert_eq!((&run["silver"], &run["quarantined"]), (&expected.silver.into(), &expected.quarantined.into()));
        let count = async |table: &str| number(&account, &format!("select count(*) from {schema}.{table}")).await;
        assert_eq!(count("invoices").await, expected.silver.to_string(), "{env}");
        assert_eq!(count("quarantine").await, expected.quarantined.to_string(), "{env}");
        assert_eq!(count("revenue_per_day").await, expected.days.to_string(), "{env}");
        let of_gold = number(&account, &format!("select sum(revenue) from {schema}.revenue_per_day")).await;
        let of_silver = number(&account, &format!("select sum(quantity * unit_price) from {schema}.invoices")).await;
        assert_eq!(of_gold, of_silver, "{env}");
        if let Some(revenue) = expected.revenue {
            assert_eq!(of_gold, revenue, "{env}");
        }
        let delivered = if env == "aws" { serde_json::Value::Null } else { expected.silver.into() };
        assert_eq!(run["delivered"].get("rows").unwrap_or(&serde_json::Value::Null), &delivered, "{env}");
        let again = sluice(&account, "run", env).args(["--until-caught-up", "--json"]).output().ok().account();
        assert_eq!(again["read"], 0, "{env}");
    }
}
