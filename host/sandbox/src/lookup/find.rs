//! What one instance may ask of the tables of its step.

use super::gather::{gather, pack, size};
use super::index::{Keys, NONE};
use super::{LookupColumn, LookupTable};
use crate::bits;
use crate::cpu_time::thread_cpu_time;
use crate::failure::Wrong;
use crate::lift::{self, Expected};
use crate::limits::bytes_text;
use crate::state::HOST_CALLS;
use crate::text::clean_line;
use crate::wire::{AnswerOut, ColumnOut, FieldOut, TableOut};
use arrow_array::ArrayRef;
use sluice_batch::ColumnType;
use std::sync::Arc;
use std::time::Duration;

/// Keys between two looks at the clock: well under a millisecond.
const CLOCK_EVERY: usize = 1024;

/// Characters of a stranger's name in an error.
const NAME_CHARS: usize = 100;

/// The tables that one step may look into. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lookups(Arc<[Arc<LookupTable>]>);

/// What a rule asks of a table.
pub(crate) struct Asked {
    pub(crate) table: String,
    pub(crate) rows: u32,
    pub(crate) key: Vec<ColumnOut>,
    pub(crate) columns: Vec<String>,
}

impl Lookups {
    pub(crate) fn new(tables: &[Arc<LookupTable>]) -> Self {
        Self(tables.into())
    }

    /// What there is to be asked.
    pub(crate) fn tables(&self) -> Vec<TableOut> {
        let fields = |columns: &[LookupColumn]| columns.iter().map(|column| FieldOut::from(&column.field)).collect();
        let table = |table: &Arc<LookupTable>| TableOut {
            name: table.name.clone(),
            key: fields(&table.key),
            columns: fields(&table.columns),
        };
        self.0.iter().map(table).collect()
    }

    /// Looks up keys. `room` is what the answer may hold, in bytes; `by` the processor time at which to give up.
    ///
    /// # Errors
    /// There is no such table for this step, or no such column in it; the key is malformed or none of the table's; the
    /// answer would be too large, or the time is over.
    pub(crate) fn find(&self, asked: Asked, room: usize, by: Duration) -> Result<AnswerOut, Wrong> {
        let table = self.table(&asked.table)?;
        let columns = table.asked_columns(&asked.columns)?;
        let rows = asked.rows as usize;
        // what is kept for each key while it is looked up counts, too
        table.check_room(rows.saturating_mul(size_of::<u32>()), room)?;
        let key = table.checked_key(asked.key, rows)?;
        let at = table.rows_of(&key, rows, by)?;
        let bytes = columns.iter().map(|column| size(&column.values, column.field.ty, &at));
        table.check_room(bytes.sum::<usize>() + bits::bytes_for(rows), room)?;
        let mut found = Vec::with_capacity(columns.len());
        for column in columns {
            in_time(by)?;
            found.push(gather(&column.values, column.field.ty, &at));
        }
        Ok(AnswerOut { found: pack(&at, |row| row != NONE), columns: found })
    }

    fn table(&self, name: &str) -> Result<&LookupTable, Wrong> {
        let known = || self.0.iter().map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ");
        self.0.iter().find(|table| table.name == name).map(Arc::as_ref).ok_or_else(|| {
            let name = clean_line(name, NAME_CHARS);
            Wrong::Answer(format!("asked table `{name}`, which the step may not look into; its tables: {}", known()))
        })
    }
}

impl LookupTable {
    fn asked_columns(&self, names: &[String]) -> Result<Vec<&LookupColumn>, Wrong> {
        // before anything is looked at by name: there may be a million of them
        if names.len() > self.columns.len() {
            let (asked, have) = (names.len(), self.columns.len());
            return Err(self.wrong(&format!("asked for {asked} columns of"), &format!(", which gives {have}")));
        }
        let mut columns: Vec<&LookupColumn> = Vec::with_capacity(names.len());
        for name in names {
            let shown = clean_line(name, NAME_CHARS);
            let Some(column) = self.columns.iter().find(|column| column.field.name == *name) else {
                return Err(self.wrong(&format!("asked for column `{shown}` of"), ", where the manifest names no such"));
            };
            if columns.iter().any(|other| std::ptr::eq(*other, column)) {
                return Err(self.wrong(&format!("asked for column `{shown}` of"), " twice"));
            }
            columns.push(column);
        }
        Ok(columns)
    }

