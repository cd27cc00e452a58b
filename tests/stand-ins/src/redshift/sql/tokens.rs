//! Cuts SQL into tokens: enough to tell words from text, to see what stands beside what, and to put it together again.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword or a bare identifier.
    Word,
    /// An identifier in double quotes.
    Quoted,
    /// A text literal, quotes included.
    Text,
    /// A number.
    Number,
    /// `:name`.
    Parameter,
    /// Punctuation or an operator.
    Symbol,
}

/// A token as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its characters.
    pub(crate) text: String,
}

impl Token {
    /// A token made by a rewrite.
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// Whether it is this keyword (lower case) or this symbol.
    pub(crate) fn is(&self, what: &str) -> bool {
        match self.kind {
            Kind::Word => self.text.eq_ignore_ascii_case(what),
            Kind::Symbol => self.text == what,
            _ => false,
        }
    }

    /// Whether it can name something.
    pub(crate) fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted)
    }

    /// The name it stands for: Redshift folds quoted names to lower case as well.
    pub(crate) fn name(&self) -> String {
        let inner = self.text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&self.text);
        inner.replace("\"\"", "\"").to_lowercase()
    }

    /// The value of a text literal.
    pub(crate) fn literal(&self) -> Option<String> {
        (self.kind == Kind::Text).then(|| unescape(&self.text))
    }
}

/// How Redshift says that it stopped at this token.
pub(crate) fn near(token: Option<&Token>) -> String {
    match token {
        Some(token) => format!("syntax error at or near \"{}\"", token.text),
        None => "syntax error at end of input".to_owned(),
    }
}

/// All tokens of a text; comments and blanks are left out.
pub(crate) fn lex(sql: &str) -> Result<Vec<Token>, String> {
    let mut tokens: Vec<Token> = vec![];
    let mut rest = sql;
    loop {
        rest = skip_blank(rest)?;
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (kind, length) = next(rest, first, tokens.last())?;
        tokens.push(Token::new(kind, &rest[..length]));
        rest = &rest[length..];
    }
}

/// Puts tokens together again.
pub(crate) fn join(tokens: &[Token]) -> String {
    tokens.iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Whether these words and symbols stand at `at`.
pub(crate) fn stands(tokens: &[Token], at: usize, what: &[&str]) -> bool {
    what.iter().enumerate().all(|(offset, what)| tokens.get(at + offset).is_some_and(|token| token.is(what)))
}

/// The place of the parenthesis that closes the one at `open`.
pub(crate) fn closing(tokens: &[Token], open: usize) -> Result<usize, String> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth -= 1;
            if depth == 0 {
                return Ok(at);
            }
        }
    }
    Err(near(None))
}

/// The pieces between commas that stand in no parentheses.
pub(crate) fn split_commas(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_i32;
    tokens
        .split(|token| {
            depth += i32::from(token.is("(")) - i32::from(token.is(")"));
            depth == 0 && token.is(",")
        })
        .collect()
}

