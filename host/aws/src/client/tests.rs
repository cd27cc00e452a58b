//! What failed calls come to, against a server that fails as it is told.

use super::scripted::{Reply, Scripted, json_error, xml_error};
use super::*;
use aws_sdk_s3::types::CompletedMultipartUpload;
use sluice_ports::{Kind, PortError};
use std::fmt::Debug;
use std::sync::Mutex;
use std::time::Duration;
use tests_support::{Endpoints, options};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

fn once(server: &Scripted) -> Aws {
    Aws::for_endpoints_with(Endpoints::all(&server.url), &AwsOptions { attempts: 1, ..options() })
}

/// One call to a server that gives one answer.
async fn failure_of(service: &str, reply: impl Fn() -> Reply + Send + Sync + 'static) -> (Class, PortError) {
    let server = Scripted::start(move |_, _| reply());
    let aws = once(&server);
    fn of<T, E, R>(operation: &str, result: std::result::Result<T, SdkError<E, R>>) -> (Class, PortError)
    where
        T: Debug,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: Answer + Debug + Send + Sync + 'static,
    {
        let error = result.expect_err("the server fails every call");
        (class_of(&error), classify(operation, "`the thing`", error))
    }
    match service {
        "kinesis" => of("GetRecords", aws.kinesis().get_records().shard_iterator("x").send().await),
        "firehose" => of("DescribeDeliveryStream", {
            aws.firehose().describe_delivery_stream().delivery_stream_name("x").send().await
        }),
        "dynamodb" => of("GetItem", {
            aws.dynamodb()
                .get_item()
                .table_name("x")
                .key("k", aws_sdk_dynamodb::types::AttributeValue::S("v".into()))
                .send()
                .await
        }),
        "data" => of("DescribeStatement", aws.redshift_data().describe_statement().id("x").send().await),
        "head" => of("HeadObject", aws.s3().head_object().bucket("b").key("k").send().await),
        "complete" => of("CompleteMultipartUpload", {
            let parts = CompletedMultipartUpload::builder().build();
            aws.s3()
                .complete_multipart_upload()
                .bucket("b")
                .key("k")
                .upload_id("u")
                .multipart_upload(parts)
                .send()
                .await
        }),
        _ => of("PutObject", aws.s3().put_object().bucket("b").key("k").send().await),
    }
}

#[tokio::test]
async fn each_failure_has_its_class_and_kind() {
    let json = |status, code: &'static str| move || json_error(status, code, "why");
    let xml = |status, code: &'static str| move || xml_error(status, code, "why");
    let check = async |service: &str, got: (Class, PortError), class: Class, kind: Kind| {
        assert_eq!((got.0, got.1.kind), (class, kind), "{service}: {}", got.1);
        got.1.message
    };
    macro_rules! case {
        ($service:literal, $reply:expr, $class:ident, $kind:ident) => {
            check($service, failure_of($service, $reply).await, Class::$class, Kind::$kind).await
        };
    }
    case!("kinesis", json(400, "ProvisionedThroughputExceededException"), Throttle, Retry);
    case!("kinesis", json(400, "KMSThrottlingException"), Throttle, Retry);
    case!("kinesis", json(400, "ExpiredIteratorException"), Permanent, Fatal);
    case!("kinesis", json(400, "ResourceNotFoundException"), Missing, NotFound);
    case!("kinesis", json(400, "ExpiredTokenException"), Expired, Denied);
    case!("kinesis", json(500, "InternalFailure"), Transient, Retry);
    case!("firehose", json(500, "ServiceUnavailableException"), Transient, Retry);
    case!("firehose", json(400, "InvalidArgumentException"), Permanent, Fatal);
    case!("dynamodb", json(400, "ConditionalCheckFailedException"), Conflict, Fenced);
    case!("data", json(400, "ActiveStatementsExceededException"), Throttle, Retry);
    case!("data", json(500, "DatabaseConnectionException"), Transient, Retry);
    case!("s3", xml(503, "SlowDown"), Throttle, Retry);
    case!("s3", xml(500, "InternalError"), Transient, Retry);
    case!("s3", xml(409, "ConditionalRequestConflict"), Transient, Retry);
    case!("s3", xml(412, "PreconditionFailed"), Conflict, Fenced);
    case!("s3", xml(404, "NoSuchKey"), Missing, NotFound);
    case!("s3", xml(404, "NoSuchBucket"), Permanent, Fatal);
    case!("s3", || Reply::Answer(502, "<html>a proxy's page</html>".into()), Transient, Retry);
    case!("complete", xml(200, "PreconditionFailed"), Conflict, Fenced);
    case!("complete", xml(200, "InternalError"), Transient, Retry);
    case!("head", || Reply::Answer(404, String::new()), Missing, NotFound);
    case!("head", || Reply::Answer(403, String::new()), Denied, Denied);
    case!("head", || Reply::Answer(400, String::new()), Expired, Denied);
    case!("s3", xml(400, "InvalidRequest"), Permanent, Fatal);
    case!("s3", || Reply::Close, Transient, Retry);
    let denied = case!("kinesis", json(400, "AccessDeniedException"), Denied, Denied);
    assert_eq!(
        denied,
        "GetRecords of `the thing` failed: AccessDeniedException: why (request `request-1`); needs the IAM action \
         `kinesis:GetRecords` on `the thing`"
    );
    let key = case!("kinesis", json(400, "KMSAccessDeniedException"), Denied, Denied);
    assert!(key.contains("`kms:Decrypt`"), "{key}");
    let signed =
        || json_error(400, "InvalidSignatureException", "the canonical string was x-amz-security-token:SECRET");
    let signed = case!("kinesis", signed, Denied, Denied);
    assert!(!signed.contains("SECRET") && signed.contains("check the access key"), "{signed}");
}

