//! A bucket, a warehouse and a way to put objects, for the tests.

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema};
use async_trait::async_trait;
use parquet::arrow::ArrowWriter;
use sluice_aws::client::tests_support::{Endpoints, options};
use sluice_aws::client::{Aws, AwsOptions};
use sluice_aws::redshift::{DataApi, RedshiftConfig, RedshiftLoader, Target};
use sluice_aws::s3::{S3Lake, S3Store};
use sluice_ports::memory::{Cell, Row};
use sluice_ports::{Clock, Column, Object, ObjectFormat, ObjectStore, Table, TableKind, suite};
use sluice_stand_ins::redshift::{RedshiftOptions, RedshiftServer};
use sluice_stand_ins::s3::S3Server;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const BUCKET: &str = "lake";
pub(crate) const SCHEMA: &str = "retail";

/// A bucket and a schema of a warehouse.
#[derive(Clone)]
pub(crate) struct World {
    pub s3: Arc<S3Server>,
    pub redshift: Arc<RedshiftServer>,
    pub format: ObjectFormat,
    /// Where the Data API is reached: the server itself, or a proxy before it.
    pub endpoint: String,
    /// Where the loader's own store is reached.
    pub s3_endpoint: String,
    /// Attempts at each call.
    pub attempts: u32,
    /// Schema of the tables.
    pub schema: String,
}

impl World {
    pub(crate) async fn new(format: ObjectFormat) -> Self {
        Self::with(format, |_| {}).await
    }

    pub(crate) async fn with(format: ObjectFormat, change: impl FnOnce(&mut RedshiftOptions)) -> Self {
        let s3 = Arc::new(S3Server::start().await.unwrap());
        s3.create_bucket(BUCKET).await.unwrap();
        let mut options = RedshiftOptions { s3_endpoint: s3.endpoint(), ..RedshiftOptions::default() };
        change(&mut options);
        let redshift = Arc::new(RedshiftServer::start(options).await.unwrap());
        let endpoint = redshift.endpoint();
        let s3_endpoint = s3.endpoint();
        Self { s3, redshift, format, endpoint, s3_endpoint, attempts: 12, schema: SCHEMA.to_owned() }
    }

    /// On the same servers, with tables, ledger and state of its own.
    pub(crate) fn another(&self, name: &str) -> Self {
        Self { schema: format!("{SCHEMA}_{name}"), ..self.clone() }
    }

    fn lake(&self) -> S3Lake {
        S3Lake::new(BUCKET, format!("lake/{}/", self.schema))
    }

    pub(crate) fn aws(&self) -> Aws {
        let endpoints = Endpoints {
            s3: Some(self.s3_endpoint.clone()),
            redshift_data: Some(self.endpoint.clone()),
            ..Endpoints::default()
        };
        Aws::for_endpoints_with(endpoints, &AwsOptions { attempts: self.attempts, ..options() })
    }

    pub(crate) fn api(&self) -> DataApi {
        let target = Target::Workgroup { name: "sluice".into(), database: "dev".into(), secret: None };
        DataApi::new(self.aws(), target).with_waits(2, Duration::from_secs(60))
    }

    pub(crate) fn loader(&self) -> RedshiftLoader {
        self.loader_with(|_| {})
    }

    /// A loader that waits a second for a statement.
    pub(crate) fn impatient_loader(&self) -> RedshiftLoader {
        self.loader_on(self.api().with_waits(1, Duration::from_secs(1)), |_| {})
    }

    pub(crate) fn loader_with(&self, change: impl FnOnce(&mut RedshiftConfig)) -> RedshiftLoader {
        self.loader_on(self.api(), change)
    }

    fn loader_on(&self, api: DataApi, change: impl FnOnce(&mut RedshiftConfig)) -> RedshiftLoader {
        let lake = self.lake();
        let mut config = RedshiftConfig::new("online", &self.schema, "default", BUCKET, &lake.url(""));
        change(&mut config);
        let state: Arc<dyn ObjectStore> = Arc::new(S3Store::new(self.aws(), lake));
        RedshiftLoader::new(api, config, state).unwrap()
    }

