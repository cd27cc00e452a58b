//! What a COPY statement says.

use super::super::sql::tokens::{Token, closing, near, split_commas, stands};
use super::super::sql::{name_end, table_name};

/// Options that go with Parquet,
/// <https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html>.
const PARQUET_OPTIONS: &[&str] = &[
    "iam_role",
    "credentials",
    "manifest",
    "statupdate",
    "fillrecord",
    "explicit_ids",
    "acceptinvchars",
    "format",
    "parquet",
];

/// A COPY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyStatement {
    /// The table, quoted.
    pub(crate) table: String,
    /// The columns, where they are named.
    pub(crate) columns: Option<Vec<String>>,
    /// Bucket of the object, the prefix or the manifest.
    pub(crate) bucket: String,
    /// Its key.
    pub(crate) key: String,
    /// How rows lie in the objects.
    pub(crate) format: Format,
    /// Everything else.
    pub(crate) options: Options,
}

/// How rows lie in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Columns by position.
    Parquet,
    /// Columns by name.
    Json {
        /// Whether case does not matter.
        ignore_case: bool,
    },
    /// RFC 4180.
    Csv {
        /// What separates fields.
        delimiter: u8,
    },
    /// Fields between delimiters, without quotes.
    Delimited {
        /// What separates fields.
        delimiter: u8,
    },
}

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TimeFormat {
    /// `YYYY-MM-DD HH24:MI:SS`, with an offset for a timestamp with a zone.
    #[default]
    Plain,
    /// That and ISO 8601.
    Auto,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
}

/// What can be asked for besides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Options {
    /// FROM names a manifest.
    pub(crate) manifest: bool,
    /// The objects are packed by gzip.
    pub(crate) gzip: bool,
    /// Rows that may be wrong.
    pub(crate) max_errors: u64,
    /// How times are written.
    pub(crate) time: TimeFormat,
    /// Whether dates may be written as in ISO 8601 timestamps.
    pub(crate) auto_dates: bool,
    /// Blank text is null.
    pub(crate) blanks_as_null: bool,
    /// Empty text is null.
    pub(crate) empty_as_null: bool,
    /// Text that is no UTF-8 is taken, with this in the place of what is wrong.
    pub(crate) replace_invalid: Option<char>,
    /// Text that is too long is cut.
    pub(crate) truncate: bool,
    /// Missing fields at the end of a row are null.
    pub(crate) fill: bool,
    /// Lines left out at the start of each object.
    pub(crate) skip_lines: u64,
    /// What stands for null.
    pub(crate) null: Option<String>,
}

/// What was read so far.
struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    format: Option<Format>,
    delimiter: Option<u8>,
    options: Options,
    has_credentials: bool,
    seen: Vec<String>,
}

impl CopyStatement {
    /// Reads the statement.
    pub(crate) fn parse(tokens: &[Token]) -> Result<Self, String> {
        let end = name_end(tokens, 1)?;
        let table = table_name(&tokens[1..end])?;
        let (columns, from) = columns(tokens, end)?;
        if !stands(tokens, from, &["from"]) {
            return Err(near(tokens.get(from)));
        }
        let (bucket, key) = location(tokens.get(from + 1))?;
        let mut parser = Parser {
            tokens,
            at: from + 2,
            format: None,
            delimiter: None,
            options: Options::default(),
            has_credentials: false,
            seen: vec![],
        };
        while parser.at < tokens.len() {
            parser.option()?;
        }
        let (format, options) = parser.finish()?;
        Ok(Self { table, columns, bucket, key, format, options })
    }

