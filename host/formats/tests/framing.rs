//! Laws of framing, on streams that are mostly broken.

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use sluice_formats::{FrameError, Framer, Limits, RawBatch, read_header, tail_digest};
use sluice_manifest::plan::{CsvHeader, Format, JsonRecords};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

const LINES: Format = Format::Json { records: JsonRecords::Lines };
const ARRAY: Format = Format::Json { records: JsonRecords::Array };
const FILE: Format = Format::Json { records: JsonRecords::File };

fn csv(header: CsvHeader) -> Format {
    Format::Csv { delimiter: b',', quote: b'"', header, empty_is_null: true }
}

/// A format and a stream in its alphabet.
fn stream() -> impl Strategy<Value = (Format, Vec<u8>)> {
    let bytes = |alphabet: &'static [&'static str]| {
        prop::collection::vec(prop::sample::select(alphabet), 0..60).prop_map(|pieces| pieces.concat().into_bytes())
    };
    let marked = |stream: BoxedStrategy<Vec<u8>>| {
        (prop::bool::weighted(0.2), stream)
            .prop_map(|(mark, stream)| if mark { [b"\xef\xbb\xbf", stream.as_slice()].concat() } else { stream })
    };
    let csv_bytes = || marked(bytes(&["a", "b", ",", "\"", "\n", "\r\n", "\r", "é"]).boxed());
    prop_oneof![
        marked(bytes(&["a", "{", "1", " ", "\t", "\n", "\r\n", "\r", "é"]).boxed()).prop_map(|s| (LINES, s)),
        marked(bytes(&["[", "]", "{", "}", "\"", "\\", ",", "1", " ", "\n", "[1,", "{\"a\":[1]},"]).boxed())
            .prop_map(|s| (ARRAY, s)),
        marked(bytes(&["[", " 1, ", "{\"a\":\"]\"},", "\"\\\",\"  ,", "[2]", "]"]).boxed())
            .prop_map(|s| (ARRAY, [b"[", s.as_slice()].concat())),
        marked(bytes(&["a", "\n", " "]).boxed()).prop_map(|s| (FILE, s)),
        csv_bytes().prop_map(|s| (csv(CsvHeader::Names(vec!["a".into()])), s)),
        csv_bytes().prop_map(|s| (csv(CsvHeader::FirstLine), [b"x,y\r\n", s.as_slice()].concat())),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    (1usize..5, 1usize..40, 6usize..20).prop_map(|(rows, bytes, max_record_bytes)| Limits {
        rows,
        bytes,
        max_record_bytes,
    })
}

/// Pieces of the stream: cut at these places.
fn pieces<'a>(stream: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

fn drain(framer: &mut Framer, flush: bool) -> Vec<RawBatch> {
    std::iter::from_fn(|| framer.next(flush).unwrap()).collect()
}

/// All batches of a stream; `flush` says after which pieces what is there is given.
fn batches(format: &Format, limits: Limits, pieces: &[&[u8]], flush: &[bool]) -> (Vec<RawBatch>, bool) {
    let mut framer = Framer::new(format, limits, 0, None);
    let mut batches = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        framer.push(piece.to_vec().into());
        batches.extend(drain(&mut framer, flush.get(index).copied().unwrap_or(false)));
    }
    framer.end();
    batches.extend(drain(&mut framer, false));
    (batches, framer.took_unterminated_tail())
}

/// Offset, length and digest of every record, unusable ones included, in order.
fn records(batches: &[RawBatch]) -> Vec<(u64, u64, [u8; 32])> {
    let of = |batch: &RawBatch| -> Vec<(u64, u64, [u8; 32])> {
        let kept = (0..batch.records.len()).map(|index| {
            let record = batch.record(index);
            (batch.offset(index), record.len() as u64, Sha256::digest(record).into())
        });
        kept.chain(batch.unusable.iter().map(|record| (record.offset, record.len, record.digest))).collect()
    };
    batches.iter().flat_map(of).collect()
}

/// Line by line, as one would write it down.
fn expected_lines(stream: &[u8]) -> Vec<(u64, u64, [u8; 32])> {
    let mark = if stream.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut at = mark as u64;
    let mut found = Vec::new();
    for line in stream[mark..].split(|byte| *byte == b'\n') {
        let record = line.strip_suffix(b"\r").unwrap_or(line);
        if !record.iter().all(|byte| b" \t\r\n".contains(byte)) {
            found.push((at, record.len() as u64, Sha256::digest(record).into()));
        }
        at += line.len() as u64 + 1;
    }
    found
}