    pub(crate) fn loader_at(&self, clock: Arc<dyn Clock>) -> RedshiftLoader {
        self.loader().with_clock(clock)
    }

    pub(crate) async fn put_bytes(&self, key: &str, data: Vec<u8>) -> Object {
        let size = data.len() as u64;
        let put = self.s3.client().put_object().bucket(BUCKET).key(key).body(data.into()).send().await.unwrap();
        let etag = put.e_tag().unwrap_or_default().trim_matches('"').to_owned();
        let etag = if self.format == ObjectFormat::Json { etag } else { String::new() };
        Object { key: key.to_owned(), size, etag, columns: None }
    }

    pub(crate) async fn put_rows(&self, table: &Table, name: &str, rows: &[Row]) -> Object {
        match self.format {
            ObjectFormat::Parquet => self.put_bytes(&format!("{name}.parquet"), parquet(table, rows)).await,
            ObjectFormat::Json => self.put_bytes(&format!("{name}.ndjson"), lines(table, rows)).await,
        }
    }

    /// Rows of a table, straight from the database.
    pub(crate) async fn table_rows(&self, table: &Table) -> Vec<Row> {
        let columns: Vec<String> = table.columns.iter().map(value_of).collect();
        let sql = format!("SELECT {} FROM \"{}\".\"{}\"", columns.join(", "), self.schema, table.name);
        self.sql(&sql).await.into_iter().map(|row| row.into_iter().zip(&table.columns).map(cell).collect()).collect()
    }

    pub(crate) async fn sql(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.redshift.sql(sql).await.unwrap()
    }

    /// What the ledger holds, in order: table, key, status.
    pub(crate) async fn ledger(&self) -> Vec<(String, String, String)> {
        let sql =
            format!("SELECT table_name, object_key, status FROM \"{}\".sluice_loads ORDER BY 1, 2, 3", self.schema);
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        self.sql(&sql).await.iter().map(|row| (text(&row[0]), text(&row[1]), text(&row[2]))).collect()
    }

    /// Attempts that nobody has settled.
    pub(crate) async fn attempts(&self) -> usize {
        let store = S3Store::new(self.aws(), self.lake());
        let found = store.list("_sluice/load/").await.unwrap();
        found.iter().filter(|object| object.name.ends_with(".json")).count()
    }
}

fn value_of(column: &Column) -> String {
    match column.ty {
        DataType::Timestamp(..) => format!("(EXTRACT(EPOCH FROM \"{}\") * 1000000)::bigint", column.name),
        _ => format!("\"{}\"", column.name),
    }
}

fn cell((value, column): (Option<String>, &Column)) -> Cell {
    match (value, &column.ty) {
        (None, _) => Cell::Null,
        (Some(text), DataType::Int64 | DataType::Timestamp(..)) => Cell::Int(text.parse().unwrap()),
        (Some(text), _) => Cell::Text(text),
    }
}

fn array(rows: &[Row], at: usize, ty: &DataType) -> ArrayRef {
    let int = |row: &Row| match &row[at] {
        Cell::Int(value) => Some(*value),
        _ => None,
    };
    let text = |row: &Row| match &row[at] {
        Cell::Text(value) => Some(value.clone()),
        _ => None,
    };
    match ty {
        DataType::Int64 => Arc::new(Int64Array::from_iter(rows.iter().map(int))),
        DataType::Timestamp(..) => {
            Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(int)).with_timezone("UTC"))
        }
        _ => Arc::new(StringArray::from_iter(rows.iter().map(text))),
    }
}

