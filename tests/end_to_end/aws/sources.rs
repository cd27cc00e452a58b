//! Files under a prefix, what is refused, and what is printed.

use super::world::{Way, World};
use aws_sdk_kinesis::primitives::Blob;

#[tokio::test(flavor = "multi_thread")]
async fn gap_is_filled_by_replay() {
    let world = World::start(Way::Firehose).await;
    world.put(0, 600).await;
    world.run().output().ok();
    world.check_warehouse().await;
    // as if the delivery had lost some rows on its way
    world.account.redshift.sql("delete from events.events where n % 10 = 3").await.unwrap();
    let cursor = "lake/events/_sluice/load/cursor.json";
    world.account.s3.client().delete_object().bucket("sluice-lake").key(cursor).send().await.unwrap();
    let seen = world.sluice("replay").args(["--json", "--dry-run"]).output().ok().account();
    assert_eq!(seen["delivered"]["rows"].as_u64(), Some(57), "{seen}");
    let done = world.sluice("replay").arg("--json").output().ok().account();
    assert_eq!(done["delivered"]["rows"].as_u64(), Some(57), "{done}");
    world.account.firehose.flush().await.unwrap();
    world.sluice("load").output().ok();
    world.check_warehouse().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_that_cannot_be_used_are_set_aside_and_counted() {
    let world = World::start(Way::Lake).await;
    let client = world.account.kinesis.client();
    for data in [&b"\x1f\x8b\x08no gzip"[..], b"{\"k\":\"a\",\"n\":1,\"t\":\"2026-03-01T00:00:00Z\"}", b"nonsense", b""]
    {
        let data = if data.is_empty() { b"\n" } else { data };
        client.put_record().stream_name("events").partition_key("x").data(Blob::new(data)).send().await.unwrap();
    }
    let run = world.run().output().ok().account();
    assert_eq!((run["read"].as_u64(), run["silver"].as_u64()), (Some(3), Some(1)), "{run}");
    assert_eq!(run["reasons"], serde_json::json!({ "payload_compression": 1, "malformed_json": 1 }), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_what_is_there_and_what_is_missing() {
    let world = World::start(Way::Firehose).await;
    let doctor = |world: &World, env: &str| {
        let mut sluice = crate::support::sluice::Sluice::new("aws").arg("doctor").arg(world.pipeline());
        for (name, value) in world.account.variables() {
            sluice = sluice.env(&name, &value);
        }
        sluice.args(["--env", env]).rules(&crate::support::root().join("plugins"))
    };
    world.run().output().ok();
    let outcome = doctor(&world, "aws").output().ok();
    assert!(outcome.stdout.lines().all(|line| !line.starts_with("FAIL")), "{}", outcome.stdout);
    let manifest = std::fs::read_to_string(world.pipeline().join("pipeline.yaml")).unwrap();
    let manifest = manifest.replace("stream: events,", "stream: nowhere,");
    std::fs::write(world.pipeline().join("pipeline.yaml"), manifest).unwrap();
    let outcome = doctor(&world, "aws").output().exits(1);
    assert!(outcome.stdout.contains("FAIL") && outcome.stdout.contains("nowhere"), "{}", outcome.stdout);
}