    fn checked_key(&self, key: Vec<ColumnOut>, rows: usize) -> Result<Vec<ArrayRef>, Wrong> {
        if key.len() != self.key.len() {
            let (asked, have) = (key.len(), self.key.len());
            return Err(self.wrong(&format!("gave {asked} columns for the key of"), &format!(", which has {have}")));
        }
        for (given, column) in key.iter().zip(&self.key) {
            let (name, ty, given) = (&column.field.name, column.field.ty, given.values.name());
            if given != case(ty) {
                return Err(
                    self.wrong(&format!("gave {given} for key column `{name}` of"), &format!(", which is {ty}"))
                );
            }
        }
        let expected =
            self.key.iter().map(|column| Expected { name: &column.field.name, ty: column.field.ty, nullable: true });
        lift::columns(key, expected, rows).map_err(|wrong| self.wrong("gave a malformed key of", &format!(": {wrong}")))
    }

    fn rows_of(&self, key: &[ArrayRef], rows: usize, by: Duration) -> Result<Vec<u32>, Wrong> {
        let types = || self.key.iter().map(|column| column.field.ty);
        let own = Keys::new(self.key.iter().map(|column| &column.values).zip(types()));
        let asked = Keys::new(key.iter().zip(types()));
        let mut at = Vec::with_capacity(rows);
        for row in 0..rows {
            if row % CLOCK_EVERY == 0 {
                in_time(by)?;
            }
            at.push(self.index.find(&own, &asked, row));
        }
        Ok(at)
    }

    fn check_room(&self, bytes: usize, room: usize) -> Result<(), Wrong> {
        if bytes <= room {
            return Ok(());
        }
        let (bytes, room) = (bytes_text(bytes), bytes_text(room));
        let way_out = format!("; it may answer {room}: look up less, or raise `output` under `limits`");
        Err(self.wrong(&format!("looked up {bytes} at once in"), &way_out))
    }

    fn wrong(&self, before: &str, after: &str) -> Wrong {
        Wrong::Answer(format!("{before} table `{}`{after}", self.name))
    }
}

fn in_time(by: Duration) -> Result<(), Wrong> {
    if thread_cpu_time() < by { Ok(()) } else { Err(Wrong::HostDeadline(HOST_CALLS)) }
}

