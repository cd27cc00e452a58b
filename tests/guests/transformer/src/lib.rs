//! A transformer that does what its configuration says.
//!
//! Columns as the tests have them: `text` text, `number` int64, `flag` boolean, `money` decimal(5,2), `float` float64,
//! `day` date, `at` timestamp, `raw` binary.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "transformer" });
}
mod answers;
mod crashes;
mod openings;

use bindings::exports::sluice::rules::rule::{self, Description, Effect, Kind, Output, Reason, Signature};
use bindings::exports::sluice::rules::transform::{self, Changes};
use bindings::sluice::rules::types::{Batch, Column, ColumnType, DecimalType, Field, Values, VarBytes};
use bindings::sluice::rules::verdicts::Rejections;
use std::cell::Cell;

struct Transformer;

bindings::export!(Transformer with_types_in bindings);

/// One thing to do.
#[derive(Clone, Copy)]
struct Attack {
    name: &'static str,
    /// Columns that it replaces.
    outputs: &'static [&'static str],
    apply: fn(Batch) -> Changes,
}

thread_local! {
    static ATTACK: Cell<Option<Attack>> = const { Cell::new(None) };
}

fn attacks() -> impl Iterator<Item = Attack> {
    crashes::ATTACKS.iter().chain(answers::ATTACKS).copied()
}

/// The attack's name in a configuration like `{"attack": "loop"}`.
fn wanted(config: &str) -> &str {
    config.split('"').nth(3).unwrap_or("honest")
}

impl rule::Guest for Transformer {
    fn describe() -> Description {
        let names: Vec<_> =
            attacks().map(|attack| attack.name).chain(openings::NAMES).map(|name| format!("\"{name}\"")).collect();
        Description {
            name: "hostile-transformer".into(),
            version: "0.1.0".into(),
            kind: Kind::Redact,
            summary: "Does what its configuration says, most of it bad.".into(),
            config_schema: format!("{{\"properties\":{{\"attack\":{{\"enum\":[{}]}}}}}}", names.join(",")),
        }
    }

    fn open(config: String, inputs: Vec<Field>) -> Result<Signature, Vec<rule::Finding>> {
        let name = wanted(&config);
        if let Some(attack) = attacks().find(|attack| attack.name == name) {
            ATTACK.set(Some(attack));
            return Ok(signature(attack, &inputs));
        }
        openings::open(name)
    }
}

impl transform::Guest for Transformer {
    fn apply(batch: Batch) -> Changes {
        let attack = ATTACK.get().expect("opened");
        (attack.apply)(batch)
    }
}

fn column_type(name: &str) -> ColumnType {
    match name {
        "number" => ColumnType::Int64,
        "flag" => ColumnType::Boolean,
        "money" => ColumnType::Decimal(DecimalType { precision: 5, scale: 2 }),
        "float" => ColumnType::Float64,
        "day" => ColumnType::Date,
        "at" => ColumnType::Timestamp,
        "raw" => ColumnType::Binary,
        _ => ColumnType::Text,
    }
}

/// Reads `text` and, where everything is echoed, everything.
fn signature(attack: Attack, inputs: &[Field]) -> Signature {
    let echo = attack.name == "echo";
    let inputs = || inputs.iter().filter(|_| echo);
    let output = |name: &str, ty, nullable| Output { name: name.into(), ty, nullable, effect: Effect::Replaces };
    Signature {
        reads: if echo { inputs().map(|field| field.name.clone()).collect() } else { vec!["text".into()] },
        outputs: inputs()
            .map(|field| output(&field.name, field.ty, field.nullable))
            .chain(attack.outputs.iter().map(|name| output(name, column_type(name), attack.name != "not_nullable")))
            .collect(),
        reasons: vec![Reason { code: "bad".into(), text: "it is bad".into() }],
        partials: Vec::new(),
    }
}

fn no_rejections() -> Rejections {
    Rejections { rows: Vec::new(), codes: Vec::new(), columns: Vec::new() }
}

fn changes(columns: Vec<Column>) -> Changes {
    Changes { rejections: no_rejections(), columns }
}

fn one(values: Values) -> Changes {
    changes(vec![Column { validity: Vec::new(), values }])
}

/// A well-formed text column that holds `a` in every row.
fn letters(rows: u32) -> VarBytes {
    VarBytes { offsets: (0..=rows).collect(), bytes: vec![b'a'; rows as usize] }
}

fn rows_of(column: &Column) -> impl Iterator<Item = &[u8]> {
    let Values::Text(VarBytes { offsets, bytes }) = &column.values else { panic!("text is text") };
    offsets.windows(2).map(|pair| &bytes[pair[0] as usize..pair[1] as usize])
}
