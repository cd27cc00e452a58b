//! From Redshift's SQL to PostgreSQL's.
//!
//! A statement is cut into [tokens], never taken apart by a grammar: a rewrite touches the few words that differ, and
//! PostgreSQL judges the rest. What PostgreSQL would take and Redshift does not is [refused](refuse) here, with the
//! words of Redshift's own error where they are known.

mod alter;
mod create;
mod merge;
mod refuse;
pub(crate) mod tokens;
pub(crate) mod types;
mod words;

pub(crate) use create::{BYTES_CHECK, bytes_check, table_name};
pub(crate) use refuse::name_end;

use super::copy::CopyStatement;
use std::collections::BTreeMap;
use tokens::{Kind, Token, closing, join, lex, near, quote_name, quote_text, stands};
use types::Place;

/// What is to be done for a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Plan {
    /// SQL that returns rows.
    Query(String),
    /// SQL that returns none.
    Command(String),
    /// A VARCHAR column is to hold more bytes.
    Widen {
        /// The table, quoted.
        table: String,
        /// The column.
        column: String,
        /// Its new length.
        bytes: u32,
    },
    /// Empties a table, and commits.
    Truncate(String),
    /// Loads a table.
    Copy(Box<CopyStatement>),
    /// Nothing that PostgreSQL would have to know.
    Nothing,
}

/// Names and values of a statement's parameters.
pub(crate) type Parameters = BTreeMap<String, String>;

/// Where a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// It is a transaction of its own.
    Nothing,
    /// It is one of several that commit together.
    Batch,
}

/// Reads a statement.
///
/// # Errors
/// What Redshift would say where it refuses it.
pub(crate) fn plan(sql: &str, parameters: &Parameters, within: Within) -> Result<Plan, String> {
    let mut tokens = lex(sql)?;
    while tokens.last().is_some_and(|token| token.is(";")) {
        tokens.pop();
    }
    if tokens.iter().any(|token| token.is(";")) {
        return Err("cannot insert multiple commands into a prepared statement".to_owned());
    }
    for token in tokens.iter_mut().filter(|token| token.kind == Kind::Parameter) {
        let value = parameters.get(&token.text[1..]).ok_or_else(|| near(Some(token)))?;
        *token = Token::new(Kind::Text, quote_text(value));
    }
    statement(&tokens, within)
}

/// Parameters that a statement names.
pub(crate) fn parameters(sql: &str) -> Vec<String> {
    let tokens = lex(sql).unwrap_or_default();
    tokens.iter().filter(|token| token.kind == Kind::Parameter).map(|token| token.text[1..].to_owned()).collect()
}

fn statement(tokens: &[Token], within: Within) -> Result<Plan, String> {
    let first = tokens.first().ok_or("syntax error at end of input")?;
    match first.text.to_lowercase().as_str() {
        "select" | "with" | "(" => query(tokens),
        "explain" | "show" => Ok(Plan::Query(join(tokens))),
        "insert" | "update" | "delete" => command(tokens),
        "merge" => merge::check(tokens).and_then(|()| command(tokens)),
        "copy" => CopyStatement::parse(tokens).map(|copy| Plan::Copy(Box::new(copy))),
        "create" => create(tokens),
        "alter" if stands(tokens, 1, &["table"]) => match alter::table(tokens)? {
            Plan::Widen { .. } if within == Within::Batch => {
                Err("ALTER TABLE ALTER COLUMN cannot run inside a transaction block".to_owned())
            }
            plan => Ok(plan),
        },
        "drop" | "comment" => Ok(Plan::Command(join(&expression(tokens)?))),
        "truncate" => truncate(tokens),
        "lock" => lock(tokens),
        "grant" | "revoke" => Ok(Plan::Command(join(&grantees(&expression(tokens)?)))),
        "analyze" | "vacuum" => maintenance(tokens, within),
        "set" | "reset" => setting(tokens),
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" if within == Within::Nothing => {
            Ok(Plan::Command(join(tokens)))
        }
        "unload" | "call" => Err(format!("{} is not imitated by this server", first.text.to_uppercase())),
        _ => Err(near(Some(first))),
    }
}

fn query(tokens: &[Token]) -> Result<Plan, String> {
    refuse::check(tokens)?;
    let text = join(&expression(tokens)?);
    let writes = ["update", "delete"].iter().any(|word| tokens.iter().any(|token| token.is(word)));
    let makes_table = stands(tokens, 0, &["select"]) && tokens.iter().any(|token| token.is("into"));
    Ok(if writes || makes_table { Plan::Command(text) } else { Plan::Query(text) })
}

fn command(tokens: &[Token]) -> Result<Plan, String> {
    refuse::check(tokens)?;
    Ok(Plan::Command(join(&expression(tokens)?)))
}

