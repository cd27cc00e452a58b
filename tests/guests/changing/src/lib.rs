//! One rule in many versions: its version and what it does stand at a mark in its data, where tests change them in the
//! built component. It reads `id` (int64) and `v` (text), passes `v` through and adds `made_by`, its version.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "transformer" });
}

use bindings::exports::sluice::rules::rule::{self, Description, Effect, Kind, Output, Reason, Signature};
use bindings::exports::sluice::rules::transform::{self, Changes};
use bindings::sluice::rules::types::{Batch, Column, ColumnType, Field, Values, VarBytes};
use bindings::sluice::rules::verdicts::Rejections;

struct Changing;

bindings::export!(Changing with_types_in bindings);

/// The mark, a version of 7 characters, what it does in 12.
static VARIANT: [u8; 34] = *b"SLUICE-VARIANT:1.100.0well        ";
const VERSION: std::ops::Range<usize> = 15..22;
const DOES: std::ops::Range<usize> = 22..34;

/// A part of the mark, read anew: the compiler must not take it for what it was built with.
fn part(range: std::ops::Range<usize>) -> String {
    // SAFETY: a reference to a static is valid for reads.
    let bytes = unsafe { std::ptr::read_volatile(&raw const VARIANT) };
    String::from_utf8_lossy(&bytes[range]).trim_end().to_owned()
}

impl rule::Guest for Changing {
    fn describe() -> Description {
        Description {
            name: "changing".into(),
            version: part(VERSION),
            kind: Kind::Redact,
            summary: "Does what its data say.".into(),
            config_schema: String::new(),
        }
    }

    fn open(_: String, _: Vec<Field>) -> Result<Signature, Vec<rule::Finding>> {
        let output = |name: &str, effect| Output { name: name.into(), ty: ColumnType::Text, nullable: true, effect };
        Ok(Signature {
            reads: vec!["id".into(), "v".into()],
            outputs: vec![output("v", Effect::Replaces), output("made_by", Effect::Adds)],
            reasons: vec![Reason { code: "rejected".into(), text: "this version rejects it".into() }],
            partials: Vec::new(),
        })
    }
}

impl transform::Guest for Changing {
    fn apply(batch: Batch) -> Changes {
        let mut columns = batch.columns.into_iter();
        let ids = match columns.next().map(|column| column.values) {
            Some(Values::Int64(ids)) => ids,
            _ => panic!("`id` is an int64"),
        };
        let mut v = columns.next().expect("`v` is there");
        let rows = batch.rows as usize;
        let mut rejections = Rejections { rows: vec![], codes: vec![], columns: vec![] };
        match part(DOES).as_str() {
            "well" => {}
            "nulls" => v = Column { validity: vec![0; rows.div_ceil(8)], values: empty(rows) },
            "reject" => {
                rejections.rows = (0..batch.rows).collect();
                (rejections.codes, rejections.columns) = (vec![0; rows], vec![u32::MAX; rows]);
            }
            "trap" => assert!(ids.iter().all(|id| id % 1000 != 777), "this version traps on it"),
            // of batches of 250 rows, one in ten; on none of the rows that the pipeline sets aside
            "loop" => while ids.iter().any(|id| id % 2500 < 250 && id % 100 != 13) {},
            other => panic!("nobody taught it `{other}`"),
        }
        let version = part(VERSION);
        let offsets = (0..=rows).map(|row| (row * version.len()) as u32).collect();
        let made_by = VarBytes { offsets, bytes: version.repeat(rows).into_bytes() };
        Changes { rejections, columns: vec![v, Column { validity: vec![], values: Values::Text(made_by) }] }
    }
}

fn empty(rows: usize) -> Values {
    Values::Text(VarBytes { offsets: vec![0; rows + 1], bytes: vec![] })
}
