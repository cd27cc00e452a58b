//! A server, a bucket and a client.

use aws_sdk_redshiftdata::Client;
use aws_sdk_redshiftdata::config::retry::RetryConfig;
use aws_sdk_redshiftdata::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_redshiftdata::operation::describe_statement::DescribeStatementOutput;
use aws_sdk_redshiftdata::types::{Field, StatusString};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use sluice_stand_ins::redshift::{RedshiftOptions, RedshiftServer};
use sluice_stand_ins::s3::{ACCESS_KEY, REGION, S3Server};

/// The role that COPY uses.
pub(crate) const ROLE: &str = "IAM_ROLE 'arn:aws:iam::123456789012:role/copy'";

/// The bucket.
pub(crate) const BUCKET: &str = "lake";

pub(crate) struct World {
    pub(crate) server: RedshiftServer,
    pub(crate) client: Client,
    pub(crate) s3: S3Server,
}

/// A client that tries once.
pub(crate) fn client(endpoint: &str) -> Client {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new(ACCESS_KEY, ACCESS_KEY, None, None, "tests"))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(RedshiftOptions::default()).await
    }

    pub(crate) async fn with(options: RedshiftOptions) -> Self {
        let s3 = S3Server::start().await.expect("the S3 server starts");
        s3.create_bucket(BUCKET).await.expect("a bucket");
        let options = RedshiftOptions { s3_endpoint: s3.endpoint(), ..options };
        let server = RedshiftServer::start(options).await.expect("the server starts");
        Self { client: client(&server.endpoint()), server, s3 }
    }

    /// Submits a statement; its id.
    pub(crate) async fn submit(&self, sql: &str) -> String {
        let call = self.client.execute_statement().workgroup_name("wg").database("dev").sql(sql);
        let answer = call.send().await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        answer.id.expect("an id")
    }

    /// Submits a batch; its id.
    pub(crate) async fn submit_batch(&self, sqls: &[&str]) -> String {
        let sqls = sqls.iter().map(|sql| (*sql).to_owned()).collect();
        let call = self.client.batch_execute_statement().workgroup_name("wg").database("dev").set_sqls(Some(sqls));
        call.send().await.expect("it is taken in").id.expect("an id")
    }

    /// Waits for the end of a statement.
    pub(crate) async fn end(&self, id: &str) -> DescribeStatementOutput {
        let answer = self.client.describe_statement().id(id).wait_time_seconds(30).send().await;
        answer.expect("the statement is known")
    }

    /// Runs a statement to its end.
    pub(crate) async fn run(&self, sql: &str) -> DescribeStatementOutput {
        let id = self.submit(sql).await;
        self.end(&id).await
    }

    /// Runs a statement that must succeed.
    pub(crate) async fn done(&self, sql: &str) -> DescribeStatementOutput {
        let end = self.run(sql).await;
        assert_eq!(end.status, Some(StatusString::Finished), "{sql}: {:?}", end.error);
        end
    }

    /// Runs statements that must succeed, one by one.
    pub(crate) async fn all_done(&self, sqls: &[&str]) {
        for sql in sqls {
            self.done(sql).await;
        }
    }

    /// Runs a statement that must fail; what it says.
    pub(crate) async fn refused(&self, sql: &str) -> String {
        let end = self.run(sql).await;
        assert_eq!(end.status, Some(StatusString::Failed), "{sql}");
        end.error.expect("a failure says why")
    }

    /// Runs a batch to its end.
    pub(crate) async fn batch(&self, sqls: &[&str]) -> DescribeStatementOutput {
        let id = self.submit_batch(sqls).await;
        self.end(&id).await
    }

    /// Rows of a statement, values as text.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let end = self.done(sql).await;
        self.rows_of(&end.id).await
    }

    /// Rows of a statement that was run, values as text.
    pub(crate) async fn rows_of(&self, id: &str) -> Vec<Vec<String>> {
        let answer = self.client.get_statement_result().id(id).send().await.expect("it has rows");
        answer.records.iter().map(|row| row.iter().map(text).collect()).collect()
    }

    /// Puts an object; its URL.
    pub(crate) async fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) -> String {
        let body = bytes.into().into();
        self.s3.client().put_object().bucket(BUCKET).key(key).body(body).send().await.expect("the object is put");
        format!("s3://{BUCKET}/{key}")
    }
}

fn text(field: &Field) -> String {
    match field {
        Field::IsNull(_) => "null".to_owned(),
        Field::BooleanValue(value) => value.to_string(),
        Field::DoubleValue(value) => value.to_string(),
        Field::LongValue(value) => value.to_string(),
        Field::StringValue(value) => value.clone(),
        other => panic!("no such value is expected: {other:?}"),
    }
}
