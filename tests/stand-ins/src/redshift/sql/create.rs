//! `CREATE TABLE`: what Redshift stores by is checked and left out, what it does not enforce is left out too.

use super::expression;
use super::refuse::{check, name_end};
use super::tokens::{Kind, Token, closing, join, near, quote_name, split_commas, stands};
use super::types::{self, Family, Place, Type};
use super::words;
use std::collections::BTreeSet;

/// Most columns of a table, <https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_usage.html>.
const MAX_COLUMNS: usize = 1_600;
/// Most columns of a compound sort key, <https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html>.
const MAX_SORT_COLUMNS: usize = 400;
/// Most columns of an interleaved sort key, same page.
const MAX_INTERLEAVED: usize = 8;

/// Prefix of the names of checks that count bytes; the number behind it is the most of them.
pub(crate) const BYTES_CHECK: &str = "varchar_bytes_";

/// A column.
#[derive(Debug)]
struct Column {
    name: String,
    ty: Type,
    definition: String,
    not_null: bool,
    is_dist_key: bool,
    is_sort_key: bool,
}

/// The columns and what was said of several of them.
#[derive(Debug, Default)]
struct Columns {
    list: Vec<Column>,
    likes: Vec<String>,
    primary_key: BTreeSet<String>,
}

/// `CREATE [TEMP] TABLE ...`, as PostgreSQL takes it.
pub(crate) fn table(tokens: &[Token]) -> Result<String, String> {
    let mut at = 1;
    let mut temporary = false;
    while ["local", "temp", "temporary"].iter().any(|word| stands(tokens, at, &[word])) {
        temporary = true;
        at += 1;
    }
    if !stands(tokens, at, &["table"]) {
        return Err(near(tokens.get(at)));
    }
    at += 1;
    let exists = stands(tokens, at, &["if", "not", "exists"]);
    at += if exists { 3 } else { 0 };
    let end = name_end(tokens, at)?;
    temporary |= tokens[at].text.starts_with('#');
    let head = format!(
        "CREATE {}TABLE {}{}",
        if temporary { "TEMP " } else { "" },
        if exists { "IF NOT EXISTS " } else { "" },
        table_name(&tokens[at..end])?
    );
    body(&head, tokens, end)
}

/// A table's name; the reserved words need quotes.
pub(crate) fn table_name(tokens: &[Token]) -> Result<String, String> {
    let name = |token: &Token| {
        if token.is(".") { Ok(".".to_owned()) } else { Ok(quote_name(&bare(token)?)) }
    };
    tokens.iter().map(name).collect()
}

/// A name, unless it is a reserved word without quotes.
pub(crate) fn bare(token: &Token) -> Result<String, String> {
    let name = token.name();
    if !token.is_name() || (token.kind == Kind::Word && words::is_reserved(&name)) {
        return Err(near(Some(token)));
    }
    if name.len() > 127 {
        return Err(format!("identifier \"{name}\" is longer than 127 bytes"));
    }
    Ok(name)
}

/// What follows the name: columns, a query, or both.
fn body(head: &str, tokens: &[Token], start: usize) -> Result<String, String> {
    if !stands(tokens, start, &["("]) {
        let query = attributes(tokens, start, None)?;
        return as_query(head, tokens, query);
    }
    let end = closing(tokens, start)?;
    let inner = &tokens[start + 1..end];
    if inner.iter().all(|token| token.is_name() || token.is(",")) && tokens[end..].iter().any(|token| token.is("as")) {
        let query = attributes(tokens, end + 1, None)?;
        return as_query(&format!("{head} ( {} )", join(&expression(inner)?)), tokens, query);
    }
    let columns = Columns::read(inner)?;
    let after = attributes(tokens, end + 1, Some(&columns.list))?;
    match tokens.get(after) {
        Some(token) => Err(near(Some(token))),
        None => Ok(format!("{head} ({})", columns.definitions())),
    }
}

fn as_query(head: &str, tokens: &[Token], at: usize) -> Result<String, String> {
    if !stands(tokens, at, &["as"]) {
        return Err(near(tokens.get(at)));
    }
    let query = &tokens[at + 1..];
    check(query)?;
    Ok(format!("{head} AS {}", join(&expression(query)?)))
}