    /// Where FROM points.
    pub(crate) fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

fn columns(tokens: &[Token], at: usize) -> Result<(Option<Vec<String>>, usize), String> {
    if !stands(tokens, at, &["("]) {
        return Ok((None, at));
    }
    let end = closing(tokens, at)?;
    let name = |piece: &[Token]| match piece {
        [name] if name.is_name() => Ok(name.name()),
        other => Err(near(other.get(1).or(tokens.get(end)))),
    };
    let names = split_commas(&tokens[at + 1..end]).into_iter().map(name).collect::<Result<_, _>>()?;
    Ok((Some(names), end + 1))
}

fn location(token: Option<&Token>) -> Result<(String, String), String> {
    let text = token.and_then(Token::literal).ok_or_else(|| near(token))?;
    let path = text.strip_prefix("s3://").ok_or("COPY from other places than S3 is not imitated by this server")?;
    match path.split_once('/') {
        Some((bucket, key)) if !bucket.is_empty() => Ok((bucket.to_owned(), key.to_owned())),
        _ => Err(format!("Invalid S3 URI '{text}'")),
    }
}

impl Parser<'_> {
    /// Reads the option that comes next.
    fn option(&mut self) -> Result<(), String> {
        let token = &self.tokens[self.at];
        let name = token.name();
        self.at += 1;
        self.skip("as");
        if self.format_option(&name)? || self.value_option(&name)? || self.flag(&name) {
            self.seen.push(name);
            return Ok(());
        }
        match name.as_str() {
            "escape" | "removequotes" | "fixedwidth" | "avro" | "orc" | "shapefile" | "bzip2" | "lzop" | "zstd"
            | "encrypted" | "encoding" | "noload" | "readratio" | "ssh" | "serializetojson" | "job"
            | "acceptanydate" | "roundec" | "trimblanks" | "ignoreblanklines" | "ignoreallerrors" => {
                Err(format!("COPY with {} is not imitated by this server", name.to_uppercase()))
            }
            _ => Err(near(Some(token))),
        }
    }

