//! Everything at once, through calls that fail.

use super::{faulty, log_for, store};
use bytes::Bytes;
use sluice_ports::{CommitLog, Entry, EntryKind, ObjectStore, Put};
use sluice_stand_ins::proxy::{Fault, Rule};
use std::time::Duration;

/// Each call fails one time in five, in one of four ways.
fn storm() -> Vec<Rule> {
    let kinds = [Fault::Throttle, Fault::Internal500, Fault::TimeoutBefore, Fault::TimeoutAfter];
    kinds.into_iter().zip(1..).map(|(fault, seed)| Rule::new("*", fault).probability(0.05, seed)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_faults_changes_nothing_of_what_is_written() {
    let (_server, proxy, aws) = faulty(storm()).await;
    let (log, store) = (log_for(&aws, "storm", Duration::from_secs(5)), store(&aws, "storm"));
    let lease = log.acquire("d").await.unwrap();
    for number in 1..=40 {
        let content = Bytes::from(format!("entry {number}"));
        store.put(&format!("silver/{number:03}"), content.clone()).await.unwrap();
        for kind in [EntryKind::Cut, if number % 5 == 0 { EntryKind::Abort } else { EntryKind::Commit }] {
            match log.put(Entry { number, kind }, content.clone()).await.unwrap() {
                Put::Written => {}
                Put::Exists(there) => assert_eq!(there, content, "what exists is one's own"),
            }
        }
    }
    let gone: Vec<String> = (1..=10).map(|number| format!("silver/{number:03}")).collect();
    store.delete(&gone).await.unwrap();
    lease.check().unwrap();
    drop(lease);
    log.settled().await;
    let (injected, counted) = (proxy.injected().len() as u64, aws.faults().counts());
    assert!(injected > 10, "{injected}");
    assert_eq!(counted.iter().map(|fault| fault.count).sum::<u64>(), injected, "one event per fault: {counted:?}");
    proxy.set_rules(vec![]);
    let entries = log.entries().await.unwrap();
    assert_eq!(entries.len(), 80);
    assert_eq!(entries.iter().filter(|entry| entry.kind == EntryKind::Abort).count(), 8);
    assert_eq!(store.list("").await.unwrap().len(), 30);
    assert_eq!(log.acquire("d").await.unwrap().fence(), 2);
}