#[tokio::test]
async fn a_call_is_made_again_until_it_succeeds_and_each_failure_is_counted() {
    let server = Scripted::start(|number, _| match number {
        1 => xml_error(503, "SlowDown", "slower"),
        2 => Reply::Close,
        3 => xml_error(500, "InternalError", "again"),
        _ => Reply::Answer(200, String::new()),
    });
    let aws = Aws::for_endpoint(&server.url);
    let call = || aws.s3().put_object().bucket("b").key("k").send();
    retry(aws.retry(), "PutObject", "`s3://b/k`", call).await.unwrap();
    assert_eq!(server.requests(), 4, "the SDK makes no attempts of its own");
    let fault = |code: &str, class| FaultCount { operation: "PutObject".into(), code: code.into(), class, count: 1 };
    let all = [
        fault("InternalError", Class::Transient),
        fault("SlowDown", Class::Throttle),
        fault("dispatch", Class::Transient),
    ];
    assert_eq!(aws.faults().counts(), all);
}

#[tokio::test]
async fn attempts_and_time_are_limited() {
    let server = Scripted::start(|_, _| xml_error(503, "SlowDown", "slower"));
    let aws = Aws::for_endpoint(&server.url);
    let call = || aws.s3().put_object().bucket("b").key("k").send();
    let error = retry(&aws.retry().clone().with_attempts(3), "PutObject", "`x`", call).await.unwrap_err();
    assert_eq!((error.kind, server.requests()), (Kind::Retry, 3), "{error}");
    assert!(error.message.contains("gave up after 3 attempts"), "{error}");
    let short = aws.retry().clone().with_backoff(Duration::from_secs(50), Duration::from_secs(50)).with_seed(1);
    retry(&short.with_budget(Duration::from_millis(1)), "PutObject", "`x`", call).await.unwrap_err();
    assert_eq!(server.requests(), 4, "what does not fit the budget is not waited for");
}

#[tokio::test]
async fn a_call_that_is_not_allowed_any_more_is_not_made_again() {
    let server = Scripted::start(|_, _| xml_error(503, "SlowDown", "slower"));
    let aws = Aws::for_endpoint(&server.url);
    let allowed = || match server.requests() {
        0 | 1 => Ok(()),
        _ => Err(PortError::new(Kind::Fenced, "lost")),
    };
    let call = || aws.s3().put_object().bucket("b").key("k").send();
    let error = retry_while(aws.retry(), "PutObject", "`x`", allowed, call).await.unwrap_err();
    assert_eq!((error.kind, server.requests()), (Kind::Fenced, 2));
}

#[tokio::test]
async fn an_attempt_without_an_answer_times_out() {
    let server = Scripted::start(|number, _| match number {
        1 => Reply::Silence(Duration::from_secs(5)),
        _ => Reply::Answer(200, "{\"ShardIterator\":\"i\"}".into()),
    });
    let options = AwsOptions { attempt_timeout: Duration::from_millis(200), ..options() };
    let aws = Aws::for_endpoints_with(Endpoints::all(&server.url), &options);
    let call = || {
        let kind = aws_sdk_kinesis::types::ShardIteratorType::TrimHorizon;
        aws.kinesis().get_shard_iterator().stream_name("s").shard_id("x").shard_iterator_type(kind).send()
    };
    let begun = std::time::Instant::now();
    retry(aws.retry(), "GetShardIterator", "`s`", call).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(aws.faults().counts()[0].code, "timeout");
}

