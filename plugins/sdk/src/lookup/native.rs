//! Reference tables of a native test: they stand in for the host's.

use super::Table;
use crate::{BooleanOut, Column, ColumnType, DecimalOut, Field, NumberOut, TextOut, Values};
use sluice_kernels::{Text, bits};
use std::cell::RefCell;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::rc::Rc;

thread_local! {
    static GRANTED: RefCell<Vec<Rc<Stored>>> = const { RefCell::new(Vec::new()) };
}

/// A table as it is kept for the thread.
#[derive(Debug)]
struct Stored {
    table: Table,
    rows: HashMap<Vec<u8>, usize>,
    values: Vec<Column>,
}

/// A column of a table: name, type and values.
pub type TableColumn<'a> = (&'a str, ColumnType, Column);

/// As long as it lives, rules that this thread opens and calls may look into the table.
#[derive(Debug)]
#[must_use = "the table is there for as long as this lives"]
pub struct Granted {
    name: String,
    /// The table is one of this thread.
    thread: PhantomData<Rc<()>>,
}

impl Drop for Granted {
    fn drop(&mut self) {
        GRANTED.with_borrow_mut(|granted| granted.retain(|stored| stored.table.name != self.name));
    }
}

/// Puts a table there. See [`native::grant`](crate::native::grant).
pub(crate) fn grant(name: &str, key: &[TableColumn<'_>], columns: &[TableColumn<'_>]) -> Granted {
    let rows = key.first().map_or(0, |(.., column)| column.rows_at_most());
    let fields = |columns: &[TableColumn<'_>]| -> Vec<Field> {
        let field = |(name, ty, column): &TableColumn<'_>| {
            assert!(column.fits(*ty) && column.has_rows(rows), "column `{name}` is to be {rows} rows of {ty}");
            Field { name: (*name).to_owned(), ty: *ty, nullable: !column.validity.is_empty() }
        };
        columns.iter().map(field).collect()
    };
    let table = Table { name: name.to_owned(), key: fields(key), columns: fields(columns) };
    let key: Vec<Column> = key.iter().map(|(.., column)| column.clone()).collect();
    let mut numbers = HashMap::new();
    for row in 0..rows {
        let key = key_of(&key, row).unwrap_or_else(|| panic!("row {row} of table `{name}` has a null in its key"));
        assert!(numbers.insert(key, row).is_none(), "row {row} of table `{name}` has the key of an earlier one");
    }
    let values = columns.iter().map(|(.., column)| column.clone()).collect();
    let stored = Rc::new(Stored { table, rows: numbers, values });
    GRANTED.with_borrow_mut(|granted| {
        granted.retain(|other| other.table.name != name);
        granted.push(stored);
    });
    Granted { name: name.to_owned(), thread: PhantomData }
}

pub(super) fn tables() -> Vec<Table> {
    GRANTED.with_borrow(|granted| granted.iter().map(|stored| stored.table.clone()).collect())
}

pub(super) fn find(table: &str, rows: usize, key: &[Column], columns: &[String]) -> (Vec<u8>, Vec<Column>) {
    let stored = GRANTED.with_borrow(|granted| granted.iter().find(|stored| stored.table.name == table).cloned());
    let stored = stored.unwrap_or_else(|| panic!("there is no table `{table}`; see `native::grant`"));
    let fits = key.len() == stored.table.key.len()
        && key.iter().zip(&stored.table.key).all(|(column, field)| column.fits(field.ty) && column.has_rows(rows));
    assert!(fits, "the key of table `{table}` is {:?}", stored.table.key);
    let at: Vec<Option<usize>> =
        (0..rows).map(|row| key_of(key, row).and_then(|key| stored.rows.get(&key).copied())).collect();
    let place = |name: &String| stored.table.columns.iter().position(|field| field.name == *name);
    let pick = |name: &String| {
        let place = place(name).unwrap_or_else(|| panic!("table `{table}` has no column `{name}`"));
        pick(&stored.values[place], &at)
    };
    (bits::pack(rows, |row| at[row].is_some()), columns.iter().map(pick).collect())
}

/// The values of a key as bytes, each behind its length; none where one is null.
fn key_of(key: &[Column], row: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for column in key {
        if !bits::is_valid(&column.validity, row) {
            return None;
        }
        let value = match &column.values {
            Values::Boolean(values) => vec![u8::from(bits::get(values, row))],
            Values::Int64(values) | Values::Timestamp(values) => values[row].to_le_bytes().to_vec(),
            Values::Date(values) => values[row].to_le_bytes().to_vec(),
            Values::Decimal(words) => words[2 * row..][..2].iter().flat_map(|word| word.to_le_bytes()).collect(),
            Values::Text(text) | Values::Binary(text) => Text::new(&text.offsets, &text.bytes).row(row).to_vec(),
            Values::Float64(_) => panic!("a float64 makes no key"),
        };
        bytes.extend_from_slice(&value.len().to_le_bytes());
        bytes.extend_from_slice(&value);
    }
    Some(bytes)
}

