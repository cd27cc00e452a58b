//! Names of things on AWS. Each form is that of the service's own reference.

use crate::plan::StartSpec;
use crate::shape::Text;
use crate::suggest::nearest;
use crate::time::parse_time;

/// Longest prefix. Keys end at 1,024 bytes, and names of objects follow.
const MAX_PREFIX: usize = 512;

/// A region.
pub(crate) static REGION: Text = Text {
    what: "a region",
    pattern: "^[a-z]{2}(-[a-z]+)+-[0-9]+$",
    check: |text| {
        let parts: Vec<&str> = text.split('-').collect();
        let (words, number) = parts.split_at(parts.len() - 1);
        let named = words.len() >= 2 && words.iter().all(|word| !word.is_empty() && all(word, lower));
        if named && words[0].len() == 2 && !number[0].is_empty() && all(number[0], digit) {
            return Ok(());
        }
        Err(format!("`{text}` is not the name of a region; write one like `eu-west-1`"))
    },
};

/// A bucket (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>).
pub(crate) static BUCKET: Text =
    Text { what: "the name of a bucket", pattern: "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", check: check_bucket };

/// A prefix of keys.
pub(crate) static PREFIX: Text = Text {
    what: "a prefix that ends with `/`",
    pattern: "^[A-Za-z0-9_=.-]+(/[A-Za-z0-9_=.-]+)*/$",
    check: check_prefix,
};

/// A data stream, by name or ARN.
pub(crate) static STREAM: Text = Text {
    what: "name or ARN of a data stream",
    pattern: "^(arn:[a-z-]+:kinesis:[a-z0-9-]+:[0-9]{12}:stream/)?[A-Za-z0-9_.-]{1,128}$",
    check: check_stream,
};

/// A registered consumer of a stream.
pub(crate) static CONSUMER: Text = Text {
    what: "the name of a consumer",
    pattern: "^[A-Za-z0-9_.-]{1,128}$",
    check: |text| check_plain(text, "consumer", 1, 128),
};

/// A delivery stream.
pub(crate) static DELIVERY_STREAM: Text = Text {
    what: "the name of a delivery stream",
    pattern: "^[A-Za-z0-9_.-]{1,64}$",
    check: |text| check_plain(text, "delivery stream", 1, 64),
};

/// A table of DynamoDB.
pub(crate) static DYNAMO_TABLE: Text = Text {
    what: "the name of a DynamoDB table",
    pattern: "^[A-Za-z0-9_.-]{3,255}$",
    check: |text| check_plain(text, "DynamoDB table", 3, 255),
};

/// A provisioned cluster of Redshift.
pub(crate) static CLUSTER: Text = Text {
    what: "the identifier of a cluster",
    pattern: "^[a-z][a-z0-9-]{0,62}$",
    check: |text| {
        let fits = text.starts_with(lower) && text.len() <= 63 && all(text, |c| lower(c) || digit(c) || c == '-');
        let form = "lower-case letters, digits and `-`, beginning with a letter, at most 63";
        if fits { Ok(()) } else { Err(format!("`{text}` is not the identifier of a cluster ({form})")) }
    },
};

/// A serverless workgroup of Redshift.
pub(crate) static WORKGROUP: Text = Text {
    what: "the name of a workgroup",
    pattern: "^[a-z0-9-]{3,64}$",
    check: |text| {
        let fits = (3..=64).contains(&text.len()) && all(text, |c| lower(c) || digit(c) || c == '-');
        let form = "3 to 64 lower-case letters, digits and `-`";
        if fits { Ok(()) } else { Err(format!("`{text}` is not the name of a workgroup ({form})")) }
    },
};

/// A database, schema or table of Redshift, as it folds names.
pub(crate) static SQL_ID: Text = Text {
    what: "a name of lower-case letters, digits and `_`",
    pattern: "^[a-z_][a-z0-9_]{0,126}$",
    check: |text| {
        let begins = text.starts_with(|c| lower(c) || c == '_');
        if begins && text.len() <= 127 && all(text, |c| lower(c) || digit(c) || c == '_') {
            return Ok(());
        }
        let way_out = crate::names::respelled(text, '_').map_or(String::new(), |name| format!("; write `{name}`"));
        let form = "lower-case letters, digits and `_`, not beginning with a digit, at most 127 bytes";
        Err(format!("`{text}` is not a name of this form ({form}){way_out}"))
    },
};

