//! Sessions.

use crate::world::World;
use aws_sdk_redshiftdata::types::{SessionStatusString, StatusString};
use sluice_stand_ins::redshift::RedshiftOptions;
use std::time::Duration;

impl World {
    /// Opens a session with a statement.
    async fn open(&self, sql: &str, keep_alive: i32) -> String {
        let call = self.client.execute_statement().workgroup_name("wg").database("dev").sql(sql);
        let answer = call.session_keep_alive_seconds(keep_alive).wait_time_seconds(30).send().await.expect("taken in");
        answer.session_id.expect("a session")
    }

    /// Runs a statement in a session.
    async fn within(&self, session: &str, sql: &str) -> Result<(StatusString, Option<String>), String> {
        let call = self.client.execute_statement().session_id(session).sql(sql);
        let answer = call.send().await.map_err(|error| {
            let error = error.into_service_error();
            assert!(error.is_validation_exception());
            error.to_string() + &format!("{error:?}")
        })?;
        let end = self.end(&answer.id.expect("an id")).await;
        Ok((end.status.expect("a state"), end.error))
    }
}

#[tokio::test]
async fn temporary_tables_live_in_their_session() {
    let world = World::start().await;
    let session = world.open("CREATE TEMP TABLE stage (a int)", 60).await;
    assert_eq!(world.within(&session, "INSERT INTO stage VALUES (1)").await, Ok((StatusString::Finished, None)));
    let sqls = vec!["INSERT INTO stage VALUES (2)".to_owned(), "SELECT count(*) FROM stage".to_owned()];
    let call = world.client.batch_execute_statement().session_id(&session).set_sqls(Some(sqls));
    let id = call.send().await.expect("taken in").id.expect("an id");
    let end = world.end(&id).await;
    assert_eq!((end.status, end.session_id.as_deref()), (Some(StatusString::Finished), Some(session.as_str())));
    assert_eq!(world.rows_of(&format!("{id}:2")).await, [["2"]]);
    assert!(world.refused("SELECT a FROM stage").await.contains("does not exist"));
}

#[tokio::test]
async fn a_session_runs_one_statement_at_a_time() {
    let world = World::start().await;
    let session = world.open("SELECT 1", 60).await;
    world.server.faults().slow("SELECT 2", Duration::from_millis(600), 1);
    let call = world.client.execute_statement().session_id(&session).sql("SELECT 2");
    let id = call.send().await.expect("taken in").id.expect("an id");
    let refused = world.within(&session, "SELECT 3").await.expect_err("it is busy");
    assert!(refused.contains("Session is not available"), "{refused}");
    let listed = world.client.list_sessions().session_id(&session).send().await.expect("it is known");
    assert_eq!(listed.sessions[0].status, SessionStatusString::Busy);
    assert_eq!(listed.sessions[0].current_statement_id.as_ref(), Some(&id));
    world.end(&id).await;
    assert!(world.within(&session, "SELECT 3").await.is_ok());
}

#[tokio::test]
async fn a_session_dies_when_its_time_is_over() {
    let world = World::start().await;
    let session = world.open("CREATE TEMP TABLE stage (a int)", 1).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(world.within(&session, "SELECT a FROM stage").await.is_ok(), "its time starts anew with each statement");
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert!(world.within(&session, "SELECT 1").await.expect_err("it is gone").contains("Session is not available"));
    let listed = world.client.list_sessions().session_id(&session).send().await.expect("it is known");
    assert_eq!(listed.sessions[0].status, SessionStatusString::Closed);
    let unknown = world.within("11111111-2222-3333-4444-555555555555", "SELECT 1").await.expect_err("there is none");
    assert!(unknown.contains("is invalid"), "{unknown}");
}

#[tokio::test]
async fn a_lost_session_takes_its_tables_along() {
    let world = World::start().await;
    let session = world.open("CREATE TEMP TABLE stage (a int)", 60).await;
    world.server.faults().lose_session_after("INSERT INTO stage");
    assert_eq!(world.within(&session, "INSERT INTO stage VALUES (1)").await, Ok((StatusString::Finished, None)));
    assert!(world.within(&session, "SELECT a FROM stage").await.is_err());
    let session = world.open("CREATE TABLE t (a int)", 60).await;
    world.server.faults().lose_session_before("INSERT INTO t");
    let (status, error) = world.within(&session, "INSERT INTO t VALUES (1)").await.expect("taken in");
    assert_eq!(status, StatusString::Failed);
    assert!(error.expect("it says").contains("connection to the database was lost"));
    let session = world.open("SELECT 1", 60).await;
    world.server.lose_sessions().await.expect("they are lost");
    assert!(world.within(&session, "SELECT 1").await.is_err());
    assert_eq!(world.rows("SELECT count(*) FROM t").await, [["0"]]);
}

#[tokio::test]
async fn there_is_a_most_of_sessions() {
    let world = World::with(RedshiftOptions { active_sessions: 1, ..RedshiftOptions::default() }).await;
    world.open("SELECT 1", 60).await;
    let call = world.client.execute_statement().workgroup_name("wg").database("dev").sql("SELECT 2");
    let error = call.session_keep_alive_seconds(60).send().await.expect_err("one is enough").into_service_error();
    assert!(error.is_active_sessions_exceeded_exception());
}