/// The case of `values` that holds values of a type.
fn case(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Boolean => "boolean",
        ColumnType::Int64 => "int64",
        ColumnType::Float64 => "float64",
        ColumnType::Decimal { .. } => "decimal",
        ColumnType::Timestamp => "timestamp",
        ColumnType::Date => "date",
        ColumnType::Text => "text",
        ColumnType::Binary => "binary",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{
        Array, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
        TimestampMicrosecondArray,
    };
    use sluice_batch::Field;

    /// Three rows of every type; the second is null.
    fn columns() -> Vec<LookupColumn> {
        let numbers = || [Some(7i64), None, Some(-3)].into_iter();
        let decimal = Decimal128Array::from_iter(numbers().map(|n| n.map(i128::from)));
        let at = TimestampMicrosecondArray::from_iter(numbers()).with_data_type(ColumnType::Timestamp.arrow());
        let arrays: Vec<(ColumnType, ArrayRef)> = vec![
            (ColumnType::Boolean, Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
            (ColumnType::Int64, Arc::new(Int64Array::from_iter(numbers()))),
            (ColumnType::Float64, Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(-0.0)]))),
            (ColumnType::Decimal { precision: 5, scale: 2 }, Arc::new(decimal.with_precision_and_scale(5, 2).unwrap())),
            (ColumnType::Timestamp, Arc::new(at)),
            (ColumnType::Date, Arc::new(Date32Array::from_iter(numbers().map(|n| n.map(|n| n as i32))))),
            (ColumnType::Text, Arc::new(StringArray::from(vec![Some("ä"), None, Some("")]))),
            (ColumnType::Binary, Arc::new(BinaryArray::from(vec![Some(&b"\xff"[..]), None, Some(b"")]))),
        ];
        let named =
            |(ty, values): (ColumnType, ArrayRef)| LookupColumn { field: Field::new(ty.to_string(), ty), values };
        arrays.into_iter().map(named).collect()
    }

    fn wire(columns: &[LookupColumn], at: &[u32]) -> Vec<ColumnOut> {
        columns.iter().map(|column| gather(&column.values, column.field.ty, at)).collect()
    }

    fn lifted(columns: Vec<ColumnOut>, of: &[LookupColumn], rows: usize) -> Vec<ArrayRef> {
        let expected = of.iter().map(|c| Expected { name: &c.field.name, ty: c.field.ty, nullable: true });
        lift::columns(columns, expected.collect::<Vec<_>>().into_iter(), rows).unwrap()
    }

    #[test]
    fn rows_of_every_type_come_in_the_form_of_the_contract() {
        let at = [2, NONE, 0, 1, 2];
        let columns = columns();
        for (array, column) in lifted(wire(&columns, &at), &columns, at.len()).iter().zip(&columns) {
            for (row, from) in at.iter().enumerate() {
                match *from {
                    NONE => assert!(array.is_null(row)),
                    from => assert_eq!(&array.slice(row, 1), &column.values.slice(from as usize, 1), "{column:?}"),
                }
            }
        }
    }

    #[test]
    fn keys_of_every_type_find_their_row() {
        // floats make no key; the null row is left out
        let keys: Vec<LookupColumn> = columns().into_iter().filter(|c| c.field.ty != ColumnType::Float64).collect();
        let full = |column: &LookupColumn| LookupColumn {
            field: column.field.clone(),
            values: lifted(wire(std::slice::from_ref(column), &[2, 0]), std::slice::from_ref(column), 2).remove(0),
        };
        let row = LookupColumn {
            field: Field::new("row", ColumnType::Int64),
            values: Arc::new(Int64Array::from(vec![20, 0])),
        };
        let table = |key: &[LookupColumn]| {
            let key = key.iter().map(full).collect();
            Lookups::new(&[Arc::new(LookupTable::new("t", "d", key, vec![row.clone()]).unwrap())])
        };
        let ask = |key: &[LookupColumn]| {
            let asked =
                Asked { table: "t".into(), rows: 4, key: wire(key, &[0, 1, 2, NONE]), columns: vec!["row".into()] };
            let answer = table(key).find(asked, 1 << 20, thread_cpu_time() + HOST_CALLS).unwrap();
            assert_eq!((answer.found.as_slice(), &answer.columns[0].values), (&[0b101][..], &found()));
        };
        keys.iter().for_each(|key| ask(std::slice::from_ref(key)));
        ask(&keys);
    }

    fn found() -> crate::wire::ValuesOut {
        crate::wire::ValuesOut::Int64(vec![0, 0, 20, 0])
    }

    #[test]
    fn an_answer_that_would_not_fit_is_not_made() {
        let key = || LookupColumn {
            field: Field::new("k", ColumnType::Text),
            values: Arc::new(StringArray::from(vec!["a"])),
        };
        let table = LookupTable::new("t", "d", vec![key()], vec![]).unwrap();
        let asked = || Asked { table: "t".into(), rows: 1, key: wire(&[key()], &[0]), columns: Vec::new() };
        let lookups = Lookups::new(&[Arc::new(table)]);
        assert!(lookups.find(asked(), 4, thread_cpu_time() + HOST_CALLS).is_ok());
        let wrong = lookups.find(asked(), 3, thread_cpu_time() + HOST_CALLS).unwrap_err();
        assert!(
            wrong.clause("").contains("looked up 4 bytes at once in table `t`; it may answer 3 bytes"),
            "{wrong:?}"
        );
        assert_eq!(lookups.find(asked(), 4, Duration::ZERO).unwrap_err(), Wrong::HostDeadline(HOST_CALLS));
    }
}