/// A role of the database: any text that SQL can quote.
pub(crate) static SQL_ROLE: Text = Text {
    what: "a role of the database",
    pattern: "^[^\"\\\\]{1,127}$",
    check: |text| {
        let fits = !text.trim().is_empty() && text.len() <= 127 && !text.contains(['"', '\\', '\0']);
        if fits { Ok(()) } else { Err(format!("`{text}` is not a role of the database; write its name alone")) }
    },
};

/// A table by its output; whether there is one is seen later.
pub(crate) static OUTPUT: Text = Text {
    what: "`silver`, `quarantine` or the name of an aggregate",
    pattern: crate::names::SQL_NAME.pattern,
    check: crate::names::FREE.check,
};

/// A role of IAM.
pub(crate) static ROLE: Text = Text {
    what: "the ARN of a role, or `default`",
    pattern: "^(default|arn:[a-z-]+:iam::[0-9]{12}:role/.+)$",
    check: |text| {
        let is_role = arn(text).is_some_and(|arn| {
            arn.service == "iam" && arn.region.is_empty() && arn.rest.strip_prefix("role/").is_some_and(is_path)
        });
        if text == "default" || is_role {
            return Ok(());
        }
        Err(format!("`{text}` is not a role; write its ARN (`arn:aws:iam::123456789012:role/NAME`), or `default`"))
    },
};

/// A secret.
pub(crate) static SECRET: Text = Text {
    what: "the ARN of a secret",
    pattern: "^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+$",
    check: |text| {
        let is_secret = arn(text).is_some_and(|arn| {
            arn.service == "secretsmanager" && arn.rest.strip_prefix("secret:").is_some_and(is_path)
        });
        let example = "`arn:aws:secretsmanager:eu-west-1:123456789012:secret:NAME`";
        if is_secret { Ok(()) } else { Err(format!("this is not the ARN of a secret; write one like {example}")) }
    },
};

/// A key of KMS.
pub(crate) static KMS_KEY: Text = Text {
    what: "id, ARN or alias of a KMS key",
    pattern: "^(alias/.+|arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/.+|(mrk-)?[0-9a-f-]{32,36})$",
    check: |text| {
        let is_arn = arn(text).is_some_and(|arn| {
            let name = arn.rest.strip_prefix("key/").or_else(|| arn.rest.strip_prefix("alias/"));
            arn.service == "kms" && name.is_some_and(is_path)
        });
        let id = text.strip_prefix("mrk-").unwrap_or(text);
        let is_id = (32..=36).contains(&id.len()) && all(id, |c| c.is_ascii_hexdigit() || c == '-');
        if is_arn || is_id || text.strip_prefix("alias/").is_some_and(is_path) {
            return Ok(());
        }
        Err(format!("`{text}` is not a KMS key; write its id, its ARN, or an alias (`alias/NAME`)"))
    },
};

/// The URL of a queue.
pub(crate) static QUEUE: Text = Text {
    what: "the URL of a queue",
    pattern: "^https?://[^/]+/[0-9]{12}/[A-Za-z0-9_-]{1,80}(\\.fifo)?$",
    check: |text| {
        let path = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let parts: Vec<&str> = path.map_or(Vec::new(), |path| path.split('/').collect());
        if let [host, account, name] = parts.as_slice() {
            let name = name.strip_suffix(".fifo").unwrap_or(name);
            if !host.is_empty() && is_account(account) && check_plain(name, "queue", 1, 80).is_ok() {
                return Ok(());
            }
        }
        let example = "`https://sqs.eu-west-1.amazonaws.com/123456789012/NAME`";
        Err(format!("`{text}` is not the URL of a queue; write one like {example}"))
    },
};

/// Where the first run over a stream starts.
pub(crate) static START: Text = Text {
    what: "`trim_horizon`, `latest` or a time",
    pattern: "^(trim_horizon|latest|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,3})?(Z|[+-][0-9]{2}:[0-9]{2}))?)$",
    check: |text| parse_start(text).map(drop),
};

/// The key of a tag.
pub(crate) static TAG_KEY: Text = Text {
    what: "the key of a tag",
    pattern: "^[A-Za-z0-9 +=._:/@-]{1,128}$",
    check: |text| match text {
        _ if text.starts_with("aws:") => Err(format!("tag `{text}`: keys that begin with `aws:` are AWS's own")),
        _ if !text.is_empty() && text.len() <= 128 && all(text, is_tag_char) => Ok(()),
        _ => Err(format!("`{text}` is not the key of a tag ({TAG_CHARS}, at most 128)")),
    },
};