#[tokio::test]
async fn answers_that_are_reckoned_with_are_no_faults() {
    let server = Scripted::start(|_, _| xml_error(404, "NoSuchKey", "none"));
    let aws = Aws::for_endpoint(&server.url);
    let call = || aws.s3().get_object().bucket("b").key("k").send();
    assert_eq!(retry(aws.retry(), "GetObject", "`x`", call).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!((aws.faults().counts(), server.requests()), (vec![], 1));
}

/// A profile whose credentials come from a process that gives KEY1, then KEY2, and so on.
fn profile(folder: &std::path::Path, endpoint: &str) -> AwsOptions {
    let (script, config) = (folder.join("credentials.sh"), folder.join("config"));
    let count = folder.join("count");
    let text = format!(
        "echo x >> {0}\nn=$(wc -l < {0})\necho \"{{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"KEY$n\\\",\\\"SecretAccessKey\\\":\\\"s\\\",\
         \\\"SessionToken\\\":\\\"t\\\",\\\"Expiration\\\":\\\"2199-01-01T00:00:00Z\\\"}}\"\n",
        count.display()
    );
    std::fs::write(&script, text).unwrap();
    let text = format!(
        "[profile p]\nregion = eu-west-1\nendpoint_url = {endpoint}\ncredential_process = sh {}\n",
        script.display()
    );
    std::fs::write(&config, text).unwrap();
    AwsOptions { profile: Some("p".into()), config_file: Some(config), ..options() }
}

#[tokio::test]
async fn expired_credentials_are_fetched_anew_once_for_all_calls() {
    let server = Scripted::start(|_, request| match request.contains("Credential=KEY1/") {
        true => xml_error(400, "ExpiredToken", "The provided token has expired."),
        false => Reply::Answer(200, String::new()),
    });
    let folder = tempfile::tempdir().unwrap();
    let aws = Aws::load(profile(folder.path(), &server.url)).await.unwrap();
    let put = |aws: Aws, key: String| async move {
        let call = || aws.s3().put_object().bucket("b").key(&key).send();
        retry(aws.retry(), "PutObject", "`x`", call).await
    };
    let calls: Vec<_> = (0..8).map(|i| tokio::spawn(put(aws.clone(), i.to_string()))).collect();
    for call in calls {
        call.await.unwrap().expect("new credentials are good");
    }
    put(aws.clone(), "again".into()).await.unwrap();
    let fetched = std::fs::read_to_string(folder.path().join("count")).unwrap().lines().count();
    assert_eq!(fetched, 2, "credentials are kept until they are refused, and refused once");
    assert!(aws.faults().of("PutObject") >= 1);
}

#[tokio::test]
async fn credentials_that_stay_expired_end_in_a_way_out() {
    let server = Scripted::start(|_, _| json_error(400, "ExpiredTokenException", "expired"));
    let folder = tempfile::tempdir().unwrap();
    let aws = Aws::load(profile(folder.path(), &server.url)).await.unwrap();
    let call = || aws.kinesis().get_records().shard_iterator("x").send();
    let error = retry(aws.retry(), "GetRecords", "`s`", call).await.unwrap_err();
    assert_eq!((error.kind, server.requests()), (Kind::Denied, 3), "{error}");
    assert!(error.message.contains("sign in again"), "{error}");
}

#[tokio::test]
async fn a_profile_without_credentials_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::write(
        &config,
        "[profile p]\nregion = eu-west-1\nendpoint_url = http://127.0.0.1:9\ncredential_process = false\n",
    )
    .unwrap();
    let options = AwsOptions { profile: Some("p".into()), config_file: Some(config), ..options() };
    let aws = Aws::load(options).await.unwrap();
    assert_eq!(aws.region(), "eu-west-1");
    let call = || aws.kinesis().get_records().shard_iterator("x").send();
    let error = retry(aws.retry(), "GetRecords", "`s`", call).await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied, "{error}");
    assert!(error.message.contains("credentials"), "{error}");
}

#[test]
fn waits_grow_within_bounds_and_are_the_same_for_a_seed() {
    let aws = Aws::for_endpoint("http://127.0.0.1:9");
    let policy = || aws.retry().clone().with_backoff(Duration::from_millis(100), Duration::from_secs(20)).with_seed(7);
    let waits = |class| (1..40).map(|attempt| policy().wait(attempt, class)).collect::<Vec<_>>();
    assert_eq!(waits(Class::Transient), waits(Class::Transient));
    for (index, wait) in waits(Class::Transient).into_iter().enumerate() {
        assert!(wait <= Duration::from_millis(100 << index.min(10)).min(Duration::from_secs(20)), "{index}: {wait:?}");
    }
    let (base, seeded) = (policy(), policy());
    assert!(base.wait(1, Class::Transient) * 3 < seeded.wait(1, Class::Throttle), "throttled calls wait longer");
}

/// Keeps the fields of events.
#[derive(Default)]
struct Collector(Mutex<Vec<String>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Subscriber for &'static Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sluice::fault"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = event.metadata().level().to_string();
        event.record(&mut Fields(&mut text));
        self.0.lock().unwrap().push(text);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn each_failed_attempt_leaves_an_event_with_its_request_id() {
    let collector: &'static Collector = Box::leak(Box::default());
    let _guard = tracing::subscriber::set_default(collector);
    let server = Scripted::start(|number, _| match number {
        1 => json_error(400, "ProvisionedThroughputExceededException", "slower"),
        _ => Reply::Answer(200, "{\"Records\":[],\"MillisBehindLatest\":0}".into()),
    });
    let aws = Aws::for_endpoint(&server.url);
    let call = || aws.kinesis().get_records().shard_iterator("x").send();
    retry(aws.retry(), "GetRecords", "`s`", call).await.unwrap();
    let events = collector.0.lock().unwrap().clone();
    assert_eq!(
        events,
        [
            "WARN message=GetRecords failed: ProvisionedThroughputExceededException (attempt 1) operation=\"GetRecords\" \
          request_id=\"request-1\" code=\"ProvisionedThroughputExceededException\" class=\"throttle\" attempt=1"
        ]
    );
}
