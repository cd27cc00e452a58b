//! Rules of records: what the derive macros make of structs and enums.

use sluice_sdk::output::TransformByRow;
use sluice_sdk::record::ByRow;
use sluice_sdk::{
    About, ColumnType, Date, Decimal, Effect, Field, Output, Reasons, Record, RowTransformer, RowValidator, Setup,
    Timestamp, about, native,
};

#[derive(Record)]
struct Everything<'a> {
    text: Option<&'a str>,
    #[column("customer.address.zip")]
    zip: Option<&'a str>,
    bytes: Option<&'a [u8]>,
    whole: Option<i64>,
    float: Option<f64>,
    flag: Option<bool>,
    amount: Option<Decimal>,
    at: Option<Timestamp>,
    day: Option<Date>,
    needed: i64,
    #[missing("no_name")]
    #[column("customer.name")]
    name: &'a str,
}

#[derive(Debug, Reasons)]
enum Reason {
    /// The values are those
    /// that the test wants.
    AsWanted,
    /// The zip is not what it should be
    #[column("customer.address.zip")]
    BadZip,
}

struct Wanted;

impl RowValidator for Wanted {
    type Config = ();
    type Record = Everything<'static>;
    type Reason = Reason;
    const ABOUT: About = about!(Validate, "sees every type of column");

    fn open((): (), _setup: &mut Setup<'_>) -> Option<Self> {
        Some(Self)
    }

    fn check(&self, row: &Everything<'_>) -> Result<(), Reason> {
        let texts = row.text == Some("x") && row.bytes == Some(&[0xFF]) && row.name == "Ann";
        let numbers = row.whole == Some(-1) && row.float == Some(0.5) && row.needed == 7;
        let times = row.at == Some(Timestamp(1_000_000)) && row.day == Some(Date(3));
        let exact = row.amount.is_some_and(|amount| amount.to_string() == "12.50" && amount > Decimal::from(12));
        if texts && numbers && times && exact && row.flag == Some(true) {
            return Err(Reason::AsWanted);
        }
        if row.zip == Some("00000") { Err(Reason::BadZip) } else { Ok(()) }
    }
}

fn inputs() -> Vec<Field> {
    let columns = [
        ("text", ColumnType::Text),
        ("customer.address.zip", ColumnType::Text),
        ("bytes", ColumnType::Binary),
        ("whole", ColumnType::Int64),
        ("float", ColumnType::Float64),
        ("flag", ColumnType::Boolean),
        ("amount", ColumnType::decimal(18, 2)),
        ("at", ColumnType::Timestamp),
        ("day", ColumnType::Date),
        ("needed", ColumnType::Int64),
        ("customer.name", ColumnType::Text),
    ];
    columns.map(|(name, ty)| Field { name: name.to_owned(), ty, nullable: true }).into()
}

#[test]
fn a_record_brings_every_type_and_its_nulls() {
    let mut bytes = sluice_sdk::TextOut::with_capacity(4, 1);
    bytes.push_bytes(&[0xFF]);
    (0..3).for_each(|_| bytes.push_null());
    let batch = native::batch(&[
        native::texts(&[Some("x"), None, None, None]),
        native::texts(&[None, Some("00000"), None, None]),
        bytes.finish_binary(),
        native::int64s(&[Some(-1), None, None, None]),
        native::float64s(&[Some(0.5), None, None, None]),
        native::booleans(&[Some(true), None, None, None]),
        native::decimals(&[Some(1250), None, None, None]),
        native::timestamps(&[Some(1_000_000), None, None, None]),
        native::dates(&[Some(3), None, None, None]),
        native::int64s(&[Some(7), Some(7), None, Some(7)]),
        native::texts(&[Some("Ann"), Some("Ann"), None, None]),
    ]);
    let mut rule = native::open::<ByRow<Wanted>>("", &inputs()).unwrap();
    let expected = [
        (0, "as_wanted", None),
        (1, "bad_zip", Some("customer.address.zip")),
        (2, "needed_missing", Some("needed")),
        (3, "no_name", Some("customer.name")),
    ];
    assert_eq!(rule.check(&batch), expected);
    assert_eq!(rule.signature.reasons[2].text, "The values are those that the test wants");
}

