//! The gate, through the whole program: a redactor that does nothing, and personal data in what it lets through.

use crate::support::changing::component;
use crate::support::files::{self, gunzip};
use crate::support::lake::Lake;
use crate::support::sluice::{Outcome, Sluice, write_pipeline};
use crate::support::{root, shared, skipped};
use serde_json::Value;
use sluice_batch::Layer;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tempfile::TempDir;

const KEY: &str = "a key of 32 bytes for this test!";

/// A text, and the e-mails, cards, IBANs and social security numbers that Presidio's regular expressions find in it.
struct Case {
    text: String,
    found: Vec<String>,
    /// Characters that are labelled or found as personal data of any kind looked for.
    of_pii: usize,
}

fn is_required(kind: &str) -> bool {
    matches!(kind, "EMAIL_ADDRESS" | "CREDIT_CARD" | "IBAN_CODE" | "US_SSN")
}

/// `(kind, from, to)` of spans, as arrays or as objects.
fn spans(value: &Value) -> Vec<(String, usize, usize)> {
    let part =
        |span: &Value, place: usize, name: &str| if span.is_array() { span[place].clone() } else { span[name].clone() };
    let number = |value: Value| value.as_u64().expect("an offset") as usize;
    let each = |span: &Value| {
        let kind = part(span, 0, "type").as_str().expect("a kind").to_owned();
        (kind, number(part(span, 1, "start")), number(part(span, 2, "end")))
    };
    value.as_array().expect("spans").iter().map(each).collect()
}

impl Case {
    fn new(text: &str, labelled: &Value, found: &Value) -> Self {
        let characters: Vec<char> = text.chars().collect();
        let (labelled, found) = (spans(labelled), spans(found));
        let slice = |(_, from, to): &(String, usize, usize)| characters[*from..*to].iter().collect();
        let required = found.iter().filter(|(kind, ..)| is_required(kind));
        let looked_for = |(kind, ..): &&(String, usize, usize)| {
            is_required(kind) || matches!(kind.as_str(), "PHONE_NUMBER" | "IP_ADDRESS" | "SOCIAL_SECURITY_NUMBER")
        };
        let mut of_pii = vec![false; characters.len()];
        for (_, from, to) in labelled.iter().chain(&found).filter(looked_for) {
            of_pii[*from..*to].fill(true);
        }
        let of_pii = of_pii.into_iter().filter(|is| *is).count();
        Self { text: text.to_owned(), found: required.map(slice).collect(), of_pii }
    }

    /// The whole set where it is at hand, else the sample of it in the repository.
    fn all() -> Vec<Self> {
        let set = |name: &str| shared(&format!("data/pii/{name}.jsonl.gz"));
        let lines = |bytes: Vec<u8>| -> Vec<Value> {
            let text = String::from_utf8(bytes).expect("the set is text");
            text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
        };
        let files = set("presidio_research_v2_dev").zip(set("presidio_regex_on_presidio_research_v2_dev"));
        let Some((texts, found)) = files else {
            skipped("the gate on the whole of presidio_research", "../shared/data/pii is not there");
            let sample = root().join("host/guard/tests/data/presidio_sample.jsonl");
            let sample = lines(std::fs::read(sample).expect("the sample is there"));
            let text = |line: &Value| line["text"].as_str().expect("a text").to_owned();
            return sample.iter().map(|line| Self::new(&text(line), &line["labelled"], &line["found"])).collect();
        };
        let read = |file: PathBuf| lines(gunzip(&std::fs::read(file).expect("it is there")));
        let found: BTreeMap<String, Value> =
            read(found).into_iter().map(|line| (line["id"].to_string(), line["predictions"].clone())).collect();
        let case = |line: &Value| {
            Self::new(line["text"].as_str().expect("a text"), &line["spans"], &found[&line["id"].to_string()])
        };
        read(texts).iter().map(case).collect()
    }
}

/// A dataset with a redactor that passes everything on, and a gate.
struct Gate {
    folder: TempDir,
    pipeline: PathBuf,
}

impl Gate {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let rules = folder.path().join("rules/changing");
        std::fs::create_dir_all(&rules).expect("a folder can be made");
        std::fs::write(rules.join("1.100.0.wasm"), component(100, "well")).expect("a rule can be written");
        let manifest = format!(
            "dataset: gate
source: {{ format: json }}
schema:
  id: int64
  v: text
rules: ../rules
steps:
  - redact: changing@^1
    reads: [id, v]
    writes: [v, made_by]
  - check: {{ sql: id % 10 <> 7, reason: every_tenth }}
{more}
"
        );
        let pipeline = write_pipeline(&folder.path().join("gate"), &manifest);
        Self { folder, pipeline }
    }

    fn run(&self, texts: impl IntoIterator<Item = impl AsRef<str>>) -> Outcome {
        let line = |(id, text): (usize, _)| {
            let text: &str = AsRef::<str>::as_ref(&text);
            // broken lines are kept as they are: in quarantine they must not be in the clear either
            match id % 10 {
                3 => format!("{{broken {}\n", text.replace(['\n', '\r'], " ")),
                _ => format!("{}\n", serde_json::json!({ "id": id, "v": text })),
            }
        };
        let texts: Vec<String> = texts.into_iter().map(|text| text.as_ref().to_owned()).collect();
        files::write(&self.folder.path().join("in"), texts.iter().enumerate().map(line).collect::<String>());
        let run =
            Sluice::new("run").arg("--verbose").arg(&self.pipeline).arg("--data-dir").arg(self.data()).arg("--json");
        run.input(&self.folder.path().join("in")).env("SLUICE_BRONZE_KEY", KEY).output()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    fn lake(&self) -> Lake {
        Lake::new(&self.data())
    }
}

