//! The contract of [`Loader`].

use crate::memory::{Cell, Row};
use crate::{Column, Loader, Object, ObjectFormat, Settled, Table, TableKind, TableReport};
use arrow_schema::{DataType, TimeUnit};
use async_trait::async_trait;
use std::sync::Arc;

/// A warehouse under test, and the bucket that it loads from.
#[async_trait]
pub trait LoaderPlace: Send + Sync {
    /// The loader under test.
    type Loader: Loader + 'static;

    /// A loader. Two made at one place share the warehouse, as two processes do.
    async fn loader(&self) -> Self::Loader;

    /// Puts an object with rows for a table, as the host does, and says how it is named.
    async fn put(&self, table: &Table, name: &str, rows: &[Row]) -> Object;

    /// Puts an object that no loader can read.
    async fn put_broken(&self, table: &Table, name: &str) -> Object;

    /// The rows of the table in the warehouse, columns in the table's order, rows in any.
    async fn rows(&self, table: &Table) -> Vec<Row>;
}

/// Runs the contract on loaders made at places. Objects are of one format.
///
/// # Panics
/// Where the contract is broken.
pub async fn loader<P: LoaderPlace>(format: ObjectFormat, make: impl AsyncFn(&str) -> P) {
    let check = Check { format };
    check.tables_are_made_once(&make("prepare").await).await;
    check.objects_are_loaded_once(&make("once").await).await;
    check.nothing_is_loaded_from_nothing(&make("nothing").await).await;
    check.a_record_in_two_objects_is_one_row(&make("doubles").await).await;
    check.a_bad_object_is_set_aside(&make("bad").await).await;
    check.racing_loaders_load_once(&make("race").await).await;
    check.the_higher_commit_stands(&make("keyed").await).await;
    check.nulls_are_keys(&make("nulls").await).await;
    check.columns_are_added_and_old_objects_still_load(&make("columns").await).await;
    check.each_table_has_its_own_books(&make("tables").await).await;
    check.rows_of_undecided_segments_wait(&make("undecided").await).await;
    check.rows_of_aborted_segments_are_left_out(&make("aborted").await).await;
}

fn column(name: &str, ty: DataType, nullable: bool) -> Column {
    Column { name: name.into(), ty, nullable, json: false, comment: None }
}

/// A table of records, as silver is.
fn records() -> Table {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns = vec![
        column("name", DataType::Utf8, true),
        column("quantity", DataType::Int64, true),
        column("_sluice_id", DataType::Utf8, false),
        column("_sluice_arrived_at", time, false),
        column("_sluice_commit", DataType::Int64, false),
    ];
    Table { name: "silver".into(), columns, kind: TableKind::Records, comment: Some("records of a test's".into()) }
}

/// A table of sums, as a gold is.
fn sums() -> Table {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns = vec![
        column("window_start", time, false),
        column("country", DataType::Utf8, true),
        column("total", DataType::Int64, true),
        column("_sluice_commit", DataType::Int64, false),
        column("_sluice_fence", DataType::Int64, false),
    ];
    let kind = TableKind::Keyed(vec!["window_start".into(), "country".into()]);
    Table { name: "per_country".into(), columns, kind, comment: None }
}

fn text(value: &str) -> Cell {
    Cell::Text(value.into())
}

/// 2026-01-01T00:00:00 UTC.
const NEW_YEAR: i64 = 1_767_225_600_000_000;

/// The record of a number, as commit 1 has it. Each arrives a second and a microsecond after the one before; every
/// fifth has no name.
fn record(number: i64) -> Row {
    let name = if number % 5 == 0 { Cell::Null } else { text(&format!("it's `näme` {number}")) };
    let arrived = NEW_YEAR + number * 1_000_001;
    vec![name, Cell::Int(number * 10), text(&format!("source/shard/{number:06}")), Cell::Int(arrived), Cell::Int(1)]
}

fn record_range(from: i64, to: i64) -> Vec<Row> {
    (from..to).map(record).collect()
}

/// The same records, as another commit has them.
fn of_commit(commit: i64, rows: Vec<Row>) -> Vec<Row> {
    let change = |mut row: Row| {
        row[4] = Cell::Int(commit);
        row
    };
    rows.into_iter().map(change).collect()
}

fn sum(country: Cell, total: i64, commit: i64, fence: i64) -> Row {
    vec![Cell::Int(NEW_YEAR), country, Cell::Int(total), Cell::Int(commit), Cell::Int(fence)]
}

