//! JSONTestSuite: each file as one payload into one `$` column.

use arrow_array::cast::AsArray;
use sluice_batch::ColumnType;
use sluice_formats::{Decoder, Framer, Limits, Malformed};
use sluice_manifest::plan::{Format, JsonRecords, SchemaColumn, UnknownFields};
use std::collections::BTreeMap;
use std::io::Read;

const SUITE: &[u8] = include_bytes!("data/json_test_suite_parsing.tar.gz");

/// Where RFC 8259 leaves the choice: what is JSON here. The others are malformed: they are no UTF-8, or hold half a
/// surrogate pair, which no text column can hold.
const ACCEPTED_CHOICES: [&str; 12] = [
    "i_number_double_huge_neg_exp.json",
    "i_number_huge_exp.json",
    "i_number_neg_int_huge_exp.json",
    "i_number_pos_double_huge_exp.json",
    "i_number_real_neg_overflow.json",
    "i_number_real_pos_overflow.json",
    "i_number_real_underflow.json",
    "i_number_too_big_neg_int.json",
    "i_number_too_big_pos_int.json",
    "i_number_very_big_negative_int.json",
    "i_structure_500_nested_arrays.json",
    "i_structure_UTF-8_BOM_empty_object.json",
];

/// The files of a tar archive, by their names without folders.
fn untar(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut at) = (BTreeMap::new(), 0);
    while archive.get(at).is_some_and(|byte| *byte != 0) {
        let header = &archive[at..at + 512];
        let text = |from: usize, len: usize| {
            let field = &header[from..from + len];
            String::from_utf8_lossy(field.split(|byte| *byte == 0).next().unwrap_or_default()).trim().to_owned()
        };
        let size = usize::from_str_radix(&text(124, 12), 8).expect("a size in octal digits");
        let name = text(0, 100);
        let content = archive[at + 512..at + 512 + size].to_vec();
        if matches!(header[156], b'0' | 0) {
            files.insert(name.rsplit('/').next().unwrap_or_default().to_owned(), content);
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    files
}

fn suite() -> BTreeMap<String, Vec<u8>> {
    let mut archive = Vec::new();
    flate2::read::GzDecoder::new(SUITE).read_to_end(&mut archive).expect("the archive is whole");
    untar(&archive)
}

/// Decodes a file as one record; gives the text of its one column or why there is none.
fn decode(content: &[u8], columns: &[SchemaColumn]) -> Result<String, Malformed> {
    let format = Format::Json { records: JsonRecords::File };
    let limits = Limits { rows: 1, bytes: 1 << 20, max_record_bytes: 1 << 20 };
    let mut framer = Framer::new(&format, limits, 0, None);
    framer.push(content.to_vec().into());
    framer.end();
    let batch = framer.next(false).unwrap().expect("a file is one record, even an empty one");
    assert_eq!((batch.records.len(), framer.next(false)), (1, Ok(None)));
    let decoded = Decoder::new(&format, columns, UnknownFields::Drop).decode(&batch);
    match <[Malformed; 1]>::try_from(decoded.rejects) {
        Ok([reject]) => Err(reject),
        Err(_) => Ok(decoded.columns[0].as_string::<i32>().value(0).to_owned()),
    }
}

fn column(from: &str) -> SchemaColumn {
    SchemaColumn { name: "value".into(), from: from.into(), ty: ColumnType::Text, json: false, pii: None }
}

#[test]
fn all_229_cases_are_decided_as_they_must_be() {
    let files = suite();
    assert_eq!(files.len(), 229);
    for (name, content) in files {
        let verdict = decode(&content, &[column("$")]);
        let accepted = name.starts_with("y_") || ACCEPTED_CHOICES.contains(&name.as_str());
        match verdict {
            Ok(text) => {
                assert!(accepted, "{name} was accepted");
                let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&content);
                assert_eq!(text.as_bytes(), content, "{name}");
            }
            Err(reject) => {
                assert!(!accepted, "{name}: {}", reject.detail);
                assert_eq!((reject.reason, reject.record), ("malformed_json", 0), "{name}");
            }
        }
    }
}

#[test]
fn with_columns_read_from_fields_the_verdicts_on_objects_are_the_same() {
    for (name, content) in suite() {
        let whole = decode(&content, &[column("$")]);
        let is_object = whole.as_ref().is_ok_and(|text| text.trim_start().starts_with('{'));
        let mut decoder_columns = vec![column("a")];
        decoder_columns[0].json = true;
        let format = Format::Json { records: JsonRecords::File };
        let limits = Limits { rows: 1, bytes: 1 << 20, max_record_bytes: 1 << 20 };
        let mut framer = Framer::new(&format, limits, 0, None);
        framer.push(content.into());
        framer.end();
        let batch = framer.next(false).unwrap().unwrap();
        let decoded = Decoder::new(&format, &decoder_columns, UnknownFields::Drop).decode(&batch);
        assert_eq!(decoded.rows.len() == 1, is_object, "{name}");
    }
}