pub(crate) fn parquet(table: &Table, rows: &[Row]) -> Vec<u8> {
    let fields: Vec<Field> =
        table.columns.iter().map(|column| Field::new(&column.name, column.ty.clone(), column.nullable)).collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = table.columns.iter().enumerate().map(|(at, column)| array(rows, at, &column.ty)).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
    let mut data = vec![];
    let mut writer = ArrowWriter::try_new(&mut data, schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    data
}

/// Lines as the host writes them for Firehose.
pub(crate) fn lines(table: &Table, rows: &[Row]) -> Vec<u8> {
    let mut text = String::new();
    for row in rows {
        let value = |(column, cell): (&Column, &Cell)| match cell {
            Cell::Null => None,
            Cell::Int(value) if matches!(column.ty, DataType::Timestamp(..)) => {
                Some((column.name.clone(), serde_json::Value::String(time_text(*value))))
            }
            Cell::Int(value) => Some((column.name.clone(), (*value).into())),
            Cell::Text(value) => Some((column.name.clone(), value.clone().into())),
        };
        let object: serde_json::Map<_, _> = table.columns.iter().zip(row).filter_map(value).collect();
        text.push_str(&serde_json::to_string(&object).unwrap());
        text.push('\n');
    }
    text.into_bytes()
}

/// `YYYY-MM-DD HH:MM:SS.ffffff`, for times of January 2026.
fn time_text(micros: i64) -> String {
    const NEW_YEAR: i64 = 1_767_225_600_000_000;
    let since = micros - NEW_YEAR;
    let (seconds, micros) = (since.div_euclid(1_000_000), since.rem_euclid(1_000_000));
    let (days, seconds) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    assert!((0..31).contains(&days));
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("2026-01-{:02} {h:02}:{m:02}:{s:02}.{micros:06}", days + 1)
}

#[async_trait]
impl suite::LoaderPlace for World {
    type Loader = RedshiftLoader;

    async fn loader(&self) -> RedshiftLoader {
        self.loader_with(|_| {})
    }

    async fn put(&self, table: &Table, name: &str, rows: &[Row]) -> Object {
        self.put_rows(table, name, rows).await
    }

    async fn put_broken(&self, _: &Table, name: &str) -> Object {
        match self.format {
            ObjectFormat::Parquet => self.put_bytes(&format!("{name}.parquet"), b"PAR1 no more".to_vec()).await,
            ObjectFormat::Json => {
                self.put_bytes(&format!("{name}.ndjson"), b"{\"quantity\": \"many\"}\n".to_vec()).await
            }
        }
    }

    async fn rows(&self, table: &Table) -> Vec<Row> {
        self.table_rows(table).await
    }
}

fn column(name: &str, ty: DataType, nullable: bool) -> Column {
    Column { name: name.into(), ty, nullable, json: false, comment: None }
}

/// A table of records with JSON in it.
pub(crate) fn silver() -> Table {
    let time = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("UTC".into()));
    let columns = vec![
        column("name", DataType::Utf8, true),
        Column { json: true, ..column("extra", DataType::Utf8, true) },
        column("_sluice_id", DataType::Utf8, false),
        column("_sluice_arrived_at", time, false),
        column("_sluice_commit", DataType::Int64, false),
    ];
    Table { name: "silver".into(), columns, kind: TableKind::Records, comment: Some("a test's".into()) }
}

/// The record of a number.
pub(crate) fn record(number: i64) -> Row {
    let text = |text: String| Cell::Text(text);
    vec![
        text(format!("name {number}")),
        text(format!("{{\"number\": {number}}}")),
        text(format!("id-{number:06}")),
        Cell::Int(1_767_225_600_000_000 + number),
        Cell::Int(1),
    ]
}

pub(crate) fn records(from: i64, to: i64) -> Vec<Row> {
    (from..to).map(record).collect()
}

/// Numbers of the records that the table holds, in order: a record that is there twice is in it twice.
pub(crate) async fn numbers(world: &World) -> Vec<i64> {
    let sql = format!("SELECT substr(_sluice_id, 4) FROM \"{}\".silver ORDER BY 1", world.schema);
    world.sql(&sql).await.iter().map(|row| row[0].as_ref().unwrap().parse().unwrap()).collect()
}
