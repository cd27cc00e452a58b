//! SQL over committed objects: what is seen, what is refused, and how fast.

use arrow_array::{Array, ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use datafusion::parquet::arrow::ArrowWriter;
use sluice_ports::memory::MemoryStore;
use sluice_ports::{Kind, ObjectStore, PortError, TableSpec, Warehouse};
use sluice_sql::{LakeWarehouse, format};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("country", DataType::Utf8, true),
        Field::new("quantity", DataType::Int64, true),
        Field::new("unit_price", DataType::Decimal128(12, 3), true),
        Field::new("invoice_date", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("Mixed", DataType::Utf8, true),
    ]))
}

fn rows(country: &str, quantities: &[i64]) -> RecordBatch {
    let n = quantities.len();
    let prices = Decimal128Array::from(vec![2_550_i128; n]).with_precision_and_scale(12, 3).unwrap();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![country; n])),
        Arc::new(Int64Array::from(quantities.to_vec())),
        Arc::new(prices),
        Arc::new(TimestampMicrosecondArray::from(vec![1_291_191_960_000_000; n]).with_timezone("UTC")),
        Arc::new(StringArray::from(vec![None::<&str>; n])),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn parquet(batch: &RecordBatch) -> Bytes {
    let mut out = vec![];
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    out.into()
}

fn spec(name: &str, objects: &[&str]) -> TableSpec {
    let objects = objects.iter().map(ToString::to_string).collect();
    TableSpec { name: name.into(), schema: schema(), objects }
}

fn put(root: &Path, name: &str, data: &Bytes) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, data).unwrap();
}

async fn csv(warehouse: &LakeWarehouse, sql: &str) -> String {
    let (schema, batches) = warehouse.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut out = vec![];
    format::csv(&mut out, &schema, &batches).unwrap();
    String::from_utf8(out).unwrap()
}

async fn refusal(warehouse: &LakeWarehouse, sql: &str) -> PortError {
    warehouse.query(sql).await.err().unwrap_or_else(|| panic!("`{sql}` was answered"))
}

/// Names as the flow makes them, percent signs and all; and one of the same partition that no commit names.
const FRANCE: &str = "silver/country=France/day=2010-12-01/000000000001-aa-0.parquet";
const IVORY: &str = "silver/country=C%C3%B4te%20d%27Ivoire/day=2010-12-01/000000000001-aa-1.parquet";
const UNCOMMITTED: &str = "silver/country=France/day=2010-12-01/000000000002-bb-0.parquet";

async fn both_places() -> (tempfile::TempDir, [LakeWarehouse; 2]) {
    let (dir, memory) = (tempfile::tempdir().unwrap(), MemoryStore::default());
    for (name, batch) in [
        (FRANCE, rows("France", &[1, 2, 3])),
        (IVORY, rows("Côte d'Ivoire", &[10])),
        (UNCOMMITTED, rows("France", &[1_000_000])),
    ] {
        put(dir.path(), name, &parquet(&batch));
        memory.put(name, parquet(&batch)).await.unwrap();
    }
    let tables = || vec![spec("silver", &[FRANCE, IVORY]), spec("quarantine", &[])];
    let store: Arc<dyn ObjectStore> = Arc::new(memory);
    let local = LakeWarehouse::new(store.clone(), Some(dir.path().to_owned()), tables());
    (dir, [local, LakeWarehouse::new(store, None, tables())])
}

#[tokio::test]
async fn tables_hold_the_committed_objects_and_no_others() {
    let (_dir, warehouses) = both_places().await;
    for warehouse in warehouses {
        let sums = "select country, count(*) n, sum(quantity) q, sum(quantity * unit_price) revenue from silver \
                    group by country order by country";
        let expected = "country,n,q,revenue\nCôte d'Ivoire,1,10,25.500\nFrance,3,6,15.300\n";
        assert_eq!(csv(&warehouse, sums).await, expected);
        assert_eq!(csv(&warehouse, "select count(*) as n from silver").await, "n\n4\n");
        let filtered = "select quantity from silver where country = 'France' and quantity >= 2 order by 1 limit 1";
        assert_eq!(csv(&warehouse, filtered).await, "quantity\n2\n");
        assert_eq!(
            csv(&warehouse, "SELECT Quantity FROM Silver WHERE \"Mixed\" is null and quantity = 10").await,
            "quantity\n10\n"
        );
        let times = "select distinct invoice_date from silver where invoice_date >= '2010-12-01T08:26:00Z'";
        assert_eq!(csv(&warehouse, times).await, "invoice_date\n2010-12-01T08:26:00Z\n");
    }
}

#[tokio::test]
async fn a_table_without_objects_is_empty_and_has_its_columns() {
    let (_dir, warehouses) = both_places().await;
    for warehouse in warehouses {
        let header = "country,quantity,unit_price,invoice_date,Mixed\n";
        assert_eq!(csv(&warehouse, "select * from quarantine").await, header);
        assert_eq!(csv(&warehouse, "select sum(quantity) s, count(*) n from quarantine").await, "s,n\n,0\n");
        let joined = "select count(*) n from silver s left join quarantine q on s.country = q.country";
        assert_eq!(csv(&warehouse, joined).await, "n\n4\n");
    }
}