#[test]
fn columns_that_are_missing_or_of_another_type_are_all_told() {
    let mut inputs = inputs();
    inputs.remove(1);
    inputs[0].ty = ColumnType::Date;
    let findings = native::open::<ByRow<Wanted>>("", &inputs).err().unwrap();
    let told = |what: &str| findings.iter().any(|finding| finding.message.contains(what));
    assert!(told("`customer.address.zip` exists") && told("column `text` is date here, but text is wanted"));
}

#[derive(Record)]
struct Line<'a> {
    name: Option<&'a str>,
    amount: Decimal,
}

#[derive(Output)]
struct Clean<'a> {
    name: Option<&'a str>,
    #[decimal(20, 3)]
    amount: Decimal,
    #[column("name.upper")]
    upper: Option<String>,
    length: i64,
    half: f64,
    long: bool,
    at: Option<Timestamp>,
    day: Option<Date>,
}

#[derive(Reasons)]
enum Refused {
    /// the amount is negative
    #[column("amount")]
    Negative,
}

struct Cleaner;

impl RowTransformer for Cleaner {
    type Config = ();
    type Record = Line<'static>;
    type Output = Clean<'static>;
    type Reason = Refused;
    const ABOUT: About = about!(Coerce, "writes every type of column");

    fn open((): (), _setup: &mut Setup<'_>) -> Option<Self> {
        Some(Self)
    }

    fn apply<'r>(&self, line: &Line<'r>) -> Result<Clean<'r>, Refused> {
        if line.amount < Decimal::from(0) {
            return Err(Refused::Negative);
        }
        let name = line.name.map(str::trim);
        let length = name.map_or(0, str::len);
        Ok(Clean {
            name,
            amount: line.amount,
            upper: name.map(str::to_uppercase),
            length: length as i64,
            half: length as f64 / 2.0,
            long: length > 3,
            at: name.map(|_| Timestamp(5)),
            day: Some(Date(6)),
        })
    }
}

#[test]
fn an_output_becomes_columns_and_rejected_rows_hold_nothing() {
    let inputs = [
        Field { name: "name".to_owned(), ty: ColumnType::Text, nullable: true },
        Field { name: "amount".to_owned(), ty: ColumnType::decimal(18, 2), nullable: true },
    ];
    let mut rule = native::open::<TransformByRow<Cleaner>>("{}", &inputs).unwrap();
    let outputs: Vec<_> = rule.signature.outputs.iter().map(|o| (o.name.as_str(), o.ty, o.nullable)).collect();
    assert_eq!(outputs[0], ("name", ColumnType::Text, true));
    assert_eq!(outputs[1], ("amount", ColumnType::decimal(20, 3), false));
    assert_eq!(outputs[2], ("name.upper", ColumnType::Text, true));
    let effects: Vec<_> = rule.signature.outputs[..3].iter().map(|o| o.effect).collect();
    assert_eq!(effects, [Effect::Replaces, Effect::Replaces, Effect::Adds]);

    let names = native::texts(&[Some(" anna "), None, Some("b"), Some("c")]);
    let batch = native::batch(&[names, native::decimals(&[Some(150), Some(0), Some(-1), None])]);
    let (out, rejected) = rule.apply(batch);
    assert_eq!(rejected, [(2, "negative", Some("amount")), (3, "amount_missing", Some("amount"))]);
    let expected = [
        native::texts(&[Some("anna"), None, None, None]),
        native::decimals(&[Some(1500), Some(0), Some(0), Some(0)]),
        native::texts(&[Some("ANNA"), None, None, None]),
        native::int64s(&[Some(4), Some(0), Some(0), Some(0)]),
        native::float64s(&[Some(2.0), Some(0.0), Some(0.0), Some(0.0)]),
        native::booleans(&[Some(true), Some(false), Some(false), Some(false)]),
        native::timestamps(&[Some(5), None, None, None]),
        native::dates(&[Some(6), Some(6), None, None]),
    ];
    assert_eq!(out.columns(), expected);
}
