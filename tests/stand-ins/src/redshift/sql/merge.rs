//! `MERGE` in the one form that Redshift has.

use super::refuse::name_end;
use super::tokens::{Token, closing, near, stands};

/// Whether it merges a source into a table without an alias, on equality, with one clause for what matches and one for
/// what does not.
pub(crate) fn check(tokens: &[Token]) -> Result<(), String> {
    let target = 1 + usize::from(stands(tokens, 1, &["into"]));
    let using = name_end(tokens, target)?;
    if !stands(tokens, using, &["using"]) {
        return Err(near(tokens.get(using)));
    }
    let on = find(tokens, using, "on")?.ok_or_else(|| near(None))?;
    let clauses = find(tokens, on, "when")?.unwrap_or(tokens.len());
    check_condition(&tokens[on + 1..clauses])?;
    check_clauses(tokens, clauses)
}

/// The next place of a word that stands in no parentheses.
fn find(tokens: &[Token], start: usize, word: &str) -> Result<Option<usize>, String> {
    let mut at = start;
    while at < tokens.len() {
        if tokens[at].is(word) {
            return Ok(Some(at));
        }
        at = if tokens[at].is("(") { closing(tokens, at)? + 1 } else { at + 1 };
    }
    Ok(None)
}

fn check_condition(condition: &[Token]) -> Result<(), String> {
    const OTHERS: &[&str] = &["<", ">", "<=", ">=", "<>", "!=", "or", "not", "between", "in", "like", "is", "exists"];
    let equal = condition.iter().any(|token| token.is("="));
    match condition.iter().find(|token| OTHERS.iter().any(|other| token.is(other))) {
        None if equal => Ok(()),
        _ => Err("MERGE ON condition must be an equality of columns of target and source".to_owned()),
    }
}

fn check_clauses(tokens: &[Token], start: usize) -> Result<(), String> {
    if stands(tokens, start, &["remove", "duplicates"]) || start == tokens.len() {
        return Err("MERGE without exactly WHEN MATCHED and WHEN NOT MATCHED is not imitated by this server".to_owned());
    }
    let (mut matched, mut not_matched) = (0, 0);
    let mut next = Some(start);
    while let Some(at) = next {
        if stands(tokens, at + 1, &["matched", "then"]) {
            matched += 1;
        } else if stands(tokens, at + 1, &["not", "matched", "then", "insert"]) {
            not_matched += 1;
        } else {
            return Err(near(tokens.get(at + 2)));
        }
        next = clause_after(tokens, at)?;
    }
    if (matched, not_matched) == (1, 1) {
        return Ok(());
    }
    Err("MERGE needs exactly one WHEN MATCHED and one WHEN NOT MATCHED clause".to_owned())
}

/// The next clause; a `WHEN` of a CASE expression starts none.
fn clause_after(tokens: &[Token], at: usize) -> Result<Option<usize>, String> {
    let mut next = find(tokens, at + 1, "when")?;
    while let Some(at) = next {
        if stands(tokens, at + 1, &["matched"]) || stands(tokens, at + 1, &["not", "matched"]) {
            break;
        }
        next = find(tokens, at + 1, "when")?;
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::lex;
    use super::*;

    fn checked(sql: &str) -> Result<(), String> {
        check(&lex(sql).expect("tokens"))
    }

    #[test]
    fn one_form_is_known() {
        let form = "MERGE INTO t USING s ON t.a = s.a AND t.b = s.b WHEN MATCHED THEN UPDATE SET c = CASE WHEN s.c > 1 \
                    THEN 1 ELSE s.c END WHEN NOT MATCHED THEN INSERT (a) VALUES (s.a)";
        assert_eq!(checked(form), Ok(()));
    }

    #[test]
    fn other_forms_of_postgresql_are_refused() {
        for sql in [
            "MERGE INTO t USING s ON t.a = s.a WHEN NOT MATCHED THEN INSERT (a) VALUES (s.a)",
            "MERGE INTO t AS x USING s ON x.a = s.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.a)",
            "MERGE INTO t USING s ON t.a > s.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.a)",
            "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED AND s.b > t.b THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1)",
            "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING",
        ] {
            assert!(checked(sql).is_err(), "{sql}");
        }
    }
}
