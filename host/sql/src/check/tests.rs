//! What conditions are accepted, and what they say of rows.

use super::*;
use arrow_array::{ArrayRef, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};
use proptest::prelude::*;
use sluice_batch::ColumnType;
use sluice_ports::{Cause, Rejection, StepFailure};

fn fields() -> Vec<Field> {
    vec![
        Field::new("quantity", ColumnType::Int64),
        Field::new("total", ColumnType::Int64),
        Field::new("status", ColumnType::Text),
        Field::new("amount", ColumnType::Text),
        Field::new("unit_price", ColumnType::Decimal { precision: 12, scale: 3 }),
        Field::new("ts", ColumnType::Timestamp),
        Field::new("Country", ColumnType::Text),
    ]
}

fn compile(sql: &str) -> Result<Arc<dyn RulePlan>, SqlFinding> {
    SqlCheck::compile("the-step", sql, "the_reason", &fields())
}

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// Rows that a condition rejects.
fn rejected(sql: &str, columns: &[ArrayRef]) -> Vec<u32> {
    let mut step = compile(sql).unwrap().step().unwrap();
    let output = step.call(columns[0].len(), columns).unwrap();
    assert!(output.columns.is_empty());
    output.rejections.iter().map(|rejection| rejection.row).collect()
}

#[test]
fn false_rejects_and_null_passes() {
    let quantity = ints(&[Some(1), Some(0), None, Some(1000), Some(1001)]);
    assert_eq!(rejected("quantity between 1 and 1000", std::slice::from_ref(&quantity)), [1, 4]);
    assert_eq!(rejected("quantity is not null and quantity between 1 and 1000", &[quantity]), [1, 2, 4]);
}

#[test]
fn a_plan_tells_what_it_reads_and_why_it_rejects() {
    let plan = compile("status = 'paid' and quantity > 0").unwrap();
    assert_eq!(plan.signature().reads, ["quantity", "status"], "in the order of the fields");
    assert_eq!(plan.signature().reasons[0].code, "the_reason");
    assert!(plan.signature().outputs.is_empty());
    assert_eq!((plan.kind(), plan.id().to_string()), (sluice_ports::RuleKind::Validate, "sql@1.0.0".into()));
    assert!(plan.fold().is_err());
    let mut step = compile("quantity > 0").unwrap().step().unwrap();
    assert_eq!(step.call(1, &[ints(&[Some(0)])]).unwrap().rejections, [Rejection { row: 0, code: 0, column: 0 }]);
}

#[test]
fn the_digest_changes_with_everything_that_could_change_a_verdict() {
    let digest = |sql: &str, reason: &str, fields: &[Field]| {
        SqlCheck::compile("l", sql, reason, fields).unwrap().id().digest.clone()
    };
    let base = digest("quantity > 0", "r", &fields());
    assert_eq!(base.len(), 64);
    assert_eq!(base, digest("quantity > 0", "r", &fields()));
    let mut other = fields();
    other[0].ty = ColumnType::Float64;
    for different in [
        digest("quantity > 1", "r", &fields()),
        digest("quantity > 0", "s", &fields()),
        digest("quantity > 0", "r", &other),
    ] {
        assert_ne!(base, different);
    }
    other = fields();
    other[6].ty = ColumnType::Int64;
    assert_eq!(base, digest("quantity > 0", "r", &other), "columns that are not read do not matter");
}

