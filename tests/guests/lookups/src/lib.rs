//! A transformer that asks reference tables what its configuration says, most of it bad.
//!
//! Without an attack it looks its text up in `countries` and gives back the name.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "transformer" });
}

use bindings::exports::sluice::rules::rule::{self, Description, Effect, Kind, Output, Signature};
use bindings::exports::sluice::rules::transform::{self, Changes};
use bindings::sluice::rules::lookup::{self, Answer};
use bindings::sluice::rules::types::{Batch, Column, ColumnType, Field, Values, VarBytes};
use bindings::sluice::rules::verdicts::Rejections;
use std::cell::Cell;

struct Lookups;

bindings::export!(Lookups with_types_in bindings);

type Attack = (&'static str, fn(Batch) -> Column);

const ATTACKS: [Attack; 15] = [
    ("honest", |b| only(ask("countries", b, &["name"]))),
    ("found", |b| found(&ask("countries", b, &[]))),
    ("tables", |b| texts(b.rows, &tables())),
    ("table_unknown", |b| only(ask("secrets", b, &["name"]))),
    ("column_unknown", |b| only(ask("countries", b, &["population"]))),
    ("column_of_key", |b| only(ask("countries", b, &["code"]))),
    ("column_twice", |b| only(ask("countries", b, &["name", "name"]))),
    ("columns_many", |b| only(ask("countries", b, &["name"; 1000]))),
    ("key_type", |b| only(find("countries", b.rows, &[numbers(b.rows)], &["name"]))),
    ("key_few", |b| only(find("countries", b.rows, &[], &["name"]))),
    ("key_offsets", |b| only(find("countries", b.rows, &[falling(b.rows)], &["name"]))),
    ("rows_more", |b| only(find("countries", b.rows + 1, &b.columns, &["name"]))),
    ("rows_most", |b| only(find("countries", u32::MAX, &b.columns, &["name"]))),
    ("huge", |_| only(find("long", 4000, &[texts(4000, "a")], &["text"]))),
    ("many", many),
];

thread_local! {
    static ATTACK: Cell<Option<Attack>> = const { Cell::new(None) };
}

impl rule::Guest for Lookups {
    fn describe() -> Description {
        let names: Vec<_> = ATTACKS.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        Description {
            name: "hostile-lookups".into(),
            version: "0.1.0".into(),
            kind: Kind::Redact,
            summary: format!("Was shown {} tables before it was opened.", lookup::tables().len()),
            config_schema: format!("{{\"properties\":{{\"attack\":{{\"enum\":[{}]}}}}}}", names.join(",")),
        }
    }

    fn open(config: String, _: Vec<Field>) -> Result<Signature, Vec<rule::Finding>> {
        let name = config.split('"').nth(3).unwrap_or("honest");
        ATTACK.set(ATTACKS.into_iter().find(|(attack, _)| *attack == name));
        let output = Output { name: "text".into(), ty: ColumnType::Text, nullable: true, effect: Effect::Replaces };
        Ok(Signature { reads: vec!["text".into()], outputs: vec![output], reasons: Vec::new(), partials: Vec::new() })
    }
}

impl transform::Guest for Lookups {
    fn apply(batch: Batch) -> Changes {
        let (_, attack) = ATTACK.get().expect("opened");
        let rejections = Rejections { rows: Vec::new(), codes: Vec::new(), columns: Vec::new() };
        Changes { rejections, columns: vec![attack(batch)] }
    }
}

fn ask(table: &str, batch: Batch, columns: &[&str]) -> Answer {
    find(table, batch.rows, &batch.columns, columns)
}

fn find(table: &str, rows: u32, key: &[Column], columns: &[&str]) -> Answer {
    let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    lookup::find(table, rows, key, &columns)
}

fn only(mut answer: Answer) -> Column {
    answer.columns.remove(0)
}

fn found(answer: &Answer) -> Column {
    let bit = |row: usize| answer.found[row / 8] >> (row % 8) & 1;
    text_of((0..8 * answer.found.len() - 6).map(|row| if bit(row) == 1 { "yes" } else { "no" }))
}

/// `NAME(KEY: TYPE)[COLUMN: TYPE]`, each table.
fn tables() -> String {
    let fields = |fields: &[Field]| {
        let shown = fields.iter().map(|field| format!("{}: {:?}", field.name, field.ty));
        shown.collect::<Vec<_>>().join(", ")
    };
    let table = |table: &lookup::Table| format!("{}({})[{}]", table.name, fields(&table.key), fields(&table.columns));
    lookup::tables().iter().map(table).collect::<Vec<_>>().join(" ")
}

fn numbers(rows: u32) -> Column {
    Column { validity: Vec::new(), values: Values::Int64(vec![1; rows as usize]) }
}

fn texts(rows: u32, text: &str) -> Column {
    text_of((0..rows).map(|_| text))
}

fn text_of<'a>(rows: impl Iterator<Item = &'a str>) -> Column {
    let (mut offsets, mut bytes) = (vec![0], Vec::new());
    for row in rows {
        bytes.extend_from_slice(row.as_bytes());
        offsets.push(bytes.len() as u32);
    }
    Column { validity: Vec::new(), values: Values::Text(VarBytes { offsets, bytes }) }
}

fn falling(rows: u32) -> Column {
    let mut offsets: Vec<u32> = (0..=rows).collect();
    offsets[1] = 5;
    Column { validity: Vec::new(), values: Values::Text(VarBytes { offsets, bytes: vec![b'a'; rows as usize] }) }
}

/// Little of its own, and much of the host's.
fn many(_: Batch) -> Column {
    let key = [texts(50_000, "DE")];
    loop {
        find("countries", 50_000, &key, &["name"]);
    }
}