#[tokio::test]
async fn columns_are_read_by_name_and_a_missing_one_is_null() {
    let old =
        Schema::new(vec![Field::new("quantity", DataType::Int64, true), Field::new("country", DataType::Utf8, true)]);
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![5])), Arc::new(StringArray::from(vec!["Eire"]))];
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "silver/old.parquet", &parquet(&RecordBatch::try_new(Arc::new(old), columns).unwrap()));
    put(dir.path(), "silver/new.parquet", &parquet(&rows("France", &[1])));
    let tables = vec![spec("silver", &["silver/old.parquet", "silver/new.parquet"])];
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::default());
    let warehouse = LakeWarehouse::new(store, Some(dir.path().to_owned()), tables);
    let expected = "country,quantity,unit_price\nEire,5,\nFrance,1,2.550\n";
    assert_eq!(csv(&warehouse, "select country, quantity, unit_price from silver order by country").await, expected);
    // and the result has the types of the schema, whatever a file says
    let (schema, batches) = warehouse.query("select country from silver").await.unwrap();
    assert_eq!(schema.field(0).data_type(), &DataType::Utf8);
    assert!(batches.iter().all(|batch| batch.column(0).data_type() == &DataType::Utf8));
}

#[tokio::test]
async fn refusals_name_the_place_and_the_nearest_name() {
    let (_dir, [warehouse, _]) = both_places().await;
    for (sql, expected) in [
        ("select quantty from silver", &["line 1, column 8", "unknown column `quantty`; did you mean `quantity`?"][..]),
        ("select mixed from silver", &["write `\"Mixed\"`"]),
        ("select * from silvr", &["unknown table `silvr`; did you mean `silver`?", "known tables: silver, quarantine"]),
        ("select\n  from where", &["line 2"]),
        ("select nosuch(quantity) from silver", &["nosuch"]),
        ("select country from silver group by quantity", &["country"]),
        ("", &["query"]),
    ] {
        let error = refusal(&warehouse, sql).await;
        assert_eq!(error.kind, Kind::Fatal, "{sql}");
        for part in expected {
            assert!(error.message.contains(part), "{sql}: `{part}` in: {error}");
        }
    }
}

#[tokio::test]
async fn only_queries_are_answered() {
    let (dir, [warehouse, _]) = both_places().await;
    let out = dir.path().join("copied");
    for sql in [
        "create table x as select 1",
        "create external table x stored as parquet location '/etc'",
        "drop table silver",
        "insert into silver select * from silver",
        &format!("copy silver to '{}'", out.display()),
        "set datafusion.execution.batch_size = 1",
        "delete from silver",
        "select 1; select 2",
    ] {
        refusal(&warehouse, sql).await;
    }
    refusal(&warehouse, "select * from '/etc/passwd'").await;
    assert!(!out.exists());
    assert_eq!(csv(&warehouse, "select count(*) n from silver").await, "n\n4\n", "nothing of it stays");
}

#[tokio::test]
async fn a_committed_object_that_is_gone_or_broken_is_named() {
    let (dir, [warehouse, _]) = both_places().await;
    fs::write(dir.path().join(FRANCE), "no parquet").unwrap();
    let broken = refusal(&warehouse, "select sum(quantity) from silver").await;
    assert!(broken.message.to_lowercase().contains("parquet"), "{broken}");
    fs::remove_file(dir.path().join(FRANCE)).unwrap();
    let gone = refusal(&warehouse, "select sum(quantity) from silver").await;
    assert!(gone.message.contains(FRANCE), "{gone}");
    let fetched = LakeWarehouse::new(Arc::new(MemoryStore::default()), None, vec![spec("silver", &[FRANCE])]);
    let gone = refusal(&fetched, "select sum(quantity) from silver").await;
    assert_eq!(gone.kind, Kind::NotFound);
    assert!(gone.message.contains(FRANCE), "{gone}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_objects_are_read_quickly() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> =
        (0..1_500).map(|i| format!("silver/country={}/day={}/x.parquet", i % 38, i / 38)).collect();
    for (i, name) in names.iter().enumerate() {
        put(dir.path(), name, &parquet(&rows("France", &vec![i as i64; 50])));
    }
    let objects: Vec<&str> = names.iter().map(String::as_str).collect();
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::default());
    let warehouse = LakeWarehouse::new(store, Some(dir.path().to_owned()), vec![spec("silver", &objects)]);
    let begun = Instant::now();
    let found = csv(&warehouse, "select count(*) n, sum(quantity) q from silver").await;
    let took = begun.elapsed();
    eprintln!("count and sum over 1,500 files: {took:?}");
    assert_eq!(found, format!("n,q\n75000,{}\n", 50 * (0..1_500).sum::<i64>()));
    // not optimised: the aim is two seconds for a release build
    assert!(took.as_secs() < 20, "{took:?}");
}