fn create(tokens: &[Token]) -> Result<Plan, String> {
    let kind = tokens.iter().skip(1).find(|token| !["or", "replace", "local"].iter().any(|word| token.is(word)));
    let kind = kind.ok_or_else(|| near(None))?;
    match kind.text.to_lowercase().as_str() {
        "table" | "temp" | "temporary" => create::table(tokens).map(Plan::Command),
        "view" => {
            let start = tokens.iter().position(|token| token.is("as")).ok_or_else(|| near(None))?;
            refuse::check(&tokens[start + 1..])?;
            Ok(Plan::Command(join(&expression(tokens)?)))
        }
        "schema" | "role" | "user" | "group" => Ok(Plan::Command(join(&expression(tokens)?))),
        "external" | "materialized" | "function" | "procedure" | "model" | "library" => {
            Err(format!("CREATE {} is not imitated by this server", kind.text.to_uppercase()))
        }
        _ => Err(near(Some(kind))),
    }
}

fn truncate(tokens: &[Token]) -> Result<Plan, String> {
    let start = 1 + usize::from(stands(tokens, 1, &["table"]));
    let end = name_end(tokens, start)?;
    match tokens.get(end) {
        Some(token) => Err(near(Some(token))),
        None => Ok(Plan::Truncate(format!("TRUNCATE TABLE {}", table_name(&tokens[start..end])?))),
    }
}