impl Columns {
    fn read(tokens: &[Token]) -> Result<Self, String> {
        let mut columns = Self::default();
        for item in split_commas(tokens) {
            columns.add(item)?;
        }
        if columns.list.len() > MAX_COLUMNS {
            return Err(format!("tables can have at most {MAX_COLUMNS} columns"));
        }
        if columns.list.iter().filter(|column| column.is_dist_key).count() > 1 {
            return Err("multiple DISTKEYs for table are not allowed".to_owned());
        }
        Ok(columns)
    }

    fn add(&mut self, item: &[Token]) -> Result<(), String> {
        let item = match item {
            [first, _, rest @ ..] if first.is("constraint") => rest,
            item => item,
        };
        if stands(item, 0, &["like"]) {
            let end = name_end(item, 1)?;
            self.likes.push(format!("LIKE {} INCLUDING CONSTRAINTS", table_name(&item[1..end])?));
            return Ok(());
        }
        if stands(item, 0, &["primary", "key", "("]) {
            self.primary_key.extend(item[3..].iter().filter(|token| token.is_name()).map(Token::name));
            return Ok(());
        }
        if stands(item, 0, &["unique", "("]) || stands(item, 0, &["foreign", "key", "("]) {
            return Ok(());
        }
        let column = column(item)?;
        if self.list.iter().any(|other| other.name == column.name) {
            return Err(format!("column \"{}\" specified more than once", column.name));
        }
        self.list.push(column);
        Ok(())
    }

    fn definitions(&self) -> String {
        let define = |column: &Column| {
            let needed = self.primary_key.contains(&column.name) && !column.not_null;
            format!("{}{}", column.definition, if needed { " NOT NULL" } else { "" })
        };
        self.list.iter().map(define).chain(self.likes.iter().cloned()).collect::<Vec<_>>().join(", ")
    }
}

/// A column of CREATE TABLE.
fn column(tokens: &[Token]) -> Result<Column, String> {
    let name = bare(tokens.first().ok_or_else(|| near(None))?)?;
    let (ty, mut at) = types::parse(tokens, 1, Place::Column)?;
    let mut column = Column {
        definition: format!("{} {}{}", quote_name(&name), ty.text, bytes_check(&name, &ty)),
        name,
        ty,
        not_null: false,
        is_dist_key: false,
        is_sort_key: false,
    };
    while at < tokens.len() {
        at = column.attribute(tokens, at)?;
    }
    if column.ty.family == Family::Super && (column.is_dist_key || column.is_sort_key) {
        return Err(format!("SUPER column \"{}\" can be neither DISTKEY nor SORTKEY", column.name));
    }
    Ok(column)
}

/// The check that counts bytes, for types that have a most of them.
pub(crate) fn bytes_check(name: &str, ty: &Type) -> String {
    let Some(bytes) = ty.bytes else { return String::new() };
    let mut label = format!("{BYTES_CHECK}{bytes}_{name}");
    while label.len() > 63 {
        label.pop();
    }
    format!(" CONSTRAINT {} CHECK (octet_length({}) <= {bytes})", quote_name(&label), quote_name(name))
}

impl Column {
    /// Reads the attribute at `at`; says where it ends.
    fn attribute(&mut self, tokens: &[Token], at: usize) -> Result<usize, String> {
        let has = |words: &[&str]| stands(tokens, at, words);
        if has(&["not", "null"]) || has(&["primary", "key"]) {
            self.definition += if self.not_null { "" } else { " NOT NULL" };
            self.not_null = true;
            return Ok(at + 2);
        }
        if has(&["null"]) || has(&["unique"]) {
            return Ok(at + 1);
        }
        if has(&["distkey"]) {
            self.is_dist_key = true;
            return Ok(at + 1);
        }
        if has(&["sortkey"]) {
            self.is_sort_key = true;
            return Ok(at + 1);
        }
        if has(&["encode"]) {
            check_encoding(&self.name, &self.ty, tokens.get(at + 1))?;
            return Ok(at + 2);
        }
        if has(&["collate"]) {
            return Ok(at + 2);
        }
        if has(&["references"]) {
            let end = name_end(tokens, at + 1)?;
            return Ok(if stands(tokens, end, &["("]) { closing(tokens, end)? + 1 } else { end });
        }
        self.value(tokens, at)
    }

