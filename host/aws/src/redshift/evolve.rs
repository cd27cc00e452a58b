//! What is to be done to a table that is there, so that it can hold what the manifest wants.
//!
//! Redshift adds one column a statement and widens a VARCHAR alone and outside a transaction
//! (<https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html>). Nothing else is changed in place.

use super::ddl::{ColumnDef, TableDef};
use super::sql::{SqlType, ident};
use sluice_ports::{Kind, PortError, Result};

/// A column that a table has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Existing {
    /// Name.
    pub name: String,
    /// Type, where it is one of ours.
    pub ty: Option<SqlType>,
    /// The type's name, as the system view gives it.
    pub type_name: String,
    /// Whether it may be null.
    pub nullable: bool,
}

/// One statement that changes a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The statement.
    pub sql: String,
    /// What it does, for people.
    pub what: String,
}

/// The statements, in order; each is run alone.
///
/// # Errors
/// Where a column cannot hold what is wanted: it says what it is, what it should be, and the way out.
pub fn changes(wanted: &TableDef, existing: &[Existing]) -> Result<Vec<Change>> {
    let mut changes = vec![];
    for column in &wanted.columns {
        match existing.iter().find(|found| found.name == column.name) {
            None => changes.push(add(wanted, column)),
            Some(found) => changes.extend(fit(wanted, column, found)?),
        }
    }
    foreign_columns_take_nulls(wanted, existing)?;
    Ok(changes)
}

/// A column that comes later may be null: rows that are there have nothing for it.
fn add(table: &TableDef, column: &ColumnDef) -> Change {
    let encode = column.encode.as_ref().map(|encode| format!(" ENCODE {encode}")).unwrap_or_default();
    Change {
        sql: format!("ALTER TABLE {} ADD COLUMN {} {}{encode}", table.qualified(), ident(&column.name), column.ty),
        what: format!("added column `{}` {} to `{}`", column.name, column.ty, display(table)),
    }
}

fn fit(table: &TableDef, column: &ColumnDef, found: &Existing) -> Result<Option<Change>> {
    let change = match (column.ty, found.ty) {
        (SqlType::Varchar(wanted), Some(SqlType::Varchar(has))) if wanted > has => Some(widen(table, column, has)),
        (SqlType::Varchar(_), Some(SqlType::Varchar(_))) => None,
        (SqlType::Varbyte(wanted), Some(SqlType::Varbyte(has))) if wanted <= has => None,
        (wanted, Some(has)) if wanted == has => None,
        _ => return Err(misfit(table, column, found)),
    };
    if column.nullable && !found.nullable {
        let message = format!(
            "table `{}`, column `{}`: it is NOT NULL and the manifest lets it be null, which Redshift cannot change in \
             place; add a column of another name to the manifest and copy the values over, or make the table anew",
            display(table),
            column.name
        );
        return Err(PortError::new(Kind::Fatal, message));
    }
    Ok(change)
}

fn widen(table: &TableDef, column: &ColumnDef, has: u32) -> Change {
    Change {
        sql: format!("ALTER TABLE {} ALTER COLUMN {} TYPE {}", table.qualified(), ident(&column.name), column.ty),
        what: format!("widened column `{}` of `{}` from VARCHAR({has}) to {}", column.name, display(table), column.ty),
    }
}

fn misfit(table: &TableDef, column: &ColumnDef, found: &Existing) -> PortError {
    let has = found.ty.map_or_else(|| found.type_name.clone(), |ty| ty.to_string());
    let message = format!(
        "table `{}`, column `{}` is `{has}` and the manifest wants `{}`; Redshift changes no type in place but a VARCHAR \
         that widens: give the column another name in the manifest, let `sluice ddl` add it, and fill it from the old one",
        display(table),
        column.name,
        column.ty
    );
    PortError::new(Kind::Fatal, message)
}

/// A column that the manifest no longer names stays, and rows from now on have null in it.
fn foreign_columns_take_nulls(table: &TableDef, existing: &[Existing]) -> Result<()> {
    let foreign = |found: &&Existing| !found.nullable && table.column(&found.name).is_none();
    let Some(found) = existing.iter().find(foreign) else { return Ok(()) };
    let message = format!(
        "table `{}` has a column `{}` that the manifest does not name and that may not be null, so no row could be \
         inserted; name it in the manifest, or drop it",
        display(table),
        found.name
    );
    Err(PortError::new(Kind::Fatal, message))
}

