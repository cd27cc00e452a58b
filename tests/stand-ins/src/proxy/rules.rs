//! Which calls fail, and how.

use super::Injected;
use crate::chance::Chance;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The service's own error for too many calls.
    Throttle,
    /// An error on the service's side, without effect.
    Internal500,
    /// The connection closes before the call reaches the service.
    TimeoutBefore,
    /// The service does what it was asked, then the connection closes without the answer.
    TimeoutAfter,
    /// The credentials are said to have expired.
    ExpiredToken,
    /// The shard iterator is said to have expired.
    ExpiredIterator,
    /// Any other error by HTTP status and code.
    Custom {
        /// The HTTP status.
        status: u16,
        /// The error code, like `AccessDeniedException`.
        code: String,
    },
    /// One in so many records of PutRecords or PutRecordBatch fails, others each time; the rest is passed on.
    Partial {
        /// One in how many; 1 fails them all.
        one_in: u64,
    },
}

/// Which calls fail: those of an operation, all of them unless limited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The operation by its AWS name, like `PutRecords`; `*` is any.
    pub operation: String,
    /// What happens to its calls.
    pub fault: Fault,
    /// How many calls pass before the first that can fail.
    #[serde(default)]
    pub skip: u64,
    /// How many calls fail at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How likely a call fails, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// What the chances are drawn from: the same seed fails the same calls.
    #[serde(default)]
    pub seed: u64,
}

impl Rule {
    /// Every call of an operation fails.
    pub fn new(operation: &str, fault: Fault) -> Self {
        Self { operation: operation.to_owned(), fault, skip: 0, times: None, probability: None, seed: 0 }
    }

    /// The first calls pass.
    pub fn skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Only so many calls fail.
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Each call fails by chance.
    pub fn probability(self, probability: f64, seed: u64) -> Self {
        Self { probability: Some(probability), seed, ..self }
    }

    /// Reads a JSON file that holds a list of rules.
    pub fn read(path: &Path) -> io::Result<Vec<Self>> {
        let named = |error: &dyn std::fmt::Display| io::Error::other(format!("rules `{}`: {error}", path.display()));
        let text = std::fs::read(path).map_err(|error| named(&error))?;
        serde_json::from_slice(&text).map_err(|error| named(&error))
    }
}

/// The rules of a proxy with what came of them.
#[derive(Debug)]
pub(super) struct Book {
    rules: Vec<Counted>,
    pub(super) injected: Vec<Injected>,
    pub(super) calls: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Counted {
    rule: Rule,
    seen: u64,
    failed: u64,
    chance: Chance,
}

impl Book {
    pub(super) fn new(rules: Vec<Rule>) -> Self {
        let mut book = Self { rules: Vec::new(), injected: Vec::new(), calls: BTreeMap::new() };
        book.set_rules(rules);
        book
    }

    pub(super) fn set_rules(&mut self, rules: Vec<Rule>) {
        let counted = |rule: Rule| Counted { seen: 0, failed: 0, chance: Chance::new(rule.seed), rule };
        self.rules = rules.into_iter().map(counted).collect();
    }

    /// Counts a call and says how it fails, with how many failed by that rule before it; the first rule decides.
    pub(super) fn decide(&mut self, operation: &str) -> Option<(Fault, u64)> {
        *self.calls.entry(operation.to_owned()).or_default() += 1;
        self.rules.iter_mut().find_map(|counted| counted.decide(operation))
    }
}

impl Counted {
    fn decide(&mut self, operation: &str) -> Option<(Fault, u64)> {
        if self.rule.operation != "*" && self.rule.operation != operation {
            return None;
        }
        self.seen += 1;
        let spent = self.rule.times.is_some_and(|times| self.failed >= times);
        if self.seen <= self.rule.skip || spent || !self.happens() {
            return None;
        }
        self.failed += 1;
        Some((self.rule.fault.clone(), self.failed - 1))
    }

    fn happens(&mut self) -> bool {
        self.rule.probability.is_none_or(|probability| self.chance.hits(probability))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(rule: Rule, calls: usize) -> Vec<bool> {
        let mut book = Book::new(vec![rule]);
        (0..calls).map(|_| book.decide("PutRecords").is_some()).collect()
    }

    #[test]
    fn skips_then_fails_then_passes() {
        let rule = Rule::new("PutRecords", Fault::Throttle).skip(1).times(2);
        assert_eq!(failed(rule, 5), [false, true, true, false, false]);
    }

    #[test]
    fn fails_by_chance_and_alike_by_seed() {
        let rule = Rule::new("*", Fault::Throttle).probability(0.3, 7);
        let calls = failed(rule.clone(), 10_000);
        let share = calls.iter().filter(|failed| **failed).count();
        assert!((2_800..3_200).contains(&share), "{share}");
        assert_eq!(calls, failed(rule, 10_000));
    }

    #[test]
    fn another_operation_passes_and_the_first_rule_decides() {
        let mut book =
            Book::new(vec![Rule::new("PutRecords", Fault::Throttle).times(1), Rule::new("*", Fault::ExpiredToken)]);
        let kinds = ["PutRecords", "PutRecords", "GetRecords"].map(|name| book.decide(name).map(|(fault, _)| fault));
        assert_eq!(kinds, [Some(Fault::Throttle), Some(Fault::ExpiredToken), Some(Fault::ExpiredToken)]);
        assert_eq!(book.calls["PutRecords"], 2);
    }

    #[test]
    fn rules_are_json() {
        let text = r#"[{"operation": "PutRecords", "fault": {"partial": {"one_in": 3}}, "times": 2},
                       {"operation": "*", "fault": "internal500", "probability": 0.1, "seed": 4}]"#;
        let rules: Vec<Rule> = serde_json::from_str(text).unwrap();
        assert_eq!(rules[0], Rule::new("PutRecords", Fault::Partial { one_in: 3 }).times(2));
        assert_eq!(rules[1], Rule::new("*", Fault::Internal500).probability(0.1, 4));
    }
}
