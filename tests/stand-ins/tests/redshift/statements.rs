//! Submitting, asking after, fetching, listing, cancelling.

use crate::world::World;
use aws_sdk_redshiftdata::types::{Field, SqlParameter, StatusString};
use sluice_stand_ins::redshift::RedshiftOptions;
use std::time::Duration;

#[tokio::test]
async fn a_query_returns_typed_values() {
    let world = World::start().await;
    let sql = "SELECT 1::smallint AS a, 2::bigint AS b, 1.5::float8 AS c, true AS d, NULL::varchar AS e, 'x'::varchar(5) AS f, \
               1.10::decimal(18,2) AS g, '2026-01-02 03:04:05'::timestamp AS h, JSON_PARSE('{\"k\":[1]}') AS i";
    let end = world.done(sql).await;
    assert!(end.has_result_set.expect("it says") && end.redshift_query_id > 0 && end.redshift_pid > 0);
    assert_eq!((end.result_rows, end.query_string.as_deref()), (1, Some(sql)));
    let result = world.client.get_statement_result().id(&end.id).send().await.expect("it has rows");
    let names: Vec<&str> = result.column_metadata().iter().filter_map(|column| column.type_name.as_deref()).collect();
    assert_eq!(names, ["int2", "int8", "float8", "bool", "varchar", "varchar", "numeric", "timestamp", "super"]);
    assert_eq!((result.column_metadata()[6].precision, result.column_metadata()[6].scale), (18, 2));
    let text = |text: &str| Field::StringValue(text.to_owned());
    assert_eq!(
        result.records[0],
        [
            Field::LongValue(1),
            Field::LongValue(2),
            Field::DoubleValue(1.5),
            Field::BooleanValue(true),
            Field::IsNull(true),
            text("x"),
            text("1.10"),
            text("2026-01-02 03:04:05"),
            text("{\"k\": [1]}"),
        ]
    );
}

#[tokio::test]
async fn results_come_in_pages() {
    let world = World::with(RedshiftOptions { page_rows: 2, ..RedshiftOptions::default() }).await;
    world.all_done(&["CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (2), (3), (4), (5)"]).await;
    let end = world.done("SELECT a FROM t ORDER BY a").await;
    let mut pages = world.client.get_statement_result().id(&end.id).into_paginator().send();
    let mut sizes = vec![];
    while let Some(page) = pages.next().await {
        let page = page.expect("a page");
        assert_eq!(page.total_num_rows, 5);
        sizes.push(page.records.len());
    }
    assert_eq!(sizes, [2, 2, 1]);
}

