//! The account: what became of every record.

use crate::ShardRef;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Who turned a row away and why. Written as `rule:reason`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Reject {
    /// Name of the step's rule; `sluice` where the host itself decided.
    pub rule: String,
    /// Reason code.
    pub reason: String,
}

impl Reject {
    /// A reason of a rule.
    pub fn new(rule: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { rule: rule.into(), reason: reason.into() }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.rule, self.reason)
    }
}

impl From<Reject> for String {
    fn from(reject: Reject) -> Self {
        reject.to_string()
    }
}

impl TryFrom<String> for Reject {
    type Error = String;

    fn try_from(s: String) -> Result<Self, String> {
        // names of rules hold no colon
        let (rule, reason) = s.split_once(':').ok_or_else(|| format!("`{s}` is no rule:reason"))?;
        Ok(Self::new(rule, reason))
    }
}

/// What became of the records of one shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginAccount {
    /// Records read. Headers and blank lines are no records.
    pub read: u64,
    /// Rows that reached silver.
    pub silver: u64,
    /// Rows left out on purpose, by rule and reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filtered: BTreeMap<Reject, u64>,
    /// Records set aside, by the rule and reason that counted (the first of each record).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quarantined: BTreeMap<Reject, u64>,
    /// Personal data that the host masked on its way out, by the rule that should have and the kind of data. These are
    /// values within rows that are counted above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub masked: BTreeMap<Reject, u64>,
}

impl OriginAccount {
    /// Rows left out on purpose.
    pub fn filtered_rows(&self) -> u64 {
        self.filtered.values().sum()
    }

    /// Records set aside.
    pub fn quarantined_rows(&self) -> u64 {
        self.quarantined.values().sum()
    }

    /// Adds another stretch of the same or another shard.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.silver += other.silver;
        add_counts(&mut self.filtered, &other.filtered);
        add_counts(&mut self.quarantined, &other.quarantined);
        add_counts(&mut self.masked, &other.masked);
    }
}

fn add_counts(into: &mut BTreeMap<Reject, u64>, from: &BTreeMap<Reject, u64>) {
    for (reject, count) in from {
        *into.entry(reject.clone()).or_default() += count;
    }
}

/// What became of the silver rows in one gold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldAccount {
    /// Rows folded into a window.
    pub folded: u64,
    /// Rows that came after their window could still take them.
    pub late: u64,
    /// Rows whose event time is null.
    pub without_event_time: u64,
    /// Rows that the aggregator failed on.
    pub fold_failed: u64,
    /// Rows of gold written: windows that closed, one for each group.
    pub rows: u64,
    /// Groups of closed windows that the aggregator could not finish: their rows are in silver and not in gold.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub finish_failed: u64,
    /// Personal data that the host masked in the rows written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub masked: u64,
}

// the signature is that of serde
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl GoldAccount {
    /// Silver rows accounted for.
    pub fn accounted(&self) -> u64 {
        self.folded + self.late + self.without_event_time + self.fold_failed
    }

    /// Adds another stretch.
    pub fn add(&mut self, other: &Self) {
        self.folded += other.folded;
        self.late += other.late;
        self.without_event_time += other.without_event_time;
        self.fold_failed += other.fold_failed;
        self.rows += other.rows;
        self.finish_failed += other.finish_failed;
        self.masked += other.masked;
    }
}

/// The books of a segment, or of several added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// By shard, as `source/shard`.
    pub origins: BTreeMap<String, OriginAccount>,
    /// By gold, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gold: BTreeMap<String, GoldAccount>,
}

impl Account {
    /// The books of one shard.
    pub fn origin(&mut self, shard: &ShardRef) -> &mut OriginAccount {
        self.origins.entry(shard.to_string()).or_default()
    }

    /// Adds up all shards.
    pub fn total(&self) -> OriginAccount {
        let mut total = OriginAccount::default();
        self.origins.values().for_each(|origin| total.add(origin));
        total
    }

    /// Adds another account.
    pub fn add(&mut self, other: &Self) {
        for (shard, origin) in &other.origins {
            self.origins.entry(shard.clone()).or_default().add(origin);
        }
        for (name, gold) in &other.gold {
            self.gold.entry(name.clone()).or_default().add(gold);
        }
    }

    /// Checks read = silver + filtered + quarantined for each shard, and silver = folded + late + without event time +
    /// fold failed for each gold.
    ///
    /// # Errors
    /// The first equation that does not hold.
    pub fn check(&self) -> Result<(), Imbalance> {
        for (shard, origin) in &self.origins {
            let accounted = origin.silver + origin.filtered_rows() + origin.quarantined_rows();
            if origin.read != accounted {
                return Err(Imbalance { place: format!("shard `{shard}`"), rows_in: origin.read, accounted });
            }
        }
        let silver = self.total().silver;
        match self.gold.iter().find(|(_, gold)| gold.accounted() != silver) {
            None => Ok(()),
            Some((name, gold)) => {
                Err(Imbalance { place: format!("gold `{name}`"), rows_in: silver, accounted: gold.accounted() })
            }
        }
    }
}

/// Rows went missing or were counted twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {rows_in} rows went in but {accounted} are accounted for; nothing of this segment is committed")]
pub struct Imbalance {
    /// The guilty step, shard or gold.
    pub place: String,
    /// Rows that went in.
    pub rows_in: u64,
    /// Rows that came out in one way or another.
    pub accounted: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        let mut account = Account::default();
        let origin = account.origin(&ShardRef::new("s", "0"));
        *origin = OriginAccount { read: 10, silver: 7, ..Default::default() };
        origin.quarantined.insert(Reject::new("checks", "x_missing"), 2);
        origin.filtered.insert(Reject::new("tests", "internal"), 1);
        account.gold.insert("per_day".into(), GoldAccount { folded: 5, late: 2, rows: 3, ..Default::default() });
        account
    }

    #[test]
    fn an_account_that_adds_up_passes_and_adds_to_itself() {
        let mut twice = account();
        twice.add(&account());
        assert_eq!(twice.check(), Ok(()));
        assert_eq!(twice.total().read, 20);
    }

    #[test]
    fn a_lost_row_names_its_shard_and_a_lost_fold_its_gold() {
        let mut lost = account();
        lost.origin(&ShardRef::new("s", "0")).read += 1;
        assert!(lost.check().unwrap_err().to_string().starts_with("shard `s/0`: 11 rows went in but 10"));
        let mut lost = account();
        lost.gold.get_mut("per_day").unwrap().late = 0;
        assert_eq!(lost.check().unwrap_err().place, "gold `per_day`");
    }

    #[test]
    fn it_reads_back_from_json() {
        let json = serde_json::to_string(&account()).unwrap();
        assert_eq!(serde_json::from_str::<Account>(&json).unwrap(), account());
    }
}
