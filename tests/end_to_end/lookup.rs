//! Reference tables: columns that come from one, tables that change between runs, tables with something wrong.

use crate::support::files;
use crate::support::lake::Lake;
use crate::support::sluice::{Sluice, write_pipeline};
use sluice_batch::digest_hex;
use std::path::PathBuf;
use tempfile::TempDir;

const MANIFEST: &str = "\
dataset: visits
source: { format: json }
schema: { id: int64, country: text }
lookups:
  countries: { file: countries.csv, key: [code], columns: [name] }
steps:
  - coerce: lookups@^1
    reads: [country]
    writes: [country_name]
    grants: [lookup]
    lookups: [countries]
    with: { table: countries, key: [country], columns: { country_name: name } }
segment: { rows: 1000 }
batch: { rows: 500 }
";

const COUNTRIES: &str = "code,name\nDE,Germany\nFR,\"France, the\"\nAQ,\n";

/// What a row holds and what the table says of it.
const CODES: [(&str, Option<&str>); 4] =
    [("\"DE\"", Some("Germany")), ("\"FR\"", Some("France, the")), ("\"AQ\"", None), ("null", None)];

struct Place {
    folder: TempDir,
    pipeline: PathBuf,
    data: PathBuf,
    input: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (data, input) = (path("lake"), path("in"));
        let pipeline = write_pipeline(&path("visits"), MANIFEST);
        let place = Self { pipeline, data, input, folder };
        place.table(COUNTRIES);
        place.records("a", 0..4_000);
        place
    }

    fn table(&self, text: &str) {
        files::write(&self.pipeline.join("countries.csv"), text);
    }

    /// Every fifth row has a country that is in no table.
    fn records(&self, name: &str, ids: std::ops::Range<usize>) {
        let code = |id: usize| if id % 5 == 4 { "\"XX\"" } else { CODES[id % 4].0 };
        let lines: String = ids.map(|id| format!("{{\"id\":{id},\"country\":{}}}\n", code(id))).collect();
        std::fs::create_dir_all(&self.input).unwrap();
        files::write(&self.input.join(name), lines);
    }

    fn run(&self) -> Sluice {
        Sluice::run(&self.pipeline, &self.data).input(&self.input)
    }

    fn lake(&self) -> Lake {
        Lake::new(&self.data)
    }

    /// Names in silver by id.
    fn names(&self) -> Vec<(usize, Option<String>)> {
        let silver = self.lake().silver();
        let ids = silver.texts("id").into_iter().map(|id| id.parse().unwrap());
        let mut names: Vec<_> =
            ids.zip(silver.column("country_name").into_iter().map(|name| name.map(str::to_owned))).collect();
        names.sort();
        names
    }
}

fn expected(ids: std::ops::Range<usize>) -> Vec<(usize, Option<String>)> {
    ids.filter(|id| id % 5 != 4).map(|id| (id, CODES[id % 4].1.map(str::to_owned))).collect()
}

#[test]
fn columns_come_from_the_table_and_unknown_keys_go_to_quarantine() {
    let place = Place::new();
    let account = place.run().output().ok().account();
    assert_eq!(place.names(), expected(0..4_000));
    assert_eq!(place.lake().quarantine().texts("reason"), vec!["unknown_key"; 800]);
    assert_eq!(account["read"], 4_000, "{account}");
    place.lake().nothing_is_left_behind();
}

#[test]
fn every_object_says_which_table_it_was_made_with() {
    let place = Place::new();
    place.run().output().ok();
    let digest = digest_hex(COUNTRIES.as_bytes());
    for object in place.lake().objects(&sluice_batch::Layer::Silver) {
        let bytes = place.lake().bytes(&object.name);
        let says = format!("{{\"countries\":\"{digest}\"}}");
        assert!(bytes.windows(says.len()).any(|window| window == says.as_bytes()), "{}", object.name);
    }
}

#[test]
fn a_table_that_changed_between_two_runs_is_read_anew() {
    let place = Place::new();
    place.run().output().ok();
    place.table(&COUNTRIES.replace("Germany", "Deutschland"));
    place.records("b", 4_000..4_100);
    place.run().output().ok();
    let (old, new): (Vec<_>, Vec<_>) = place.names().into_iter().partition(|(id, _)| *id < 4_000);
    assert_eq!(old, expected(0..4_000));
    let renamed = |(id, name): (usize, Option<String>)| (id, name.map(|name| name.replace("Germany", "Deutschland")));
    assert_eq!(new, expected(4_000..4_100).into_iter().map(renamed).collect::<Vec<_>>());
}

#[test]
fn a_table_that_changed_between_cut_and_commit_aborts_the_cut_and_cuts_anew() {
    let place = Place::new();
    place.run().dying_at("before-commit", 2).output();
    let (cut, _) = place.lake().open_cut().expect("it died between cut and commit");
    assert_eq!(cut.identity.lookups["countries"], digest_hex(COUNTRIES.as_bytes()));
    place.table(&format!("{COUNTRIES}XX,Nowhere\n"));
    let account = place.run().output().ok().account();
    let note = account["notes"][0].as_str().unwrap_or_default();
    assert!(note.contains("a rule, lookup table or key changed since it was cut"), "{note}");
    let names = place.names();
    let nowhere = names.iter().filter(|(_, name)| name.as_deref() == Some("Nowhere")).count();
    assert_eq!((names.len(), nowhere), (3_800, 600), "the first segment stands as it was committed");
}

#[test]
fn what_is_wrong_with_a_table_is_a_finding_at_its_file() {
    let place = Place::new();
    let check = |text: &str, says: &[&str]| {
        place.table(text);
        let check = Sluice::new("check").arg(&place.pipeline);
        check.rules(&crate::support::root().join("plugins")).output().exits(3).says(says);
    };
    let at = "pipeline.yaml:5:22: reference table `countries` (";
    check("code,name\nDE,a\nFR,b\nDE,c\n", &[at, "countries.csv): line 4 and line 2: the key stands twice"]);
    check("code,name\nDE,a\n,b\n", &[at, "line 3: column `code` of the key holds nothing; fill it in"]);
    check("code,nam\nDE,a\n", &[at, "the nearest name there is `nam`"]);
    std::fs::remove_file(place.pipeline.join("countries.csv")).unwrap();
    let check = Sluice::new("check").arg(&place.pipeline).rules(&crate::support::root().join("plugins"));
    check.output().exits(3).says(&[at, "it could not be read: "]);
    assert!(place.folder.path().is_dir());
}

#[test]
fn a_rule_is_told_its_tables_when_it_is_opened() {
    let place = Place::new();
    files::write(
        &place.pipeline.join("pipeline.yaml"),
        MANIFEST.replace("country_name: name }", "country_name: nam }"),
    );
    let check = Sluice::new("check").arg(&place.pipeline).rules(&crate::support::root().join("plugins"));
    let says = ["pipeline.yaml:12:", "table `countries` gives no column `nam`; did you mean `name`?"];
    check.output().exits(3).says(&says);
}
