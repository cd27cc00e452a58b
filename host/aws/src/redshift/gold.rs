//! Rows that replace others: of one key, the row of the higher commit and fence stands.

use super::ddl::TableDef;
use super::sql::{ident, idents};
use super::stage::{Plan, STAGE, names, rank, values};

/// Deletes rows of the table that a row of the stage stands above. The table goes by its own name: DELETE knows no alias.
pub(super) fn delete_lower(plan: Plan<'_>, keys: &[String]) -> String {
    let (table, stage) = (ident(&plan.def.name), ident(STAGE));
    let (commit, fence) = rank();
    format!(
        "DELETE FROM {qualified}\nUSING {stage}\nWHERE {same}\nAND ({table}.{commit} < {stage}.{commit}\n    OR \
         ({table}.{commit} = {stage}.{commit} AND {table}.{fence} < {stage}.{fence}))",
        qualified = plan.def.qualified(),
        same = same(plan.def, keys, &table, &stage),
    )
}

/// Inserts the best row of each key, where the table has none left: one that is left stands as high or higher.
pub(super) fn insert_best(plan: Plan<'_>, keys: &[String]) -> String {
    let (commit, fence) = rank();
    format!(
        "INSERT INTO {table} ({names})\nSELECT {values}\nFROM (SELECT {names}, ROW_NUMBER() OVER (PARTITION BY {keys} ORDER \
         BY {commit} DESC, {fence} DESC) AS \"_sluice_nth\" FROM {stage}) s\nLEFT JOIN {table} t ON {same}\nWHERE \
         s.\"_sluice_nth\" = 1\nAND t.{commit} IS NULL",
        table = plan.def.qualified(),
        names = names(plan.attempt),
        values = values(plan.attempt, "s"),
        keys = idents(keys.iter().map(String::as_str)),
        stage = ident(STAGE),
        same = same(plan.def, keys, "t", "s"),
    )
}

/// Equality of keys in which null equals null. It is made of equalities alone, so that Redshift can join by hash.
fn same(def: &TableDef, keys: &[String], left: &str, right: &str) -> String {
    let one = |key: &String| {
        let (a, b) = (format!("{left}.{}", ident(key)), format!("{right}.{}", ident(key)));
        let Some(column) = def.column(key).filter(|column| column.nullable) else {
            return format!("{a} = {b}");
        };
        let nothing = column.ty.sentinel();
        format!(
            "COALESCE({a}, {nothing}) = COALESCE({b}, {nothing})\nAND CASE WHEN {a} IS NULL THEN 1 ELSE 0 END = CASE WHEN \
             {b} IS NULL THEN 1 ELSE 0 END"
        )
    };
    keys.iter().map(one).collect::<Vec<_>>().join("\nAND ")
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Ledger;
    use super::super::stage::tests::{attempt, table};
    use super::super::stage::{Staged, second_call};
    use super::*;
    use sluice_ports::{ObjectFormat, TableKind};

    #[test]
    fn null_equals_null_and_nothing_else() {
        let keys = vec!["window_start".to_owned(), "country".to_owned()];
        let table = table(TableKind::Keyed(keys.clone()));
        let (def, attempt) = attempt(&table, ObjectFormat::Parquet, &["a".into()]);
        let ledger = Ledger::new("retail", "online");
        let plan = Plan { def: &def, kind: &table.kind, attempt: &attempt, ledger: &ledger };
        let second = second_call(plan, &Staged { rows: 1, ..Staged::default() });
        assert_eq!(second.insert, Some(2));
        let delete = &second.statements[1];
        assert!(delete.contains("\"silver\".\"window_start\" = \"sluice_stage\".\"window_start\""), "{delete}");
        assert!(delete.contains("COALESCE(\"silver\".\"country\", '')"), "{delete}");
        let insert = &second.statements[2];
        assert!(
            insert.contains("PARTITION BY \"window_start\", \"country\" ORDER BY \"_sluice_commit\" DESC"),
            "{insert}"
        );
        for word in ["MERGE", "TRUNCATE", "DISTINCT FROM", "ON CONFLICT"] {
            assert!(!second.statements.join(" ").contains(word));
        }
    }
}
