//! The command line: what it says, in which form, and with which code it ends.

use crate::support::files;
use crate::support::sluice::{Sluice, query, query_text, write_pipeline};
use crate::support::{pipeline, root};
use serde_json::Value;
use std::path::Path;

/// The orders pipeline with something in its manifest replaced.
fn changed(folder: &Path, from: &str, to: &str) -> std::path::PathBuf {
    let manifest = std::fs::read_to_string(pipeline("orders").join("pipeline.yaml")).unwrap();
    assert!(manifest.contains(from), "`{from}` is not in the manifest");
    write_pipeline(&folder.join("orders"), &manifest.replacen(from, to, 1))
}

/// `FILE:LINE:COLUMN:` of the first place where a text stands in a pipeline's manifest.
fn place(pipeline: &Path, text: &str) -> String {
    let file = pipeline.join("pipeline.yaml");
    let manifest = std::fs::read_to_string(&file).unwrap();
    let (number, line) = manifest.lines().enumerate().find(|(_, line)| line.contains(text)).expect("it stands there");
    format!("{}:{}:{}:", file.display(), number + 1, line.find(text).unwrap() + 1)
}

fn check(pipeline: &Path) -> Sluice {
    Sluice::new("check").arg(pipeline).rules(&root().join("plugins"))
}

#[test]
fn help_names_every_command_and_option() {
    let help = Sluice::new("--help").output().ok().stdout;
    for command in ["check", "run", "query", "plugin", "schema"] {
        assert!(help.contains(&format!("  {command} ")), "{help}");
    }
    let help = Sluice::new("run").arg("--help").output().ok().stdout;
    for option in
        ["--env", "--input", "--data-dir", "--follow", "--keep-open", "--batch-rows", "--threads", "--reread", "--json"]
    {
        assert!(help.contains(option), "{help}");
    }
    let version = Sluice::new("--version").output().ok().stdout;
    assert_eq!(version.trim(), format!("sluice {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_arguments_exit_with_2() {
    for args in [&["run"][..], &["run", "x", "--batch-rows", "0"], &["query", "x"], &["runn"], &["check", "x", "--yes"]]
    {
        Sluice::new(args[0]).args(&args[1..]).output().exits(2);
    }
}

#[test]
fn a_good_pipeline_checks_out_and_shows_its_rules() {
    for name in ["orders", "online-retail", "hr-employees", "iot-sensors"] {
        let said = check(&pipeline(name)).output().ok().stdout;
        assert!(said.starts_with(&format!("{name}: ")) && said.contains("no findings"), "{said}");
        assert!(said.contains("checks@") && said.contains("types@"), "{said}");
        // the manifest file itself is as good as its folder
        check(&pipeline(name).join("pipeline.yaml")).output().ok();
    }
    assert_eq!(check(&pipeline("orders")).arg("--json").output().ok().stdout.trim(), "[]");
}

#[test]
fn findings_are_said_with_file_line_and_column_all_at_once_and_exit_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "dataset: Orders\nsourc: { format: json }\nschema: { a: txt }\n";
    let broken = write_pipeline(folder.path(), manifest);
    let file = broken.join("pipeline.yaml").display().to_string();
    let dataset = format!("{file}:1:10:");
    let source = format!("{file}:2:1: unknown key `sourc`; did you mean `source`?");
    let schema = format!("{file}:3:14:");
    check(&broken).output().exits(3).says(&[&dataset, &source, &schema]);
    let run = Sluice::run(&broken, &folder.path().join("lake")).output().exits(3);
    run.says(&[&dataset, &source, &schema]);
    assert!(!folder.path().join("lake").exists());
    let json = check(&broken).arg("--json").output().exits(3).stdout;
    let findings: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert!(findings.len() >= 3, "{json}");
    assert_eq!(
        (&findings[0]["file"], &findings[0]["line"], &findings[0]["column"]),
        (&file.into(), &1.into(), &10.into())
    );
    assert!(findings[0]["message"].as_str().unwrap().contains("Orders"));
}

#[test]
fn what_a_rule_finds_in_its_configuration_is_said_at_its_place_in_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("a column that it is not shown", "{ column: order_id,", "{ column: order_idd,", "order_idd"),
        ("a type that there is not", "decimal(18,2)", "decimal(99,2)", "decimal(99,2)"),
        ("an aggregate of what is no column", "{ sum: amount }", "{ sum: amont }", "amont"),
    ];
    for (what, from, to, at) in cases {
        let pipeline = changed(folder.path(), from, to);
        let said = check(&pipeline).output().exits(3).stderr;
        let line = place(&pipeline, at);
        // the column may be that of the key or of the value
        let line = line.rsplitn(3, ':').nth(2).unwrap();
        assert!(said.contains(line) && said.contains(at), "{what}: no `{line}` in:\n{said}");
    }
}

#[test]
fn findings_of_several_rules_come_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = changed(folder.path(), "{ column: order_id,", "{ column: order_idd,");
    let manifest = std::fs::read_to_string(pipeline.join("pipeline.yaml")).unwrap();
    write_pipeline(&pipeline, &manifest.replacen("{ sum: amount }", "{ sum: amont }", 1));
    check(&pipeline).output().exits(3).says(&["order_idd", "amont"]);
}

#[test]
fn a_rule_or_version_that_is_not_there_is_a_finding_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = changed(folder.path(), "validate: checks@^1", "validate: cheks@^1");
    check(&pipeline).output().exits(3).says(&[&place(&pipeline, "cheks@^1"), "no rule `cheks`", "checks"]);
    let pipeline = changed(folder.path(), "validate: checks@^1", "validate: checks@^7");
    check(&pipeline).output().exits(3).says(&[&place(&pipeline, "checks@^7"), "no version of rule `checks`"]);
    let pipeline = changed(folder.path(), "validate: checks@^1", "validate: types@^1");
    check(&pipeline).output().exits(3).says(&[&place(&pipeline, "types@^1"), "is there to coerce"]);
}

