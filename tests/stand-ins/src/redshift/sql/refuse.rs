//! What PostgreSQL takes and Redshift does not, so that no SQL passes here and fails there.

use super::tokens::{Kind, Token, closing, near, stands};
use super::words;

/// Sequences of words and symbols that are syntax errors in Redshift; the number says at which of them it stops.
const SEQUENCES: &[(&[&str], usize)] = &[
    (&["on", "conflict"], 1),
    (&["returning"], 0),
    (&["distinct", "on", "("], 1),
    (&["filter", "("], 1),
    (&["lateral"], 0),
    (&["is", "distinct"], 1),
    (&["is", "not", "distinct"], 2),
    (&["for", "update"], 1),
    (&["for", "share"], 1),
    (&["for", "no", "key"], 1),
    (&["with", "ordinality"], 1),
    (&["with", "no", "data"], 1),
    (&["with", "data"], 1),
    (&["fetch", "first"], 0),
    (&["fetch", "next"], 0),
    (&["tablesample"], 0),
    (&["except", "all"], 1),
    (&["intersect", "all"], 1),
    (&["as", "materialized"], 1),
    (&["as", "not", "materialized"], 1),
    (&["overriding"], 0),
    (&["(", "values"], 1),
    (&["(", "insert"], 1),
    (&["(", "update"], 1),
    (&["(", "delete"], 1),
    (&["array", "["], 1),
    (&["array", "("], 0),
    (&["row", "("], 1),
    (&["operator", "("], 1),
    (&["set", "("], 1),
    (&["on", "commit"], 0),
    (&["unlogged"], 0),
    (&["tablespace"], 0),
    (&["inherits"], 0),
];

/// Operators for JSON, arrays, ranges and text search, and dollar quotes.
const OPERATORS: &[&str] = &[
    "->", "->>", "#>", "#>>", "#-", "@>", "<@", "?", "?|", "?&", "@?", "@@", "&&", "<->", "-|-", "[", "]", "$", "{",
    "}", "\\", "^@",
];

/// Casts that only PostgreSQL has are found where casts are rewritten; this finds the rest.
pub(crate) fn check(tokens: &[Token]) -> Result<(), String> {
    for at in 0..tokens.len() {
        check_token(tokens, at)?;
    }
    check_with(tokens)?;
    check_target(tokens)?;
    check_calls(tokens)
}

fn check_token(tokens: &[Token], at: usize) -> Result<(), String> {
    let token = &tokens[at];
    if let Some((_, stop)) = SEQUENCES.iter().find(|(sequence, _)| stands(tokens, at, sequence)) {
        return Err(near(tokens.get(at + stop)));
    }
    let is_operator = token.kind == Kind::Symbol && OPERATORS.contains(&token.text.as_str());
    let is_reserved = token.kind == Kind::Word && words::is_reserved_there_only(&token.text.to_lowercase());
    if is_operator || (is_reserved && !stands_as_syntax(tokens, at)) {
        return Err(near(Some(token)));
    }
    if token.kind == Kind::Quoted && token.name().is_empty() {
        return Err(format!("zero-length delimited identifier at or near {}", token.text));
    }
    Ok(())
}

/// Words that Redshift reserves because its own syntax has them.
fn stands_as_syntax(tokens: &[Token], at: usize) -> bool {
    let previous = at.checked_sub(1).map(|before| &tokens[before]);
    let after_encode = previous.is_some_and(|token| token.is("encode"));
    let token = &tokens[at];
    after_encode
        || token.is("identity")
        || token.is("backup")
        || (token.is("top") && previous.is_some_and(|token| token.is("select")))
        || (token.is("percent") && previous.is_some_and(|token| token.kind == Kind::Number))
        || (token.is("off") && previous.is_some_and(|token| token.is("to") || token.is("=")))
}

/// `WITH` starts queries, updates and deletions; an insertion has it behind its table.
fn check_with(tokens: &[Token]) -> Result<(), String> {
    if !stands(tokens, 0, &["with"]) {
        return Ok(());
    }
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].is("(") {
            at = closing(tokens, at)?;
        } else if tokens[at].is("insert") || tokens[at].is("merge") {
            return Err(near(Some(&tokens[at])));
        }
        at += 1;
    }
    Ok(())
}

/// The tables of INSERT and DELETE take no alias.
fn check_target(tokens: &[Token]) -> Result<(), String> {
    let start = match tokens.first() {
        Some(token) if token.is("insert") => 2,
        Some(token) if token.is("delete") => 1 + usize::from(stands(tokens, 1, &["from"])),
        _ => return Ok(()),
    };
    let end = name_end(tokens, start)?;
    match tokens.get(end) {
        Some(token) if token.is("as") => Err(near(Some(token))),
        Some(token) if token.is_name() && !FOLLOWS_TARGET.iter().any(|word| token.is(word)) => Err(near(Some(token))),
        _ => Ok(()),
    }
}

const FOLLOWS_TARGET: &[&str] = &["values", "select", "default", "with", "using", "where"];

