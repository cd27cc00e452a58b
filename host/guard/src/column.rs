//! Whole columns.

use crate::block::{BLOCK, Text};
use crate::detector::{Detector, Hit};
use crate::kind::Counts;
use arrow_array::types::ByteArrayType;
use arrow_array::{Array, GenericByteArray, OffsetSizeTrait};
use arrow_buffer::{ArrowNativeType, OffsetBuffer};

/// The rows of a column that hold something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnHits {
    /// Their places, ascending, each once.
    pub rows: Vec<u32>,
    /// What they hold.
    pub counts: Counts,
}

impl Detector {
    /// Looks through a column of texts or bytes: `StringArray`, `BinaryArray` or their large ones. `None` where nothing is
    /// found. A clean column costs one pass over its bytes, however short its rows are. Nulls hold nothing.
    #[must_use]
    pub fn scan<T: ByteArrayType>(&self, column: &GenericByteArray<T>) -> Option<ColumnHits> {
        let offsets = column.value_offsets();
        let place = |row: usize| offsets[row].as_usize();
        let bytes = column.value_data();
        let (base, rows) = (place(0), column.len());
        let (mut found, mut hits) = (ColumnHits::default(), Vec::new());
        let mut row = 0;
        self.wanted.suspects(Text::within(bytes, base..place(rows)), |block, needs| {
            let (from, to) = (base + block, base + block + BLOCK);
            while row < rows && place(row + 1) <= from {
                row += 1;
            }
            while row < rows && place(row) < to {
                let (start, end) = (place(row), place(row + 1));
                let text = Text::within(bytes, start..end);
                if from <= start && end <= to {
                    // the block has seen all of it
                    self.find_needed(text, needs, &mut hits);
                } else {
                    self.find_in(text, &mut hits);
                }
                if !hits.is_empty() {
                    found.take(row, &mut hits, column.is_null(row));
                }
                row += 1;
            }
        });
        (!found.rows.is_empty()).then_some(found)
    }

    /// A column with masks in place of what is found in the rows that a scan of it named; other rows stay as they are.
    ///
    /// # Panics
    ///
    /// Where the hits are those of another column and name a row that this one has not; or where masks make a column's
    /// offsets too large for their type, which takes 2 GiB of shortest hits in one array.
    #[must_use]
    pub fn mask<T: ByteArrayType>(&self, column: &GenericByteArray<T>, hits: &ColumnHits) -> GenericByteArray<T> {
        let mut out = Rows::like(column);
        for &row in &hits.rows {
            out.copy_to(row as usize);
            out.push(self);
        }
        out.copy_to(column.len());
        GenericByteArray::new(OffsetBuffer::new(out.ends.into()), out.values.into(), column.nulls().cloned())
    }
}

impl ColumnHits {
    /// Takes the hits of a row, and none of a null, whatever bytes lie beneath it.
    fn take(&mut self, row: usize, hits: &mut Vec<Hit>, is_null: bool) {
        if !is_null {
            self.rows.push(row as u32);
            hits.iter().for_each(|hit| self.counts.add(hit.kind, 1));
        }
        hits.clear();
    }
}

/// The rows of a column so far, as they were or masked.
struct Rows<'a, T: ByteArrayType> {
    column: &'a GenericByteArray<T>,
    done: usize,
    values: Vec<u8>,
    ends: Vec<T::Offset>,
}

impl<'a, T: ByteArrayType> Rows<'a, T> {
    fn like(column: &'a GenericByteArray<T>) -> Self {
        let offsets = column.value_offsets();
        let bytes = offsets[column.len()].as_usize() - offsets[0].as_usize();
        let mut ends = Vec::with_capacity(offsets.len());
        ends.push(T::Offset::usize_as(0));
        Self { column, done: 0, values: Vec::with_capacity(bytes), ends }
    }

    /// Copies the rows up to one.
    fn copy_to(&mut self, row: usize) {
        let offsets = &self.column.value_offsets()[self.done..=row];
        let (from, to) = (offsets[0].as_usize(), offsets[offsets.len() - 1].as_usize());
        let start = self.values.len();
        self.values.extend_from_slice(&self.column.value_data()[from..to]);
        self.ends.extend(offsets[1..].iter().map(|offset| end::<T>(start + (offset.as_usize() - from))));
        self.done = row;
    }

    /// Adds the next row, masked.
    fn push(&mut self, detector: &Detector) {
        let offsets = self.column.value_offsets();
        let text = &self.column.value_data()[offsets[self.done].as_usize()..offsets[self.done + 1].as_usize()];
        match detector.masked(text, &mut Counts::default()) {
            Some(masked) => self.values.extend_from_slice(&masked),
            None => self.values.extend_from_slice(text),
        }
        self.ends.push(end::<T>(self.values.len()));
        self.done += 1;
    }
}

