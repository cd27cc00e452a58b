//! The lease: standing by, taking over, and being refused.

use super::{log, log_for, server};
use bytes::Bytes;
use sluice_aws::client::Aws;
use sluice_aws::s3::{LeaseOptions, S3Lake, S3Log};
use sluice_ports::{CommitLog, Entry, EntryKind, Kind, Lease, PortError, Put};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

const TTL: Duration = Duration::from_secs(2);
const CUT: Entry = Entry { number: 1, kind: EntryKind::Cut };

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Asks until the lease is there, as a standby does; how long it took.
pub(crate) async fn stand_by(log: &S3Log, most: Duration) -> (Box<dyn Lease>, Duration) {
    let begun = Instant::now();
    loop {
        match log.acquire("d").await {
            Ok(lease) => return (lease, begun.elapsed()),
            Err(error) => assert_eq!(error.kind, Kind::Fenced, "{error}"),
        }
        assert!(begun.elapsed() < most, "no lease within {most:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

fn fenced<T>(result: Result<T, PortError>) -> String {
    let error = result.err().expect("another holds the lease");
    assert_eq!(error.kind, Kind::Fenced, "{error}");
    error.message
}

#[tokio::test]
async fn a_held_lease_is_renewed_and_its_holder_is_named() {
    let server = server().await;
    let aws = Aws::for_endpoint(&server.endpoint());
    let first = log_for(&aws, "renewed", TTL);
    let lease = first.acquire("d").await.unwrap();
    let second = log_for(&aws, "renewed", TTL);
    let begun = Instant::now();
    while begun.elapsed() < TTL * 3 {
        let message = fenced(second.acquire("d").await);
        assert!(message.contains(&format!("process {} (fence 1)", std::process::id())), "{message}");
        lease.check().expect("a lease that is renewed holds");
        sleep(Duration::from_millis(200)).await;
    }
    drop(lease);
    first.settled().await;
    assert_eq!(second.acquire("d").await.unwrap().fence(), 2);
}

#[tokio::test]
async fn a_dropped_lease_is_let_go_for_other_processes() {
    let server = server().await;
    let aws = Aws::for_endpoint(&server.endpoint());
    let log = log(&aws, "let-go");
    drop(log.acquire("d").await.unwrap());
    log.settled().await;
    let object = server.client().get_object().bucket("lake").key("let-go/_sluice/lease").send().await.unwrap();
    let text = String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap();
    assert!(text.contains(r#""owner":"","fence":1"#), "{text}");
}

#[test]
fn a_holder_that_stops_renewing_is_taken_over_from() {
    let (servers, holder) = (runtime(), runtime());
    let server = servers.block_on(server());
    let aws = Aws::for_endpoint(&server.endpoint());
    let first = log_for(&aws, "taken", TTL);
    let lease = holder.block_on(first.acquire("d")).unwrap();
    holder.shutdown_background();
    servers.block_on(async {
        let second = log_for(&Aws::for_endpoint(&server.endpoint()), "taken", TTL);
        let (next, waited) = stand_by(&second, TTL * 3).await;
        assert!(waited >= TTL, "nobody is taken over from before its time: {waited:?}");
        assert_eq!(next.fence(), 2);
        let message = fenced(lease.check());
        assert!(message.contains("was not renewed for"), "{message}");
        let late = fenced(first.put(CUT, Bytes::from_static(b"late")).await);
        assert!(late.contains("fence 1"), "{late}");
        assert!(second.entries().await.unwrap().is_empty(), "a fenced put writes nothing");
        assert_eq!(second.put(CUT, Bytes::from_static(b"next")).await.unwrap(), Put::Written);
    });
}

#[test]
fn a_holder_that_slept_past_its_time_is_told_who_took_over() {
    let (servers, holder) = (runtime(), runtime());
    let server = servers.block_on(server());
    let first = log_for(&Aws::for_endpoint(&server.endpoint()), "slept", TTL);
    let lease = holder.block_on(first.acquire("d")).unwrap();
    // nobody drives the holder's tasks while the other takes over
    let second = log_for(&Aws::for_endpoint(&server.endpoint()), "slept", TTL);
    let (next, _) = servers.block_on(stand_by(&second, TTL * 3));
    fenced(lease.check());
    holder.block_on(async { sleep(TTL / 2).await });
    let message = fenced(lease.check());
    assert!(message.contains("was lost") && message.contains("took it (fence 2)"), "{message}");
    fenced(holder.block_on(first.put(CUT, Bytes::from_static(b"late"))));
    next.check().expect("the new holder is not disturbed");
    drop(lease);
    holder.block_on(first.settled());
    servers.block_on(async { sleep(TTL / 2).await });
    next.check().expect("a lost lease that is dropped lets nothing go");
}

#[test]
fn a_holder_that_slept_and_was_not_taken_over_from_goes_on() {
    let (servers, holder) = (runtime(), runtime());
    let server = servers.block_on(server());
    let first = log_for(&Aws::for_endpoint(&server.endpoint()), "nap", TTL);
    let lease = holder.block_on(first.acquire("d")).unwrap();
    std::thread::sleep(TTL + TTL / 2);
    fenced(lease.check());
    holder.block_on(async { sleep(TTL / 2).await });
    lease.check().expect("renewed before anybody took over");
    assert_eq!(holder.block_on(first.put(CUT, Bytes::from_static(b"x"))).unwrap(), Put::Written);
}

#[tokio::test]
async fn fences_grow_past_a_lease_that_was_deleted() {
    let server = server().await;
    let log = log(&Aws::for_endpoint(&server.endpoint()), "deleted");
    drop(log.acquire("d").await.unwrap());
    log.settled().await;
    log.put(CUT, Bytes::from_static(br#"{"number":1,"fence":41}"#)).await.unwrap();
    server.client().delete_object().bucket("lake").key("deleted/_sluice/lease").send().await.unwrap();
    assert_eq!(log.acquire("d").await.unwrap().fence(), 42, "above every fence in the log");
}

#[tokio::test]
async fn a_lease_that_somebody_deletes_is_lost() {
    let server = server().await;
    let log = log_for(&Aws::for_endpoint(&server.endpoint()), "gone", TTL);
    let lease = log.acquire("d").await.unwrap();
    server.client().delete_object().bucket("lake").key("gone/_sluice/lease").send().await.unwrap();
    sleep(TTL).await;
    let message = fenced(lease.check());
    assert!(message.contains("somebody deleted it"), "{message}");
}

/// A process of its own that holds the lease, and puts a commit for each line that it reads.
fn child(endpoint: &str, place: &str, ttl: Duration) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "lease::child_that_holds_the_lease", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("LAKE_ENDPOINT", endpoint).env("LAKE_PLACE", place).env("LAKE_TTL", ttl.as_millis().to_string());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut output, "held under fence 1");
    (child, output)
}

fn wait_for(output: &mut impl BufRead, beginning: &str) -> String {
    let line = output.lines().map_while(Result::ok).find(|line| line.starts_with(beginning));
    line.unwrap_or_else(|| panic!("the child never said `{beginning}`"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs as a child of the tests below"]
async fn child_that_holds_the_lease() {
    let of = |name: &str| std::env::var(name).expect("this runs as a child of another test");
    let options = LeaseOptions { ttl: Duration::from_millis(of("LAKE_TTL").parse().unwrap()), table: None };
    let lake = S3Lake::new("lake", format!("{}/", of("LAKE_PLACE")));
    let log = S3Log::new(Aws::for_endpoint(&of("LAKE_ENDPOINT")), lake, &options);
    let lease = log.acquire("d").await.unwrap();
    println!("\nheld under fence {}", lease.fence());
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let put = log.put(Entry { number: 9, kind: EntryKind::Commit }, Bytes::from(line)).await;
        println!("\nput {:?}", put.map_err(|error| error.kind));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_killed_on_this_machine_is_taken_over_from_at_once() {
    let server = server().await;
    let (mut first, _output) = child(&server.endpoint(), "killed", Duration::from_secs(60));
    let second = log(&Aws::for_endpoint(&server.endpoint()), "killed");
    fenced(second.acquire("d").await);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.acquire("d").await.unwrap().fence(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_stopped_past_its_time_writes_nothing() {
    let server = server().await;
    let (mut first, mut output) = child(&server.endpoint(), "stopped", TTL);
    let signal = |name: &str| {
        let status = Command::new("kill").args([name, &first.id().to_string()]).status().unwrap();
        assert!(status.success());
    };
    signal("-STOP");
    let second = log_for(&Aws::for_endpoint(&server.endpoint()), "stopped", TTL);
    let (next, waited) = stand_by(&second, TTL * 3).await;
    assert!(waited <= TTL * 2, "{waited:?}");
    signal("-CONT");
    writeln!(first.stdin.as_mut().unwrap(), "late").unwrap();
    assert_eq!(wait_for(&mut output, "put "), "put Err(Fenced)");
    assert!(second.entries().await.unwrap().is_empty());
    next.check().unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
}