    fn format_option(&mut self, name: &str) -> Result<bool, String> {
        match name {
            "format" => {} // its value is an option of its own
            "parquet" => self.format = Some(Format::Parquet),
            "csv" => {
                self.format = Some(Format::Csv { delimiter: b',' });
                if self.skip("quote") {
                    self.skip("as");
                    self.expect_text("\"", "a quote character other than `\"`")?;
                }
            }
            "json" => {
                let mode = self.text()?;
                let ignore_case = match mode.as_str() {
                    "auto" => false,
                    "auto ignorecase" => true,
                    _ => return Err(format!("COPY with JSON '{mode}' is not imitated by this server")),
                };
                self.format = Some(Format::Json { ignore_case });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn value_option(&mut self, name: &str) -> Result<bool, String> {
        match name {
            "iam_role" => self.role()?,
            "credentials" | "access_key_id" | "secret_access_key" | "session_token" => {
                self.text()?;
                self.has_credentials = true;
            }
            "region" => drop(self.text()?),
            "delimiter" => {
                let text = self.text()?;
                let [delimiter] = text.as_bytes() else {
                    return Err("COPY delimiter must be a single character".to_owned());
                };
                self.delimiter = Some(*delimiter);
            }
            "timeformat" => self.options.time = self.time_format()?,
            "dateformat" => {
                self.expect_text("auto", "a DATEFORMAT other than 'auto'")?;
                self.options.auto_dates = true;
            }
            "maxerror" => self.options.max_errors = self.number()?,
            "ignoreheader" => self.options.skip_lines = self.number()?,
            "null" => self.options.null = Some(self.text()?),
            "acceptinvchars" => self.options.replace_invalid = Some(self.replacement()?),
            "statupdate" | "compupdate" => {
                let _known = ["on", "off", "true", "false", "preset"].into_iter().any(|word| self.skip(word));
            }
            "comprows" => drop(self.number()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn flag(&mut self, name: &str) -> bool {
        match name {
            "manifest" => self.options.manifest = true,
            "gzip" => self.options.gzip = true,
            "blanksasnull" => self.options.blanks_as_null = true,
            "emptyasnull" => self.options.empty_as_null = true,
            "truncatecolumns" => self.options.truncate = true,
            "fillrecord" => self.options.fill = true,
            "explicit_ids" => {}
            _ => return false,
        }
        true
    }

    fn finish(self) -> Result<(Format, Options), String> {
        if !self.has_credentials {
            return Err("CREDENTIALS argument is required but not supplied".to_owned());
        }
        let format = match self.format {
            Some(Format::Csv { delimiter }) => Format::Csv { delimiter: self.delimiter.unwrap_or(delimiter) },
            Some(format) => format,
            None => Format::Delimited { delimiter: self.delimiter.unwrap_or(b'|') },
        };
        if format == Format::Parquet {
            let other = self.seen.iter().find(|option| !PARQUET_OPTIONS.contains(&option.as_str()));
            if let Some(option) = other {
                return Err(format!("{} argument is not supported for PARQUET based COPY", option.to_uppercase()));
            }
        }
        Ok((format, self.options))
    }

    fn skip(&mut self, word: &str) -> bool {
        let stands = stands(self.tokens, self.at, &[word]);
        self.at += usize::from(stands);
        stands
    }

    fn text(&mut self) -> Result<String, String> {
        let token = self.tokens.get(self.at);
        self.at += 1;
        token.and_then(Token::literal).ok_or_else(|| near(token))
    }

    fn number(&mut self) -> Result<u64, String> {
        let token = self.tokens.get(self.at);
        self.at += 1;
        token.and_then(|token| token.text.parse().ok()).ok_or_else(|| near(token))
    }

    fn expect_text(&mut self, wanted: &str, what: &str) -> Result<(), String> {
        if self.text()? == wanted {
            return Ok(());
        }
        Err(format!("COPY with {what} is not imitated by this server"))
    }

    /// `default`, or the ARN of a role.
    fn role(&mut self) -> Result<(), String> {
        self.has_credentials = true;
        if self.skip("default") {
            return Ok(());
        }
        let role = self.text()?;
        let is_role = |role: &str| role.starts_with("arn:aws") && role.contains(":iam::") && role.contains(":role/");
        if role.split(',').all(is_role) { Ok(()) } else { Err(format!("Invalid IAM role ARN '{role}'")) }
    }

    fn time_format(&mut self) -> Result<TimeFormat, String> {
        match self.text()?.as_str() {
            "auto" => Ok(TimeFormat::Auto),
            "epochsecs" => Ok(TimeFormat::EpochSeconds),
            "epochmillisecs" => Ok(TimeFormat::EpochMillis),
            _ => Err("COPY with a TIMEFORMAT of one's own is not imitated by this server".to_owned()),
        }
    }

    fn replacement(&mut self) -> Result<char, String> {
        if self.tokens.get(self.at).and_then(Token::literal).is_none() {
            return Ok('?');
        }
        self.text()?.chars().next().ok_or_else(|| "ACCEPTINVCHARS needs one character".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sql::tokens::lex;
    use super::*;

    fn parsed(sql: &str) -> Result<CopyStatement, String> {
        CopyStatement::parse(&lex(sql).expect("tokens"))
    }

    const ROLE: &str = "IAM_ROLE 'arn:aws:iam::123456789012:role/copy'";

    #[test]
    fn json_with_a_manifest_is_read() {
        let sql = format!(
            "COPY s.t (a, B) FROM 's3://bucket/a/manifest' {ROLE} FORMAT AS JSON 'auto' GZIP MANIFEST TIMEFORMAT 'auto'"
        );
        let copy = parsed(&sql).expect("a COPY");
        assert_eq!((copy.table.as_str(), copy.url().as_str()), ("\"s\".\"t\"", "s3://bucket/a/manifest"));
        assert_eq!(copy.columns, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(copy.format, Format::Json { ignore_case: false });
        assert!(copy.options.gzip && copy.options.manifest && copy.options.time == TimeFormat::Auto);
    }

    #[test]
    fn parquet_takes_few_options() {
        let parquet = |options: &str| parsed(&format!("COPY t FROM 's3://b/k' {ROLE} FORMAT AS PARQUET {options}"));
        assert!(parquet("MANIFEST STATUPDATE OFF FILLRECORD").is_ok());
        for option in
            ["MAXERROR 1", "REGION 'eu-west-1'", "GZIP", "TIMEFORMAT 'auto'", "COMPUPDATE OFF", "TRUNCATECOLUMNS"]
        {
            let word = option.split(' ').next().expect("a word");
            let refused = parquet(option).expect_err("Redshift refuses it");
            assert_eq!(refused, format!("{word} argument is not supported for PARQUET based COPY"));
        }
    }

    #[test]
    fn a_role_is_needed() {
        assert!(parsed("COPY t FROM 's3://b/k' CSV").is_err());
        assert!(parsed("COPY t FROM 's3://b/k' IAM_ROLE 'copy' CSV").is_err());
        assert!(parsed("COPY t FROM 's3://b/k' IAM_ROLE default CSV IGNOREHEADER 1").is_ok());
    }

    #[test]
    fn csv_and_delimiters_are_told_apart() {
        let format =
            |options: &str| parsed(&format!("COPY t FROM 's3://b/k' {ROLE} {options}")).expect("a COPY").format;
        assert_eq!(format("CSV DELIMITER ';'"), Format::Csv { delimiter: b';' });
        assert_eq!(format("DELIMITER AS '\\t'"), Format::Delimited { delimiter: b'\t' });
        assert_eq!(format(""), Format::Delimited { delimiter: b'|' });
    }
}
