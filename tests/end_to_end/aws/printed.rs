//! What is printed of a pipeline for an account: tables and roles, as the repository's own pipelines have them.

use crate::support::sluice::{Sluice, build_rules};
use crate::support::{pipeline, root};

/// Holds what a command prints against a file; `SLUICE_BLESS=1` writes it anew.
#[track_caller]
fn prints(file: &str, args: &[&str]) {
    build_rules();
    let expected = root().join("tests/end_to_end/aws/expected").join(file);
    let mut sluice = Sluice::new(args[0]).rules(&root().join("plugins"));
    for arg in &args[1..] {
        sluice = if *arg == "PIPELINE" { sluice.arg(pipeline("online-retail")) } else { sluice.arg(arg) };
    }
    let printed = sluice.output().ok().stdout;
    if std::env::var_os("SLUICE_BLESS").is_some_and(|value| value != "0") {
        std::fs::create_dir_all(expected.parent().expect("it has a folder")).expect("a folder can be made");
        return std::fs::write(&expected, printed).expect("expected texts can be written");
    }
    let expected = std::fs::read_to_string(&expected).expect("the expected text is there");
    assert_eq!(printed, expected, "{file}");
}

#[test]
fn tables_are_printed_as_they_would_be_made() {
    prints("retail.sql", &["ddl", "PIPELINE", "--env", "aws"]);
}

#[test]
fn roles_and_resources_are_printed_as_json_and_terraform() {
    prints("retail.json", &["aws", "plan", "PIPELINE", "--env", "aws-firehose"]);
    prints("retail.tf", &["aws", "plan", "PIPELINE", "--env", "aws-firehose", "--terraform"]);
}
