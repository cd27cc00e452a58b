//! Tables as Redshift makes them, from what the manifest says of a dataset.
//!
//! Timestamps become TIMESTAMP and hold UTC: COPY of Parquet goes through Spectrum, which knows that type and refuses
//! TIMESTAMPTZ. Keys are not declared, since Redshift does not enforce them and its planner believes them.

use super::sql::{DEFAULT_VARBYTE, MAX_VARCHAR, SqlType, ident, idents, plain_text, qualified, unsupported};
use arrow_schema::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};
use sluice_ports::{Column, Kind, PortError, Result, Table, TableKind};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Bytes of a VARCHAR where nothing else is said.
pub const DEFAULT_VARCHAR: u32 = 4_096;

/// How a table lies in Redshift.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableOptions {
    /// Name in the warehouse, where it is not the dataset's.
    pub name: Option<String>,
    /// Column that rows are spread by; none: as Redshift chooses.
    pub dist_key: Option<String>,
    /// Columns that rows are sorted by. None: `_sluice_arrived_at` for records, by which a load looks for rows that are
    /// there already; the first key column for a gold.
    pub sort_key: Vec<String>,
    /// Encodings by column, in place of those chosen here.
    pub encodings: BTreeMap<String, String>,
    /// Bytes of a VARCHAR; by default the warehouse's.
    pub varchar: Option<u32>,
    /// Bytes of single VARCHAR and VARBYTE columns.
    pub lengths: BTreeMap<String, u32>,
}

/// A column as Redshift is to have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDef {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: SqlType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Encoding; none: as Redshift chooses.
    pub encode: Option<String>,
    /// What it is, for people.
    pub comment: Option<String>,
}

/// A table as Redshift is to have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDef {
    /// Schema.
    pub schema: String,
    /// Name in the schema.
    pub name: String,
    /// Columns.
    pub columns: Vec<ColumnDef>,
    /// Column that rows are spread by.
    pub dist_key: Option<String>,
    /// Columns that rows are sorted by.
    pub sort_key: Vec<String>,
    /// What it is, for people.
    pub comment: Option<String>,
}

impl TableDef {
    /// The table that the manifest wants. `varchar`: bytes of a VARCHAR where the table says nothing.
    ///
    /// # Errors
    /// Where a column has a type that Redshift has not, or an option names a column that is not there.
    pub fn new(schema: &str, table: &Table, options: &TableOptions, varchar: u32) -> Result<Self> {
        let sort_key = sort_key(table, options);
        let named =
            options.dist_key.iter().chain(&sort_key).chain(options.lengths.keys()).chain(options.encodings.keys());
        for name in named {
            has_column(table, name)?;
        }
        let varchar = options.varchar.unwrap_or(varchar);
        let column = |column: &Column| column_def(&table.name, column, options, varchar, sort_key.first());
        Ok(Self {
            schema: schema.to_owned(),
            name: options.name.clone().unwrap_or_else(|| table.name.clone()),
            columns: table.columns.iter().map(column).collect::<Result<_>>()?,
            dist_key: options.dist_key.clone(),
            sort_key,
            comment: table.comment.clone(),
        })
    }

