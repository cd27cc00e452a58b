//! The standard validator: says which rows are not as they should be.
//!
//! Its configuration is a list of checks, each of one column: required, not blank, of a type, within a range, in a set
//! or not, matching a pattern, of a length. A check becomes [`Test`]s when the rule is opened ([`compile`]); each runs
//! over its whole column at once.
//!
//! Invariants: a null fails `required` and `not_blank` and passes everything else. One check rejects a row at most once,
//! for the first of its tests that fails; a row that fails several checks is rejected for each, in their order.

mod bounds;
mod compile;
mod config;
mod test;

use config::Config;
use sluice_sdk::{About, Batch, ColumnId, Rejections, Rule, Setup, Validator, about, validator};
use test::{Failed, Test};

/// The rule, opened.
#[derive(Debug)]
pub struct Checks {
    checks: Vec<Check>,
}

/// What is asked of one column.
#[derive(Debug)]
struct Check {
    column: ColumnId,
    tests: Vec<Test>,
}

impl Rule for Checks {
    type Config = Config;

    const ABOUT: About = about!(
        Validate,
        "Rows are as they should be: required, type, range, set, pattern, length",
        include_str!("../schema.json")
    );

    fn open(config: Config, setup: &mut Setup<'_>) -> Option<Self> {
        if config.rules.is_empty() {
            setup.find(
                "/rules",
                "there is nothing to check; add a check, such as `{\"column\": \"id\", \"required\": true}`",
            );
        }
        let compiled = config.rules.iter().enumerate().map(|(i, check)| compile::check(check, i, setup));
        let checks: Vec<Option<Check>> = compiled.collect();
        Some(Self { checks: checks.into_iter().collect::<Option<_>>()? })
    }
}

impl Validator for Checks {
    fn check(&mut self, batch: &Batch, rejections: &mut Rejections) {
        let mut failed = Failed::default();
        for check in &self.checks {
            let mut seen = Vec::new();
            for test in &check.tests {
                failed.rows.clear();
                test.run(batch, check.column, &mut failed);
                for &(row, reason) in &failed.rows {
                    if is_first(&mut seen, row, check.tests.len()) {
                        rejections.reject(row, reason, check.column);
                    }
                }
            }
        }
    }
}

/// Whether a row fails its first test of a check; `seen` has a bit for each row that failed before.
fn is_first(seen: &mut Vec<u64>, row: usize, tests: usize) -> bool {
    if tests == 1 {
        return true;
    }
    if seen.len() <= row / 64 {
        seen.resize(row / 64 + 1, 0);
    }
    let bit = 1 << (row % 64);
    let first = seen[row / 64] & bit == 0;
    seen[row / 64] |= bit;
    first
}

validator!(Checks);
