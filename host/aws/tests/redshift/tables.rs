//! Tables that are made, and made to fit.

use crate::world::{SCHEMA, World, silver};
use arrow_schema::DataType;
use sluice_ports::{Column, Loader, ObjectFormat};

fn column(name: &str, ty: DataType) -> Column {
    Column { name: name.into(), ty, nullable: true, json: false, comment: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_grow_with_the_manifest() {
    let world = World::new(ObjectFormat::Parquet).await;
    let loader = world.loader_with(|config| config.varchar = 50);
    let made = loader.prepare(&[silver()]).await.unwrap();
    let made: Vec<&str> = made.iter().map(String::as_str).collect();
    assert_eq!(made, ["made schema `retail`", "made table `retail.sluice_loads`", "made table `retail.silver`",]);
    let mut wide = silver();
    wide.columns.insert(0, column("one", DataType::Decimal128(10, 2)));
    wide.columns.insert(1, column("two", DataType::Date32));
    let wider = world.loader_with(|config| config.varchar = 80);
    let done = wider.prepare(std::slice::from_ref(&wide)).await.unwrap();
    assert_eq!(
        done,
        [
            "added column `one` DECIMAL(10,2) to `retail.silver`",
            "added column `two` DATE to `retail.silver`",
            "widened column `name` of `retail.silver` from VARCHAR(50) to VARCHAR(80)",
            "widened column `_sluice_id` of `retail.silver` from VARCHAR(50) to VARCHAR(80)",
        ]
    );
    assert!(wider.prepare(&[wide]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_cannot_hold_what_is_wanted_is_told_and_left_alone() {
    let world = World::new(ObjectFormat::Parquet).await;
    let mut table = silver();
    table.columns.push(column("amount", DataType::Decimal128(10, 2)));
    world.loader().prepare(std::slice::from_ref(&table)).await.unwrap();
    table.columns.last_mut().unwrap().ty = DataType::Decimal128(20, 2);
    let error = world.loader().prepare(&[table]).await.unwrap_err();
    for part in ["`retail.silver`", "`amount`", "`DECIMAL(10,2)`", "`DECIMAL(20,2)`"] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_make_the_same_tables_both_come_through() {
    let world = World::new(ObjectFormat::Parquet).await;
    let (one, other) = (world.loader(), world.loader());
    let tables = [silver()];
    let (one, other) = tokio::join!(one.prepare(&tables), other.prepare(&tables));
    one.unwrap();
    other.unwrap();
    let sql = format!("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '{SCHEMA}'");
    assert_eq!(world.sql(&sql).await[0][0].as_deref(), Some("2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_are_granted() {
    let world = World::new(ObjectFormat::Parquet).await;
    world.sql("CREATE ROLE \"data science\"").await;
    let loader = world.loader_with(|config| config.grants = vec!["data science".into()]);
    loader.prepare(&[silver()]).await.unwrap();
    let sql = format!("SELECT has_table_privilege('data science', '{SCHEMA}.silver', 'SELECT')::text");
    assert_eq!(world.sql(&sql).await[0][0].as_deref(), Some("true"));
    world.sql("DROP OWNED BY \"data science\"").await;
    world.sql("DROP ROLE \"data science\"").await;
}