async fn sorted<P: LoaderPlace>(place: &P, table: &Table) -> Vec<Row> {
    let mut rows = place.rows(table).await;
    rows.sort();
    rows
}

fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

struct Check {
    format: ObjectFormat,
}

impl Check {
    async fn load<L: Loader>(&self, loader: &L, table: &Table, objects: &[Object]) -> TableReport {
        let report = loader.load(table, self.format, objects).await.expect("load");
        assert_eq!(report.table, table.name, "a report names its table");
        report
    }

    async fn tables_are_made_once<P: LoaderPlace>(&self, place: &P) {
        let loader = place.loader().await;
        let tables = [records(), sums()];
        assert!(!loader.prepare(&tables).await.unwrap().is_empty(), "what was done is said");
        let again = place.loader().await.prepare(&tables).await.unwrap();
        assert!(again.is_empty(), "nothing is left to do, yet: {again:?}");
        assert!(place.rows(&records()).await.is_empty(), "a new table is empty");
    }

    async fn objects_are_loaded_once<P: LoaderPlace>(&self, place: &P) {
        let (loader, table) = (place.loader().await, records());
        loader.prepare(std::slice::from_ref(&table)).await.unwrap();
        let one = place.put(&table, "once/one", &record_range(0, 50)).await;
        let two = place.put(&table, "once/two", &record_range(50, 80)).await;
        let objects = [one, two];
        let report = self.load(&loader, &table, &objects).await;
        assert_eq!((report.objects, report.already, report.staged, report.rows), (2, 0, 80, 80));
        let report = self.load(&loader, &table, &objects).await;
        assert_eq!((report.objects, report.already, report.rows), (0, 2, 0), "loaded twice is loaded once");
        let three = place.put(&table, "once/three", &record_range(80, 90)).await;
        let all = [objects.to_vec(), vec![three]].concat();
        let report = self.load(&place.loader().await, &table, &all).await;
        assert_eq!((report.objects, report.already, report.rows), (1, 2, 10), "the warehouse itself remembers");
        assert_eq!(sorted(place, &table).await, in_order(record_range(0, 90)), "rows are as they were put");
    }

    async fn nothing_is_loaded_from_nothing<P: LoaderPlace>(&self, place: &P) {
        let (loader, table) = (place.loader().await, records());
        loader.prepare(std::slice::from_ref(&table)).await.unwrap();
        let report = self.load(&loader, &table, &[]).await;
        assert_eq!(report, TableReport { table: table.name.clone(), ..TableReport::default() });
        let empty = place.put(&table, "nothing/empty", &[]).await;
        let report = self.load(&loader, &table, std::slice::from_ref(&empty)).await;
        assert_eq!((report.objects, report.staged, report.rows), (1, 0, 0), "an object without rows is loaded");
        assert_eq!(self.load(&loader, &table, &[empty]).await.already, 1, "and remembered");
        assert!(place.rows(&table).await.is_empty());
    }

    async fn a_record_in_two_objects_is_one_row<P: LoaderPlace>(&self, place: &P) {
        let (loader, table) = (place.loader().await, records());
        loader.prepare(std::slice::from_ref(&table)).await.unwrap();
        let mut twice = record_range(0, 20);
        twice.extend(record_range(10, 20));
        let one = place.put(&table, "doubles/one", &twice).await;
        let two = place.put(&table, "doubles/two", &record_range(15, 30)).await;
        let report = self.load(&loader, &table, &[one, two]).await;
        assert_eq!((report.staged, report.rows), (45, 30), "doubles within one load");
        let late = place.put(&table, "doubles/three", &record_range(25, 40)).await;
        let report = self.load(&loader, &table, &[late]).await;
        assert_eq!((report.staged, report.rows), (15, 10), "doubles of what was there before");
        assert_eq!(sorted(place, &table).await, in_order(record_range(0, 40)));
    }

