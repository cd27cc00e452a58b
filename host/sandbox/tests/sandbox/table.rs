//! The table of hostile guests in `tests/README.md`: every test that it names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Attack, limit, outcome and names of tests of each row.
fn rows() -> Vec<[String; 4]> {
    let readme = fs::read_to_string(root().join("tests/README.md")).unwrap();
    let (_, after) = readme.split_once("## Hostile guests").expect("the section is there");
    let section = after.split("\n## ").next().unwrap_or_default();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let table = section.lines().filter(|line| line.starts_with('|')).skip(2);
    table.map(|line| cells(line).try_into().unwrap_or_else(|_| panic!("four cells were to be in {line}"))).collect()
}

fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Names of all tests in the files of a folder, as `MODULE::NAME`.
fn tests(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let source = fs::read_to_string(&path).unwrap();
            let after_mark = source.split("#[test]\n").skip(1);
            let name = |text: &str| text.split_once("fn ").unwrap().1.split('(').next().unwrap().to_owned();
            found.extend(after_mark.map(|text| format!("{module}::{}", name(text))));
        }
    }
    found
}

#[test]
fn every_test_that_the_table_of_hostile_guests_names_is_there() {
    let folders = ["host/sandbox/tests/sandbox", "host/sandbox/tests/strangers", "tests/end_to_end"];
    let known: BTreeSet<String> =
        folders.map(|folder| root().join(folder)).iter().filter(|f| f.is_dir()).flat_map(|f| tests(f)).collect();
    let rows = rows();
    assert!(rows.len() >= 25, "{} rows", rows.len());
    let attacks: BTreeSet<&String> = rows.iter().map(|[attack, ..]| attack).collect();
    assert_eq!(attacks.len(), rows.len(), "an attack stands twice");
    for [attack, limit, outcome, tests] in &rows {
        assert!(!limit.is_empty() && !outcome.is_empty() && named(tests).next().is_some(), "{attack}");
        for test in named(tests) {
            assert!(known.contains(test), "{attack}: there is no test `{test}`");
        }
    }
}