/// `'text'`, for PostgreSQL and Redshift alike.
pub(crate) fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// `"name"`.
pub(crate) fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn skip_blank(text: &str) -> Result<&str, String> {
    let mut rest = text.trim_start();
    loop {
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").ok_or("unterminated /* comment")?.1;
        } else {
            return Ok(rest);
        }
        rest = rest.trim_start();
    }
}

/// Kind and length of the first token.
fn next(rest: &str, first: char, before: Option<&Token>) -> Result<(Kind, usize), String> {
    if first == '\'' {
        return Ok((Kind::Text, text_length(rest, 0)?));
    }
    if matches!(first, 'e' | 'E') && rest[1..].starts_with('\'') {
        return Ok((Kind::Text, text_length(rest, 1)?));
    }
    if first == '"' {
        return Ok((Kind::Quoted, quoted_length(rest)?));
    }
    if is_word_start(first) {
        return Ok((Kind::Word, span(rest, is_word_part)));
    }
    let second = rest[first.len_utf8()..].chars().next().unwrap_or(' ');
    if first.is_ascii_digit() || (first == '.' && second.is_ascii_digit()) {
        return Ok((Kind::Number, number_length(rest)));
    }
    if first == ':' && is_word_start(second) {
        return Ok((Kind::Parameter, 1 + span(&rest[1..], is_word_part)));
    }
    if first == '#' && is_word_start(second) && before.is_none_or(|token| !token.is_name() || token.is("table")) {
        return Ok((Kind::Word, 1 + span(&rest[1..], is_word_part)));
    }
    Ok((Kind::Symbol, symbol_length(rest, first)))
}

fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Bytes up to the first character that is not `part` of it.
fn span(text: &str, part: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| !part(c)).unwrap_or(text.len())
}

/// Redshift reads backslashes in text as escapes.
fn text_length(text: &str, prefix: usize) -> Result<usize, String> {
    let bytes = text.as_bytes();
    let mut at = prefix + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return Ok(at + 1),
            _ => at += 1,
        }
    }
    Err(format!("unterminated quoted string at or near \"{text}\""))
}

fn quoted_length(text: &str) -> Result<usize, String> {
    let mut at = 1;
    while let Some(end) = text[at..].find('"') {
        at += end + 1;
        if !text[at..].starts_with('"') {
            return Ok(at);
        }
        at += 1;
    }
    Err(format!("unterminated quoted identifier at or near \"{text}\""))
}

fn number_length(text: &str) -> usize {
    let mantissa = span(text, |c| c.is_ascii_digit() || c == '.');
    let Some(exponent) = text[mantissa..].strip_prefix(['e', 'E']) else { return mantissa };
    let sign = usize::from(exponent.starts_with(['+', '-']));
    match span(&exponent[sign..], |c| c.is_ascii_digit()) {
        0 => mantissa,
        digits => mantissa + 1 + sign + digits,
    }
}

/// Operators are as long as they can be, but end before a comment and, where they are SQL's own, before a sign.
fn symbol_length(text: &str, first: char) -> usize {
    if text.starts_with("::") {
        return 2;
    }
    const OPERATOR: &str = "+-*/<>=~!@#%^&|?";
    if !OPERATOR.contains(first) {
        return first.len_utf8();
    }
    let mut length = span(text, |c| OPERATOR.contains(c));
    for comment in ["--", "/*"] {
        length = text[..length].find(comment).filter(|at| *at > 0).unwrap_or(length);
    }
    while length > 1
        && text[..length].ends_with(['+', '-'])
        && !text[..length].contains(['~', '!', '@', '#', '%', '^', '&', '|', '?'])
    {
        length -= 1;
    }
    length
}

fn unescape(literal: &str) -> String {
    let inner = literal.trim_start_matches(['e', 'E']);
    let mut chars = inner[1..inner.len() - 1].chars();
    let mut value = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\'' => value.extend(chars.next()),
            '\\' => value.extend(chars.next().map(|escaped| match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            })),
            other => value.push(other),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        lex(sql).expect("it can be cut").into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn text_names_and_comments_are_told_apart() {
        let sql = "SELECT 'it''s; \\' -- x' , \"A b\" -- ; off\n FROM t /* 'x' */ WHERE a<=-1 AND b::int=1.5e3";
        let wanted = [
            "SELECT",
            "'it''s; \\' -- x'",
            ",",
            "\"A b\"",
            "FROM",
            "t",
            "WHERE",
            "a",
            "<=",
            "-",
            "1",
            "AND",
            "b",
            "::",
            "int",
            "=",
            "1.5e3",
        ];
        assert_eq!(texts(sql), wanted);
    }

    #[test]
    fn parameters_and_temporary_names_are_single_tokens() {
        assert_eq!(
            texts("CREATE TABLE #x AS SELECT :id::int, a # b"),
            ["CREATE", "TABLE", "#x", "AS", "SELECT", ":id", "::", "int", ",", "a", "#", "b"]
        );
    }

    #[test]
    fn json_operators_are_seen_whole() {
        assert_eq!(texts("a->>'b' #>> c"), ["a", "->>", "'b'", "#>>", "c"]);
    }

    #[test]
    fn text_that_does_not_end_is_refused() {
        assert!(lex("SELECT 'abc").expect_err("no end").starts_with("unterminated quoted string"));
    }

    #[test]
    fn literals_are_read_with_their_escapes() {
        let literal = |sql: &str| lex(sql).expect("a literal")[0].literal();
        assert_eq!(literal("'a''b\\'c\\\\d'").as_deref(), Some("a'b'c\\d"));
        assert_eq!(lex(&quote_text("a'b\\c")).expect("quoted")[0].literal().as_deref(), Some("a'b\\c"));
    }
}
