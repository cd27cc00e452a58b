//! Text with a delimiter between fields, quoted (CSV) or not.

use super::rows::{Loaded, Writer};
use super::source::Object;
use super::statement::Options;
use super::values::{Column, Wrong, from_text, wrong};
use std::borrow::Cow;

/// Makes rows of the lines of a text.
pub(super) fn rows(
    object: &Object,
    columns: &[Column],
    text: &[u8],
    options: &Options,
    quote: Option<u8>,
    delimiter: u8,
) -> Loaded {
    let mut writer = Writer::new(object, columns, options.max_errors);
    let mut reader = Reader { text, at: 0, line: 1, quote, delimiter };
    while let Some((line, raw, fields)) = reader.record() {
        if line > options.skip_lines && !writer.is_hopeless() {
            record(&mut writer, columns, line, &raw, fields, options);
        }
    }
    writer.finish()
}

fn record(
    writer: &mut Writer<'_>,
    columns: &[Column],
    line: u64,
    raw: &[u8],
    fields: Result<Vec<Cow<'_, [u8]>>, Wrong>,
    options: &Options,
) {
    let raw = String::from_utf8_lossy(raw).into_owned();
    let fields = match fields {
        Ok(fields) => fields,
        Err(wrong) => return writer.fail(line, None, wrong, raw.clone(), raw),
    };
    if fields.len() > columns.len() {
        return writer.fail(line, None, wrong(1202, "Extra column(s) found"), raw.clone(), String::new());
    }
    if fields.len() < columns.len() && !options.fill {
        return writer.fail(line, None, wrong(1203, "Delimiter not found"), raw.clone(), String::new());
    }
    let raw_text = |at: Option<usize>| match at {
        Some(at) => fields.get(at).map_or_else(String::new, |field| String::from_utf8_lossy(field).into_owned()),
        None => raw.clone(),
    };
    writer.row(line, |at, column| field(column, fields.get(at).map(AsRef::as_ref), options), raw_text);
}

fn field(column: &Column, bytes: Option<&[u8]>, options: &Options) -> Result<Option<String>, Wrong> {
    let Some(bytes) = bytes else { return Ok(None) };
    let text = match (std::str::from_utf8(bytes), options.replace_invalid) {
        (Ok(text), _) => Cow::Borrowed(text),
        (Err(_), Some(replacement)) => {
            Cow::Owned(String::from_utf8_lossy(bytes).replace('\u{fffd}', &replacement.to_string()))
        }
        (Err(error), None) => {
            let at = error.valid_up_to();
            let message = format!(
                "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: {:02x}",
                bytes[at]
            );
            return Err(wrong(1220, message));
        }
    };
    if options.null.as_deref().unwrap_or("\\N") == text {
        return Ok(None);
    }
    from_text(column, &text, options)
}

/// Cuts a text into records.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
    quote: Option<u8>,
    delimiter: u8,
}

/// A record: its line, its bytes, its fields.
type Record<'a> = (u64, Vec<u8>, Result<Vec<Cow<'a, [u8]>>, Wrong>);

impl<'a> Reader<'a> {
    /// The next record that is not an empty line.
    fn record(&mut self) -> Option<Record<'a>> {
        while self.text.get(self.at).is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            self.line += u64::from(self.text[self.at] == b'\n');
            self.at += 1;
        }
        if self.at >= self.text.len() {
            return None;
        }
        let (start, line) = (self.at, self.line);
        let mut fields = vec![];
        let outcome = loop {
            match self.field() {
                Ok(field) => fields.push(field),
                Err(wrong) => break Err(wrong),
            }
            match self.text.get(self.at) {
                Some(byte) if *byte == self.delimiter => self.at += 1,
                _ => break Ok(fields),
            }
        };
        if outcome.is_err() {
            self.at = self.text[self.at..]
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(self.text.len(), |end| self.at + end);
        }
        Some((line, self.text[start..self.at].to_vec(), outcome))
    }

    fn field(&mut self) -> Result<Cow<'a, [u8]>, Wrong> {
        if self.quote.is_some() && self.text.get(self.at).copied() == self.quote {
            return self.quoted().map(Cow::Owned);
        }
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| *byte == self.delimiter || *byte == b'\n').unwrap_or(rest.len());
        self.at += length;
        let field = &rest[..length];
        let ends_line = rest.get(length) != Some(&self.delimiter);
        Ok(Cow::Borrowed(field.strip_suffix(b"\r").filter(|_| ends_line).unwrap_or(field)))
    }

    /// A field in quotes; a quote inside is doubled.
    fn quoted(&mut self) -> Result<Vec<u8>, Wrong> {
        self.at += 1;
        let mut field = vec![];
        loop {
            match (self.text.get(self.at).copied(), self.text.get(self.at + 1).copied()) {
                (None, _) => return Err(wrong(1214, "Invalid quote formatting for CSV")),
                (byte, next) if byte == self.quote && next == self.quote => {
                    field.extend(byte);
                    self.at += 2;
                }
                (byte, _) if byte == self.quote => {
                    self.at += 1;
                    return self.after_quote(field);
                }
                (Some(byte), _) => {
                    self.line += u64::from(byte == b'\n');
                    field.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn after_quote(&mut self, field: Vec<u8>) -> Result<Vec<u8>, Wrong> {
        if self.text[self.at..].starts_with(b"\r\n") {
            self.at += 1;
        }
        match self.text.get(self.at) {
            None | Some(b'\n') => Ok(field),
            Some(byte) if *byte == self.delimiter => Ok(field),
            Some(_) => Err(wrong(1214, "Invalid quote formatting for CSV")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::object;
    use super::super::values::ColumnKind;
    use super::*;

    fn loaded(text: &str, quote: Option<u8>, options: &Options) -> (String, Vec<(u64, u32)>) {
        let column =
            |name: &str, kind| Column { name: name.to_owned(), kind, type_name: "x".to_owned(), nullable: true };
        let columns = [column("a", ColumnKind::Integer(32)), column("b", ColumnKind::Text(10))];
        let loaded = rows(&object("k"), &columns, text.as_bytes(), options, quote, b',');
        let text = loaded.chunks.iter().map(|chunk| String::from_utf8_lossy(chunk).into_owned()).collect();
        (text, loaded.failures.iter().map(|failure| (failure.line, failure.wrong.code)).collect())
    }

    #[test]
    fn quotes_hold_delimiters_and_lines() {
        let text = "a,b\r\n1,\"x,\"\"y\"\"\n\tz\"\r\n,\n2,plain";
        let options = Options { skip_lines: 1, ..Options::default() };
        let wanted = "1\tx,\"y\"\\n\\tz\n\\N\t\n2\tplain\n";
        assert_eq!(loaded(text, Some(b'"'), &options), (wanted.to_owned(), vec![]));
    }

    #[test]
    fn lines_that_do_not_fit_are_told() {
        let options = Options { max_errors: 10, ..Options::default() };
        let (rows, failures) = loaded("1\n1,2,3\nx,y\n2,\"z\"w\n3,ok", Some(b'"'), &options);
        assert_eq!(rows, "3\tok\n");
        assert_eq!(failures, vec![(1, 1203), (2, 1202), (3, 1207), (4, 1214)]);
    }
}