    /// The name with its schema, quoted.
    pub fn qualified(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&ColumnDef> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// CREATE TABLE IF NOT EXISTS, aligned.
    pub fn create(&self) -> String {
        let cells: Vec<[String; 4]> = self.columns.iter().map(cells).collect();
        let width = |at: usize| cells.iter().map(|row| row[at].len()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        let line = |row: &[String; 4]| {
            let [name, ty, encode, null] = row;
            let [w0, w1, w2] = widths;
            format!("    {name:w0$} {ty:w1$} {encode:w2$} {null}").trim_end().to_owned()
        };
        let lines: Vec<String> = cells.iter().map(line).collect();
        format!("CREATE TABLE IF NOT EXISTS {} (\n{}\n){}", self.qualified(), lines.join(",\n"), self.layout())
    }

    fn layout(&self) -> String {
        let mut text = String::new();
        match &self.dist_key {
            Some(column) => {
                let _ = write!(text, "\nDISTSTYLE KEY\nDISTKEY ({})", ident(column));
            }
            None => text.push_str("\nDISTSTYLE AUTO"),
        }
        if !self.sort_key.is_empty() {
            let _ = write!(text, "\nCOMPOUND SORTKEY ({})", idents(self.sort_key.iter().map(String::as_str)));
        }
        text
    }

    /// COMMENT ON, one for the table and one for each column that has a comment.
    pub fn comments(&self) -> Vec<String> {
        let name = self.qualified();
        let table = self.comment.iter().map(|text| format!("COMMENT ON TABLE {name} IS {}", plain_text(text)));
        let column = |column: &ColumnDef| {
            let text = plain_text(column.comment.as_ref()?);
            Some(format!("COMMENT ON COLUMN {name}.{} IS {text}", ident(&column.name)))
        };
        table.chain(self.columns.iter().filter_map(column)).collect()
    }

    /// GRANT SELECT to roles, and USAGE of the schema.
    pub fn grants(&self, roles: &[String]) -> Vec<String> {
        let grant = |role: &String| {
            let role = ident(role);
            [
                format!("GRANT USAGE ON SCHEMA {} TO ROLE {role}", ident(&self.schema)),
                format!("GRANT SELECT ON TABLE {} TO ROLE {role}", self.qualified()),
            ]
        };
        roles.iter().flat_map(grant).collect()
    }
}

fn cells(column: &ColumnDef) -> [String; 4] {
    let encode = column.encode.as_ref().map(|encode| format!("ENCODE {encode}"));
    let null = if column.nullable { "" } else { "NOT NULL" };
    [ident(&column.name), column.ty.to_string(), encode.unwrap_or_default(), null.to_owned()]
}

fn sort_key(table: &Table, options: &TableOptions) -> Vec<String> {
    if !options.sort_key.is_empty() {
        return options.sort_key.clone();
    }
    let default = match &table.kind {
        TableKind::Records => {
            table.columns.iter().map(|column| &column.name).find(|name| *name == "_sluice_arrived_at")
        }
        TableKind::Keyed(keys) => keys.first(),
    };
    default.cloned().into_iter().collect()
}

fn has_column(table: &Table, name: &str) -> Result<()> {
    if table.columns.iter().any(|column| column.name == name) {
        return Ok(());
    }
    let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let message = format!(
        "the warehouse's options for table `{}` name the column `{name}`, which it has not; its columns: {}",
        table.name,
        known.join(", ")
    );
    Err(PortError::new(Kind::Fatal, message))
}

fn column_def(
    table: &str,
    column: &Column,
    options: &TableOptions,
    varchar: u32,
    first_sorted: Option<&String>,
) -> Result<ColumnDef> {
    let length = options.lengths.get(&column.name).copied();
    let ty = sql_type(column, length, varchar).ok_or_else(|| unsupported(table, &column.name, &column.ty))?;
    let chosen = options.encodings.get(&column.name).map(|encode| encode.to_ascii_uppercase());
    let encode = chosen.or_else(|| encoding(ty, first_sorted == Some(&column.name)).map(str::to_owned));
    Ok(ColumnDef { name: column.name.clone(), ty, nullable: column.nullable, encode, comment: column.comment.clone() })
}

/// The type for a column. `length`: bytes asked for it, else `varchar` for texts.
pub(super) fn sql_type(column: &Column, length: Option<u32>, varchar: u32) -> Option<SqlType> {
    Some(match &column.ty {
        DataType::Utf8 if column.json => SqlType::Super,
        DataType::Utf8 => SqlType::Varchar(length.unwrap_or(varchar).clamp(1, MAX_VARCHAR)),
        DataType::Boolean => SqlType::Boolean,
        DataType::Int64 => SqlType::BigInt,
        DataType::Float64 => SqlType::Double,
        DataType::Decimal128(precision, scale) => SqlType::Decimal(*precision, *scale),
        DataType::Timestamp(TimeUnit::Microsecond, _) => SqlType::Timestamp,
        DataType::Date32 => SqlType::Date,
        DataType::Binary => SqlType::Varbyte(length.unwrap_or(DEFAULT_VARBYTE)),
        _ => return None,
    })
}

/// AZ64 takes numbers and times but neither floats nor truth values; the first sorted column stays raw, since a scan
/// that skips blocks by it would decode what it skips to. What is none keeps Redshift's own choice.
fn encoding(ty: SqlType, first_sorted: bool) -> Option<&'static str> {
    match ty {
        _ if first_sorted => Some("RAW"),
        SqlType::BigInt | SqlType::Decimal(..) | SqlType::Timestamp | SqlType::Date => Some("AZ64"),
        SqlType::Boolean | SqlType::Double | SqlType::Varchar(_) => Some("ZSTD"),
        SqlType::Varbyte(_) | SqlType::Super => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, ty: DataType) -> Column {
        Column { name: name.into(), ty, nullable: true, json: false, comment: None }
    }

    fn table(columns: Vec<Column>, kind: TableKind) -> Table {
        Table { name: "silver".into(), columns, kind, comment: None }
    }

    #[test]
    fn options_that_name_no_column_are_refused() {
        let table = table(vec![column("a", DataType::Int64)], TableKind::Records);
        let options = TableOptions { dist_key: Some("b".into()), ..TableOptions::default() };
        let error = TableDef::new("public", &table, &options, 100).unwrap_err();
        assert!(error.message.contains("`b`") && error.message.contains("its columns: a"), "{error}");
    }

    #[test]
    fn a_type_that_redshift_has_not_is_refused_by_name() {
        let table = table(vec![column("nested", DataType::Float16)], TableKind::Records);
        let error = TableDef::new("public", &table, &TableOptions::default(), 100).unwrap_err();
        assert!(error.message.contains("`nested`") && error.message.contains("Float16"), "{error}");
    }

    #[test]
    fn lengths_are_bytes_of_one_column_of_one_table_or_of_all() {
        let columns = vec![column("a", DataType::Utf8), column("b", DataType::Utf8)];
        let table = table(columns, TableKind::Records);
        let mut options = TableOptions { lengths: [("b".to_owned(), 90_000)].into(), ..TableOptions::default() };
        let def = TableDef::new("public", &table, &options, 100).unwrap();
        assert_eq!((def.columns[0].ty, def.columns[1].ty), (SqlType::Varchar(100), SqlType::Varchar(65_535)));
        options.varchar = Some(7);
        let def = TableDef::new("public", &table, &options, 100).unwrap();
        assert_eq!(def.columns[0].ty, SqlType::Varchar(7));
    }
}
