//! The gate against the regular expressions of Presidio: what they find of four kinds is masked, and little else is.

use arrow_array::StringArray;
use flate2::read::GzDecoder;
use serde_json::Value;
use sluice_guard::{Detector, Hit, Kind};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A text with what is labelled in it and what Presidio finds in it, as bytes.
struct Case {
    text: String,
    labelled: Vec<(String, Range<usize>)>,
    found: Vec<(String, Range<usize>)>,
}

impl Case {
    /// Offsets in the data count characters.
    fn new(text: &str, labelled: Vec<Span>, found: Vec<Span>) -> Self {
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).chain([text.len()]).collect();
        let bytes =
            |spans: Vec<Span>| spans.into_iter().map(|(kind, from, to)| (kind, places[from]..places[to])).collect();
        Self { text: text.to_owned(), labelled: bytes(labelled), found: bytes(found) }
    }
}

type Span = (String, usize, usize);

/// Spans as arrays, as in the sample, or as objects, as in the data folder.
fn spans(value: &Value) -> Vec<Span> {
    let number = |value: &Value| value.as_u64().expect("an offset") as usize;
    let span = |span: &Value| match span {
        Value::Array(parts) => (text(&parts[0]).to_owned(), number(&parts[1]), number(&parts[2])),
        _ => (text(&span["type"]).to_owned(), number(&span["start"]), number(&span["end"])),
    };
    value.as_array().expect("spans").iter().map(span).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn sample() -> Vec<Case> {
    let lines = include_str!("data/presidio_sample.jsonl").lines();
    let case = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("a line of JSON");
        Case::new(text(&value["text"]), spans(&value["labelled"]), spans(&value["found"]))
    };
    lines.map(case).collect()
}

/// The data folder that may stand beside the repository.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/pii")
}

/// Says that something is not tested here, past the test harness, which keeps what passing tests print.
fn skipped(name: &str) {
    // nobody to tell is no reason to fail
    let _ = writeln!(std::io::stderr(), "\nSKIPPED: the gate on {name}: ../shared/data/pii is not there");
}

/// Texts of the data folder that may stand beside the repository.
fn shared(name: &str) -> Option<Vec<Case>> {
    let folder = folder();
    let texts = folder.join(format!("{name}.jsonl.gz"));
    if !texts.exists() {
        skipped(name);
        return None;
    }
    let found = lines(folder.join(format!("presidio_regex_on_{name}.jsonl.gz")));
    let found: HashMap<String, Vec<Span>> =
        found.iter().map(|line| (text(&line["id"]).to_owned(), spans(&line["predictions"]))).collect();
    let case = |line: &Value| Case::new(text(&line["text"]), spans(&line["spans"]), found[text(&line["id"])].clone());
    Some(lines(texts).iter().map(case).collect())
}