fn end<T: ByteArrayType>(end: usize) -> T::Offset {
    assert!(end <= T::Offset::MAX_OFFSET, "a masked column of {end} bytes is too large for its offsets");
    T::Offset::usize_as(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use arrow_array::{BinaryArray, StringArray};
    use proptest::prelude::*;

    fn detector() -> Detector {
        Detector::new(&Kind::ALL)
    }

    /// What is found row by row.
    fn row_by_row(detector: &Detector, column: &StringArray) -> ColumnHits {
        let mut all = ColumnHits::default();
        for (row, text) in column.iter().enumerate() {
            let mut hits = Vec::new();
            detector.find(text.unwrap_or(""), &mut hits);
            hits.iter().for_each(|hit| all.counts.add(hit.kind, 1));
            all.rows.extend((!hits.is_empty()).then_some(row as u32));
        }
        all
    }

    #[test]
    fn rows_with_hits_are_named_and_masked_and_others_kept() {
        let column =
            StringArray::from(vec![Some("a"), Some("to jo@b.cd"), None, Some(""), Some("4111111111111111"), Some("z")]);
        let hits = detector().scan(&column).expect("two rows hold something");
        assert_eq!(hits.rows, [1, 4]);
        assert_eq!(hits.counts.iter().collect::<Vec<_>>(), [(Kind::Email, 1), (Kind::Card, 1)]);
        let masked = detector().mask(&column, &hits);
        let expected = vec![Some("a"), Some("to [email]"), None, Some(""), Some("[card]"), Some("z")];
        assert_eq!(masked, StringArray::from(expected));
        assert_eq!(detector().scan(&masked), None);
    }

    #[test]
    fn hits_do_not_span_rows() {
        let column = StringArray::from(vec![
            "4111 1111",
            " 1111 1111",
            "jo@",
            "b.cd",
            "078-05-",
            "1120",
            "12",
            "34567890123457",
        ]);
        assert_eq!(detector().scan(&column), None);
        let neighbours = StringArray::from(vec!["x", "4111111111111111", "2"]);
        assert_eq!(detector().scan(&neighbours).expect("its neighbours are not its own").rows, [1]);
    }

    #[test]
    fn slices_empty_columns_and_bytes_are_read() {
        let column = StringArray::from(vec![Some("jo@b.cd"), Some("x"), Some("jo@b.cd"), None]);
        let hits = detector().scan(&column.slice(1, 3)).expect("one of three");
        assert_eq!(hits.rows, [1]);
        let masked = detector().mask(&column.slice(1, 3), &hits);
        assert_eq!(masked, StringArray::from(vec![Some("x"), Some("[email]"), None]));
        assert_eq!(detector().scan(&column.slice(1, 1)), None);
        assert_eq!(detector().scan(&column.slice(2, 0)), None);
        assert_eq!(detector().scan(&StringArray::new_null(3)), None);
        let bytes = BinaryArray::from(vec![&b"\xFF\xFE"[..], b"\xFF jo@b.cd \x00"]);
        let hits = detector().scan(&bytes).expect("one of two");
        assert_eq!(detector().mask(&bytes, &hits), BinaryArray::from(vec![&b"\xFF\xFE"[..], b"\xFF [email] \x00"]));
    }

    fn row() -> impl Strategy<Value = Option<String>> {
        let text = prop_oneof![
            "[a-z0-9 @.:%–-]{0,20}",
            Just("call +1 415 555 0132".to_owned()),
            Just("4111 1111 1111 1111".to_owned()),
            Just("a%40b.cd".to_owned()),
            Just("DE89 3704 0044 0532 0130 00".to_owned()),
            Just("fe80::1".to_owned()),
            "[a-z ]{0,200}",
            Just("078–05–1120".to_owned()),
            Just(String::new()),
        ];
        prop_oneof![1 => Just(None), 9 => text.prop_map(Some)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn a_column_holds_what_its_rows_hold(
            rows in prop::collection::vec(row(), 0..60), from in 0usize..60, len in 0usize..60,
            kinds in prop_oneof![Just(Kind::ALL.to_vec()), prop::sample::subsequence(Kind::ALL.to_vec(), 0..=6)],
        ) {
            let detector = Detector::new(&kinds);
            let column = StringArray::from(rows);
            let from = from.min(column.len());
            for column in [column.clone(), column.slice(from, len.min(column.len() - from))] {
                let found = detector.scan(&column).unwrap_or_default();
                prop_assert_eq!(&found, &row_by_row(&detector, &column));
                let masked = detector.mask(&column, &found);
                prop_assert_eq!(masked.len(), column.len());
                for row in 0..column.len() {
                    prop_assert_eq!(masked.is_null(row), column.is_null(row));
                    prop_assert_eq!(masked.value(row), &*detector.mask_text(column.value(row)).0);
                }
                prop_assert_eq!(detector.scan(&masked), None);
            }
        }

        #[test]
        fn a_column_of_any_bytes_holds_what_its_rows_hold(
            rows in prop::collection::vec(prop::collection::vec(
                prop::sample::select(b"0123456789012345@.:%\\&#;- nuxDE\xE2\x80\x93\xEF\xBC\x94\xC2\xA0".to_vec()), 0..40), 0..20),
            kinds in prop::sample::subsequence(Kind::ALL.to_vec(), 1..=6),
        ) {
            let detector = Detector::new(&kinds);
            let mut expected = Vec::new();
            for (row, bytes) in rows.iter().enumerate() {
                let mut hits = Vec::new();
                detector.find(bytes, &mut hits);
                expected.extend((!hits.is_empty()).then_some(row as u32));
            }
            let column = BinaryArray::from_iter_values(rows);
            let found = detector.scan(&column).unwrap_or_default();
            prop_assert_eq!(&found.rows, &expected);
            prop_assert_eq!(detector.scan(&detector.mask(&column, &found)), None);
        }
    }
}
