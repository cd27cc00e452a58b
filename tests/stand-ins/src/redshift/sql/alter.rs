//! `ALTER TABLE`: one change a statement, and few kinds of them.

use super::create::{bare, bytes_check, check_encoding, default_end, table_name};
use super::refuse::{check, name_end};
use super::tokens::{Token, join, near, quote_name, split_commas, stands};
use super::types::{self, Place, Type};
use super::{Plan, expression};

/// Changes of how a table is stored or of what Redshift does not enforce: nothing to be done.
const NOTHING: &[&[&str]] = &[
    &["alter", "distkey"],
    &["alter", "diststyle"],
    &["alter", "sortkey"],
    &["alter", "compound", "sortkey"],
    &["alter", "encode"],
    &["owner", "to"],
    &["add", "primary", "key"],
    &["add", "unique"],
    &["add", "foreign", "key"],
    &["add", "constraint"],
    &["drop", "constraint"],
];

/// What an `ALTER TABLE` becomes.
pub(crate) fn table(tokens: &[Token]) -> Result<Plan, String> {
    let end = name_end(tokens, 2)?;
    let name = table_name(&tokens[2..end])?;
    let action = &tokens[end..];
    if let [_, second, ..] = &split_commas(action)[..] {
        return Err(near(second.first())); // one change a statement
    }
    if NOTHING.iter().any(|words| stands(action, 0, words)) {
        return Ok(Plan::Nothing);
    }
    match action.first() {
        Some(token) if token.is("add") => add(&name, action),
        Some(token) if token.is("drop") => drop_column(&name, action),
        Some(token) if token.is("rename") => rename(&name, action),
        Some(token) if token.is("alter") => alter_column(&name, action),
        other => Err(near(other)),
    }
}

/// `ADD [COLUMN] name type ...`.
fn add(table: &str, action: &[Token]) -> Result<Plan, String> {
    let at = 1 + usize::from(stands(action, 1, &["column"]));
    if stands(action, at, &["if"]) {
        return Err(near(action.get(at)));
    }
    let name = bare(action.get(at).ok_or_else(|| near(None))?)?;
    let (ty, mut at) = types::parse(action, at + 1, Place::Column)?;
    let definition = format!("{} {}{}", quote_name(&name), ty.text, bytes_check(&name, &ty));
    let mut added = Added { name, ty, definition, needed: false, has_default: false };
    while at < action.len() {
        at = added.attribute(action, at)?;
    }
    if added.needed && !added.has_default {
        return Err("ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression".to_owned());
    }
    Ok(Plan::Command(format!("ALTER TABLE {table} ADD COLUMN {}", added.definition)))
}

/// A column to be added.
struct Added {
    name: String,
    ty: Type,
    definition: String,
    needed: bool,
    has_default: bool,
}

impl Added {
    /// Reads the attribute at `at`; says where it ends.
    fn attribute(&mut self, action: &[Token], at: usize) -> Result<usize, String> {
        let has = |words: &[&str]| stands(action, at, words);
        if has(&["default"]) {
            let end = default_end(action, at + 1);
            let value = &action[at + 1..end];
            check(value)?;
            self.definition += &format!(" DEFAULT {}", join(&expression(value)?));
            self.has_default = !stands(value, 0, &["null"]);
            return Ok(end);
        }
        if has(&["not", "null"]) {
            self.definition += " NOT NULL";
            self.needed = true;
            return Ok(at + 2);
        }
        if has(&["encode"]) {
            check_encoding(&self.name, &self.ty, action.get(at + 1))?;
            return Ok(at + 2);
        }
        if has(&["null"]) {
            return Ok(at + 1);
        }
        if has(&["collate"]) { Ok(at + 2) } else { Err(near(action.get(at))) }
    }
}

