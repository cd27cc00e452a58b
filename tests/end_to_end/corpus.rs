//! JSONTestSuite, one file as one payload into a single JSON column.

use crate::support::lake::Lake;
use crate::support::sluice::{Sluice, write_pipeline};
use crate::support::{files, root};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

fn suite() -> BTreeMap<String, Vec<u8>> {
    let packed = root().join("host/formats/tests/data/json_test_suite_parsing.tar.gz");
    let archive = files::gunzip(&fs::read(packed).expect("the suite is there"));
    files::untar(&archive).into_iter().collect()
}

/// Name of the file that a record id or a shard belongs to.
fn file_of(id: &str) -> &str {
    id.split('/').nth(1).expect("an id is source, shard and position")
}

#[test]
fn the_229_cases_of_the_json_test_suite_are_decided_as_they_must_be() {
    let folder = tempfile::tempdir().unwrap();
    let manifest =
        "dataset: corpus\nsource: { format: json, records: file }\nschema: { value: { type: json, from: $ } }\n";
    let pipeline = write_pipeline(&folder.path().join("corpus"), manifest);
    let (input, data) = (folder.path().join("input"), folder.path().join("lake"));
    fs::create_dir(&input).unwrap();
    let suite = suite();
    assert_eq!(suite.len(), 229);
    for (name, content) in &suite {
        files::write(&input.join(name), content);
    }
    let account = Sluice::run(&pipeline, &data).input(&input).output().ok().account();
    assert_eq!(account["read"], 229, "{account}");

    let (silver, quarantine) = (Lake::new(&data).silver(), Lake::new(&data).quarantine());
    let mut verdicts: BTreeMap<String, String> = BTreeMap::new();
    for (id, value) in silver.texts("_sluice_id").into_iter().zip(silver.texts("value")) {
        let content = &suite[file_of(id)];
        let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
        assert_eq!(value.trim_ascii().as_bytes(), content.trim_ascii(), "{id}");
        verdicts.insert(file_of(id).to_owned(), "accepted".into());
    }
    for (id, reason) in quarantine.texts("_sluice_id").into_iter().zip(quarantine.texts("reason")) {
        verdicts.insert(file_of(id).to_owned(), reason.to_owned());
    }
    assert_eq!(verdicts.len(), 229);
    let mut choices = String::new();
    for (name, verdict) in &verdicts {
        match &name[..2] {
            "y_" => assert_eq!(verdict, "accepted", "{name}"),
            "n_" => assert_eq!(verdict, "malformed_json", "{name}"),
            _ => writeln!(choices, "{verdict:14}  {name}").unwrap(),
        }
    }
    let file = root().join("tests/json/choices.txt");
    if std::env::var_os("SLUICE_BLESS").is_some() {
        files::write(&file, &choices);
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        choices, expected,
        "other verdicts where the standard leaves the choice (SLUICE_BLESS=1 takes them over)"
    );
}
