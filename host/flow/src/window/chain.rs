//! A gold through the versions of its definition.
//!
//! A window is finished by the definition that opened it: its part of the plan and its aggregator. So where a definition
//! changes, the one before stays as long as it has windows open, and goes on taking the rows that fall in them; all other
//! rows go to the new one.

use super::gold::{BoundGold, Gold, GoldRows, Parents, Rows, Taken};
use crate::error::Result;
use crate::layout::Layout;
use arrow_schema::SchemaRef;
use sluice_batch::{FailedGroups, FailedRows, GoldAccount, ShardRef};
use sluice_manifest::plan::{BreakerPlan, Late};
use std::collections::BTreeSet;
use std::time::Duration;

/// Rows of windows that closed, with the columns that they have.
pub(crate) struct Closed {
    pub(crate) schema: SchemaRef,
    pub(crate) rows: GoldRows,
    /// Whether they are of an earlier definition.
    pub(crate) earlier: bool,
}

/// One gold while it runs.
pub(crate) struct Chain {
    /// Earlier definitions with open windows, oldest first.
    earlier: Vec<Gold>,
    current: Gold,
}

impl Chain {
    pub(crate) fn new(current: Gold) -> Self {
        Self { earlier: Vec::new(), current }
    }

    pub(crate) fn name(&self) -> &str {
        &self.current.bound.plan.name
    }

    /// How the gold is named among the decisions of a cut.
    pub(crate) fn label(&self) -> String {
        self.current.label()
    }

    pub(crate) fn late(&self) -> Late {
        self.current.bound.plan.window.late
    }

    /// How long a shard may be quiet before it holds no window open.
    pub(crate) fn idle(&self) -> Duration {
        self.current.bound.plan.window.idle
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        self.current.schema()
    }

    /// Greatest event time of a shard's silver rows.
    pub(crate) fn event_time(&self, shard: &ShardRef) -> Option<i64> {
        self.current.event_time.get(shard).copied()
    }

    /// Sets the greatest event time of a shard's silver rows, as a commit has it.
    pub(crate) fn set_event_time(&mut self, shard: &ShardRef, time: i64) {
        for gold in self.all_mut() {
            gold.event_time.insert(shard.clone(), time);
        }
    }

    /// End of the last window closed, `i64::MIN` where none was.
    pub(crate) fn closed_through(&self) -> i64 {
        self.current.closed_through
    }

    /// Sets where windows are closed, as a commit has it.
    pub(crate) fn set_closed(&mut self, through: i64, barrier: i64) {
        (self.current.closed_through, self.current.barrier) = (through, barrier);
    }

    /// Rows before it belong to closed windows of an earlier definition, `i64::MIN` where there were none.
    pub(crate) fn barrier(&self) -> i64 {
        self.current.barrier
    }