/// The value of a tag.
pub(crate) static TAG_VALUE: Text = Text {
    what: "the value of a tag",
    pattern: "^[A-Za-z0-9 +=._:/@-]{0,256}$",
    check: |text| match text.len() <= 256 && all(text, is_tag_char) {
        true => Ok(()),
        false => Err(format!("`{text}` is not the value of a tag ({TAG_CHARS}, at most 256)")),
    },
};

const TAG_CHARS: &str = "ASCII letters, digits, blanks and `+ - = . _ : / @`";

fn is_tag_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || " +-=._:/@".contains(c)
}

/// An ARN in its parts.
pub(crate) struct Arn<'a> {
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) rest: &'a str,
}

/// Reads `arn:PARTITION:SERVICE:REGION:ACCOUNT:REST`. Nothing where the text is none.
pub(crate) fn arn(text: &str) -> Option<Arn<'_>> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let &["arn", partition, service, region, account, rest] = parts.as_slice() else { return None };
    (partition.starts_with("aws") && is_account(account)).then_some(Arn { service, region, rest })
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && all(text, digit)
}

/// What may stand behind the kind in an ARN.
fn is_path(text: &str) -> bool {
    !text.is_empty() && all(text, |c| c.is_ascii_graphic() && !"*?'\"\\".contains(c))
}

/// Reads where a stream is read from first.
pub(crate) fn parse_start(text: &str) -> Result<StartSpec, String> {
    match text {
        "trim_horizon" => Ok(StartSpec::TrimHorizon),
        "latest" => Ok(StartSpec::Latest),
        _ if text.starts_with(digit) => parse_time(text).map(StartSpec::At),
        _ => {
            let way_out = match nearest(text, ["trim_horizon", "latest"]) {
                Some(word) => format!("did you mean `{word}`?"),
                None => "write `trim_horizon`, `latest`, or a time (`2026-01-31T00:00:00Z`)".to_owned(),
            };
            Err(format!("`{text}` is no place to start; {way_out}"))
        }
    }
}

fn check_stream(text: &str) -> Result<(), String> {
    let Some(given) = text.strip_prefix("arn:") else { return check_plain(text, "data stream", 1, 128) };
    let name = arn(text).filter(|arn| arn.service == "kinesis").and_then(|arn| arn.rest.strip_prefix("stream/"));
    if name.is_some_and(|name| check_plain(name, "data stream", 1, 128).is_ok()) {
        return Ok(());
    }
    let what = if given.contains(":firehose:") { "that of a delivery stream" } else { "another" };
    let example = "`arn:aws:kinesis:eu-west-1:123456789012:stream/NAME`";
    Err(format!("`{text}` is not the ARN of a data stream but {what}; write its name, or an ARN like {example}"))
}