    /// Attributes that give a column its values.
    fn value(&mut self, tokens: &[Token], at: usize) -> Result<usize, String> {
        if stands(tokens, at, &["default"]) {
            let end = default_end(tokens, at + 1);
            let value = &tokens[at + 1..end];
            check(value)?;
            self.definition += &format!(" DEFAULT {}", join(&expression(value)?));
            return Ok(end);
        }
        if stands(tokens, at, &["identity", "("]) {
            return self.identity("ALWAYS", tokens, at + 1);
        }
        if stands(tokens, at, &["generated", "by", "default", "as", "identity", "("]) {
            return self.identity("BY DEFAULT", tokens, at + 5);
        }
        if stands(tokens, at, &["check"]) {
            return Err("CHECK constraints are not supported".to_owned());
        }
        Err(near(tokens.get(at)))
    }

    fn identity(&mut self, kind: &str, tokens: &[Token], open: usize) -> Result<usize, String> {
        if self.ty.family != Family::Exact {
            return Err(format!("column \"{}\" cannot be an identity: it is neither INT nor BIGINT", self.name));
        }
        let end = closing(tokens, open)?;
        let [seed, step] = split_commas(&tokens[open + 1..end])[..] else { return Err(near(tokens.get(end))) };
        let (seed, step) = (join(seed).replace(' ', ""), join(step).replace(' ', ""));
        self.definition += &format!(" GENERATED {kind} AS IDENTITY (MINVALUE {seed} START {seed} INCREMENT {step})");
        Ok(end + 1)
    }
}

/// A default ends where the next attribute starts.
pub(crate) fn default_end(tokens: &[Token], start: usize) -> usize {
    const NEXT: &[&[&str]] = &[
        &["encode"],
        &["distkey"],
        &["sortkey"],
        &["not", "null"],
        &["unique"],
        &["primary"],
        &["references"],
        &["collate"],
    ];
    let mut depth = 0_i32;
    for at in start..tokens.len() {
        depth += i32::from(tokens[at].is("(")) - i32::from(tokens[at].is(")"));
        let bare_null = at > start && stands(tokens, at, &["null"]);
        if depth == 0 && (bare_null || NEXT.iter().any(|words| stands(tokens, at, words))) {
            return at;
        }
    }
    tokens.len()
}

/// Which encodings go with which types, <https://docs.aws.amazon.com/redshift/latest/dg/c_Compression_encodings.html>.
pub(crate) fn check_encoding(column: &str, ty: &Type, encoding: Option<&Token>) -> Result<(), String> {
    let encoding = encoding.filter(|token| token.is_name()).ok_or_else(|| near(encoding))?.name();
    let whole = matches!(ty.text.as_str(), "smallint" | "integer" | "bigint");
    let fits = match encoding.as_str() {
        "raw" => true,
        "zstd" => true,
        "lzo" => !matches!(ty.family, Family::Float | Family::Boolean),
        "az64" => matches!(ty.family, Family::Exact | Family::Time),
        "bytedict" => !matches!(ty.family, Family::Boolean | Family::Super | Family::Bytes),
        "runlength" => ty.family != Family::Super,
        "delta" | "delta32k" => ty.family == Family::Exact || ty.family == Family::Time,
        "mostly8" | "mostly16" | "mostly32" => whole || ty.family == Family::Exact,
        "text255" | "text32k" => ty.is_varchar(),
        _ => return Err(format!("syntax error at or near \"{encoding}\"")),
    };
    if fits { Ok(()) } else { Err(format!("invalid encoding type specified for column \"{column}\"")) }
}

/// Ways to store a table that name no columns.
const STORED: &[[&str; 2]] = &[
    ["diststyle", "auto"],
    ["diststyle", "even"],
    ["diststyle", "key"],
    ["diststyle", "all"],
    ["sortkey", "auto"],
    ["encode", "auto"],
    ["backup", "yes"],
    ["backup", "no"],
];

/// Keys, and the most columns that they can have.
const KEYS: &[(&[&str], usize)] = &[
    (&["distkey", "("], 1),
    (&["sortkey", "("], MAX_SORT_COLUMNS),
    (&["compound", "sortkey", "("], MAX_SORT_COLUMNS),
    (&["interleaved", "sortkey", "("], MAX_INTERLEAVED),
];

