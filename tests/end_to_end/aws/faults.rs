//! Calls that fail: throttled, refused, unanswered before and after their effect. The end state is the same, and each fault
//! is told with its operation and request id.

use super::world::{Way, World};
use sluice_stand_ins::account::AccountOptions;
use sluice_stand_ins::proxy::{Fault, Injected, Rule};
use std::collections::BTreeSet;

/// Two of each kind on every call of the run, one after the other.
fn rules() -> Vec<Rule> {
    let operations = [
        "DescribeStreamSummary",
        "ListShards",
        "GetShardIterator",
        "GetRecords",
        "PutObject",
        "GetObject",
        "ListObjectsV2",
        "DeleteObjects",
        "PutRecordBatch",
        "DescribeDeliveryStream",
        "ExecuteStatement",
        "BatchExecuteStatement",
        "DescribeStatement",
        "GetStatementResult",
    ];
    let faults = || [Fault::Throttle, Fault::Internal500, Fault::TimeoutBefore, Fault::TimeoutAfter];
    let mut rules = Vec::new();
    for operation in operations {
        for (place, fault) in faults().into_iter().enumerate() {
            rules.push(Rule::new(operation, fault).skip(place as u64 * 2).times(1));
        }
    }
    rules.push(Rule::new("GetRecords", Fault::ExpiredIterator).skip(9).times(2));
    rules.push(Rule::new("PutRecordBatch", Fault::Partial { one_in: 1 }).skip(6).times(3));
    rules.push(Rule::new("GetRecords", Fault::ExpiredToken).skip(14).times(1));
    rules
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_fault_at_every_call_changes_nothing_and_is_told() {
    for way in [Way::Lake, Way::Firehose] {
        let world = World::start_with(way, AccountOptions { faults: rules(), ..AccountOptions::default() }, "").await;
        world.put(0, 3_000).await;
        let outcome = world.run().output().ok();
        world.account.set_rules(&[]);
        world.check_warehouse().await;
        let injected = world.account.injected();
        assert!(injected.len() >= 30, "{way:?}: only {} faults", injected.len());
        told_once_each(&injected, &outcome.stderr);
    }
}

/// Each fault is told once: by its request id, or where no answer came, by its operation.
#[track_caller]
fn told_once_each(injected: &[Injected], stderr: &str) {
    let events: Vec<&str> = stderr.lines().filter(|line| line.contains("sluice::fault")).collect();
    for fault in injected {
        let Some(id) = fault.request_id.as_deref() else { continue };
        let told = events.iter().filter(|line| line.contains(id)).count();
        assert_eq!(told, 1, "{fault:?}:\n{stderr}");
    }
    let operations: BTreeSet<&str> = injected.iter().map(|fault| fault.operation.as_str()).collect();
    for operation in operations {
        let of = injected.iter().filter(|fault| fault.operation == operation).count();
        let told = events.iter().filter(|line| line.contains(&format!("{operation}\""))).count();
        assert!(told >= of, "{operation}: {told} of {of} are told:\n{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn putting_under_faults_with_dedup_on_leaves_each_record_once() {
    let rules = vec![
        Rule::new("PutRecords", Fault::TimeoutAfter).skip(1).times(2),
        Rule::new("PutRecords", Fault::Throttle).skip(3).times(1),
        Rule::new("PutRecords", Fault::Internal500).skip(5).times(1),
        Rule::new("PutRecords", Fault::Partial { one_in: 4 }).skip(6).times(2),
    ];
    let added = "dedup: { columns: [k, n, t], window: 1h }";
    let world =
        World::start_with(Way::Lake, AccountOptions { faults: rules, ..AccountOptions::default() }, added).await;
    let file = world.pipeline().join("events.ndjson");
    let lines: String =
        (0..4_000).map(|n| format!("{{\"k\":\"a\",\"n\":{n},\"t\":\"2026-03-01T00:00:00Z\"}}\n")).collect();
    std::fs::write(&file, lines).unwrap();
    let put = world.sluice("put").arg(&file).args(["--json", "--record-bytes", "0", "--concurrency", "2"]);
    let put = put.output().ok().account();
    assert!(put["unknown"].as_u64().unwrap() > 0 && put["retried"].as_u64().unwrap() > 0, "{put}");
    world.account.set_rules(&[]);
    let run = world.run().output().ok().account();
    let doubles = run["reasons"]["duplicate"].as_u64().unwrap_or(0);
    assert!(doubles > 0, "{run}");
    let rows = world.account.redshift.sql("select count(*), count(distinct n) from events.events").await.unwrap();
    assert_eq!(rows[0], [Some("4000".to_owned()), Some("4000".to_owned())]);
}
