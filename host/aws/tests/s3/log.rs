//! The commit log.

use super::{faulty, log, server, store};
use bytes::Bytes;
use sluice_aws::client::Aws;
use sluice_ports::{CommitLog, Entry, EntryKind, Kind, ObjectStore, Put, suite};
use sluice_stand_ins::proxy::{Fault, Rule};

const CUT: Entry = Entry { number: 1, kind: EntryKind::Cut };
const COMMIT: Entry = Entry { number: 1, kind: EntryKind::Commit };
const ABORT: Entry = Entry { number: 1, kind: EntryKind::Abort };

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test]
async fn a_bucket_keeps_the_contract_of_logs() {
    let server = server().await;
    let aws = Aws::for_endpoint(&server.endpoint());
    suite::commit_log(async |place: &str| log(&aws, place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_racing_writers_one_writes_and_the_others_see_its_entry() {
    let server = server().await;
    for round in 0..10 {
        let put = |writer: usize| {
            let log = log(&Aws::for_endpoint(&server.endpoint()), &format!("race-{round}"));
            let entry = [COMMIT, ABORT][writer % 2];
            tokio::spawn(async move { log.put(entry, Bytes::from(format!("writer {writer}"))).await.unwrap() })
        };
        let mut puts = vec![];
        for task in (0..8).map(put).collect::<Vec<_>>() {
            puts.push(task.await.unwrap());
        }
        let winners: Vec<usize> = (0..8).filter(|writer| puts[*writer] == Put::Written).collect();
        let [winner] = winners[..] else { panic!("{puts:?}") };
        let content = Bytes::from(format!("writer {winner}"));
        assert_eq!(puts.iter().filter(|put| **put == Put::Exists(content.clone())).count(), 7, "{puts:?}");
        let log = log(&Aws::for_endpoint(&server.endpoint()), &format!("race-{round}"));
        let entry = [COMMIT, ABORT][winner % 2];
        assert_eq!(log.entries().await.unwrap(), [entry], "a commit and an abort of one number exclude each other");
        assert_eq!(log.get(entry).await.unwrap(), content);
    }
}

#[tokio::test]
async fn a_number_ends_once() {
    let server = server().await;
    let log = log(&Aws::for_endpoint(&server.endpoint()), "end");
    let second = |number, kind| Entry { number, kind };
    assert_eq!(log.put(COMMIT, bytes("c")).await.unwrap(), Put::Written);
    assert_eq!(log.put(ABORT, bytes("a")).await.unwrap(), Put::Exists(bytes("c")), "an abort sees the commit");
    assert_eq!(log.put(second(2, EntryKind::Abort), bytes("a")).await.unwrap(), Put::Written);
    assert_eq!(log.put(second(2, EntryKind::Commit), bytes("c")).await.unwrap(), Put::Exists(bytes("a")));
    assert_eq!(log.entries().await.unwrap(), [COMMIT, second(2, EntryKind::Abort)], "a mark alone makes no abort");
    assert_eq!(log.get(ABORT).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(log.get(second(2, EntryKind::Abort)).await.unwrap(), "a");
    assert_eq!(log.get(second(2, EntryKind::Commit)).await.unwrap_err().kind, Kind::NotFound);
}

#[tokio::test]
async fn a_put_whose_answer_is_lost_is_ones_own_success() {
    let rules = vec![Rule::new("PutObject", Fault::TimeoutAfter).times(1)];
    let (_server, proxy, aws) = faulty(rules).await;
    let log = log(&aws, "lost");
    let put = log.put(CUT, bytes("mine")).await.unwrap();
    assert_eq!(put, Put::Exists(bytes("mine")), "the same bytes are there");
    assert_eq!((proxy.injected().len(), proxy.calls()["PutObject"]), (1, 2));
    assert_eq!(aws.faults().counts().len(), 1, "{:?}", aws.faults().counts());
}

#[tokio::test]
async fn a_put_whose_answers_are_all_lost_is_read_back() {
    let (_server, _proxy, aws) = faulty(vec![Rule::new("PutObject", Fault::TimeoutAfter)]).await;
    let put = log(&aws, "all-lost").put(COMMIT, bytes("mine")).await.unwrap();
    assert_eq!(put, Put::Exists(bytes("mine")));
}

#[tokio::test]
async fn a_put_that_never_arrives_is_not_taken_for_done() {
    let (_server, proxy, aws) = faulty(vec![Rule::new("PutObject", Fault::TimeoutBefore)]).await;
    let log = log(&aws, "never");
    let error = log.put(CUT, bytes("mine")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Retry, "{error}");
    proxy.set_rules(vec![]);
    assert!(log.entries().await.unwrap().is_empty());
    assert_eq!(log.put(CUT, bytes("mine")).await.unwrap(), Put::Written);
}

#[tokio::test]
async fn conflicts_throttles_and_failures_are_tried_again() {
    let conflict = Fault::Custom { status: 409, code: "ConditionalRequestConflict".to_owned() };
    let all = [conflict, Fault::Throttle, Fault::Internal500, Fault::TimeoutBefore, Fault::ExpiredToken];
    let rules = all.iter().map(|fault| Rule::new("PutObject", fault.clone()).times(1)).collect();
    let (_server, proxy, aws) = faulty(rules).await;
    assert_eq!(log(&aws, "conflict").put(CUT, bytes("x")).await.unwrap(), Put::Written);
    let counted: u64 = aws.faults().counts().iter().map(|fault| fault.count).sum();
    assert_eq!((proxy.injected().len(), counted), (5, 5), "one fault event per fault: {:?}", aws.faults().counts());
}

#[tokio::test]
async fn store_and_log_share_a_lake_and_do_not_see_each_other() {
    let server = server().await;
    let aws = Aws::for_endpoint(&server.endpoint());
    let (store, log) = (store(&aws, "both"), log(&aws, "both"));
    let _lease = log.acquire("orders").await.unwrap();
    log.put(CUT, bytes("{}")).await.unwrap();
    store.put("silver/x", bytes("x")).await.unwrap();
    assert_eq!(store.list("").await.unwrap().len(), 1);
    store.clean().await.unwrap();
    assert_eq!(log.entries().await.unwrap(), [CUT]);
    assert_eq!(log.dataset().await.unwrap().as_deref(), Some("orders"));
}