#[test]
fn decimals_timestamps_and_text_compare_as_what_they_are() {
    let price = |values: Vec<i128>| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(12, 3).unwrap())
    };
    assert_eq!(rejected("unit_price >= 0.125", &[price(vec![124, 125, 126])]), [0]);
    // 0.1 + 0.2 in binary floats is more than 0.3
    assert_eq!(rejected("unit_price + 0.2 = 0.3", &[price(vec![100, 101])]), [1]);
    let day = 86_400_000_000_i64;
    let ts: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, day]).with_timezone("UTC"));
    assert_eq!(rejected("ts < '1970-01-02T00:00:00Z'", &[ts]), [1]);
    let country: ArrayRef = Arc::new(StringArray::from(vec![Some("Côte d'Ivoire"), Some("x"), None]));
    assert_eq!(rejected(r#""Country" in ('Côte d''Ivoire', 'Eire')"#, std::slice::from_ref(&country)), [1]);
    assert_eq!(rejected(r#"length("Country") > 1 and "Country" like 'C%'"#, &[country]), [1]);
    assert_eq!(rejected("coalesce(quantity, 0) > 0", &[ints(&[None, Some(1)])]), [0]);
    let status: ArrayRef = Arc::new(StringArray::from(vec!["C12", "C1x", "12"]));
    assert_eq!(rejected("regexp_like(status, '^C?[0-9]+$')", &[status]), [1]);
}

#[test]
fn a_guarded_division_fails_for_no_row_whatever_stands_beside_it() {
    let quantity = ints(&[Some(0), Some(2), None, Some(0), Some(5)]);
    let total = ints(&[Some(1), Some(100), Some(1), None, Some(10)]);
    let columns = [quantity, total];
    for (sql, expected) in [
        ("quantity <> 0 and total / quantity < 5", vec![0, 1, 3]),
        ("quantity = 0 or total / quantity < 5", vec![1]),
        ("not (quantity = 0 or total / quantity >= 5)", vec![0, 1, 3]),
        ("quantity <> 0 and (total is null or total / quantity < 5)", vec![0, 1, 3]),
        ("case when quantity = 0 then true else total / quantity < 5 end", vec![1]),
    ] {
        assert_eq!(rejected(sql, &columns), expected, "{sql}");
    }
}

#[test]
fn a_failure_is_a_trap_that_names_the_step_and_no_value() {
    let cases: [(&str, Vec<ArrayRef>, &str); 4] = [
        ("total / quantity > 1", vec![ints(&[Some(0)]), ints(&[Some(7)])], "division by zero"),
        ("quantity + 1 > 0", vec![ints(&[Some(i64::MAX)])], "arithmetic overflow"),
        ("quantity * 2 > 0", vec![ints(&[Some(i64::MAX)])], "arithmetic overflow"),
        ("cast(amount as bigint) > 0", vec![Arc::new(StringArray::from(vec!["a-secret"]))], "a cast failed"),
    ];
    for (sql, columns, what) in cases {
        let mut step = compile(sql).unwrap().step().unwrap();
        let failure: StepFailure = step.call(1, &columns).unwrap_err();
        assert_eq!(failure.cause, Cause::Trap, "{sql}");
        assert_eq!(failure.detail, format!("step `the-step` (rule `sql@1.0.0`): {what} on a batch of 1 rows"));
        let good = step.call(0, &columns.iter().map(|column| column.slice(0, 0)).collect::<Vec<_>>()).unwrap();
        assert!(good.rejections.is_empty(), "the step goes on");
    }
}

#[test]
fn what_looks_beyond_a_row_or_changes_with_time_is_refused() {
    for (sql, expected) in [
        ("sum(quantity) > 1", "one row at a time"),
        ("count(*) > 1", "one row at a time"),
        ("row_number() over (order by quantity) = 1", "one row at a time"),
        ("quantity > (select 1)", "one row at a time"),
        ("exists (select 1)", "one row at a time"),
        ("quantity in (select 1)", "one row at a time"),
        ("quantity in (select quantity from silver)", "one row at a time"),
        ("random() < 0.5 and quantity > 0", "`random` gives other values at other times"),
        ("ts < now()", "`now` gives other values at other times"),
        ("quantity + 1", "not a condition"),
        ("null", "not a condition"),
        ("1 = 1", "reads no column"),
        ("quantity > 0 as x", "no name of its own"),
        ("quantity > $1", "no parameters"),
        ("amount > 10", "`amount` is text and `10` a number"),
        ("amount between 1 and 1000", "`amount` is text"),
        ("quantity in ('1', '2')", "is text and `quantity` a number"),
        ("ts < 'yesterday'", "yesterday"),
        ("ts < status", "`status` is text and `ts` a time"),
        ("regexp_like(status, '(')", "unclosed group"),
        ("quantity > '9'", "is text and `quantity` a number"),
    ] {
        let finding = compile(sql).err().unwrap_or_else(|| panic!("`{sql}` was accepted"));
        assert!(finding.message.contains(expected), "{sql}: {finding}");
    }
}

#[test]
fn what_cannot_be_understood_is_named_with_its_place() {
    for (sql, place, expected) in [
        ("quantty > 0", Some((1, 1)), "unknown column `quantty`; did you mean `quantity`?"),
        ("quantity > 0 and\n  sttus = 'x'", Some((2, 3)), "unknown column `sttus`; did you mean `status`?"),
        ("country = 'x'", Some((1, 1)), "write `\"Country\"`"),
        ("revenue > 0", Some((1, 1)), "known columns: quantity, total"),
        ("quantity >", None, "expected: an expression"),
        ("quantity > 0; drop table x", Some((1, 13)), "expected: end of expression"),
        ("quantity between 1", None, "expected: and"),
        ("status = 'x", Some((1, 10)), "unterminated string literal"),
        ("nosuch(quantity) > 0", None, "nosuch"),
        ("", None, "expected: an expression"),
    ] {
        let finding = compile(sql).err().unwrap_or_else(|| panic!("`{sql}` was accepted"));
        let found = finding.message.to_lowercase();
        assert!(found.contains(&expected.to_lowercase()), "{sql}: {finding}");
        if place.is_some() {
            assert_eq!(finding.line.zip(finding.column), place, "{sql}: {finding}");
        }
    }
}

#[test]
fn a_long_condition_is_a_plan_or_a_finding() {
    let chain = |n: usize| (0..n).map(|i| format!("quantity<>{i}")).collect::<Vec<_>>().join(" and ");
    let plan = compile(&chain(120)).unwrap();
    assert_eq!(plan.step().unwrap().call(2, &[ints(&[Some(119), Some(120)])]).unwrap().rejections.len(), 1);
    assert!(compile(&chain(900)).err().unwrap().message.contains("901 levels; up to 128 are allowed"));
    assert!(compile(&chain(2000)).err().unwrap().message.contains("up to 16384 are allowed"));
    let nested = format!("{}quantity > 0{}", "(".repeat(3000), ")".repeat(3000));
    assert!(compile(&nested).err().unwrap().message.contains("nested too deeply"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_verdict_on_a_row_does_not_depend_on_the_rows_beside_it(
        rows in prop::collection::vec((prop::option::of(-3_i64..4), prop::option::of(-30_i64..30)), 1..40),
        at in any::<prop::sample::Index>(),
    ) {
        for sql in [
            "quantity <> 0 and total / quantity < 5",
            "quantity = 0 or total % quantity = 1",
            "quantity between -1 and 2 and total > 0",
            "not (quantity = 0 or total / quantity > 2) or total is null",
        ] {
            let mut step = compile(sql).unwrap().step().unwrap();
            let mut of = |rows: &[(Option<i64>, Option<i64>)]| {
                let columns = [
                    ints(&rows.iter().map(|row| row.0).collect::<Vec<_>>()),
                    ints(&rows.iter().map(|row| row.1).collect::<Vec<_>>()),
                ];
                step.call(rows.len(), &columns).unwrap().rejections.iter().map(|r| r.row as usize).collect::<Vec<_>>()
            };
            let whole = of(&rows);
            let at = at.index(rows.len());
            let (left, right) = rows.split_at(at);
            let mut parts = if left.is_empty() { vec![] } else { of(left) };
            parts.extend(of(right).into_iter().map(|row| row + at));
            prop_assert_eq!(&whole, &parts, "{}", sql);
            let single = (0..rows.len()).filter(|row| !of(&rows[*row..=*row]).is_empty()).collect::<Vec<_>>();
            prop_assert_eq!(&whole, &single, "{}", sql);
        }
    }

    #[test]
    fn nothing_panics_on_strange_conditions(sql in "[a-z_0-9 ()'<>=+*/,.\"-]{0,40}") {
        let _ = compile(&sql);
    }
}