#[test]
fn nothing_that_presidio_finds_leaves_by_any_door() {
    let cases = Case::all();
    let gate = Gate::new("guard: { kinds: [email, card, iban, ssn] }");
    let outcome = gate.run(cases.iter().map(|case| &case.text)).ok();
    let account = outcome.account();
    assert_eq!(account["read"], cases.len());
    // those that the check rejects and those that are broken on purpose are not the gate's doing
    let wanted = (0..cases.len()).filter(|id| !matches!(id % 10, 3 | 7)).count() as u64;
    assert_eq!(account["silver"].as_u64(), Some(wanted), "with masks every row goes on");
    let silver = gate.lake().silver();
    let (ids, texts) = (silver.texts("id"), silver.texts("v"));
    let quarantine = gate.lake().quarantine();
    let set_aside: String = quarantine.texts("raw").concat() + &quarantine.texts("reasons").concat();
    let printed = outcome.printed();
    let (mut outside, mut touched) = (0, 0);
    let by_id: BTreeMap<usize, &str> = ids.iter().map(|id| id.parse().expect("a number")).zip(texts).collect();
    for (id, case) in cases.iter().enumerate() {
        let text = by_id.get(&id).copied();
        for value in &case.found {
            assert!(text.is_none_or(|text| !text.contains(value.as_str())), "`{value}` is in silver: {text:?}");
            assert!(!set_aside.contains(value.as_str()), "`{value}` is in quarantine");
            assert!(!printed.contains(value.as_str()), "`{value}` was printed");
        }
        if let Some(text) = text {
            let whole = case.text.chars().count() - case.of_pii;
            outside += whole;
            let same = text.chars().count().saturating_sub(text.matches('[').count() * 6);
            touched += whole.saturating_sub(same);
        }
    }
    assert!(touched * 100 <= outside * 2, "{touched} of {outside} characters outside are gone");
    let masked = account["masked"].as_object().unwrap();
    assert!(masked.keys().any(|what| what.starts_with("changing:")), "counted against the redactor: {masked:?}");
    assert!(account["split"]["guard"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_row_may_be_set_aside_instead_and_a_column_let_through() {
    let texts = ["call jo@example.com", "nothing here", "4111 1111 1111 1111"];
    let gate = Gate::new("guard: { kinds: [email, card], on_hit: quarantine }");
    let account = gate.run(texts).ok().account();
    assert_eq!((&account["silver"], &account["reasons"]["pii_leaked"]), (&1.into(), &2.into()), "{account}");
    let quarantine = gate.lake().quarantine();
    assert_eq!(quarantine.texts("rule"), ["changing", "changing"]);
    assert!(quarantine.texts("raw").iter().any(|raw| raw.contains("call [email]")));
    let gate = Gate::new("guard: { kinds: [email, card], allow: [v] }");
    let account = gate.run(texts).ok().account();
    assert_eq!((&account["silver"], gate.lake().silver().texts("v")), (&3.into(), texts.to_vec()));
    assert_eq!(account["masked"], serde_json::json!({}));
}

#[test]
fn bronze_of_personal_data_is_sealed_and_opens_with_its_key_only() {
    let gate =
        Gate::new("guard: { kinds: [email] }\nbronze: { enabled: true, encrypt: { key_env: SLUICE_BRONZE_KEY } }");
    gate.run(["write to jo@example.com"; 50]).ok();
    let objects = gate.lake().objects(&Layer::Bronze);
    assert_eq!(objects.len(), 1);
    assert!(objects[0].name.ends_with(".parquet.sealed"), "{}", objects[0].name);
    let sealed = gate.data().join(&objects[0].name);
    let holds = |bytes: &[u8]| bytes.windows(14).any(|window| window == b"jo@example.com");
    assert!(!holds(&std::fs::read(&sealed).unwrap()));
    let out = gate.folder.path().join("opened.parquet");
    let unseal = |key: &str| {
        let _ = std::fs::remove_file(&out);
        Sluice::new("unseal")
            .arg(&gate.pipeline)
            .arg(&sealed)
            .arg("--out")
            .arg(&out)
            .env("SLUICE_BRONZE_KEY", key)
            .output()
    };
    unseal("another key, just as long as it").exits(1).says(&["it was sealed with key"]);
    unseal(KEY).ok();
    assert!(std::fs::read(&out).unwrap().starts_with(b"PAR1"));
}