fn check_plain(text: &str, what: &str, min: usize, max: usize) -> Result<(), String> {
    let fits = (min..=max).contains(&text.len()) && all(text, |c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    let form = format!("{min} to {max} ASCII letters, digits, `_`, `.` and `-`");
    if fits { Ok(()) } else { Err(format!("`{text}` is not the name of a {what} ({form})")) }
}

fn check_bucket(text: &str) -> Result<(), String> {
    if let Some(rest) = text.strip_prefix("s3://") {
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = if key.is_empty() { String::new() } else { format!(" and `prefix: {}/`", key.trim_matches('/')) };
        return Err(format!("`{text}` is a URL; write `bucket: {bucket}`{prefix}"));
    }
    let edge = |c: char| lower(c) || digit(c);
    let fits = (3..=63).contains(&text.len()) && all(text, |c| edge(c) || c == '-' || c == '.');
    if fits && text.starts_with(edge) && text.ends_with(edge) && !text.contains("..") {
        return Ok(());
    }
    let form = "3 to 63 lower-case letters, digits, `-` and `.`, a letter or digit at both ends";
    Err(format!("`{text}` is not the name of a bucket ({form})"))
}

fn check_prefix(text: &str) -> Result<(), String> {
    if text.contains("!{") {
        let fixed = &text[..text.find("!{").unwrap_or(0)];
        let fixed = &fixed[..fixed.rfind('/').map_or(0, |at| at + 1)];
        return Err(format!("`{text}` holds an expression; write what stands before it (`{fixed}`)"));
    }
    if text.starts_with("s3://") {
        return Err(format!("`{text}` is a URL; write bucket and prefix apart, the prefix as `a/b/`"));
    }
    let inner = text.trim_matches('/');
    if text.starts_with('/') || !text.ends_with('/') || inner.is_empty() {
        let way_out = if inner.is_empty() { "a/b".to_owned() } else { inner.to_owned() };
        return Err(format!("`{text}`: a prefix begins with no `/` and ends with one; write `{way_out}/`"));
    }
    if inner.split('/').any(|name| ["", ".", ".."].contains(&name)) {
        return Err(format!("`{text}`: a name between two `/` is empty, `.` or `..`; S3 tools stumble over it"));
    }
    if text.len() > MAX_PREFIX || !all(inner, |c| c.is_ascii_alphanumeric() || "_=./-".contains(c)) {
        let form = format!("ASCII letters, digits, `_`, `=`, `.`, `-` and `/`, at most {MAX_PREFIX}");
        return Err(format!("`{text}` is not a prefix of the form expected here ({form})"));
    }
    Ok(())
}

fn all(text: &str, is: impl Fn(char) -> bool) -> bool {
    text.chars().all(is)
}

fn lower(c: char) -> bool {
    c.is_ascii_lowercase()
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    const FORMS: [(&Text, &[&str], &[&str]); 14] = [
        (&REGION, &["eu-west-1", "us-gov-east-1"], &["eu", "eu-west", "EU-west-1", "1", "-"]),
        (&BUCKET, &["a-b.c", "abc"], &["ab", "A-bucket", "-abc", "abc-", "a..b", "s3://b/k"]),
        (&PREFIX, &["a/", "lake/day=1/x.y_z/"], &["a", "/a/", "/", "a//b/", "a/../b/", "a b/", "p/!{timestamp:yyyy}/"]),
        (
            &STREAM,
            &["orders", "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"],
            &["", "or ders", "arn:aws:kinesis:eu-west-1:123456789012:orders", "arn:aws:firehose:x:1:deliverystream/a"],
        ),
        (&CONSUMER, &["sluice"], &["", "a/b"]),
        (&DELIVERY_STREAM, &["orders-silver"], &["a/b"]),
        (&DYNAMO_TABLE, &["leases"], &["ab"]),
        (&CLUSTER, &["main-1"], &["1main", "Main"]),
        (&WORKGROUP, &["sluice"], &["ab", "Sluice"]),
        (&SQL_ID, &["retail_firehose", "_a"], &["Retail", "1a", "a-b"]),
        (&ROLE, &["default", "arn:aws:iam::123456789012:role/path/copy"], &["copy", "arn:aws:iam::1:role/copy"]),
        (
            &KMS_KEY,
            &["alias/lake", "1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:kms:eu-west-1:123456789012:key/1-2"],
            &["lake", "arn:aws:kms:eu-west-1:123456789012:lake"],
        ),
        (
            &QUEUE,
            &["https://sqs.eu-west-1.amazonaws.com/123456789012/landing", "http://127.0.0.1:4566/000000000000/q.fifo"],
            &["landing", "https://sqs/123/landing", "arn:aws:sqs:eu-west-1:123456789012:landing"],
        ),
        (&START, &["trim_horizon", "latest", "2026-01-31T00:00:00Z", "2026-01-31"], &["newest", "2026", "TRIM"]),
    ];

    #[test]
    fn what_is_taken_is_valid_for_editors_too() {
        for (form, good, bad) in FORMS {
            let pattern = Regex::new(form.pattern).unwrap();
            for text in good {
                assert_eq!((form.check)(text), Ok(()), "{text}");
                assert!(pattern.is_match(text), "{}: {text}", form.what);
            }
            for text in bad {
                assert!((form.check)(text).is_err(), "{}: {text}", form.what);
            }
        }
    }

    #[test]
    fn a_url_in_place_of_a_bucket_is_taken_apart() {
        let said = check_bucket("s3://lake-1/orders/silver").unwrap_err();
        assert!(said.ends_with("write `bucket: lake-1` and `prefix: orders/silver/`"), "{said}");
    }

    #[test]
    fn the_fixed_part_of_a_prefix_is_offered() {
        let said = check_prefix("a/b/dt=!{timestamp:yyyy}/").unwrap_err();
        assert!(said.ends_with("(`a/b/`)"), "{said}");
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "\\PC{0,30}|(arn:aws|s3:/|a)[:/!{}a-z0-9]{0,40}") {
            for (form, ..) in FORMS {
                if (form.check)(&text).is_ok() {
                    prop_assert!(Regex::new(form.pattern).unwrap().is_match(&text), "{}: {text}", form.what);
                }
            }
        }
    }
}