/// Redshift has one mode.
fn lock(tokens: &[Token]) -> Result<Plan, String> {
    let start = 1 + usize::from(stands(tokens, 1, &["table"]));
    let mut names = vec![];
    let mut at = start;
    loop {
        let end = name_end(tokens, at)?;
        names.push(table_name(&tokens[at..end])?);
        match tokens.get(end) {
            None => return Ok(Plan::Command(format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", names.join(", ")))),
            Some(token) if token.is(",") => at = end + 1,
            other => return Err(near(other)),
        }
    }
}

/// `TO ROLE x` and `TO GROUP x` name a role of PostgreSQL.
fn grantees(tokens: &[Token]) -> Vec<Token> {
    let behind = |at: usize| at > 0 && ["to", "from", ","].iter().any(|word| tokens[at - 1].is(word));
    let is_kind = |at: usize, token: &Token| behind(at) && (token.is("role") || token.is("group"));
    tokens.iter().enumerate().filter(|(at, token)| !is_kind(*at, token)).map(|(_, token)| token.clone()).collect()
}

fn maintenance(tokens: &[Token], within: Within) -> Result<Plan, String> {
    const MODES: &[&str] = &["full", "sort", "delete", "reindex", "recluster", "only", "verbose"];
    let verb = tokens[0].text.to_uppercase();
    if verb == "VACUUM" && within == Within::Batch {
        return Err("VACUUM cannot run inside a transaction block".to_owned());
    }
    let at = 1 + tokens[1..].iter().take_while(|token| MODES.iter().any(|mode| token.is(mode))).count();
    if at == tokens.len() {
        return Ok(Plan::Command(verb));
    }
    let end = name_end(tokens, at)?;
    Ok(Plan::Command(format!("{verb} {}", table_name(&tokens[at..end])?)))
}

/// Settings of Redshift that change no result are taken, those of PostgreSQL that both have are passed on.
fn setting(tokens: &[Token]) -> Result<Plan, String> {
    const IGNORED: &[&str] = &[
        "query_group",
        "enable_result_cache_for_session",
        "wlm_query_slot_count",
        "analyze_threshold_percent",
        "describe_field_name_in_uppercase",
        "max_cursor_result_set_size",
        "stv_query_group",
    ];
    const SHARED: &[&str] =
        &["search_path", "statement_timeout", "timezone", "datestyle", "extra_float_digits", "application_name"];
    let at = 1 + usize::from(stands(tokens, 1, &["session"]) || stands(tokens, 1, &["local"]));
    let name = tokens.get(at).ok_or_else(|| near(None))?.name();
    if IGNORED.contains(&name.as_str()) {
        return Ok(Plan::Nothing);
    }
    if SHARED.contains(&name.as_str()) {
        return Ok(Plan::Command(join(tokens)));
    }
    Err(format!("unrecognized configuration parameter \"{name}\""))
}

/// Rewrites what differs within any statement: names, casts and a few functions.
fn expression(tokens: &[Token]) -> Result<Vec<Token>, String> {
    let mut out = vec![];
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        if token.is("::") {
            let (ty, end) = types::parse(tokens, at + 1, Place::Cast)?;
            out.extend([token.clone(), Token::new(Kind::Word, ty.text)]);
            at = end;
        } else if token.is("cast") && stands(tokens, at + 1, &["("]) {
            let end = closing(tokens, at + 1)?;
            out.extend(cast(&tokens[at + 2..end])?);
            at = end + 1;
        } else if token.is("listagg") && stands(tokens, at + 1, &["("]) {
            let (aggregate, end) = listagg(tokens, at)?;
            out.extend(aggregate);
            at = end;
        } else if is_date_call(tokens, at) {
            let part = Token::new(Kind::Text, quote_text(&tokens[at + 2].name()));
            out.extend([token.clone(), tokens[at + 1].clone(), part]);
            at += 3;
        } else {
            out.push(word(tokens, at));
            at += 1;
        }
    }
    Ok(out)
}

/// `DATEADD(day, ...)`: the part of a date is a bare word, which PostgreSQL would take for a column.
fn is_date_call(tokens: &[Token], at: usize) -> bool {
    ["dateadd", "datediff", "date_part"].iter().any(|name| stands(tokens, at, &[name, "("]))
        && tokens.get(at + 2).is_some_and(|token| token.kind == Kind::Word)
        && stands(tokens, at + 3, &[","])
}

fn word(tokens: &[Token], at: usize) -> Token {
    let token = &tokens[at];
    let is_call = stands(tokens, at + 1, &["("]);
    let is_member = at > 0 && tokens[at - 1].is(".");
    match token.kind {
        Kind::Quoted => Token::new(Kind::Quoted, quote_name(&token.name())),
        Kind::Word if token.text.starts_with('#') => Token::new(Kind::Quoted, quote_name(&token.name())),
        Kind::Word if token.is("nvl") && is_call => Token::new(Kind::Word, "coalesce"),
        Kind::Word if token.is("sysdate") && !is_member => Token::new(Kind::Word, "sysdate()"),
        _ => token.clone(),
    }
}

/// The inside of `CAST(value AS type)`.
fn cast(inner: &[Token]) -> Result<Vec<Token>, String> {
    let mut depth = 0_i32;
    let is_as = |token: &Token| {
        depth += i32::from(token.is("(")) - i32::from(token.is(")"));
        depth == 0 && token.is("as")
    };
    let at = inner.iter().position(is_as).ok_or_else(|| near(inner.last()))?;
    let (ty, end) = types::parse(inner, at + 1, Place::Cast)?;
    if let Some(token) = inner.get(end) {
        return Err(near(Some(token)));
    }
    let symbol = |text: &str| Token::new(Kind::Symbol, text);
    let mut out = vec![symbol("(")];
    out.extend(expression(&inner[..at])?);
    out.extend([symbol(")"), symbol("::"), Token::new(Kind::Word, ty.text)]);
    Ok(out)
}

/// `LISTAGG(value, ',') WITHIN GROUP (ORDER BY ...)`: PostgreSQL has the order inside the first parentheses.
fn listagg(tokens: &[Token], at: usize) -> Result<(Vec<Token>, usize), String> {
    let end = closing(tokens, at + 1)?;
    let mut out = vec![tokens[at].clone(), tokens[at + 1].clone()];
    out.extend(expression(&tokens[at + 2..end])?);
    let mut after = end + 1;
    if stands(tokens, after, &["within", "group", "("]) {
        let order_end = closing(tokens, after + 2)?;
        out.extend(expression(&tokens[after + 3..order_end])?);
        after = order_end + 1;
    }
    out.push(tokens[end].clone());
    Ok((out, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(sql: &str) -> Result<Plan, String> {
        plan(sql, &Parameters::new(), Within::Batch)
    }

    #[test]
    fn parameters_become_text() {
        let parameters = Parameters::from([("id".to_owned(), "it's".to_owned())]);
        let plan = plan("SELECT a FROM t WHERE b = :id;", &parameters, Within::Nothing);
        assert_eq!(plan, Ok(Plan::Query("SELECT a FROM t WHERE b = 'it''s'".to_owned())));
        assert!(planned("SELECT :other").is_err());
    }

    #[test]
    fn casts_and_names_are_rewritten() {
        let text = "SELECT ( a + 1 ) :: numeric(18,0) , coalesce ( \"b c\" , sysdate() ) , d :: jsonb FROM t";
        let sql = "SELECT CAST(a + 1 AS DECIMAL), NVL(\"B c\", SYSDATE), d::SUPER FROM t";
        assert_eq!(planned(sql), Ok(Plan::Query(text.to_owned())));
        assert!(planned("SELECT d::jsonb FROM t").is_err());
    }

    #[test]
    fn lists_are_ordered_inside() {
        let text = "SELECT LISTAGG ( a , ',' ORDER BY b ) FROM t";
        assert_eq!(
            planned("SELECT LISTAGG(a, ',') WITHIN GROUP (ORDER BY b) FROM t"),
            Ok(Plan::Query(text.to_owned()))
        );
    }

    #[test]
    fn one_statement_at_a_time() {
        assert!(planned("SELECT 1; SELECT 2").is_err());
        assert!(planned("").is_err());
        assert!(planned("VALUES (1)").is_err());
        assert!(planned("CREATE INDEX i ON t (a)").is_err());
        assert!(planned("BEGIN").is_err());
    }

    #[test]
    fn locks_have_one_mode() {
        let text = "LOCK TABLE \"s\".\"t\", \"u\" IN ACCESS EXCLUSIVE MODE";
        assert_eq!(planned("LOCK s.t, u"), Ok(Plan::Command(text.to_owned())));
        assert!(planned("LOCK TABLE t IN SHARE MODE").is_err());
    }

    #[test]
    fn columns_are_not_widened_in_a_batch() {
        let sql = "ALTER TABLE t ALTER COLUMN a TYPE varchar(9)";
        assert!(planned(sql).is_err());
        assert!(plan(sql, &Parameters::new(), Within::Nothing).is_ok());
    }
}
