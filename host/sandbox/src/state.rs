//! What the host keeps beside one instance: its limits, and what it has used of them.

use crate::cpu_time::thread_cpu_time;
use crate::failure::Wrong;
use crate::limits::Limits;
use crate::log::LogBook;
use crate::lookup::Lookups;
use crate::token::Pseudonyms;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{ResourceLimiter, Result, UpdateDeadline, bail};

/// Processor time that all host calls within one call of a rule may take. A pseudonym takes under a microsecond; a
/// million of them in one batch fit.
pub(crate) const HOST_CALLS: Duration = Duration::from_secs(1);

/// Most tables, memories and core instances that a component may have. A rule built with the SDK has one memory, two
/// tables and, where it imports a capability, three core instances.
const MEMORIES: usize = 1;
pub(crate) const TABLES: usize = 4;
pub(crate) const CORE_INSTANCES: usize = 8;

/// Bytes that an element of a table takes on the host.
const TABLE_ELEMENT: usize = size_of::<usize>();

/// State of one store. Public only because [`Guard`](crate::Guard) is.
#[doc(hidden)]
pub struct HostState {
    memory_cap: usize,
    memory_used: usize,
    table_cap: usize,
    table_used: usize,
    clock: CallClock,
    /// Set by the limit that stopped the rule.
    pub(crate) tripped: Option<Wrong>,
    pub(crate) log: LogBook,
    pub(crate) token: Option<Arc<Pseudonyms>>,
    pub(crate) lookups: Lookups,
}

/// Processor time of the call that is running.
#[derive(Clone, Copy)]
struct CallClock {
    started: Duration,
    budget: Duration,
    in_host: Duration,
}

impl HostState {
    pub(crate) fn new(limits: &Limits, log: LogBook, token: Option<Arc<Pseudonyms>>) -> Self {
        let clock = CallClock { started: Duration::ZERO, budget: Duration::ZERO, in_host: Duration::ZERO };
        let (memory_cap, table_cap) = (limits.memory_bytes, limits.table_elements);
        Self {
            memory_cap,
            memory_used: 0,
            table_cap,
            table_used: 0,
            clock,
            tripped: None,
            log,
            token,
            lookups: Lookups::default(),
        }
    }

    /// A call begins.
    pub(crate) fn begin(&mut self, budget: Duration) {
        self.clock = CallClock { started: thread_cpu_time(), budget, in_host: Duration::ZERO };
        self.tripped = None;
    }

    /// A call has ended. Returns the processor time that it took, host calls included.
    pub(crate) fn end(&mut self) -> Duration {
        self.log.close_call();
        thread_cpu_time().saturating_sub(self.clock.started)
    }

    /// Looks at the deadline. The rule is charged for its own processor time only: what the host computed for it counts
    /// against [`HOST_CALLS`].
    pub(crate) fn at_tick(&mut self) -> UpdateDeadline {
        let CallClock { started, budget, in_host } = self.clock;
        if thread_cpu_time().saturating_sub(started + in_host) < budget {
            return UpdateDeadline::Continue(1);
        }
        self.tripped = Some(Wrong::Deadline(budget));
        UpdateDeadline::Interrupt
    }

    /// Runs a host call on the host's own account. `work` is given the processor time by which it must be done.
    ///
    /// # Errors
    /// The rule is to be stopped; why is noted.
    pub(crate) fn host_call<R>(&mut self, work: impl FnOnce(&Self, Duration) -> Result<R, Wrong>) -> Result<R> {
        let start = thread_cpu_time();
        let result = work(self, start + HOST_CALLS.saturating_sub(self.clock.in_host));
        self.clock.in_host += thread_cpu_time().saturating_sub(start);
        match result {
            Ok(result) => Ok(result),
            Err(wrong) => {
                self.tripped = Some(wrong);
                bail!("stopped in a host call")
            }
        }
    }

    fn grow(&mut self, by: usize, asked: usize) -> Result<bool> {
        let used = self.memory_used.saturating_add(by);
        if used > self.memory_cap {
            return self.out_of_memory(asked);
        }
        self.memory_used = used;
        Ok(true)
    }

    /// Stops the rule: the contract has a failing growth trap, so that what a rule does never depends on how much it
    /// was given.
    fn out_of_memory(&mut self, asked: usize) -> Result<bool> {
        self.tripped = Some(Wrong::Memory { asked, cap: self.memory_cap });
        bail!("memory cap reached")
    }

    /// The same for tables.
    fn out_of_table(&mut self, asked: usize) -> Result<bool> {
        self.tripped = Some(Wrong::Table { asked, cap: self.table_cap });
        bail!("table cap reached")
    }
}

impl ResourceLimiter for HostState {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return self.out_of_memory(desired);
        }
        self.grow(desired.saturating_sub(current), desired)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        self.out_of_memory(self.memory_used).map(drop)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let by = desired.saturating_sub(current);
        let used = self.table_used.saturating_add(by);
        if used > self.table_cap || maximum.is_some_and(|maximum| desired > maximum) {
            return self.out_of_table(used);
        }
        self.table_used = used;
        self.grow(by.saturating_mul(TABLE_ELEMENT), desired.saturating_mul(TABLE_ELEMENT))
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        self.out_of_table(self.table_used).map(drop)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(cap: usize) -> HostState {
        HostState::new(&Limits { memory_bytes: cap, ..Limits::default() }, LogBook::silent(), None)
    }

    #[test]
    fn growth_within_the_cap_passes_and_beyond_it_stops_the_rule() {
        let mut state = state(1 << 20);
        assert!(state.memory_growing(0, 1 << 19, None).unwrap());
        assert!(state.table_growing(0, 100, None).unwrap());
        assert!(state.memory_growing(1 << 19, 1 << 20, None).is_err());
        assert_eq!(state.tripped, Some(Wrong::Memory { asked: 1 << 20, cap: 1 << 20 }));
    }

    #[test]
    fn growth_beyond_the_memorys_own_maximum_stops_the_rule_too() {
        assert!(state(1 << 20).memory_growing(0, 1 << 17, Some(1 << 16)).is_err());
    }

    #[test]
    fn the_elements_of_all_tables_count_together() {
        let mut state = state(1 << 20);
        assert!(state.table_growing(0, 6_000, None).unwrap());
        assert!(state.table_growing(0, 4_000, None).unwrap());
        assert!(state.table_growing(4_000, 4_001, None).is_err());
        assert_eq!(state.tripped, Some(Wrong::Table { asked: 10_001, cap: 10_000 }));
    }

    #[test]
    fn a_host_call_is_not_charged_to_the_rule() {
        let mut state = state(0);
        state.begin(Duration::from_millis(10));
        let busy = |_: &HostState, by: Duration| {
            let start = thread_cpu_time();
            assert!(by > start);
            while thread_cpu_time() - start < Duration::from_millis(30) {}
            Ok(())
        };
        state.host_call(busy).unwrap();
        assert!(matches!(state.at_tick(), UpdateDeadline::Continue(1)));
        let start = thread_cpu_time();
        while thread_cpu_time() - start < Duration::from_millis(12) {}
        assert!(matches!(state.at_tick(), UpdateDeadline::Interrupt));
        assert_eq!(state.tripped, Some(Wrong::Deadline(Duration::from_millis(10))));
        assert!(state.end() >= Duration::from_millis(40));
    }
}
