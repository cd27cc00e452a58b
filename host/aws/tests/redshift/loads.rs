//! What a load does when nothing goes wrong but the data.

use crate::world::{BUCKET, SCHEMA, World, numbers, record, records, silver};
use sluice_aws::redshift::Level;
use sluice_ports::memory::Cell;
use sluice_ports::{Kind, Loader, Object, ObjectFormat, Warehouse, suite};
use sluice_stand_ins::redshift::Isolation;

#[tokio::test(flavor = "multi_thread")]
async fn the_loader_keeps_the_contract_with_parquet() {
    let world = World::new(ObjectFormat::Parquet).await;
    suite::loader(ObjectFormat::Parquet, async |place: &str| world.another(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loader_keeps_the_contract_with_lines() {
    let world = World::new(ObjectFormat::Json).await;
    suite::loader(ObjectFormat::Json, async |place: &str| world.another(place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loader_keeps_the_contract_where_transactions_are_serializable() {
    let world = World::with(ObjectFormat::Parquet, |options| options.isolation = Isolation::Serializable).await;
    suite::loader(ObjectFormat::Parquet, async |place: &str| world.another(place)).await;
}

async fn prepared(format: ObjectFormat) -> World {
    let world = World::new(format).await;
    world.loader().prepare(&[silver()]).await.unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn json_becomes_super_from_both_formats() {
    for format in [ObjectFormat::Parquet, ObjectFormat::Json] {
        let world = prepared(format).await;
        let object = match format {
            ObjectFormat::Parquet => world.put_rows(&silver(), "silver/a", &records(0, 3)).await,
            ObjectFormat::Json => {
                let line = |i: i64| {
                    format!(
                        "{{\"name\": \"name {i}\", \"extra\": {{\"number\": {i}}}, \"_sluice_id\": \"id-{i:06}\", \
                         \"_sluice_arrived_at\": \"2026-01-01 00:00:00.00000{i}\", \"_sluice_commit\": 1}}\n"
                    )
                };
                world.put_bytes("silver/a.ndjson", (0..3).map(line).collect::<String>().into_bytes()).await
            }
        };
        world.loader().load(&silver(), format, &[object]).await.unwrap();
        let sql = format!("SELECT extra->>'number', name FROM \"{SCHEMA}\".silver ORDER BY 2");
        let rows = world.sql(&sql).await;
        let expected: Vec<_> = (0..3).map(|i| vec![Some(i.to_string()), Some(format!("name {i}"))]).collect();
        assert_eq!(rows, expected, "{format:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_of_many_groups_ends_in_one_report() {
    let world = prepared(ObjectFormat::Parquet).await;
    let mut objects = vec![];
    for i in 0..7 {
        objects.push(world.put_rows(&silver(), &format!("silver/{i}"), &records(i * 10, i * 10 + 10)).await);
    }
    let loader = world.loader_with(|config| config.most_objects = 3);
    let report = loader.load(&silver(), ObjectFormat::Parquet, &objects).await.unwrap();
    assert_eq!((report.objects, report.staged, report.rows), (7, 70, 70));
    assert_eq!(numbers(&world).await, (0..70).collect::<Vec<_>>());
    assert_eq!(world.ledger().await.len(), 7);
    assert_eq!(world.attempts().await, 0, "what ended is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_another_size_or_gone_is_set_aside() {
    let world = prepared(ObjectFormat::Parquet).await;
    let good = world.put_rows(&silver(), "silver/good", &records(0, 10)).await;
    let mut grown = world.put_rows(&silver(), "silver/grown", &records(10, 20)).await;
    grown.size += 1;
    let gone = Object { key: "silver/gone.parquet".into(), ..good.clone() };
    let report = world.loader().load(&silver(), ObjectFormat::Parquet, &[grown, good, gone]).await.unwrap();
    let mut aside: Vec<&str> = report.set_aside.iter().map(|aside| aside.key.as_str()).collect();
    aside.sort_unstable();
    assert_eq!(aside, ["silver/gone.parquet", "silver/grown.parquet"], "{report:?}");
    assert_eq!(numbers(&world).await, (0..10).collect::<Vec<_>>());
    let status: Vec<String> = world.ledger().await.into_iter().map(|(_, _, status)| status).collect();
    assert_eq!(status, ["set_aside", "loaded", "set_aside"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_is_told_with_file_line_column_and_value() {
    let world = prepared(ObjectFormat::Json).await;
    let mut text = String::from_utf8(crate::world::lines(&silver(), &records(0, 5))).unwrap();
    text = text.replace("\"_sluice_commit\":1", "\"_sluice_commit\":\"first\"");
    let bad = world.put_bytes("silver/bad.ndjson", text.into_bytes()).await;
    let good = world.put_rows(&silver(), "silver/good", &records(5, 9)).await;
    let report = world.loader().load(&silver(), ObjectFormat::Json, &[bad, good]).await.unwrap();
    assert_eq!((report.objects, report.rows, report.set_aside.len()), (1, 4, 1), "{report:?}");
    let reason = &report.set_aside[0].reason;
    for part in [&format!("s3://{BUCKET}/silver/bad.ndjson"), "line 1", "`_sluice_commit`", "first"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_object_causes_sets_nothing_aside() {
    let world = prepared(ObjectFormat::Parquet).await;
    let object = world.put_rows(&silver(), "silver/a", &records(0, 10)).await;
    // the manifests lie in a bucket that is not there
    let loader = world.loader_with(|config| config.state_url = "s3://elsewhere/".into());
    let error = loader.load(&silver(), ObjectFormat::Parquet, std::slice::from_ref(&object)).await;
    assert!(error.is_err(), "{error:?}");
    assert!(world.ledger().await.is_empty(), "nothing is set aside");
    let report = world.loader().load(&silver(), ObjectFormat::Parquet, &[object]).await.unwrap();
    assert_eq!((report.objects, report.rows), (1, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_too_long_is_refused_and_not_cut() {
    let world = World::new(ObjectFormat::Parquet).await;
    let loader = world.loader_with(|config| config.varchar = 20);
    loader.prepare(&[silver()]).await.unwrap();
    let mut long = record(1);
    long[0] = Cell::Text("ä".repeat(11));
    let bad = world.put_rows(&silver(), "silver/bad", &[long]).await;
    let good = world.put_rows(&silver(), "silver/good", &records(2, 4)).await;
    let report = loader.load(&silver(), ObjectFormat::Parquet, &[bad, good]).await.unwrap();
    assert_eq!((report.objects, report.set_aside.len()), (1, 1), "{report:?}");
    assert_eq!(numbers(&world).await, [2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_give_arrow() {
    let world = prepared(ObjectFormat::Parquet).await;
    let object = world.put_rows(&silver(), "silver/a", &records(0, 10)).await;
    let loader = world.loader();
    loader.load(&silver(), ObjectFormat::Parquet, &[object]).await.unwrap();
    let sql = format!("SELECT COUNT(*) AS n, MIN(name) AS first FROM {SCHEMA}.silver");
    let (schema, batches) = loader.query(&sql).await.unwrap();
    assert_eq!(schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["n", "first"]);
    let column = batches[0].column(0).as_any().downcast_ref::<arrow_array::Int64Array>().unwrap();
    assert_eq!(column.value(0), 10);
    let error = loader.query("SELECT nothing FROM nowhere").await.unwrap_err();
    assert!(error.message.contains("nowhere"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_is_there_and_what_competes() {
    let world = prepared(ObjectFormat::Parquet).await;
    let loader = world.loader();
    let findings = loader.check(&[silver()]).await;
    let bad: Vec<_> = findings.iter().filter(|finding| finding.level != Level::Good).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    // somebody else copies into the table
    let lines = crate::world::lines(&silver(), &records(0, 3));
    let object = world.put_bytes("silver/a.ndjson", lines).await;
    let copy =
        format!("COPY {SCHEMA}.silver FROM 's3://{BUCKET}/{}' IAM_ROLE default FORMAT AS JSON 'auto'", object.key);
    world.api().run("somebody-else", &copy).await.unwrap();
    let findings = loader.check(&[silver()]).await;
    let loads = findings.iter().find(|finding| finding.subject == "other COPY loads").unwrap();
    assert_eq!(loads.level, Level::Bad, "{findings:#?}");
    assert!(loads.way_out.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warehouse_that_cannot_be_reached_is_one_finding() {
    let mut world = prepared(ObjectFormat::Parquet).await;
    world.endpoint = "http://127.0.0.1:9".into();
    world.attempts = 1;
    let findings = world.loader().check(&[silver()]).await;
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].level, Level::Bad);
    let error = world.loader().prepare(&[silver()]).await.unwrap_err();
    assert_eq!(error.kind, Kind::Retry, "{error}");
}
