//! What S3 says on a queue
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>), also through SNS.

use serde::Deserialize;

/// An object that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Created {
    pub bucket: String,
    pub key: String,
    /// Where the bucket keeps versions.
    pub version: Option<String>,
    /// Without quotes.
    pub etag: Option<String>,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// These objects were put; none where it tells of something else that happened to objects.
    Created(Vec<Created>),
    /// S3 tries out a queue that it is told to use.
    Test,
    /// Nothing that S3 sends.
    Unknown,
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "Records")]
    records: Option<Vec<Event>>,
    #[serde(rename = "Event")]
    event: Option<String>,
    /// Of SNS: the text that it passes on.
    #[serde(rename = "Message")]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "eventName")]
    name: String,
    s3: Place,
}

#[derive(Deserialize)]
struct Place {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    /// URL-encoded.
    key: String,
    #[serde(rename = "versionId")]
    version: Option<String>,
    #[serde(rename = "eTag")]
    etag: Option<String>,
}

impl Notice {
    /// Reads the body of a message.
    pub(super) fn parse(body: &str) -> Self {
        match serde_json::from_str::<Body>(body) {
            Ok(Body { records: Some(records), .. }) => {
                let created = records.into_iter().filter(|event| is_creation(&event.name)).map(Event::created);
                created.collect::<Option<Vec<_>>>().map_or(Self::Unknown, Self::Created)
            }
            Ok(Body { event: Some(event), .. }) if event == "s3:TestEvent" => Self::Test,
            // a text within a text is shorter, so this comes to an end
            Ok(Body { message: Some(message), .. }) => Self::parse(&message),
            _ => Self::Unknown,
        }
    }
}

/// `ObjectCreated:Put` and its like; older events have `s3:` before it.
fn is_creation(name: &str) -> bool {
    name.strip_prefix("s3:").unwrap_or(name).starts_with("ObjectCreated:")
}

impl Event {
    fn created(self) -> Option<Created> {
        let Place { bucket, object } = self.s3;
        let version = object.version.filter(|version| !version.is_empty() && version != "null");
        let etag = object.etag.map(|etag| etag.trim_matches('"').to_owned());
        Some(Created { bucket: bucket.name, key: decode(&object.key)?, version, etag })
    }
}

/// A key as it stands in an event: as in a form, so that a space is a plus.
fn decode(encoded: &str) -> Option<String> {
    let mut bytes = encoded.bytes();
    let mut key = Vec::with_capacity(encoded.len());
    while let Some(byte) = bytes.next() {
        key.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(name: &str, object: &serde_json::Value) -> serde_json::Value {
        json!({"eventVersion": "2.1", "eventName": name, "s3": {"bucket": {"name": "landing"}, "object": object}})
    }

    fn created(key: &str, version: Option<&str>) -> Created {
        let etag = key.contains('+').then(|| "e".to_owned());
        Created { bucket: "landing".into(), key: key.into(), version: version.map(str::to_owned), etag }
    }

    #[test]
    fn creations_are_read_plain_and_through_sns() {
        let body = json!({"Records": [
            event("ObjectCreated:Put", &json!({"key": "in/a+b%2Bc%C3%A9.csv", "size": 3, "eTag": "e"})),
            event("ObjectRemoved:Delete", &json!({"key": "in/gone.csv"})),
            event("s3:ObjectCreated:CompleteMultipartUpload", &json!({"key": "in/d.csv", "versionId": "v1"})),
            event("ObjectCreated:Copy", &json!({"key": "in/e.csv", "versionId": "null"})),
        ]})
        .to_string();
        let expected =
            vec![created("in/a b+c\u{e9}.csv", None), created("in/d.csv", Some("v1")), created("in/e.csv", None)];
        assert_eq!(Notice::parse(&body), Notice::Created(expected.clone()));
        let sns = json!({"Type": "Notification", "MessageId": "1", "Message": body}).to_string();
        assert_eq!(Notice::parse(&sns), Notice::Created(expected));
    }

    #[test]
    fn other_messages_are_told_apart() {
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "landing"}).to_string();
        assert_eq!(Notice::parse(&test), Notice::Test);
        assert_eq!(Notice::parse(&json!({"Message": test}).to_string()), Notice::Test);
        let removed = json!({"Records": [event("ObjectRemoved:Delete", &json!({"key": "x"}))]}).to_string();
        assert_eq!(Notice::parse(&removed), Notice::Created(vec![]));
        let undecodable = json!({"Records": [event("ObjectCreated:Put", &json!({"key": "%ff"}))]}).to_string();
        for body in ["", "hello", "{}", "[1]", "{\"Records\":[{}]}", "{\"Message\":\"hello\"}", &undecodable] {
            assert_eq!(Notice::parse(body), Notice::Unknown, "{body}");
        }
    }
}