fn lines(file: PathBuf) -> Vec<Value> {
    let mut text = String::new();
    GzDecoder::new(File::open(file).expect("it is there")).read_to_string(&mut text).expect("it is text");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The kinds that nothing of may leave.
fn is_required(kind: &str) -> bool {
    matches!(kind, "EMAIL_ADDRESS" | "CREDIT_CARD" | "IBAN_CODE" | "US_SSN")
}

/// Whether a label names what the gate looks for.
fn is_looked_for(kind: &str) -> bool {
    is_required(kind) || matches!(kind, "SOCIAL_SECURITY_NUMBER" | "PHONE_NUMBER" | "IP_ADDRESS")
}

fn covered(hits: &[Hit], range: &Range<usize>) -> bool {
    hits.iter().any(|hit| hit.range.start <= range.start && range.end <= hit.range.end)
}

/// Asserts what the gate promises on some texts; returns the share of characters outside what is looked for that stay.
fn gate(name: &str, kinds: &[Kind], cases: &[Case]) -> f64 {
    let detector = Detector::new(kinds);
    let column: StringArray = cases.iter().map(|case| Some(case.text.as_str())).collect();
    let hits = detector.scan(&column).expect("there is something");
    let masked = detector.mask(&column, &hits);
    let (mut outside, mut touched) = (0, 0);
    for (row, case) in cases.iter().enumerate() {
        let mut hits = Vec::new();
        detector.find(&case.text, &mut hits);
        for (kind, range) in case.found.iter().filter(|(kind, _)| is_required(kind)) {
            let value = &case.text[range.clone()];
            assert!(covered(&hits, range), "{name}: {kind} `{value}` is not found in {:?}", case.text);
            assert!(!masked.value(row).contains(value), "{name}: {kind} `{value}` is in {:?}", masked.value(row));
        }
        let pii: Vec<&Range<usize>> =
            case.labelled.iter().chain(&case.found).filter(|(kind, _)| is_looked_for(kind)).map(|(_, at)| at).collect();
        for (place, _) in case.text.char_indices().filter(|(place, _)| !pii.iter().any(|range| range.contains(place))) {
            outside += 1;
            touched += usize::from(hits.iter().any(|hit| hit.range.contains(&place)));
        }
    }
    let untouched = 1.0 - f64::from(touched as u32) / f64::from(outside as u32);
    println!("{name}: {:?}, {:.3} % of what is not looked for is untouched", hits.counts, untouched * 100.0);
    untouched
}

const FOUR: [Kind; 4] = [Kind::Email, Kind::Card, Kind::Iban, Kind::Ssn];

#[test]
fn nothing_that_presidio_finds_leaves_the_gate_and_little_else_is_masked_in_the_sample() {
    let cases = sample();
    assert!(cases.iter().map(|case| case.found.len()).sum::<usize>() >= 30);
    for kinds in [&FOUR[..], &Kind::ALL] {
        let untouched = gate("sample", kinds, &cases);
        assert!(untouched > 0.995, "{untouched}");
    }
}

#[test]
fn nothing_that_presidio_finds_leaves_the_gate_and_little_else_is_masked_in_whole_sets() {
    for name in ["presidio_research_v2_dev", "pii_anon_en_dev"] {
        let Some(cases) = shared(name) else { continue };
        for kinds in [&FOUR[..], &Kind::ALL] {
            let untouched = gate(name, kinds, &cases);
            assert!(untouched > 0.995, "{name}: {untouched}");
        }
    }
}

/// The cases that Presidio's own recognisers are tested with: what they expect of four kinds is found.
#[test]
fn what_presidio_expects_of_its_recognisers_is_found() {
    let file = folder().join("presidio_recogniser_cases_dev.jsonl.gz");
    if !file.exists() {
        return skipped("presidio_recogniser_cases_dev");
    }
    let detector = Detector::new(&FOUR);
    let cases = lines(file);
    let required = cases.iter().filter(|case| is_required(text(&case["entity"])));
    let mut expected = 0;
    for case in required {
        let mut hits = Vec::new();
        detector.find(text(&case["text"]), &mut hits);
        let count = case["expected_count"].as_u64().expect("a count") as usize;
        assert!(hits.len() >= count, "{count} expected in {case}, found {hits:?}");
        expected += count;
    }
    assert!(expected >= 80, "{expected}");
}

/// What the labels know and the regular expressions do not: how much of it the gate finds. Held as a floor.
#[test]
fn most_of_what_is_labelled_is_found() {
    let Some(cases) = shared("presidio_research_v2_dev") else { return };
    let detector = Detector::new(&Kind::ALL);
    let mut shares: HashMap<&str, (u32, u32)> = HashMap::new();
    for case in &cases {
        let mut hits = Vec::new();
        detector.find(&case.text, &mut hits);
        for (kind, range) in case.labelled.iter().filter(|(kind, _)| is_looked_for(kind)) {
            let share = shares.entry(kind).or_default();
            share.0 += u32::from(covered(&hits, range));
            share.1 += 1;
        }
    }
    println!("found of labelled: {shares:?}");
    for (kind, (found, all)) in shares {
        let floor = if kind == "PHONE_NUMBER" { 0.8 } else { 0.99 };
        assert!(f64::from(found) >= floor * f64::from(all), "{kind}: {found} of {all}");
    }
}