/// Records of CSV, byte by byte.
fn expected_csv(stream: &[u8]) -> Vec<(u64, u64, [u8; 32])> {
    let mark = if stream.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let (mut found, mut start, mut quoted, mut field_begins) = (Vec::new(), mark, false, true);
    let mut at = mark;
    while at <= stream.len() {
        let byte = stream.get(at).copied();
        if byte.is_none() || byte == Some(b'\n') && !quoted {
            let line = &stream[start..at];
            let record = line.strip_suffix(b"\r").unwrap_or(line);
            if !record.is_empty() {
                found.push((start as u64, record.len() as u64, Sha256::digest(record).into()));
            }
            (start, field_begins) = (at + 1, true);
        } else if quoted {
            if byte == Some(b'"') && stream.get(at + 1) == Some(&b'"') {
                at += 1;
            } else if byte == Some(b'"') {
                quoted = false;
            }
        } else {
            quoted = byte == Some(b'"') && field_begins;
            field_begins = byte == Some(b',');
        }
        at += 1;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_into_pushes_gives_the_same_batches(
        (format, stream) in stream(), limits in limits(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let whole = batches(&format, limits, &[&stream], &[]);
        prop_assert_eq!(batches(&format, limits, &pieces(&stream, &cuts), &[]), whole.clone());
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(batches(&format, limits, &bytes, &[]), whole);
    }

    #[test]
    fn batches_cover_the_stream_without_a_gap_and_their_digests_are_right(
        (format, stream) in stream(), limits in limits(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..12),
    ) {
        let (places, flush): (Vec<_>, Vec<_>) = cuts.into_iter().unzip();
        let (batches, _) = batches(&format, limits, &pieces(&stream, &places), &flush);
        let mut at = 0;
        for batch in &batches {
            prop_assert_eq!(batch.from, at);
            at = batch.to;
            let bytes = &stream[batch.from as usize..batch.to as usize];
            prop_assert_eq!(batch.digest, xxh3_64(bytes));
            prop_assert_eq!(batch.tail, tail_digest(&stream[..batch.to as usize]));
            if batch.unusable.is_empty() && !batch.data.is_empty() {
                prop_assert_eq!((batch.base, &batch.data[..]), (batch.from, bytes));
            }
            prop_assert!(batch.records.len() <= limits.rows);
            prop_assert!(batch.records.iter().all(|span| span.len as usize <= limits.max_record_bytes));
            let header = matches!(&format, Format::Csv { .. }) && !batch.records.is_empty();
            prop_assert!(batch.header.is_some() || !header);
        }
        prop_assert_eq!(at, stream.len() as u64);
        match &format {
            Format::Json { records: JsonRecords::Lines } => prop_assert_eq!(records(&batches), expected_lines(&stream)),
            Format::Csv { header: CsvHeader::Names(_), .. } => prop_assert_eq!(records(&batches), expected_csv(&stream)),
            Format::Csv { .. } => prop_assert_eq!(&records(&batches)[..], &expected_csv(&stream)[1..]),
            Format::Json { records: JsonRecords::File } => prop_assert_eq!(records(&batches).len(), 1),
            Format::Json { records: JsonRecords::Array } => {
                // whatever is between records is white space, a bracket or a comma
                let mut between = stream.clone();
                for (offset, len, _) in records(&batches) {
                    between[offset as usize..(offset + len) as usize].fill(b' ');
                }
                let between = between.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&between);
                prop_assert!(between.iter().all(|byte| b" \n[],".contains(byte)), "{:?}", between);
            }
        }
    }

    #[test]
    fn batches_that_were_cut_are_cut_again_exactly(
        (format, stream) in stream(), limits in limits(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..12),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..12), skipped in any::<prop::sample::Index>(),
    ) {
        let (places, flush): (Vec<_>, Vec<_>) = cuts.into_iter().unzip();
        let (batches, _) = batches(&format, limits, &pieces(&stream, &places), &flush);
        prop_assume!(!batches.is_empty());
        let skipped = skipped.index(batches.len());
        let at = batches[skipped].from as usize;
        let header = read_header(&format, &stream[..at], false).unwrap().map(Arc::new);
        prop_assume!(at == 0 || header.is_some());
        let other = Limits { rows: 1, bytes: 1, ..limits };
        let mut framer = Framer::new(&format, other, at as u64, header);
        framer.prime(&stream[..at]);
        let mut pieces = pieces(&stream[at..], &again).into_iter();
        for batch in &batches[skipped..] {
            let got = loop {
                if let Some(got) = framer.next_until(batch.to).unwrap() {
                    break got;
                }
                match pieces.next() {
                    Some(piece) => framer.push(piece.to_vec().into()),
                    None => framer.end(),
                }
            };
            let names = |batch: &RawBatch| batch.header.as_ref().map(|header| header.names().to_vec());
            prop_assert_eq!(names(&got), names(batch));
            prop_assert_eq!(RawBatch { header: None, ..got }, RawBatch { header: None, ..batch.clone() });
            prop_assert_eq!(framer.position(), batch.to);
        }
    }

    #[test]
    fn nothing_is_cut_again_where_no_record_ends(lines in prop::collection::vec("[a-z]{1,9}", 2..6), to in any::<prop::sample::Index>()) {
        let stream = lines.join("\n") + "\n";
        let to = to.index(stream.len() - 1) as u64 + 1;
        let mut framer = Framer::new(&LINES, Limits { rows: 9, bytes: 99, max_record_bytes: 99 }, 0, None);
        framer.push(stream.clone().into());
        let before = stream.as_bytes()[to as usize - 1];
        match framer.next_until(to) {
            Ok(Some(batch)) => {
                prop_assert_eq!(batch.to, to);
                // behind a line end, or before one: where a last line may have had none at first
                prop_assert!(before == b'\n' || stream.as_bytes()[to as usize] == b'\n');
            }
            Err(FrameError::NoBoundary { to: place, .. }) => prop_assert_eq!((place, before != b'\n'), (to, true)),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn elements_of_a_sound_array_are_found_as_they_stand(
        values in prop::collection::vec("(\"([a-z,\\[\\]{}]|\\\\\"|\\\\\\\\)*\"|[0-9]{1,5}|\\{\"a\": ?\\[[0-9],[0-9]\\]\\}|\\[\\]|null)", 0..8),
        comma in "[ \n]{0,2},[ \t]{0,2}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let stream = format!(" [ {} ] \n", values.join(&comma)).into_bytes();
        let limits = Limits { rows: 3, bytes: 1000, max_record_bytes: 1000 };
        let (batches, took_tail) = batches(&ARRAY, limits, &pieces(&stream, &cuts), &[]);
        let found: Vec<&[u8]> = batches.iter().flat_map(|b| (0..b.records.len()).map(|i| b.record(i))).collect();
        prop_assert_eq!(found, values.iter().map(|value| value.as_bytes()).collect::<Vec<_>>());
        prop_assert!(!took_tail);
    }
}

/// Reason, offset and length.
type Passed = (&'static str, u64, u64);

/// Records of a stream, those that were passed over, and whether its tail was taken unterminated.
fn all(format: &Format, stream: &str, max_record_bytes: usize) -> (Vec<String>, Vec<Passed>, bool) {
    let limits = Limits { rows: 100, bytes: 1000, max_record_bytes };
    let (batches, tail) = batches(format, limits, &[stream.as_bytes()], &[]);
    let text = |batch: &RawBatch, index| String::from_utf8_lossy(batch.record(index)).into_owned();
    let kept = batches.iter().flat_map(|batch| (0..batch.records.len()).map(move |index| text(batch, index))).collect();
    let unusable = batches.iter().flat_map(|batch| &batch.unusable);
    (kept, unusable.map(|record| (record.reason, record.offset, record.len)).collect(), tail)
}

#[test]
fn following_takes_only_what_is_terminated_and_a_bounded_run_notes_its_tail() {
    let mut framer = Framer::new(&LINES, Limits { rows: 9, bytes: 99, max_record_bytes: 99 }, 0, None);
    framer.push("{}\n{\"a\":".into());
    assert_eq!(framer.next(true).unwrap().unwrap().to, 3);
    assert_eq!((framer.next(true), framer.position()), (Ok(None), 3));
    framer.push("1}".into());
    assert_eq!(framer.next(true), Ok(None));
    framer.end();
    let last = framer.next(false).unwrap().unwrap();
    assert_eq!((last.from, last.to, last.record(0)), (3, 10, &b"{\"a\":1}"[..]));
    assert!(framer.took_unterminated_tail());
    assert!(!all(&LINES, "{}\n", 99).2);
}

#[test]
fn records_that_are_too_long_are_counted_with_their_digest_and_stop_nobody() {
    let (kept, unusable, _) = all(&LINES, "1\n12345678\r\n2\n", 7);
    assert_eq!((kept, unusable), (vec!["1".into(), "2".into()], vec![("record_too_long", 2, 8)]));
    let (kept, unusable, _) = all(&ARRAY, "[1,[\"123,4]5678\"],2]", 7);
    assert_eq!((kept, unusable), (vec!["1".into(), "2".into()], vec![("record_too_long", 3, 14)]));
}

#[test]
fn a_quoted_field_that_is_too_long_is_passed_over_to_its_own_end() {
    let names = csv(CsvHeader::Names(vec!["a".into(), "b".into()]));
    let (kept, unusable, _) = all(&names, "1,2\n\"x\n3,4\n5,6\ny\",7\n8,9\n", 7);
    assert_eq!((kept, unusable), (vec!["1,2".into(), "8,9".into()], vec![("record_too_long", 4, 15)]));
    let (kept, unusable, _) = all(&names, "1,2\n\"x\n3,4\n5,6\n8,9\n", 7);
    assert_eq!((kept, unusable), (vec!["1,2".into()], vec![("malformed_csv", 4, 15)]));
}

#[test]
fn what_stands_behind_the_end_of_an_array_is_one_malformed_record() {
    let (kept, unusable, _) = all(&ARRAY, "[1,2],3]\n{}", 99);
    assert_eq!((kept, unusable), (vec!["1".into(), "2".into()], vec![("malformed_json", 5, 6)]));
    let (kept, unusable, _) = all(&ARRAY, "{\"a\":1}\n", 99);
    assert_eq!((kept.len(), unusable), (0, vec![("malformed_json", 0, 8)]));
}

#[test]
fn an_array_that_is_not_closed_is_noted_and_its_last_element_taken() {
    assert_eq!(all(&ARRAY, "[{}, {\"a\":1}", 99), (vec!["{}".into(), "{\"a\":1}".into()], vec![], true));
    assert_eq!(all(&ARRAY, "[{},", 99), (vec!["{}".into()], vec![], true));
    assert_eq!(all(&ARRAY, "", 99), (vec![], vec![], true));
    assert_eq!(all(&ARRAY, "[]", 99), (vec![], vec![], false));
    assert_eq!(all(&ARRAY, "[1,,2,]", 99).0, ["1", "", "2", ""]);
}

#[test]
fn the_header_is_no_record_and_must_be_known_in_the_middle() {
    let first = csv(CsvHeader::FirstLine);
    assert_eq!(all(&first, "\n\na,b\n1,2\n", 99).0, ["1,2"]);
    assert_eq!(all(&first, "a,b", 99).0.len(), 0);
    let limits = Limits { rows: 9, bytes: 99, max_record_bytes: 3 };
    let mut framer = Framer::new(&first, limits, 4, None);
    assert_eq!(framer.next(false), Err(FrameError::HeaderUnknown { at: 4 }));
    let mut framer = Framer::new(&first, limits, 0, None);
    framer.push("abc,d\n".into());
    assert!(matches!(framer.next(false), Err(FrameError::Header(_))));
}

#[test]
fn a_last_line_that_grew_since_is_cut_again_only_where_it_had_ended() {
    let replay = |rest: &'static str| {
        let mut framer = Framer::new(&LINES, Limits { rows: 9, bytes: 99, max_record_bytes: 99 }, 0, None);
        framer.push(format!("1\n23{rest}").into());
        framer.next_until(4).map(|batch| batch.map(|batch| batch.records.len()))
    };
    assert_eq!(replay(""), Ok(Some(2)));
    assert_eq!(replay("\n4\n"), Ok(Some(2)));
    assert!(matches!(replay("4\n"), Err(FrameError::NoBoundary { to: 4, .. })));
}
