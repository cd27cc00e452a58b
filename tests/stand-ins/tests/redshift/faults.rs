//! What can be made to go wrong.

use crate::world::World;
use aws_sdk_redshiftdata::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_redshiftdata::operation::RequestId;
use aws_sdk_redshiftdata::types::StatusString;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_lost_reply_leaves_its_statement_running() {
    let world = World::start().await;
    world.done("CREATE TABLE t (a int)").await;
    world.server.faults().lose_reply("ExecuteStatement", 1);
    let call = || {
        let call = world.client.execute_statement().workgroup_name("wg").database("dev").client_token("load-7");
        call.sql("INSERT INTO t VALUES (1)").send()
    };
    let error = call().await.expect_err("the answer is lost");
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    let id = call().await.expect("the same statement").id.expect("an id");
    assert_eq!(world.end(&id).await.status, Some(StatusString::Finished));
    assert_eq!(world.rows("SELECT count(*) FROM t").await, [["1"]]);
    let lost: Vec<_> = world.server.calls().into_iter().filter(|call| call.fault == Some("lose_reply")).collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].request["ClientToken"], "load-7");
}

#[tokio::test]
async fn throttles_and_internal_errors_are_what_the_sdk_knows() {
    let world = World::start().await;
    let end = world.done("SELECT 1").await;
    world.server.faults().throttle("DescribeStatement", 1);
    let error = world.client.describe_statement().id(&end.id).send().await.expect_err("throttled");
    assert_eq!(error.code(), Some("ThrottlingException"));
    let request = error.request_id().map(str::to_owned);
    assert_eq!(world.server.calls().last().map(|call| call.request_id.clone()), request);
    world.server.faults().internal_error("DescribeStatement", 1);
    let error = world.client.describe_statement().id(&end.id).send().await.expect_err("an error").into_service_error();
    assert!(error.is_internal_server_exception());
    assert!(world.client.describe_statement().id(&end.id).send().await.is_ok());
}

#[tokio::test]
async fn statements_can_be_slow_or_fail() {
    let world = World::start().await;
    world.done("CREATE TABLE t (a int)").await;
    let faults = world.server.faults();
    faults.slow("VALUES (1)", Duration::from_millis(500), 1);
    let begun = Instant::now();
    world.done("INSERT INTO t VALUES (1)").await;
    assert!(begun.elapsed() >= Duration::from_millis(500));
    faults.serialization_conflict("VALUES (2)", 1);
    let error = world.refused("INSERT INTO t VALUES (2)").await;
    assert!(error.starts_with("ERROR: 1023") && error.contains("Serializable isolation violation on table"), "{error}");
    faults.fail("VALUES (3)", "disk full", 1);
    assert_eq!(world.refused("INSERT INTO t VALUES (3)").await, "ERROR: disk full");
    faults.fail("VALUES (4)", "never", 1);
    faults.clear();
    world.done("INSERT INTO t VALUES (4)").await;
    assert_eq!(world.rows("SELECT a FROM t ORDER BY a").await, [["1"], ["4"]]);
}