    async fn a_bad_object_is_set_aside<P: LoaderPlace>(&self, place: &P) {
        let (loader, table) = (place.loader().await, records());
        loader.prepare(std::slice::from_ref(&table)).await.unwrap();
        let mut objects = vec![];
        for number in 0..6 {
            objects
                .push(place.put(&table, &format!("bad/{number}"), &record_range(number * 10, number * 10 + 10)).await);
        }
        let bad = place.put_broken(&table, "bad/2-broken").await;
        objects.insert(3, bad.clone());
        let report = self.load(&loader, &table, &objects).await;
        assert_eq!((report.objects, report.rows), (6, 60), "the rest is loaded: {report:?}");
        let aside: Vec<&str> = report.set_aside.iter().map(|aside| aside.key.as_str()).collect();
        assert_eq!(aside, [bad.key.as_str()], "the bad one is set aside");
        assert!(!report.set_aside[0].reason.is_empty(), "with a reason");
        let again = self.load(&place.loader().await, &table, &objects).await;
        assert_eq!((again.objects, again.already, again.rows), (0, 6, 0));
        assert_eq!(again.set_aside, report.set_aside, "an object that is set aside is told again, and not tried again");
        assert_eq!(sorted(place, &table).await, in_order(record_range(0, 60)));
    }

    async fn racing_loaders_load_once<P: LoaderPlace>(&self, place: &P) {
        let table = records();
        place.loader().await.prepare(std::slice::from_ref(&table)).await.unwrap();
        let mut objects = vec![];
        for number in 0..4 {
            objects
                .push(place.put(&table, &format!("race/{number}"), &record_range(number * 25, number * 25 + 25)).await);
        }
        let objects = Arc::new(objects);
        let mut tasks = vec![];
        for _ in 0..3 {
            let (loader, table, objects, format) = (place.loader().await, table.clone(), objects.clone(), self.format);
            tasks.push(tokio::spawn(async move { loader.load(&table, format, &objects).await.expect("load") }));
        }
        let mut rows = 0;
        for task in tasks {
            let report = task.await.unwrap();
            assert_eq!(report.objects + report.already, 4, "each object was loaded, by whomever: {report:?}");
            rows += report.rows;
        }
        assert_eq!(sorted(place, &table).await, in_order(record_range(0, 100)), "once, however many load");
        assert!(rows >= 100, "and somebody says so: {rows}");
    }

    async fn the_higher_commit_stands<P: LoaderPlace>(&self, place: &P) {
        let (loader, table) = (place.loader().await, sums());
        loader.prepare(std::slice::from_ref(&table)).await.unwrap();
        let put = async |name: &str, rows: &[Row]| {
            let object = place.put(&table, name, rows).await;
            self.load(&loader, &table, &[object]).await
        };
        put("keyed/1", &[sum(text("fr"), 1, 5, 1), sum(text("de"), 2, 5, 1), sum(text("it"), 3, 5, 1)]).await;
        let report =
            put("keyed/2", &[sum(text("fr"), 10, 6, 1), sum(text("de"), 20, 4, 9), sum(text("es"), 40, 4, 1)]).await;
        assert_eq!(report.rows, 2, "a lower commit replaces nothing: {report:?}");
        let rows =
            [sum(text("it"), 29, 5, 1), sum(text("it"), 31, 5, 3), sum(text("it"), 30, 5, 2), sum(text("fr"), 7, 6, 1)];
        let report = put("keyed/3", &rows).await;
        assert_eq!(
            report.rows, 1,
            "of one key the highest fence stands, and an equal row is there already: {report:?}"
        );
        let expected = vec![
            sum(text("fr"), 10, 6, 1),
            sum(text("de"), 2, 5, 1),
            sum(text("es"), 40, 4, 1),
            sum(text("it"), 31, 5, 3),
        ];
        assert_eq!(sorted(place, &table).await, in_order(expected));
    }

    async fn nulls_are_keys<P: LoaderPlace>(&self, place: &P) {
        let (loader, table) = (place.loader().await, sums());
        loader.prepare(std::slice::from_ref(&table)).await.unwrap();
        let one = place.put(&table, "nulls/1", &[sum(Cell::Null, 1, 1, 1), sum(text(""), 2, 1, 1)]).await;
        let two = place.put(&table, "nulls/2", &[sum(Cell::Null, 3, 2, 1)]).await;
        self.load(&loader, &table, &[one]).await;
        self.load(&loader, &table, &[two]).await;
        let expected = vec![sum(Cell::Null, 3, 2, 1), sum(text(""), 2, 1, 1)];
        assert_eq!(sorted(place, &table).await, in_order(expected), "null equals null, and no other key");
    }

