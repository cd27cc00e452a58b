//! Capability `token`.

use crate::guests::{call, config, open, transformer};
use arrow_array::cast::AsArray;
use sluice_ports::{Cause, StepOutput};
use sluice_sandbox::TokenKey;
use std::time::Duration;

fn pseudonyms(output: &StepOutput) -> Vec<Option<String>> {
    output.columns[0].as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect()
}

#[test]
fn pseudonyms_are_stable_and_null_stays_null() {
    let plan = open(transformer(), config("token"));
    let first = pseudonyms(&call(&mut *plan.step().unwrap()).unwrap());
    assert_eq!(first, pseudonyms(&call(&mut *plan.step().unwrap()).unwrap()));
    assert!(first[2].is_none());
    let form = |p: &String| p.len() == 26 && p.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b));
    assert!(first.iter().flatten().all(form), "{first:?}");
    let mut other = config("token");
    other.token_key = Some(TokenKey::new(b"another key for tests, 32 bytes.").unwrap());
    assert_ne!(first[0], pseudonyms(&call(&mut *open(transformer(), other).step().unwrap()).unwrap())[0]);
}

#[test]
fn what_the_host_is_asked_is_checked_as_an_answer_is() {
    let cases = [
        ("token_number", "asked for pseudonyms of a column of int64; only text has any"),
        (
            "token_offsets",
            "asked for pseudonyms of a malformed column: column `values`: offsets fall at row 1, from 5 to 3",
        ),
        ("token_domain", "domain of pseudonyms has 257 bytes; at most 256 may be"),
    ];
    for (attack, says) in cases {
        let failure = call(&mut *open(transformer(), config(attack)).step().unwrap()).expect_err(attack);
        assert_eq!(failure.cause, Cause::Answer);
        assert!(failure.detail.contains(says), "{attack}: {}", failure.detail);
    }
}

#[test]
fn host_calls_have_a_time_out_of_their_own() {
    let mut config = config("token_many");
    // the rule itself does little; what stops it is the host's time
    config.limits.deadline = Duration::from_secs(30);
    let failure = call(&mut *open(transformer(), config).step().unwrap()).unwrap_err();
    assert_eq!(failure.cause, Cause::Deadline);
    assert!(failure.detail.contains("host calls took more than 1000 ms on a batch of 10 rows"), "{}", failure.detail);
    assert!(failure.spent < Duration::from_secs(10), "{failure:?}");
}