/// `DROP [COLUMN] name [RESTRICT | CASCADE]`.
fn drop_column(table: &str, action: &[Token]) -> Result<Plan, String> {
    let at = 1 + usize::from(stands(action, 1, &["column"]));
    if stands(action, at, &["if"]) {
        return Err(near(action.get(at)));
    }
    let name = bare(action.get(at).ok_or_else(|| near(None))?)?;
    let behaviour = join(&action[at + 1..]);
    Ok(Plan::Command(format!("ALTER TABLE {table} DROP COLUMN {} {behaviour}", quote_name(&name))))
}

/// `RENAME TO name`, `RENAME COLUMN name TO name`.
fn rename(table: &str, action: &[Token]) -> Result<Plan, String> {
    match action {
        [_, to, name] if to.is("to") => {
            Ok(Plan::Command(format!("ALTER TABLE {table} RENAME TO {}", quote_name(&bare(name)?))))
        }
        [_, column, from, to, name] if column.is("column") && to.is("to") => {
            let (from, name) = (quote_name(&from.name()), quote_name(&bare(name)?));
            Ok(Plan::Command(format!("ALTER TABLE {table} RENAME COLUMN {from} TO {name}")))
        }
        other => Err(near(other.last())),
    }
}

/// `ALTER COLUMN name TYPE varchar(n)` and `ALTER COLUMN name ENCODE ...`.
fn alter_column(table: &str, action: &[Token]) -> Result<Plan, String> {
    if !stands(action, 1, &["column"]) {
        return Err(near(action.get(1)));
    }
    let column = bare(action.get(2).ok_or_else(|| near(None))?)?;
    if stands(action, 3, &["encode"]) && action.len() == 5 {
        return Ok(Plan::Nothing);
    }
    if !stands(action, 3, &["type"]) {
        return Err(near(action.get(3))); // neither defaults nor NOT NULL can be changed
    }
    let (ty, end) = types::parse(action, 4, Place::Column)?;
    match (action.get(end), ty.bytes) {
        (Some(token), _) => Err(near(Some(token))),
        (None, Some(bytes)) if ty.is_varchar() => Ok(Plan::Widen { table: table.to_owned(), column, bytes }),
        _ => Err(format!("target data type \"{}\" is not supported", ty.text)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::lex;
    use super::*;

    fn altered(sql: &str) -> Result<Plan, String> {
        table(&lex(sql).expect("tokens"))
    }

    #[test]
    fn one_column_is_added_at_a_time() {
        let plan = altered("ALTER TABLE s.t ADD COLUMN a BIGINT ENCODE az64");
        assert_eq!(plan, Ok(Plan::Command("ALTER TABLE \"s\".\"t\" ADD COLUMN \"a\" bigint".to_owned())));
        assert!(altered("ALTER TABLE t ADD COLUMN a int, ADD COLUMN b int").is_err());
        assert!(altered("ALTER TABLE t ADD COLUMN IF NOT EXISTS a int").is_err());
        assert!(altered("ALTER TABLE t ADD COLUMN a int NOT NULL").is_err());
        assert!(altered("ALTER TABLE t ADD COLUMN a decimal(18, 2) DEFAULT 0 NOT NULL").is_ok());
    }

    #[test]
    fn only_varchar_changes_its_type() {
        let widened = Plan::Widen { table: "\"t\"".to_owned(), column: "a".to_owned(), bytes: 20 };
        assert_eq!(altered("ALTER TABLE t ALTER COLUMN a TYPE VARCHAR(20)"), Ok(widened));
        assert!(altered("ALTER TABLE t ALTER COLUMN a TYPE BIGINT").is_err());
        assert!(altered("ALTER TABLE t ALTER COLUMN a SET DEFAULT 1").is_err());
        assert!(altered("ALTER TABLE t ALTER COLUMN a DROP NOT NULL").is_err());
    }

    #[test]
    fn keys_and_owners_change_nothing() {
        for sql in
            ["ALTER TABLE t ALTER SORTKEY (a, b)", "ALTER TABLE t ADD PRIMARY KEY (a)", "ALTER TABLE t OWNER TO x"]
        {
            assert_eq!(altered(sql), Ok(Plan::Nothing), "{sql}");
        }
    }
}