    async fn columns_are_added_and_old_objects_still_load<P: LoaderPlace>(&self, place: &P) {
        let (loader, old) = (place.loader().await, records());
        loader.prepare(std::slice::from_ref(&old)).await.unwrap();
        let before = place.put(&old, "columns/before", &record_range(0, 10)).await;
        self.load(&loader, &old, &[before]).await;
        let mut waiting = place.put(&old, "columns/waiting", &record_range(10, 20)).await;
        waiting.columns = Some(old.columns.iter().map(|column| column.name.clone()).collect());
        let mut new = old.clone();
        new.columns.insert(2, column("added", DataType::Int64, true));
        assert_eq!(loader.prepare(std::slice::from_ref(&new)).await.unwrap().len(), 1, "one column is added");
        let with = |mut row: Row, added: Cell| {
            row.insert(2, added);
            row
        };
        let fresh: Vec<Row> = record_range(20, 30).into_iter().map(|row| with(row, Cell::Int(7))).collect();
        let after = place.put(&new, "columns/after", &fresh).await;
        let report = self.load(&loader, &new, &[waiting, after]).await;
        assert_eq!((report.objects, report.rows), (2, 20), "{report:?}");
        let nulls = record_range(0, 20).into_iter().map(|row| with(row, Cell::Null));
        let mut rows = in_order(place.rows(&old).await);
        assert_eq!(rows, in_order(record_range(0, 30)), "the columns of before are as they were");
        rows = sorted(place, &new).await;
        assert_eq!(rows, in_order(nulls.chain(fresh).collect()), "what an object has no column for is null");
    }

    async fn each_table_has_its_own_books<P: LoaderPlace>(&self, place: &P) {
        let (loader, one) = (place.loader().await, records());
        let other = Table { name: "copies".into(), ..one.clone() };
        loader.prepare(&[one.clone(), other.clone()]).await.unwrap();
        let object = place.put(&one, "tables/object", &record_range(0, 10)).await;
        self.load(&loader, &one, std::slice::from_ref(&object)).await;
        let report = self.load(&loader, &other, &[object]).await;
        assert_eq!((report.objects, report.rows), (1, 10), "loaded into one table is not loaded into another");
    }

    async fn rows_of_undecided_segments_wait<P: LoaderPlace>(&self, place: &P) {
        let (loader, table) = (place.loader().await, records());
        loader.prepare(std::slice::from_ref(&table)).await.unwrap();
        let one = place.put(&table, "undecided/1", &of_commit(1, record_range(0, 10))).await;
        let two = place.put(&table, "undecided/2", &of_commit(2, record_range(10, 20))).await;
        let mut rows = of_commit(2, record_range(20, 25));
        rows.extend(of_commit(3, record_range(25, 30)));
        let three = place.put(&table, "undecided/3", &rows).await;
        let objects = [one, two, three];
        let load = async |through| {
            let settled = Settled { through, aborted: vec![] };
            loader.load_settled(&table, self.format, &objects, Some(&settled)).await.expect("load")
        };
        let report = load(1).await;
        assert_eq!((report.objects, report.rows), (1, 10), "what is decided is loaded: {report:?}");
        assert!(report.set_aside.is_empty(), "what waits is not set aside: {report:?}");
        let report = load(2).await;
        assert_eq!((report.objects, report.already), (1, 1), "an object waits for its last segment: {report:?}");
        assert_eq!(load(3).await.objects, 1);
        assert_eq!(load(9).await.already, 3);
        let ids: Vec<Cell> = sorted(place, &table).await.into_iter().map(|row| row[2].clone()).collect();
        assert_eq!(ids.len(), 30, "each record is one row");
    }

    async fn rows_of_aborted_segments_are_left_out<P: LoaderPlace>(&self, place: &P) {
        let (loader, table) = (place.loader().await, records());
        loader.prepare(std::slice::from_ref(&table)).await.unwrap();
        let aborted = place.put(&table, "aborted/1", &of_commit(1, record_range(0, 20))).await;
        let again = place.put(&table, "aborted/2", &of_commit(2, record_range(0, 10))).await;
        let settled = Settled { through: 2, aborted: vec![1] };
        let objects = [aborted, again];
        let report = loader.load_settled(&table, self.format, &objects, Some(&settled)).await.expect("load");
        assert_eq!((report.objects, report.rows), (2, 10), "{report:?}");
        let expected = of_commit(2, record_range(0, 10));
        assert_eq!(sorted(place, &table).await, in_order(expected), "a record stands as the segment has it that is");
    }
}