/// Reads what says how a table is stored; says where it ends. Without columns (of a query) keys are not looked up.
fn attributes(tokens: &[Token], start: usize, columns: Option<&[Column]>) -> Result<usize, String> {
    let mut at = start;
    let mut style = None;
    let mut dist_key = columns.is_some_and(|columns| columns.iter().any(|column| column.is_dist_key));
    loop {
        if let Some([what, how]) = STORED.iter().find(|words| stands(tokens, at, *words)) {
            style = if *what == "diststyle" { Some(*how) } else { style };
            at += 2;
        } else if let Some((words, most)) = KEYS.iter().find(|(words, _)| stands(tokens, at, words)) {
            dist_key |= words[0] == "distkey";
            at = keys(tokens, at + words.len() - 1, columns, *most)?;
        } else {
            break;
        }
    }
    match style {
        Some("key") if !dist_key => Err("DISTSTYLE KEY requires a DISTKEY".to_owned()),
        Some("even" | "all" | "auto") if dist_key => Err("cannot specify DISTKEY with this DISTSTYLE".to_owned()),
        _ => Ok(at),
    }
}

/// Columns of a key in parentheses: each is one of the table's.
fn keys(tokens: &[Token], open: usize, columns: Option<&[Column]>, most: usize) -> Result<usize, String> {
    let end = closing(tokens, open)?;
    let names = split_commas(&tokens[open + 1..end]);
    if names.len() > most {
        return Err(format!("a key of this kind can have at most {most} columns"));
    }
    for name in names {
        let [name] = name else { return Err(near(name.get(1).or(tokens.get(end)))) };
        let name = bare(name)?;
        let Some(columns) = columns else { continue };
        match columns.iter().find(|column| column.name == name) {
            None => return Err(format!("column \"{name}\" named in key does not exist")),
            Some(column) if column.ty.family == Family::Super => {
                return Err(format!("SUPER column \"{name}\" can be neither DISTKEY nor SORTKEY"));
            }
            Some(_) => {}
        }
    }
    Ok(end + 1)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::lex;
    use super::*;

    fn created(sql: &str) -> Result<String, String> {
        table(&lex(sql).expect("tokens"))
    }

    #[test]
    fn what_redshift_stores_by_is_left_out() {
        let sql = "CREATE TABLE IF NOT EXISTS s.Orders (id BIGINT NOT NULL ENCODE az64 PRIMARY KEY, note VARCHAR(3) \
                   ENCODE zstd DEFAULT 'a, b', doc SUPER, UNIQUE (note)) DISTSTYLE KEY DISTKEY (id) COMPOUND SORTKEY (id, note)";
        let wanted = "CREATE TABLE IF NOT EXISTS \"s\".\"orders\" (\"id\" bigint NOT NULL, \"note\" varchar(3) CONSTRAINT \
                      \"varchar_bytes_3_note\" CHECK (octet_length(\"note\") <= 3) DEFAULT 'a, b', \"doc\" jsonb)";
        assert_eq!(created(sql).as_deref(), Ok(wanted));
    }

    #[test]
    fn identities_and_temporary_tables_are_rewritten() {
        let wanted =
            "CREATE TEMP TABLE \"#x\" (\"a\" bigint GENERATED ALWAYS AS IDENTITY (MINVALUE 0 START 0 INCREMENT 1))";
        assert_eq!(created("create table #x (a bigint identity(0,1))").as_deref(), Ok(wanted));
    }

    #[test]
    fn a_query_can_be_stored_by_a_key() {
        let wanted = "CREATE TEMP TABLE \"x\" AS SELECT a FROM t";
        assert_eq!(created("create temp table x distkey(a) sortkey(a) as SELECT a FROM t").as_deref(), Ok(wanted));
    }

    #[test]
    fn what_redshift_refuses_is_refused() {
        for sql in [
            "CREATE TABLE t (a jsonb)",
            "CREATE TABLE t (a int) WITH (fillfactor = 70)",
            "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
            "CREATE TABLE t (a int CHECK (a > 1))",
            "CREATE TABLE t (a varchar(10) ENCODE az64)",
            "CREATE TABLE t (a boolean ENCODE az64)",
            "CREATE TABLE t (a super) SORTKEY (a)",
            "CREATE TABLE t (a int) SORTKEY (b)",
            "CREATE TABLE t (a int) DISTSTYLE KEY",
            "CREATE TABLE t (tag int)",
            "CREATE TABLE t (a int, a int)",
            "CREATE UNLOGGED TABLE t (a int)",
            "CREATE TABLE t (a int DEFAULT nextval('s'))",
        ] {
            assert!(created(sql).is_err(), "{sql}");
        }
    }
}
