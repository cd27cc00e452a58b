//! The command `sluice-stand-ins`, as a developer calls it.

use aws_sdk_s3::primitives::ByteStream;
use sluice_stand_ins::account::{Account, AccountOptions, BUCKET, DELIVERY_STREAM, SHARDS, STREAM};
use sluice_stand_ins::proxy::{Fault, Rule};
use sluice_stand_ins::{kinesis, s3};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sluice-stand-ins");

#[tokio::test]
async fn an_account_has_what_the_retail_pipeline_needs() {
    let account = Account::start(AccountOptions::default()).await.unwrap();
    let variables: BTreeMap<String, String> = account.variables().into_iter().collect();
    let client = s3::client(&variables["AWS_ENDPOINT_URL_S3"]);
    client.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"v")).send().await.unwrap();
    let client = kinesis::client(&variables["AWS_ENDPOINT_URL_KINESIS"]);
    let shards = client.list_shards().stream_name(STREAM).send().await.unwrap();
    assert_eq!(shards.shards().len(), SHARDS as usize);
    assert_eq!(account.redshift.sql("select 1").await.unwrap(), [[Some("1".to_owned())]]);
    assert!(variables["AWS_ENDPOINT_URL_FIREHOSE"].starts_with("http://127.0.0.1:"), "{DELIVERY_STREAM}");
    assert!(!variables.contains_key("AWS_ENDPOINT_URL_DYNAMODB"));
}

#[tokio::test]
async fn an_account_with_faults_fails_by_its_rules() {
    let faults = vec![Rule::new("ListShards", Fault::ExpiredToken).times(1)];
    let account = Account::start(AccountOptions { faults, ..AccountOptions::default() }).await.unwrap();
    let variables: BTreeMap<String, String> = account.variables().into_iter().collect();
    let client = kinesis::client(&variables["AWS_ENDPOINT_URL_KINESIS"]);
    assert!(client.list_shards().stream_name(STREAM).send().await.is_err());
    client.list_shards().stream_name(STREAM).send().await.unwrap();
    assert_eq!(account.injected().len(), 1);
}

#[test]
fn run_gives_the_environment_and_the_exit_code() {
    let script = "test -n \"$AWS_ENDPOINT_URL_S3\" && test -n \"$AWS_ENDPOINT_URL_REDSHIFT_DATA\" && \
                  test \"$AWS_REGION\" = eu-west-1 && test -z \"$AWS_PROFILE\" && exit 7";
    let mut command = Command::new(PROGRAM);
    command.args(["run", "--", "sh", "-c", script]).env("AWS_PROFILE", "of-the-developer");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn run_names_a_command_that_is_not_there() {
    let output = Command::new(PROGRAM).args(["run", "--", "no-such-command"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error: `no-such-command`"));
}

#[test]
fn up_writes_the_environment_and_ends_by_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ports");
    let mut command = Command::new(PROGRAM);
    command.args(["up", "--firehose-interval", "0", "--port-file"]).arg(&file);
    let mut child = command.arg("--dir").arg(folder.path().join("s3")).stdout(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !file.exists() {
        assert!(child.try_wait().unwrap().is_none() && Instant::now() < deadline, "no port file");
        std::thread::sleep(Duration::from_millis(20));
    }
    let lines = fs::read_to_string(&file).unwrap();
    assert!(lines.lines().all(|line| line.starts_with("export AWS_")), "{lines}");
    let ended = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(ended.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), lines);
}