    fn all(&self) -> impl DoubleEndedIterator<Item = &Gold> {
        self.earlier.iter().chain([&self.current])
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Gold> {
        self.earlier.iter_mut().chain([&mut self.current])
    }

    /// Whether another layout of silver has the columns that windows need, those that are open and those that rows under way
    /// may open yet.
    ///
    /// # Errors
    /// A column is gone or has another type.
    pub(crate) fn check(&self, layout: &Layout) -> Result<()> {
        self.all().try_for_each(|gold| gold.bound.check(layout))
    }

    /// Whether any window is open.
    pub(crate) fn has_open_windows(&self) -> bool {
        self.all().any(|gold| !gold.shards.is_empty())
    }

    /// Goes on by another version of the pipeline: windows that are open stay with what opened them.
    ///
    /// # Errors
    /// Silver no longer has a column that they need.
    pub(crate) fn adopt(&mut self, bound: BoundGold, layout: &Layout, breaker: BreakerPlan) -> Result<()> {
        let same = bound.definition == self.current.bound.definition;
        let mut next = Gold::new(bound, layout, breaker)?;
        next.event_time.clone_from(&self.current.event_time);
        (next.closed_through, next.barrier) = (self.current.closed_through, self.current.barrier);
        let before = std::mem::replace(&mut self.current, next);
        let mut earlier = std::mem::take(&mut self.earlier);
        if same {
            self.current = before.over(layout, breaker)?;
        } else {
            earlier.push(before);
        }
        let open = earlier.into_iter().filter(|gold| !gold.shards.is_empty());
        self.earlier = open.map(|gold| gold.over(layout, breaker)).collect::<Result<_>>()?;
        // back to a definition whose windows are open still
        let again = |gold: &Gold| gold.bound.definition == self.current.bound.definition;
        if let Some(place) = self.earlier.iter().position(again) {
            let mut gold = self.earlier.remove(place);
            gold.event_time.clone_from(&self.current.event_time);
            (gold.closed_through, gold.barrier) = (self.current.closed_through, self.current.barrier);
            self.current = gold;
        }
        Ok(())
    }

    /// Takes the silver rows of a batch.
    pub(crate) fn take(&mut self, rows: &Rows<'_>) -> Taken {
        if self.earlier.is_empty() {
            return self.current.take(rows, &|_| true);
        }
        let current = self.earlier.len();
        let mut owner = vec![current; rows.silver.num_rows()];
        for (place, gold) in self.earlier.iter().enumerate() {
            let open = gold.open_windows();
            for (owner, window) in owner.iter_mut().zip(gold.windows_of(rows.silver)) {
                if *owner == current && window.is_some_and(|window| open.contains(&window)) {
                    *owner = place;
                }
            }
        }
        let mut all = Taken::default();
        let mut failed: Vec<FailedRows> = Vec::new();
        for (place, gold) in self.all_mut().enumerate() {
            let taken = gold.take(rows, &|row| owner[row] == place);
            all.account.add(&taken.account);
            all.late.extend(taken.late);
            failed.extend(taken.failed);
            all.parked = all.parked.or(taken.parked);
            all.differed |= taken.differed;
        }
        all.late.sort_unstable();
        all.failed = rows.forced.cloned().or_else(|| joined(failed));
        all
    }

    /// The end of the last window that may close when all of `active` shards have come as far as they have.
    pub(crate) fn closable(&self, active: &BTreeSet<ShardRef>, parents: &Parents) -> Option<i64> {
        let through = |gold: &Gold| gold.closable(active.iter().cloned(), parents);
        // an earlier definition may have waited longer, and a gold has one word for how far it is closed
        let open = self.earlier.iter().map(|gold| through(gold).unwrap_or(i64::MIN)).min();
        let through = through(&self.current)?.min(open.unwrap_or(i64::MAX));
        (through > self.closed_through()).then_some(through)
    }

    /// The end of the first window that is open.
    pub(crate) fn first_end(&self) -> Option<i64> {
        self.all().filter_map(Gold::first_end).min()
    }

    /// The end of the last window that is open.
    pub(crate) fn last_open(&self) -> Option<i64> {
        self.all().filter_map(Gold::last_open).max()
    }

    /// Closes all windows that end at or before `through`, each by what opened it.
    ///
    /// # Errors
    /// The rows do not make a table.
    pub(crate) fn close(
        &mut self,
        through: i64,
        commit: u64,
        fence: u64,
        forced: Option<&FailedGroups>,
    ) -> Result<Vec<Closed>> {
        let mut closed = Vec::new();
        for gold in &mut self.earlier {
            let last =
                gold.open_windows().into_iter().map(|start| gold.end_of(start)).filter(|end| *end <= through).max();
            self.current.barrier = self.current.barrier.max(last.unwrap_or(i64::MIN));
            let rows = gold.close(through, commit, fence, forced)?;
            closed.push(Closed { schema: gold.schema().clone(), rows, earlier: true });
        }
        self.earlier.retain(|gold| !gold.shards.is_empty());
        let rows = self.current.close(through, commit, fence, forced)?;
        closed.push(Closed { schema: self.current.schema().clone(), rows, earlier: false });
        Ok(closed)
    }

    /// The open windows as objects, one for each definition that has any.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn save(&self) -> Result<Vec<(u64, Vec<u8>)>> {
        self.all().filter_map(|gold| gold.save().transpose()).collect()
    }

    /// Takes up windows that an earlier process left open. `find` knows earlier definitions by their digest.
    ///
    /// # Errors
    /// Nobody knows the definition that opened them, or silver no longer has what it needs.
    pub(crate) fn load(
        &mut self,
        bytes: &[u8],
        layout: &Layout,
        breaker: BreakerPlan,
        find: &dyn Fn(&str, &str) -> Option<BoundGold>,
    ) -> Result<()> {
        let opened_by = Gold::opened_by(bytes)?;
        if opened_by.definition == self.current.bound.definition {
            return self.current.load(bytes);
        }
        let Some(bound) = find(self.name(), &opened_by.definition) else {
            return Err(self.current.other_definition(&opened_by.rule));
        };
        let mut gold = Gold::new(bound, layout, breaker)?;
        gold.event_time.clone_from(&self.current.event_time);
        gold.load(bytes)?;
        self.earlier.push(gold);
        Ok(())
    }
}

/// Failed rows of several definitions as one decision.
fn joined(failed: Vec<FailedRows>) -> Option<FailedRows> {
    let mut all = failed.into_iter();
    let mut first = all.next()?;
    first.rows.extend(all.flat_map(|failed| failed.rows));
    first.rows.sort_unstable();
    Some(first)
}

/// The books of what closed.
pub(crate) fn account(closed: &[Closed]) -> GoldAccount {
    let mut account = GoldAccount::default();
    for closed in closed {
        account.rows += closed.rows.rows;
        account.finish_failed += closed.rows.failed.len() as u64;
    }
    account
}
