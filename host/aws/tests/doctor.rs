//! The doctor against servers that stand in for AWS. What it says of each account stands under `doctor`, a file each;
//! `SLUICE_BLESS=1` writes it anew.

use sluice_aws::client::Aws;
use sluice_aws::client::tests_support::Endpoints;
use sluice_aws::doctor::{Check, Options, Status, json, run, text, worst};
use sluice_aws::plan::{FirehoseNeeds, KinesisNeeds, LakeNeeds, Needs, S3SourceNeeds};
use sluice_stand_ins::firehose::{FirehoseOptions, FirehoseServer, StreamSpec};
use sluice_stand_ins::kinesis::KinesisServer;
use sluice_stand_ins::s3::S3Server;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

struct Account {
    s3: S3Server,
    kinesis: KinesisServer,
    firehose: FirehoseServer,
    aws: Aws,
}

impl Account {
    async fn empty() -> Self {
        let (s3, kinesis) = (S3Server::start().await.unwrap(), KinesisServer::start().await.unwrap());
        let options = FirehoseOptions { s3_endpoint: s3.endpoint(), ..FirehoseOptions::default() };
        let firehose = FirehoseServer::start(options).await.unwrap();
        let aws = Aws::for_endpoints(Endpoints {
            s3: Some(s3.endpoint()),
            kinesis: Some(kinesis.endpoint()),
            firehose: Some(firehose.endpoint()),
            ..Endpoints::default()
        });
        Self { s3, kinesis, firehose, aws }
    }

    async fn furnished() -> Self {
        let account = Self::empty().await;
        account.s3.create_bucket("lake").await.unwrap();
        account.s3.create_bucket("landing").await.unwrap();
        account.kinesis.create_stream("orders", 4).await.unwrap();
        account.firehose.create_stream(&delivery("firehose/orders/", true)).unwrap();
        account
    }

    async fn doctor(&self, needs: &Needs) -> Vec<Check> {
        run(&self.aws, needs, Options { max_record_bytes: Some(1 << 20), others: Vec::new() }).await
    }

    async fn keys(&self) -> Vec<String> {
        let listed = self.s3.client().list_objects_v2().bucket("lake").send().await.unwrap();
        listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    async fn put(&self, key: &str, text: &'static str) {
        let body = text.as_bytes().to_vec().into();
        self.s3.client().put_object().bucket("lake").key(key).body(body).send().await.unwrap();
    }
}

fn delivery(prefix: &str, gzip: bool) -> StreamSpec {
    StreamSpec {
        name: "orders-silver".to_owned(),
        bucket: "lake".to_owned(),
        prefix: Some(prefix.to_owned()),
        error_prefix: Some("errors/orders/!{firehose:error-output-type}/".to_owned()),
        interval_seconds: Some(60),
        gzip,
        ..StreamSpec::default()
    }
}

fn needs() -> Needs {
    Needs {
        dataset: "orders".to_owned(),
        kinesis: Some(KinesisNeeds { stream: "orders".to_owned(), fan_out: None }),
        firehose: Some(FirehoseNeeds {
            stream: "orders-silver".to_owned(),
            bucket: "lake".to_owned(),
            prefix: "firehose/orders/".to_owned(),
            error_prefix: "errors/orders/".to_owned(),
        }),
        lake: LakeNeeds { bucket: "lake".to_owned(), prefix: "lake/orders/".to_owned(), ..LakeNeeds::default() },
        ..Needs::default()
    }
}

/// The check of this name.
fn of<'c>(checks: &'c [Check], name: &str) -> &'c Check {
    let found = checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("no check `{name}` in\n{}", text(checks)))
}

