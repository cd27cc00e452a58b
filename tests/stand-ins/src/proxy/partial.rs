//! PutRecords and PutRecordBatch of which some records fail.

use super::operation::{Operation, Service};
use axum::body::Bytes;
use serde_json::{Map, Value, json};

/// A batch, cut in two.
pub(super) struct Split {
    /// Per record of the call: whether it fails.
    failing: Vec<bool>,
    /// The call with the other records; none when no record is left.
    pub(super) forwarded: Option<Bytes>,
}

/// Cuts a batch in two; none when the call holds no records.
pub(super) fn split(body: &[u8], operation: &Operation, fails: impl Fn(u64) -> bool) -> Option<Split> {
    let mut call: Map<String, Value> = serde_json::from_slice(body).ok()?;
    if !["PutRecords", "PutRecordBatch"].contains(&operation.name.as_str()) {
        return None;
    }
    let Some(Value::Array(records)) = call.remove("Records") else { return None };
    let failing: Vec<bool> = (0..records.len()).map(|at| fails(at as u64)).collect();
    let kept: Vec<Value> =
        records.into_iter().zip(&failing).filter(|(_, fails)| !**fails).map(|(kept, _)| kept).collect();
    let forwarded = (!kept.is_empty()).then(|| {
        call.insert("Records".to_owned(), Value::Array(kept));
        Value::Object(call).to_string().into()
    });
    Some(Split { failing, forwarded })
}

/// The answer to the whole call, from the answer to the records that were passed on.
pub(super) fn merge(split: &Split, answer: &[u8], operation: &Operation) -> Bytes {
    let mut answer: Map<String, Value> = serde_json::from_slice(answer).unwrap_or_default();
    let (list, count, code) = match operation.service {
        Service::Firehose => ("RequestResponses", "FailedPutCount", "ServiceUnavailableException"),
        _ => ("Records", "FailedRecordCount", "ProvisionedThroughputExceededException"),
    };
    let mut passed = match answer.remove(list) {
        Some(Value::Array(passed)) => passed.into_iter(),
        _ => Vec::new().into_iter(),
    };
    let failure = json!({ "ErrorCode": code, "ErrorMessage": "injected" });
    let entry = |fails: &bool| if *fails { failure.clone() } else { passed.next().unwrap_or_else(|| failure.clone()) };
    let entries: Vec<Value> = split.failing.iter().map(entry).collect();
    let failed = entries.iter().filter(|entry| entry.get("ErrorCode").is_some_and(Value::is_string)).count();
    answer.insert(list.to_owned(), Value::Array(entries));
    answer.insert(count.to_owned(), failed.into());
    if operation.service == Service::Firehose {
        answer.entry("Encrypted").or_insert(Value::Bool(false));
    }
    Value::Object(answer).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_records() -> Operation {
        Operation { service: Service::Kinesis, name: "PutRecords".to_owned() }
    }

    #[test]
    fn answers_stand_at_the_places_of_their_records() {
        let body = br#"{"StreamName":"s","Records":[{"Data":"a"},{"Data":"b"},{"Data":"c"}]}"#;
        let split = split(body, &put_records(), |at| at == 1).unwrap();
        let forwarded: Value = serde_json::from_slice(split.forwarded.as_ref().unwrap()).unwrap();
        assert_eq!(forwarded, json!({ "StreamName": "s", "Records": [{ "Data": "a" }, { "Data": "c" }] }));
        let answer = br#"{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1"},{"SequenceNumber":"2"}]}"#;
        let merged: Value = serde_json::from_slice(&merge(&split, answer, &put_records())).unwrap();
        assert_eq!(merged["FailedRecordCount"], 1);
        assert_eq!(merged["Records"][0]["SequenceNumber"], "1");
        assert_eq!(merged["Records"][1]["ErrorCode"], "ProvisionedThroughputExceededException");
        assert_eq!(merged["Records"][2]["SequenceNumber"], "2");
    }

    #[test]
    fn nothing_is_passed_on_when_all_fail() {
        let split = split(br#"{"Records":[{"Data":"a"}]}"#, &put_records(), |_| true).unwrap();
        assert!(split.forwarded.is_none());
        let merged: Value = serde_json::from_slice(&merge(&split, b"{}", &put_records())).unwrap();
        assert_eq!(merged["FailedRecordCount"], 1);
    }
}
