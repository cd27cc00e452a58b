//! Policies.

use super::document::Value;
use super::text::{Part, Text};
use crate::client::actions;
use std::collections::BTreeSet;

/// Actions on a bucket; all others of S3 are on objects.
const BUCKET_ACTIONS: [&str; 3] = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"];

/// One thing that a role may do.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    sid: &'static str,
    actions: BTreeSet<String>,
    resources: Vec<Text>,
    /// Operator, key, values.
    condition: Option<(&'static str, &'static str, Vec<Text>)>,
}

impl Statement {
    /// Allows operations on resources.
    pub(super) fn of_operations(sid: &'static str, operations: &[&str], resources: Vec<Text>) -> Self {
        let needed = operations.iter().flat_map(|operation| actions(operation));
        Self { sid, actions: needed.map(|action| (*action).to_owned()).collect(), resources, condition: None }
    }

    /// Allows actions on resources.
    pub(super) fn of_actions(sid: &'static str, actions: &[&str], resources: Vec<Text>) -> Self {
        let actions = actions.iter().map(|action| (*action).to_owned()).collect();
        Self { sid, actions, resources, condition: None }
    }

    /// Where this holds only.
    pub(super) fn when(mut self, operator: &'static str, key: &'static str, values: Vec<Text>) -> Self {
        self.condition = Some((operator, key, values));
        self
    }

    /// Under another name.
    pub(super) fn named(mut self, sid: &'static str) -> Self {
        self.sid = sid;
        self
    }

    fn document(&self) -> Value {
        let actions = Value::texts(self.actions.iter().map(String::as_str));
        let resources = Value::List(self.resources.iter().cloned().map(Value::Text).collect());
        let mut entries = vec![
            ("Sid", Value::text(self.sid)),
            ("Effect", Value::text("Allow")),
            ("Action", actions),
            ("Resource", resources),
        ];
        if let Some((operator, key, values)) = &self.condition {
            let values = Value::List(values.iter().cloned().map(Value::Text).collect());
            entries.push(("Condition", Value::map([(*operator, Value::map([(*key, values)]))])));
        }
        Value::map(entries)
    }
}

/// Leave to do operations of S3 below prefixes of one bucket: a statement for the objects, one for the bucket.
pub(super) fn s3(
    sids: (&'static str, &'static str),
    operations: &[&str],
    bucket: &str,
    below: &[String],
) -> Vec<Statement> {
    let objects = below.iter().map(|prefix| Text::s3(format!("{bucket}/{prefix}*"))).collect();
    let mut on_objects = Statement::of_operations(sids.0, operations, objects);
    let mut on_bucket = Statement::of_operations(sids.1, operations, vec![Text::s3(bucket)]);
    on_objects.actions.retain(|action| !BUCKET_ACTIONS.contains(&action.as_str()));
    on_bucket.actions.retain(|action| BUCKET_ACTIONS.contains(&action.as_str()));
    if below.iter().all(|prefix| !prefix.is_empty()) {
        // `IfExists`: a read of one object carries no prefix, and without leave to list S3 answers 403 in place of 404
        // where the object is not there. A listing always carries one.
        let below = below.iter().map(|prefix| Text::plain(format!("{prefix}*"))).collect();
        on_bucket = on_bucket.when("StringLikeIfExists", "s3:prefix", below);
    }
    [on_objects, on_bucket].into_iter().filter(|statement| !statement.actions.is_empty()).collect()
}

/// Leave to use a key, named by id, ARN or alias.
pub(super) fn kms(key: &str, actions: &[&str]) -> Statement {
    let rest = key.splitn(6, ':').nth(5).unwrap_or(key);
    match rest.strip_prefix("alias/") {
        // a policy cannot name a key by its alias
        Some(_) => {
            let keys = if key == rest { Text::arn("kms", "key/*") } else { Text::plain(key.replace(rest, "key/*")) };
            let aliases = vec![Text::plain(rest)];
            Statement::of_actions("Key", actions, vec![keys]).when(
                "ForAnyValue:StringEquals",
                "kms:ResourceAliases",
                aliases,
            )
        }
        None if key == rest => Statement::of_actions("Key", actions, vec![Text::arn("kms", format!("key/{key}"))]),
        None => Statement::of_actions("Key", actions, vec![Text::plain(key)]),
    }
}

/// A role.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Role {
    /// Which it is: `host`, `copy`, `unload`, `firehose`.
    pub(super) id: &'static str,
    /// Name.
    pub(super) name: String,
    /// Path, beginning and ending with `/`.
    pub(super) path: String,
    /// Who uses it, for people.
    pub(super) purpose: &'static str,
    /// Services that may take it.
    pub(super) services: &'static [&'static str],
    /// Whether only this account's resources may.
    pub(super) own_account_only: bool,
    /// What it may do.
    pub(super) statements: Vec<Statement>,
}

impl Role {
    /// ARN.
    pub(super) fn arn(&self) -> Text {
        Text::iam(format!("role{}{}", self.path, self.name))
    }

    /// Who may take it.
    pub(super) fn trust(&self, services: Value) -> Value {
        let mut entries = vec![
            ("Effect", Value::text("Allow")),
            ("Principal", Value::map([("Service", services)])),
            ("Action", Value::text("sts:AssumeRole")),
        ];
        if self.own_account_only {
            // Firehose names the account that a delivery stream is of as the external id.
            let account = Value::Text(Text::of(Part::Account));
            let own = Value::map([("sts:ExternalId", account)]);
            entries.push(("Condition", Value::map([("StringEquals", own)])));
        }
        policy(vec![Value::map(entries)])
    }

    /// What it may do.
    pub(super) fn policy(&self) -> Value {
        policy(self.statements.iter().map(Statement::document).collect())
    }
}

fn policy(statements: Vec<Value>) -> Value {
    Value::map([("Version", Value::text("2012-10-17")), ("Statement", Value::List(statements))])
}