fn display(table: &TableDef) -> String {
    format!("{}.{}", table.schema, table.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(columns: &[(&str, SqlType, bool)]) -> TableDef {
        let column = |&(name, ty, nullable): &(&str, SqlType, bool)| ColumnDef {
            name: name.into(),
            ty,
            nullable,
            encode: Some("ZSTD".into()),
            comment: None,
        };
        TableDef {
            schema: "retail".into(),
            name: "invoices".into(),
            columns: columns.iter().map(column).collect(),
            dist_key: None,
            sort_key: vec![],
            comment: None,
        }
    }

    fn has(name: &str, ty: SqlType, nullable: bool) -> Existing {
        Existing { name: name.into(), ty: Some(ty), type_name: ty.to_string().to_lowercase(), nullable }
    }

    #[test]
    fn columns_are_added_one_a_statement_and_may_be_null() {
        let wanted =
            wanted(&[("a", SqlType::BigInt, false), ("b", SqlType::Varchar(10), false), ("c", SqlType::Super, true)]);
        let changes = changes(&wanted, &[has("a", SqlType::BigInt, false)]).unwrap();
        let sql: Vec<&str> = changes.iter().map(|change| change.sql.as_str()).collect();
        assert_eq!(
            sql,
            [
                "ALTER TABLE \"retail\".\"invoices\" ADD COLUMN \"b\" VARCHAR(10) ENCODE ZSTD",
                "ALTER TABLE \"retail\".\"invoices\" ADD COLUMN \"c\" SUPER ENCODE ZSTD",
            ]
        );
    }

    #[test]
    fn only_varchar_widens_and_nothing_narrows() {
        let wide = wanted(&[("a", SqlType::Varchar(20), true)]);
        let found = changes(&wide, &[has("a", SqlType::Varchar(10), true)]).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].sql, "ALTER TABLE \"retail\".\"invoices\" ALTER COLUMN \"a\" TYPE VARCHAR(20)");
        assert_eq!(found[0].what, "widened column `a` of `retail.invoices` from VARCHAR(10) to VARCHAR(20)");
        assert!(changes(&wide, &[has("a", SqlType::Varchar(30), true)]).unwrap().is_empty());
    }

    #[test]
    fn any_other_change_names_column_types_and_way_out() {
        for (want, found) in [
            (SqlType::Decimal(20, 2), SqlType::Decimal(10, 2)),
            (SqlType::BigInt, SqlType::Varchar(10)),
            (SqlType::Super, SqlType::Varchar(10)),
            (SqlType::Varbyte(100), SqlType::Varbyte(50)),
        ] {
            let error = changes(&wanted(&[("a", want, true)]), &[has("a", found, true)]).unwrap_err();
            for part in ["`retail.invoices`", "`a`", &found.to_string(), &want.to_string(), "another name"] {
                assert!(error.message.contains(part), "{part}: {error}");
            }
        }
    }

    #[test]
    fn types_that_are_not_ours_are_told_as_the_view_names_them() {
        let found =
            Existing { name: "a".into(), ty: None, type_name: "timestamp with time zone".into(), nullable: true };
        let error = changes(&wanted(&[("a", SqlType::Timestamp, true)]), &[found]).unwrap_err();
        assert!(error.message.contains("`timestamp with time zone`"), "{error}");
    }

    #[test]
    fn columns_that_would_refuse_every_row_are_errors() {
        let table = wanted(&[("a", SqlType::BigInt, true)]);
        let error = changes(&table, &[has("a", SqlType::BigInt, false)]).unwrap_err();
        assert!(error.message.contains("NOT NULL"), "{error}");
        let found = [has("a", SqlType::BigInt, true), has("old", SqlType::BigInt, false)];
        let error = changes(&table, &found).unwrap_err();
        assert!(error.message.contains("`old`"), "{error}");
        let found = [has("a", SqlType::BigInt, true), has("old", SqlType::BigInt, true)];
        assert!(changes(&table, &found).unwrap().is_empty(), "a column that may be null stays");
    }
}