/// A column of the rows at these places; null where there is none.
fn pick(column: &Column, at: &[Option<usize>]) -> Column {
    let at = at.iter().map(|at| at.filter(|row| bits::is_valid(&column.validity, *row)));
    let rows = at.len();
    macro_rules! picked {
        ($out:expr, $value:expr, $finish:ident) => {{
            let mut out = $out;
            for row in at {
                match row {
                    Some(row) => out.push($value(row)),
                    None => out.push_null(),
                }
            }
            out.$finish()
        }};
    }
    match &column.values {
        Values::Boolean(values) => picked!(BooleanOut::with_capacity(rows), |row| bits::get(values, row), finish),
        Values::Int64(values) => picked!(NumberOut::<i64>::with_capacity(rows), |row: usize| values[row], finish),
        Values::Timestamp(values) => {
            picked!(NumberOut::<i64>::with_capacity(rows), |row: usize| values[row], finish_timestamp)
        }
        Values::Float64(values) => picked!(NumberOut::<f64>::with_capacity(rows), |row: usize| values[row], finish),
        Values::Date(values) => picked!(NumberOut::<i32>::with_capacity(rows), |row: usize| values[row], finish_date),
        Values::Decimal(words) => {
            let value = |row: usize| crate::views::from_words([words[2 * row], words[2 * row + 1]]);
            picked!(DecimalOut::with_capacity(rows), value, finish)
        }
        Values::Text(text) | Values::Binary(text) => {
            let text = Text::new(&text.offsets, &text.bytes);
            let mut out = TextOut::with_capacity(rows, 0);
            for row in at {
                match row {
                    Some(row) => out.push_bytes(text.row(row)),
                    None => out.push_null(),
                }
            }
            if matches!(column.values, Values::Text(_)) { out.finish() } else { out.finish_binary() }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{ColumnType, lookup, native};

    #[test]
    fn keys_of_several_columns_find_their_row_and_nulls_find_none() {
        let kind = native::texts(&[Some("a"), Some("ab"), Some("")]);
        let number = native::int64s(&[Some(1), Some(1), Some(7)]);
        let rate = native::decimals(&[Some(250), None, Some(-1)]);
        let key = [("kind", ColumnType::Text, kind), ("number", ColumnType::Int64, number)];
        let granted = native::grant("rates", &key, &[("rate", ColumnType::decimal(5, 2), rate)]);
        let table = lookup::tables().pop().unwrap();
        assert_eq!((table.name(), table.key().len(), table.column("rate").unwrap().nullable), ("rates", 2, true));
        let key = [
            native::texts(&[Some("a"), Some("ab"), Some(""), None, Some("a")]),
            native::int64s(&[Some(1), Some(1), Some(7), Some(7), None]),
        ];
        let found = table.find(5, &key, &["rate".to_owned()]);
        assert_eq!((found.bits(), found.is_found(1), found.is_found(3)), (&[0b111][..], true, false));
        assert!(found.decimals(0).iter().eq([Some(250), None, Some(-1), None, None]));
        drop(granted);
        assert!(lookup::tables().is_empty());
    }

    #[test]
    fn every_type_is_picked_by_row() {
        let columns = [
            ("text", ColumnType::Text, native::texts(&[Some("x"), None])),
            ("float", ColumnType::Float64, native::float64s(&[Some(0.5), Some(-0.0)])),
            ("at", ColumnType::Timestamp, native::timestamps(&[Some(1), Some(2)])),
            ("day", ColumnType::Date, native::dates(&[None, Some(3)])),
            ("flag", ColumnType::Boolean, native::booleans(&[Some(true), Some(false)])),
        ];
        let key = native::dates(&[Some(10), Some(20)]);
        let _granted = native::grant("all", &[("day", ColumnType::Date, key)], &columns);
        let table = lookup::tables().pop().unwrap();
        let names: Vec<String> = columns.iter().map(|(name, ..)| (*name).to_owned()).collect();
        let found = table.find(3, &[native::dates(&[Some(20), Some(11), Some(10)])], &names);
        assert!(found.texts(0).iter().eq([None, None, Some("x")]));
        assert!(found.float64s(1).iter().eq([Some(-0.0), None, Some(0.5)]));
        assert!(found.timestamps(2).iter().eq([Some(2), None, Some(1)]));
        assert!(found.dates(3).iter().eq([Some(3), None, None]));
        assert!(found.booleans(4).iter().eq([Some(false), None, Some(true)]));
        assert_eq!(found.into_columns().len(), 5);
    }

    #[test]
    #[should_panic(expected = "row 1 of table `t` has the key of an earlier one")]
    fn a_key_stands_once_in_a_table() {
        let _granted = native::grant("t", &[("k", ColumnType::Text, native::texts(&[Some("a"), Some("a")]))], &[]);
    }
}
