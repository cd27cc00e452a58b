//! The table of the lease.

use super::{Check, Doctor, failed};
use crate::client::retry;
use aws_sdk_dynamodb::types::{KeyType, ScalarAttributeType, TableDescription, TableStatus};

/// What the host looks leases up by.
const KEY: &str = "lease";

impl Doctor<'_> {
    /// The table, where one is named.
    pub(super) async fn lease(&self) -> Vec<Check> {
        let Some(table) = &self.needs.lease_table else { return Vec::new() };
        let name = format!("lease table `{table}`");
        let call = || self.aws.dynamodb().describe_table().table_name(table).send();
        vec![match retry(&self.retry, "DescribeTable", &name, call).await {
            Ok(found) => found.table.map_or_else(
                || Check::fail(&name, "the answer describes nothing", "try again"),
                |found| of_table(&name, &found),
            ),
            Err(error) => failed(name, &error),
        }]
    }
}

fn of_table(name: &str, table: &TableDescription) -> Check {
    let keys = table.key_schema();
    let ty = table.attribute_definitions().iter().find(|one| one.attribute_name() == KEY);
    let fits = matches!(keys, [key] if key.attribute_name() == KEY && *key.key_type() == KeyType::Hash)
        && ty.is_some_and(|one| *one.attribute_type() == ScalarAttributeType::S);
    if !fits {
        let names: Vec<String> =
            keys.iter().map(|key| format!("`{}` ({})", key.attribute_name(), key.key_type())).collect();
        let found = format!("its key is {}, and must be `{KEY}` (HASH) of type S alone", names.join(", "));
        return Check::fail(name, found, "name another table, or make one as `sluice aws plan` prints it");
    }
    match table.table_status() {
        Some(TableStatus::Active | TableStatus::Updating) => Check::ok(name, format!("ACTIVE, key `{KEY}`")),
        status => {
            let found = status.map_or("without a status", TableStatus::as_str);
            Check::fail(name, found, "wait until it is ACTIVE")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use aws_sdk_dynamodb::types::{AttributeDefinition, KeySchemaElement};

    fn table(keys: &[(&str, KeyType)], ty: ScalarAttributeType, status: TableStatus) -> TableDescription {
        let key = |(name, kind): &(&str, KeyType)| {
            KeySchemaElement::builder().attribute_name(*name).key_type(kind.clone()).build().unwrap()
        };
        let attribute = AttributeDefinition::builder().attribute_name(KEY).attribute_type(ty).build().unwrap();
        TableDescription::builder()
            .set_key_schema(Some(keys.iter().map(key).collect()))
            .attribute_definitions(attribute)
            .table_status(status)
            .build()
    }

    #[test]
    fn a_table_is_told_by_its_key() {
        let (own, text) = ([(KEY, KeyType::Hash)], ScalarAttributeType::S);
        let status = |table| of_table("t", &table).status;
        assert_eq!(status(table(&own, text.clone(), TableStatus::Active)), Status::Ok);
        assert_eq!(status(table(&own, text.clone(), TableStatus::Creating)), Status::Fail);
        assert_eq!(status(table(&own, ScalarAttributeType::N, TableStatus::Active)), Status::Fail);
        assert_eq!(status(table(&[("leaseKey", KeyType::Hash)], text.clone(), TableStatus::Active)), Status::Fail);
        let two = [(KEY, KeyType::Hash), ("sort", KeyType::Range)];
        let found = of_table("t", &table(&two, text, TableStatus::Active)).found;
        assert_eq!(found, "its key is `lease` (HASH), `sort` (RANGE), and must be `lease` (HASH) of type S alone");
    }
}