/// Compares with what is expected; ids of requests and of probes are other ones each time.
fn expect(name: &str, checks: &[Check]) {
    let said = masked(&masked(&text(checks), "(request `", "`"), "_sluice/probe/", "`");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doctor").join(name);
    if std::env::var_os("SLUICE_BLESS").is_some() {
        fs::write(&file, &said).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(expected == said, "{}: other than expected (SLUICE_BLESS=1 takes it over):\n{said}", file.display());
}

fn masked(text: &str, before: &str, after: &str) -> String {
    let mut parts = text.split(before);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |done, part| done + before + "ID" + part.find(after).map_or("", |end| &part[end..]))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_fits_is_found_well_and_left_as_it_was() {
    let account = Account::furnished().await;
    let checks = account.doctor(&needs()).await;
    expect("fits.txt", &checks);
    // A stream keeps records for a day where nobody says otherwise.
    assert_eq!(worst(&checks), Status::Warn);
    assert_eq!(account.keys().await, [""; 0], "the probe was deleted");
    assert_eq!(account.aws.faults().counts(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_missing_is_said_at_once() {
    let account = Account::empty().await;
    let checks = account.doctor(&needs()).await;
    expect("missing.txt", &checks);
    assert_eq!(worst(&checks), Status::Fail);
    assert!(checks.iter().all(|check| check.status == Status::Fail), "{}", text(&checks));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_is_looked_for_where_fan_out_is_asked() {
    let account = Account::furnished().await;
    let kinesis = Some(KinesisNeeds { stream: "orders".to_owned(), fan_out: Some("sluice".to_owned()) });
    let checks = account.doctor(&Needs { kinesis, ..needs() }).await;
    assert_eq!(of(&checks, "consumer `sluice` of stream `orders`").found, "not registered; the first run registers it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_stream_that_writes_elsewhere_is_a_failure() {
    let account = Account::furnished().await;
    let mut needs = needs();
    if let Some(firehose) = &mut needs.firehose {
        firehose.prefix = "elsewhere/".to_owned();
    }
    let checks = account.doctor(&needs).await;
    let check = of(&checks, "delivery stream `orders-silver`");
    assert_eq!(check.status, Status::Fail);
    assert!(check.found.contains("its prefix is `firehose/orders/`, the environment says `elsewhere/`"), "{check:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_delivered_is_a_warning() {
    let account = Account::furnished().await;
    account.put("errors/orders/processing-failed/1", "x").await;
    let checks = account.doctor(&needs()).await;
    let check = of(&checks, "`s3://lake/errors/orders/`");
    assert_eq!(check.status, Status::Warn);
    assert_eq!(check.found, "something could not be delivered: `errors/orders/processing-failed/1`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_of_another_dataset_is_a_failure() {
    let account = Account::furnished().await;
    account.put("lake/orders/_sluice/dataset", "invoices\n").await;
    let checks = account.doctor(&needs()).await;
    let check = of(&checks, "`s3://lake/lake/orders/`, dataset");
    assert_eq!(check.status, Status::Fail);
    assert_eq!(check.found, "the lake of dataset `invoices`, not of `orders`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_as_the_source_is_looked_at() {
    let account = Account::furnished().await;
    let landing = |bucket: &str| {
        let source = S3SourceNeeds { bucket: bucket.to_owned(), prefix: "in/".to_owned(), queue: None };
        Needs { kinesis: None, firehose: None, s3_source: Some(source), ..needs() }
    };
    let found = account.doctor(&landing("landing")).await;
    assert_eq!(of(&found, "source `s3://landing/in/`").found, "can be listed, and is empty");
    assert_eq!(worst(&found), Status::Ok, "{}", text(&found));
    let missing = account.doctor(&landing("nowhere")).await;
    assert_eq!(of(&missing, "source `s3://nowhere/in/`").status, Status::Fail);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_found_stands_last() {
    let account = Account::furnished().await;
    let other = Check::new(Status::Warn, "isolation", "SERIALIZABLE", Some("use SNAPSHOT"));
    let options = Options { max_record_bytes: None, others: vec![other.clone()] };
    let checks = run(&account.aws, &needs(), options).await;
    assert_eq!(checks.last(), Some(&other));
    let parsed: Vec<serde_json::Value> = serde_json::from_str(&json(&checks)).unwrap();
    assert_eq!(parsed.len(), checks.len());
}

/// A store that answers every request by `answer`: from method and target to status and body.
fn store(answer: fn(&str, &str) -> (u16, &'static str)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || serve(&stream, answer));
        }
    });
    url
}

fn serve(stream: &TcpStream, answer: fn(&str, &str) -> (u16, &'static str)) {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let length = head(&mut reader);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (status, body) = answer(method, target);
        let kind = if body.starts_with('<') { "application/xml" } else { "binary/octet-stream" };
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\ncontent-type: {kind}\r\n\r\n", body.len());
        writer.write_all(format!("{head}{body}").as_bytes()).unwrap();
    }
}

/// Reads the headers; the length of the body.
fn head(reader: &mut impl BufRead) -> usize {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => return length,
        }
    }
}

fn lake_only() -> Needs {
    Needs { kinesis: None, firehose: None, ..needs() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_overwrites_on_condition_that_there_is_none_is_a_failure() {
    let url = store(|method, target| match (method, target) {
        ("GET", target) if target.contains("?location") => (200, "<LocationConstraint>eu-west-1</LocationConstraint>"),
        ("GET", target) if target.contains("list-type=2") => (200, "<ListBucketResult></ListBucketResult>"),
        ("GET", target) if target.contains("_sluice/dataset") => (404, "<Error><Code>NoSuchKey</Code></Error>"),
        ("GET", _) => (200, "Written and deleted again by `sluice aws doctor`.\n"),
        ("POST", _) => (200, "<DeleteResult></DeleteResult>"),
        _ => (200, ""),
    });
    let checks = run(&Aws::for_endpoint(&url), &lake_only(), Options::default()).await;
    expect("no-conditions.txt", &checks);
    assert_eq!(of(&checks, "`s3://lake/lake/orders/`, conditional writes").status, Status::Fail);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_names_the_action() {
    let url = store(|_, target| match target.contains("?location") {
        true => (200, "<LocationConstraint>eu-west-1</LocationConstraint>"),
        false => (403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"),
    });
    let checks = run(&Aws::for_endpoint(&url), &lake_only(), Options::default()).await;
    expect("denied.txt", &checks);
    let writing = of(&checks, "`s3://lake/lake/orders/`, writing");
    assert!(writing.found.contains("needs the IAM action `s3:PutObject`"), "{writing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_another_region_is_a_failure() {
    let url = store(|_, _| (200, "<LocationConstraint>us-west-2</LocationConstraint>"));
    let checks = run(&Aws::for_endpoint(&url), &lake_only(), Options::default()).await;
    assert_eq!(checks.len(), 1);
    assert_eq!(
        (checks[0].status, checks[0].found.as_str()),
        (Status::Fail, "in `us-west-2`, and calls go to `eu-west-1`")
    );
}
