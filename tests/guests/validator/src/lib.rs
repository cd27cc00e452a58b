//! A validator that does what its configuration says. Without an attack it rejects rows of `number` below zero.
//! It imports nothing.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "validator" });
}

use bindings::exports::sluice::rules::rule::{self, Description, Effect, Kind, Output, Reason, Signature};
use bindings::exports::sluice::rules::validate;
use bindings::sluice::rules::types::{Batch, ColumnType, Field, Values};
use bindings::sluice::rules::verdicts::Rejections;
use std::cell::Cell;

struct Validator;

bindings::export!(Validator with_types_in bindings);

thread_local! {
    static CODE: Cell<u32> = const { Cell::new(0) };
}

impl rule::Guest for Validator {
    fn describe() -> Description {
        Description {
            name: "hostile-validator".into(),
            version: "0.1.0".into(),
            kind: Kind::Validate,
            summary: "Rejects negative numbers.".into(),
            config_schema: r#"{"properties":{"attack":{"enum":["honest","writes","code"]}}}"#.into(),
        }
    }

    fn open(config: String, _: Vec<Field>) -> Result<Signature, Vec<rule::Finding>> {
        let output = Output { name: "number".into(), ty: ColumnType::Int64, nullable: true, effect: Effect::Replaces };
        CODE.set(if config.contains("code") { 7 } else { 0 });
        Ok(Signature {
            reads: vec!["number".into()],
            outputs: if config.contains("writes") { vec![output] } else { Vec::new() },
            reasons: vec![Reason { code: "negative".into(), text: "below zero".into() }],
            partials: Vec::new(),
        })
    }
}

impl validate::Guest for Validator {
    fn check(batch: Batch) -> Rejections {
        let Values::Int64(numbers) = &batch.columns[0].values else { panic!("number is int64") };
        let rows: Vec<u32> = (0..batch.rows).filter(|row| numbers[*row as usize] < 0).collect();
        Rejections { codes: vec![CODE.get(); rows.len()], columns: vec![0; rows.len()], rows }
    }
}
