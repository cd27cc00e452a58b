//! The closing account: a table for people, one JSON object for machines.

use crate::aws::warehouse::{Pass, problems};
use serde_json::{Value, json};
use sluice_batch::OriginAccount;
use sluice_flow::Summary;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Counts by reason, all rules added up, quarantined and filtered ones.
fn reasons(total: &OriginAccount) -> BTreeMap<&str, u64> {
    let mut reasons = BTreeMap::new();
    for (reject, count) in total.quarantined.iter().chain(&total.filtered) {
        *reasons.entry(reject.reason.as_str()).or_default() += count;
    }
    reasons
}

/// Personal data that the host masked, by rule and kind.
fn masked(total: &OriginAccount) -> BTreeMap<String, u64> {
    total.masked.iter().map(|(reject, count)| (reject.to_string(), *count)).collect()
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 1e2
}

/// One JSON object that holds the account.
pub(crate) fn json(dataset: &str, summary: &Summary, warehouse: Option<&Pass>, elapsed: Duration) -> Value {
    let total = summary.account.total();
    let gold = &summary.account.gold;
    let seconds = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e6;
    json!({
        "dataset": dataset,
        "read": total.read,
        "silver": total.silver,
        "filtered": total.filtered_rows(),
        "quarantined": total.quarantined_rows(),
        "reasons": reasons(&total),
        "gold": gold.iter().map(|(name, gold)| (name.clone(), gold.rows)).collect::<BTreeMap<_, _>>(),
        "windows": gold.iter().map(|(name, gold)| (name.clone(), json!({
            "folded": gold.folded,
            "late": gold.late,
            "without_event_time": gold.without_event_time,
            "fold_failed": gold.fold_failed,
            "finish_failed": gold.finish_failed,
            "masked": gold.masked,
        }))).collect::<BTreeMap<_, _>>(),
        "segments": summary.segments,
        "seconds": seconds(elapsed),
        "split": {
            "decode": seconds(summary.split.decode),
            "rules": seconds(summary.split.rules),
            "guard": seconds(summary.split.guard),
            "host": seconds(summary.split.host),
            "append": seconds(summary.append),
            "commit": seconds(summary.commit),
        },
        "masked": masked(&total),
        "batch_ms": {
            "p50": millis(summary.latency.quantile(0.5)),
            "p99": millis(summary.latency.quantile(0.99)),
            "max": millis(summary.latency.max()),
        },
        "version": summary.version,
        "pending": summary.pending,
        "turns": summary.turns,
        "audited": summary.audited,
        "differed": summary.differed,
        "delivered": summary.delivered,
        "loaded": warehouse.map(|pass| &pass.loads.tables),
        "gaps": warehouse.map(|pass| &pass.gaps),
        "not_delivered": warehouse.map(|pass| &pass.failed),
        "stopped": summary.stopped,
        "notes": summary.notes,
        "broken": summary.broken,
    })
}

/// The account as people read it.
pub(crate) fn text(dataset: &str, summary: &Summary, warehouse: Option<&Pass>, elapsed: Duration) -> String {
    let total = summary.account.total();
    let rate = total.read as f64 / elapsed.as_secs_f64().max(1e-9);
    let mut lines = vec![("read", total.read), ("silver", total.silver)];
    if total.filtered_rows() > 0 {
        lines.push(("filtered", total.filtered_rows()));
    }
    lines.push(("quarantined", total.quarantined_rows()));
    let reasons = reasons(&total);
    let indented: Vec<(String, u64)> = reasons.iter().map(|(reason, count)| (format!("  {reason}"), *count)).collect();
    let gold = summary.account.gold.iter().map(|(name, gold)| (format!("gold {name}"), gold.rows));
    let delivered = summary.delivered.iter().map(|delivered| ("delivered".to_owned(), delivered.rows));
    let tables = warehouse.iter().flat_map(|pass| &pass.loads.tables);
    let loaded = tables.map(|table| (format!("loaded {}", table.table), table.rows));
    let lines = lines.into_iter().map(|(name, count)| (name.to_owned(), count));
    let all: Vec<(String, u64)> = lines.chain(indented).chain(gold).chain(delivered).chain(loaded).collect();
    let name_width = all.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let shown: Vec<String> = all.iter().map(|(_, count)| grouped(*count)).collect();
    let count_width = shown.iter().map(String::len).max().unwrap_or(0);
    let seconds = elapsed.as_secs_f64();
    let segments = summary.segments;
    let mut out = format!("{dataset}: {segments} segments in {seconds:.2} s, {} records/s\n", grouped(rate as u64));
    for ((name, _), count) in all.iter().zip(&shown) {
        let _ = writeln!(out, "  {name:<name_width$}  {count:>count_width$}");
    }
    for (what, count) in masked(&total) {
        let _ = writeln!(out, "masked: {count} times {what}");
    }
    for (rule, batches) in &summary.differed {
        let of = summary.audited;
        let _ = writeln!(out, "rule `{rule}` said something else when asked again, in {batches} of {of} batches");
    }
    for note in &summary.notes {
        let _ = writeln!(out, "note: {note}");
    }
    for problem in warehouse.iter().flat_map(|pass| problems(pass)) {
        let _ = writeln!(out, "{problem}");
    }
    for broken in &summary.broken {
        let _ = writeln!(out, "broken input: {broken}");
    }
    out
}

/// 1234567 as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_batch::{Reject, ShardRef};

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_account_is_aligned_and_complete() {
        let mut summary = Summary { segments: 1, ..Summary::default() };
        let origin = summary.account.origin(&ShardRef::new("s", "0"));
        *origin = OriginAccount { read: 1500, silver: 1498, ..OriginAccount::default() };
        origin.quarantined.insert(Reject::new("checks", "bad"), 2);
        let text = text("orders", &summary, None, Duration::from_secs(1));
        assert_eq!(
            text,
            "orders: 1 segments in 1.00 s, 1,500 records/s\n  read         1,500\n  silver       1,498\n  quarantined      \
             2\n    bad            2\n"
        );
        assert_eq!(json("orders", &summary, None, Duration::from_secs(1))["reasons"]["bad"], 2);
    }
}
