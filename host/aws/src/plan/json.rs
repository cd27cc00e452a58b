//! The plan as JSON.

use super::document::Value;
use super::needs::{Needs, RedshiftTarget};
use super::resources::resources;
use super::roles::roles;
use super::text::{Part, Text};
use serde_json::{Map, Value as Json};

/// Roles and resources as JSON, indented, with a line end. What only the account knows stands there as `<account>` and
/// `<region>`.
pub fn json(needs: &Needs) -> String {
    let roles = roles(needs).into_iter().map(|role| {
        Value::map([
            ("role", Value::text(role.id)),
            ("name", Value::text(&role.name)),
            ("arn", role.arn().into()),
            ("for", Value::text(role.purpose)),
            ("trust", role.trust(Value::texts(role.services.iter().copied()))),
            ("policy", role.policy()),
        ])
    });
    let mut entries = vec![("dataset", Value::text(&needs.dataset))];
    entries.extend(needs.region.as_ref().map(|region| ("region", Value::text(region))));
    entries.extend(needs.account.as_ref().map(|account| ("account", Value::text(account))));
    entries.push(("roles", Value::List(roles.collect())));
    entries.push(("resources", Value::List(resources(needs).iter().map(|resource| resource.document()).collect())));
    let value = Writer(needs).value(&Value::map(entries));
    format!("{value:#}\n")
}

struct Writer<'n>(&'n Needs);

impl Writer<'_> {
    fn value(&self, value: &Value) -> Json {
        match value {
            Value::Text(text) => Json::String(self.text(text)),
            Value::Number(number) => Json::from(*number),
            Value::Flag(flag) => Json::Bool(*flag),
            Value::List(items) => Json::Array(items.iter().map(|item| self.value(item)).collect()),
            Value::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.clone(), self.value(value)));
                Json::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    fn text(&self, text: &Text) -> String {
        text.0.iter().map(|part| self.part(part)).collect()
    }

    fn part(&self, part: &Part) -> String {
        match part {
            Part::Plain(text) => text.clone(),
            Part::Partition => self.partition().to_owned(),
            Part::Region => self.0.region.clone().unwrap_or_else(|| "<region>".to_owned()),
            Part::Account => self.0.account.clone().unwrap_or_else(|| "<account>".to_owned()),
            Part::Workgroup => self.text(&Text::arn("redshift-serverless", self.workgroup())),
            Part::Setting(name) => format!("<{name}>"),
            Part::Caller(variable) => format!("${{{variable}}}"),
        }
    }

    fn partition(&self) -> &'static str {
        match self.0.region.as_deref() {
            Some(region) if region.starts_with("cn-") => "aws-cn",
            Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    fn workgroup(&self) -> String {
        match self.0.redshift.as_ref().map(|redshift| &redshift.target) {
            Some(RedshiftTarget::Workgroup(name)) => format!("workgroup/<id of {name}>"),
            _ => String::new(),
        }
    }
}