#[tokio::test]
async fn states_follow_one_another() {
    let world = World::with(RedshiftOptions { delay: Duration::from_millis(300), ..RedshiftOptions::default() }).await;
    let id = world.submit("SELECT 1").await;
    let mut seen = vec![];
    while seen.last() != Some(&StatusString::Finished) {
        let status = world.client.describe_statement().id(&id).send().await.expect("known").status.expect("a state");
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(seen, [StatusString::Submitted, StatusString::Picked, StatusString::Started, StatusString::Finished]);
}

#[tokio::test]
async fn failures_say_what_redshift_says() {
    let world = World::start().await;
    assert_eq!(world.refused("SELECT a FROM nowhere").await, "ERROR: relation \"nowhere\" does not exist");
    assert_eq!(world.refused("SELEC 1").await, "ERROR: syntax error at or near \"SELEC\"");
    let id = world.submit("SELECT 1 / 0").await;
    assert_eq!(world.end(&id).await.error.as_deref(), Some("ERROR: division by zero"));
    let error =
        world.client.get_statement_result().id(&id).send().await.expect_err("there is none").into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
}

#[tokio::test]
async fn a_token_stands_for_one_statement() {
    let world = World::start().await;
    world.done("CREATE TABLE t (a int)").await;
    let call = |sql: &str| {
        world.client.execute_statement().workgroup_name("wg").database("dev").client_token("load-1").sql(sql).send()
    };
    let first = call("INSERT INTO t VALUES (1)").await.expect("taken in").id.expect("an id");
    let again = call("INSERT INTO t VALUES (1)").await.expect("known").id.expect("an id");
    assert_eq!(first, again);
    world.end(&first).await;
    assert_eq!(world.rows("SELECT count(*) FROM t").await, [["1"]]);
    let other = call("INSERT INTO t VALUES (2)").await.expect_err("another statement").into_service_error();
    assert!(other.is_validation_exception());
}

#[tokio::test]
async fn a_token_is_forgotten_in_time() {
    let world =
        World::with(RedshiftOptions { token_life: Duration::from_millis(200), ..RedshiftOptions::default() }).await;
    let call = || {
        world.client.execute_statement().workgroup_name("wg").database("dev").client_token("x").sql("SELECT 1").send()
    };
    let first = call().await.expect("taken in").id;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_ne!(first, call().await.expect("taken in").id);
}

#[tokio::test]
async fn statements_are_forgotten_in_time() {
    let world =
        World::with(RedshiftOptions { retention: Duration::from_millis(300), ..RedshiftOptions::default() }).await;
    let end = world.done("SELECT 1").await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let error =
        world.client.describe_statement().id(&end.id).send().await.expect_err("it is gone").into_service_error();
    assert!(error.is_resource_not_found_exception());
}

#[tokio::test]
async fn statements_are_listed_by_name_and_status() {
    let world = World::start().await;
    for (name, sql) in [("load-1", "SELECT 1"), ("load-2", "SELECT 2"), ("load-3", "SELECT x"), ("other", "SELECT 4")] {
        let call = world.client.execute_statement().workgroup_name("wg").database("dev").statement_name(name).sql(sql);
        let id = call.send().await.expect("taken in").id.expect("an id");
        world.end(&id).await;
    }
    let names = |answer: aws_sdk_redshiftdata::operation::list_statements::ListStatementsOutput| -> Vec<String> {
        answer.statements.into_iter().filter_map(|statement| statement.statement_name).collect()
    };
    let list = || world.client.list_statements().statement_name("load-");
    assert_eq!(
        names(list().send().await.expect("a list")),
        ["load-2", "load-1"],
        "only finished ones, where nothing is said"
    );
    let all = list().status(StatusString::All);
    assert_eq!(names(all.clone().send().await.expect("a list")), ["load-3", "load-2", "load-1"]);
    let first = all.clone().max_results(2).send().await.expect("a page");
    let second = all.max_results(2).next_token(first.next_token.expect("more")).send().await.expect("a page");
    assert_eq!(names(second), ["load-1"]);
}

#[tokio::test]
async fn a_running_statement_can_be_cancelled() {
    let world = World::start().await;
    world.done("CREATE TABLE t (a int)").await;
    world.server.faults().slow("VALUES (2)", Duration::from_secs(60), 1);
    let id =
        world.submit_batch(&["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)"]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.client.cancel_statement().id(&id).send().await.expect("it runs").status, Some(true));
    let end = world.end(&id).await;
    assert_eq!(end.status, Some(StatusString::Aborted));
    assert_eq!(world.rows("SELECT count(*) FROM t").await, [["0"]]);
    let late = world.client.cancel_statement().id(&id).send().await.expect_err("it is over").into_service_error();
    assert!(late.is_validation_exception());
}

#[tokio::test]
async fn parameters_are_values_and_must_be_used() {
    let world = World::start().await;
    let call = |name: &str, value: &str| {
        let parameter = SqlParameter::builder().name(name).value(value).build().expect("a parameter");
        let call = world.client.execute_statement().workgroup_name("wg").database("dev");
        call.sql("SELECT :a::varchar || '!'").parameters(parameter).send()
    };
    let id = call("a", "it's \\ :a").await.expect("taken in").id.expect("an id");
    world.end(&id).await;
    assert_eq!(world.rows_of(&id).await, [["it's \\ :a!"]]);
    assert!(call("b", "x").await.expect_err("it is not used").into_service_error().is_validation_exception());
}

#[tokio::test]
async fn limits_are_the_services() {
    let world = World::start().await;
    let refused =
        async |call: aws_sdk_redshiftdata::operation::execute_statement::builders::ExecuteStatementFluentBuilder| {
            call.send().await.expect_err("it is too much").into_service_error().is_validation_exception()
        };
    let call = || world.client.execute_statement().workgroup_name("wg").database("dev");
    let long = format!("SELECT '{}'", "x".repeat(100_000));
    assert!(refused(call().sql(&long)).await);
    assert!(refused(call().sql("SELECT 1").client_token("x".repeat(65))).await);
    assert!(refused(call().sql("SELECT 1").wait_time_seconds(31)).await);
    assert!(refused(call().sql("SELECT 1").cluster_identifier("c")).await);
    assert!(refused(world.client.execute_statement().database("dev").sql("SELECT 1")).await);
    assert!(refused(world.client.execute_statement().workgroup_name("wg").sql("SELECT 1")).await);
    let sqls = vec!["SELECT 1".to_owned(); 41];
    let batch = world.client.batch_execute_statement().workgroup_name("wg").database("dev").set_sqls(Some(sqls));
    assert!(batch.send().await.expect_err("it is too much").into_service_error().is_validation_exception());
    let row = format!("SELECT repeat('x', {})", 64 * 1024 + 1);
    assert!(world.refused(&row).await.contains("row"));
}

#[tokio::test]
async fn there_is_a_most_of_statements_and_results() {
    let options = RedshiftOptions { active_statements: 1, result_bytes: 1_000, ..RedshiftOptions::default() };
    let world = World::with(options).await;
    world.server.faults().slow("SELECT 1", Duration::from_secs(2), 1);
    let id = world.submit("SELECT 1").await;
    let call = world.client.execute_statement().workgroup_name("wg").database("dev").sql("SELECT 2");
    let error = call.send().await.expect_err("one is enough").into_service_error();
    assert!(error.is_active_statements_exceeded_exception());
    world.end(&id).await;
    assert!(world.refused("SELECT repeat('x', 1001)").await.contains("1000 bytes"));
}