/// Where a name with its schema ends.
pub(crate) fn name_end(tokens: &[Token], start: usize) -> Result<usize, String> {
    let mut at = start;
    loop {
        if !tokens.get(at).is_some_and(Token::is_name) {
            return Err(near(tokens.get(at)));
        }
        if !stands(tokens, at + 1, &["."]) {
            return Ok(at + 1);
        }
        at += 2;
    }
}

/// Only functions that Redshift has.
fn check_calls(tokens: &[Token]) -> Result<(), String> {
    let has_tables = tokens.iter().any(|token| ["from", "insert", "update", "merge"].iter().any(|word| token.is(word)));
    for at in 0..tokens.len() {
        if is_call(tokens, at) {
            words::check_function(&tokens[at].name(), has_tables)?;
        }
    }
    Ok(())
}

/// Whether a call starts at `at`: a name before a parenthesis that is no table, no alias and no piece of syntax.
fn is_call(tokens: &[Token], at: usize) -> bool {
    let token = &tokens[at];
    if !token.is_name() || !stands(tokens, at + 1, &["("]) {
        return false;
    }
    if token.kind == Kind::Word && words::is_syntax(&token.text.to_lowercase()) {
        return false;
    }
    let Some(before) = at.checked_sub(1).map(|before| &tokens[before]) else { return true };
    if before.is(".") {
        return !follows_into(tokens, at);
    }
    let is_alias = before.is(")") || before.is("as") || before.kind == Kind::Quoted;
    !is_alias && !["into", "table", "exists", "copy"].iter().any(|word| before.is(word)) && !is_named_query(tokens, at)
}

/// Whether a name with its schema is the table of an insertion.
fn follows_into(tokens: &[Token], mut at: usize) -> bool {
    while at >= 2 && tokens[at - 1].is(".") {
        at -= 2;
    }
    at > 0 && ["into", "table", "exists", "references"].iter().any(|word| tokens[at - 1].is(word))
}

/// `name (columns) AS (`, in a WITH clause.
fn is_named_query(tokens: &[Token], at: usize) -> bool {
    closing(tokens, at + 1).is_ok_and(|end| stands(tokens, end + 1, &["as", "("]))
}

#[cfg(test)]
mod tests {
    use super::super::tokens::lex;
    use super::*;

    fn refused(sql: &str) -> Option<String> {
        check(&lex(sql).expect("tokens")).err()
    }

    #[test]
    fn sql_that_is_postgresqls_alone_is_refused() {
        let cases = [
            ("INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING", "CONFLICT"),
            ("DELETE FROM t WHERE a = 1 RETURNING a", "RETURNING"),
            ("SELECT DISTINCT ON (a) a FROM t", "ON"),
            ("SELECT count(*) FILTER (WHERE a > 1) FROM t", "("),
            ("SELECT * FROM t, LATERAL (SELECT 1) x", "LATERAL"),
            ("SELECT a->>'b' FROM t", "->>"),
            ("SELECT a FROM t WHERE a IS NOT DISTINCT FROM 1", "DISTINCT"),
            ("SELECT * FROM (VALUES (1), (2)) v", "VALUES"),
            ("WITH x AS (DELETE FROM t) SELECT 1", "DELETE"),
            ("WITH x AS (SELECT 1 AS a) INSERT INTO t SELECT a FROM x", "INSERT"),
            ("DELETE FROM t AS x WHERE x.a = 1", "AS"),
            ("INSERT INTO t x SELECT 1", "x"),
            ("SELECT tag FROM t", "tag"),
            ("SELECT ARRAY[1, 2]", "["),
            ("SELECT $$text$$", "$"),
        ];
        for (sql, near) in cases {
            assert_eq!(refused(sql), Some(format!("syntax error at or near \"{near}\"")), "{sql}");
        }
    }

    #[test]
    fn only_functions_of_redshift_are_known() {
        assert_eq!(refused("SELECT to_jsonb(a) FROM t").as_deref(), Some("function to_jsonb does not exist"));
        assert_eq!(
            refused("SELECT pg_catalog.string_agg(a, ',') FROM t").as_deref(),
            Some("function string_agg does not exist")
        );
        assert!(refused("INSERT INTO t SELECT generate_series(1, 3) FROM u").is_some());
        assert!(refused("SELECT now()").is_none());
    }

    #[test]
    fn sql_of_redshift_passes() {
        for sql in [
            "INSERT INTO s.t (a, \"tag\") SELECT a, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) FROM u",
            "WITH x (a, b) AS (SELECT 1, 2), y AS (SELECT count(*) FROM x) SELECT * FROM y WHERE a IN (1, 2)",
            "DELETE FROM t USING u WHERE t.a = u.a",
            "SELECT a::varchar(3), CAST(b AS decimal(3, 1)), NVL(c, 0) FROM t AS x (a, b, c)",
            "INSERT INTO t VALUES (1, 'a', GETDATE())",
        ] {
            assert_eq!(refused(sql), None, "{sql}");
        }
    }
}