#[test]
fn a_condition_in_sql_that_does_not_hold_together_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let with_check = "steps:\n  - check: { sql: \"quantitty > 0\", reason: nothing }";
    let pipeline = changed(folder.path(), "steps:", with_check);
    check(&pipeline).output().exits(3).says(&["quantitty", "quantity"]);
}

#[test]
fn the_schema_is_json_schema_that_knows_every_top_level_key() {
    let schema: Value = serde_json::from_str(&Sluice::new("schema").output().ok().stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for key in ["dataset", "source", "schema", "steps", "silver", "gold", "segment", "batch", "environments"] {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
}

#[test]
fn a_pipeline_environment_or_input_that_is_not_there_is_said_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let nowhere = folder.path().join("nowhere");
    Sluice::run(&nowhere, &lake).output().exits(1).says(&["nowhere", "pipeline.yaml"]);
    let run = Sluice::run(&pipeline("orders"), &lake).args(["--env", "moon"]);
    run.output().exits(1).says(&["no environment `moon`", "known: local"]);
    let run = Sluice::run(&pipeline("orders"), &lake).input(&nowhere);
    run.output().exits(1).says(&["nowhere", "cannot read the input"]);
    let without = changed(folder.path(), "    input: sample/orders.ndjson\n", "");
    Sluice::run(&without, &lake).output().exits(1).says(&["no input", "--input", "environments.local.input"]);
}

#[test]
fn a_data_folder_that_is_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    files::write(&lake, "");
    Sluice::run(&pipeline("orders"), &lake).output().exits(1).says(&["lake", "is a file"]);
}

#[test]
fn a_key_too_short_is_refused_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let run = Sluice::run(&pipeline("online-retail"), &folder.path().join("lake"));
    let outcome = run.env("SLUICE_TOKEN_KEY", "short-secret").output().exits(1);
    assert!(!outcome.printed().contains("short-secret"), "{}", outcome.printed());
    outcome.says(&["SLUICE_TOKEN_KEY", "at least 16"]);
}

#[test]
fn the_account_is_a_table_for_people_and_one_json_object_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let lake = |name: &str| folder.path().join(name);
    let json = Sluice::run(&pipeline("orders"), &lake("json")).output().ok().account();
    for key in ["read", "silver", "quarantined", "reasons", "gold", "seconds"] {
        assert!(!json[key].is_null(), "{json}");
    }
    let run = Sluice::new("run").arg(pipeline("orders")).arg("--data-dir").arg(lake("text"));
    let text = run.output().ok().stdout;
    let line = |name: &str| text.lines().find(|line| line.trim().starts_with(name)).unwrap_or_default().to_owned();
    assert!(line("read").ends_with("2,000"), "{text}");
    assert!(line("silver").ends_with(&format!("1,{}", json["silver"].as_u64().unwrap() - 1000)), "{text}");
    assert!(line("gold orders_per_minute").ends_with(&json["gold"]["orders_per_minute"].to_string()), "{text}");
}

#[test]
fn a_query_answers_as_table_csv_or_json_and_says_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let orders = pipeline("orders");
    Sluice::run(&orders, &lake).output().ok();
    let sql = "select status, count(*) as n, cast(1.10 as decimal(5,2)) as fixed, null as nothing, 'a \"b\", c' as text
               from silver where status = 'paid' group by status";
    let n = query(&orders, &lake, sql)[0]["n"].to_string();
    let csv = format!("status,n,fixed,nothing,text\npaid,{n},1.10,,\"a \"\"b\"\", c\"\n");
    assert_eq!(query_text(&orders, &lake, sql, "--csv"), csv);
    let json = format!(
        "[\n{{\"status\":\"paid\",\"n\":{n},\"fixed\":1.10,\"nothing\":null,\"text\":\"a \\\"b\\\", c\"}}\n]\n"
    );
    assert_eq!(query_text(&orders, &lake, sql, "--json"), json);
    let table = Sluice::new("query").arg(&orders).arg(sql).arg("--data-dir").arg(&lake).output().ok().stdout;
    assert!(table.contains("(1 row)") && table.contains("NULL"), "{table}");
    let ask = |sql: &str| Sluice::new("query").arg(&orders).arg(sql).arg("--data-dir").arg(&lake).output();
    ask("select nonsense from silver").exits(1).says(&["nonsense"]);
    ask("select * from sliver").exits(1).says(&["sliver"]);
    ask("select").exits(1);
    ask("drop table silver").exits(1);
    assert_eq!(query(&orders, &lake, "select count(*) as n from silver").len(), 1);
}

#[test]
fn a_query_of_a_folder_without_data_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let query = Sluice::new("query").arg(pipeline("orders")).arg("select 1").arg("--data-dir").arg(&lake);
    query.output().exits(1).says(&["lake"]);
    assert!(!lake.exists(), "a query makes nothing");
}

#[test]
fn a_query_reads_while_a_run_writes() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let orders = pipeline("orders");
    Sluice::run(&orders, &lake).output().ok();
    let mut run = Sluice::run(&orders, &lake).arg("--follow").spawn();
    let lock = lake.join("_sluice/lock");
    let id = run.id().to_string();
    run.until("the lock", || std::fs::read_to_string(&lock).is_ok_and(|text| text.trim() == id));
    assert_eq!(query(&orders, &lake, "select count(*) as n from silver").len(), 1);
    run.terminate();
    run.wait().ok();
}
