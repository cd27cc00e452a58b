//! What the host itself checks of the rows that came through all steps.

use crate::piece::Piece;
use crate::pipeline::Pipeline;
use crate::quarantine::Cause;
use crate::rows::{Books, WorkingSet};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_schema::DataType;

/// Microseconds of a day.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// Sets rows aside whose event time lies too far ahead of their arrival: one row of the year 9999 must not close every
/// window. `records` are the records of decoded rows.
pub(crate) fn event_times_ahead(
    pipeline: &Pipeline,
    set: &mut WorkingSet,
    piece: &Piece,
    records: &[u32],
    books: &mut Books<'_>,
) {
    let max_ahead = pipeline.plan.max_ahead.as_micros() as i64;
    let limit = |record: usize| (piece.arrived(record) * 1000).saturating_add(max_ahead);
    for column in &pipeline.event_columns {
        let times = event_times(&set.column(*column));
        let rows = set.now().rows();
        let record = |row: usize| records[rows[row] as usize] as usize;
        let ahead = (0..times.len()).filter(|row| times.is_valid(*row) && times.value(*row) > limit(record(*row)));
        let gone: Vec<u32> = ahead.map(|row| row as u32).collect();
        let field = &pipeline.layout.fields[*column].name;
        let text = "the event time lies too far ahead of the arrival";
        books.set_aside(set, &gone, &Cause::host("event_time_ahead", Some(field), text));
    }
}

/// Sets rows aside whose texts the warehouse has no room for: one of them would keep its whole object out.
pub(crate) fn room(pipeline: &Pipeline, set: &mut WorkingSet, books: &mut Books<'_>) {
    let Some(room) = &pipeline.room else { return };
    for (place, field) in pipeline.layout.fields.iter().enumerate() {
        let Some(limit) = room.texts.get(&field.name).copied() else { continue };
        let column = set.column(place);
        let Some(texts) = column.as_string_opt::<i32>() else { continue };
        let lengths = texts.value_offsets().windows(2).map(|pair| (pair[1] - pair[0]) as usize);
        let gone: Vec<u32> = (0u32..).zip(lengths).filter(|(_, len)| *len > limit).map(|(row, _)| row).collect();
        let text = format!("the text has more bytes than its column in the warehouse takes: {limit}");
        books.set_aside(set, &gone, &Cause::host("text_too_long", Some(&field.name), &text));
    }
}

/// Event times in microseconds, from a timestamp or date column.
pub(crate) fn event_times(column: &ArrayRef) -> Int64Array {
    match column.data_type() {
        DataType::Date32 => column.as_primitive::<Date32Type>().unary(|days| i64::from(days) * DAY_US),
        _ => column.as_primitive::<TimestampMicrosecondType>().reinterpret_cast(),
    }
}
