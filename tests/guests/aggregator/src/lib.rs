//! An aggregator that does what its configuration says. Without an attack it sums `number` and counts rows.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "aggregator" });
}

use bindings::exports::sluice::rules::aggregate;
use bindings::exports::sluice::rules::rule::{self, Description, Effect, Kind, Output, Reason, Signature};
use bindings::sluice::rules::types::{Batch, Column, ColumnType, Field, Values};
use std::cell::RefCell;

struct Aggregator;

bindings::export!(Aggregator with_types_in bindings);

const ATTACKS: [&str; 10] = [
    "honest",
    "fold_rows",
    "fold_columns",
    "fold_trap",
    "merge_rows",
    "finish_type",
    "finish_rows",
    "no_partials",
    "reasons",
    "replaces",
];

thread_local! {
    static ATTACK: RefCell<String> = const { RefCell::new(String::new()) };
}

fn attack(name: &str) -> bool {
    ATTACK.with_borrow(|attack| attack == name)
}

impl rule::Guest for Aggregator {
    fn describe() -> Description {
        let names: Vec<_> = ATTACKS.iter().map(|name| format!("\"{name}\"")).collect();
        Description {
            name: "hostile-aggregator".into(),
            version: "0.1.0".into(),
            kind: Kind::Aggregate,
            summary: "Sums and counts.".into(),
            config_schema: format!("{{\"properties\":{{\"attack\":{{\"enum\":[{}]}}}}}}", names.join(",")),
        }
    }

    fn open(config: String, _: Vec<Field>) -> Result<Signature, Vec<rule::Finding>> {
        ATTACK.set(config.split('"').nth(3).unwrap_or("honest").to_owned());
        let effect = if attack("replaces") { Effect::Replaces } else { Effect::Adds };
        let output = |name: &str| Output { name: name.into(), ty: ColumnType::Int64, nullable: false, effect };
        let reason = Reason { code: "why".into(), text: "not".into() };
        Ok(Signature {
            reads: vec!["number".into()],
            outputs: vec![output("count"), output("sum")],
            reasons: if attack("reasons") { vec![reason] } else { Vec::new() },
            partials: if attack("no_partials") { Vec::new() } else { vec![ColumnType::Int64; 2] },
        })
    }
}

fn numbers(column: &Column) -> &[i64] {
    let Values::Int64(numbers) = &column.values else { panic!("int64") };
    numbers
}

fn column(values: Vec<i64>) -> Column {
    Column { validity: Vec::new(), values: Values::Int64(values) }
}

impl aggregate::Guest for Aggregator {
    fn fold(partials: Vec<Column>, batch: Batch, groups: Vec<u32>, _: u32) -> Vec<Column> {
        if attack("fold_trap") {
            panic!("on purpose");
        }
        let (mut counts, mut sums) = (numbers(&partials[0]).to_vec(), numbers(&partials[1]).to_vec());
        for (group, number) in groups.iter().zip(numbers(&batch.columns[0])) {
            counts[*group as usize] += 1;
            sums[*group as usize] += number;
        }
        if attack("fold_rows") {
            counts.push(0);
        }
        let mut partials = vec![column(counts), column(sums)];
        partials.truncate(if attack("fold_columns") { 1 } else { 2 });
        partials
    }

    fn merge(partials: Vec<Column>, groups: Vec<u32>, count: u32) -> Vec<Column> {
        let rows = if attack("merge_rows") { count + 1 } else { count } as usize;
        let merged = |partial: &Column| {
            let mut sums = vec![0; rows];
            groups.iter().zip(numbers(partial)).for_each(|(group, number)| sums[*group as usize] += number);
            column(sums)
        };
        partials.iter().map(merged).collect()
    }

    fn finish(mut partials: Vec<Column>) -> Vec<Column> {
        if attack("finish_type") {
            partials[1].values = Values::Float64(vec![0.0; numbers(&partials[0]).len()]);
        }
        if attack("finish_rows") {
            partials[1] = column(Vec::new());
        }
        partials
    }
}
