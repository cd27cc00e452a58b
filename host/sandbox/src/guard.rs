//! A store whose code runs within limits: memory, tables, processor time, what an answer may hold.

use crate::engine::{Inner, Sandbox};
use crate::failure::Wrong;
use crate::limits::{Allowance, Limits};
use crate::log::LogBook;
use crate::state::HostState;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{Engine, Result, Store};

/// What one call may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) deadline: Duration,
    pub(crate) output: Allowance,
}

/// The store of one instance. Public for this crate's tests, which run strangers' files that are no rules in it.
#[doc(hidden)]
pub struct Guard {
    sandbox: Arc<Inner>,
    store: Store<HostState>,
}

impl Guard {
    pub(crate) fn new(sandbox: &Arc<Inner>, state: HostState) -> Self {
        let mut store = Store::new(&sandbox.engine, state);
        store.limiter(|state| state);
        store.epoch_deadline_callback(|mut store| Ok(store.data_mut().at_tick()));
        Self { sandbox: sandbox.clone(), store }
    }

    /// A store with a step's limits, for a file that need not be a rule.
    pub fn bare(sandbox: &Sandbox, limits: &Limits) -> Self {
        Self::new(&sandbox.0, HostState::new(limits, LogBook::silent(), None))
    }

    /// Any component as rules are compiled, whatever it imports and exports.
    ///
    /// # Errors
    /// It is none, or a limit was passed.
    pub fn compile(sandbox: &Sandbox, bytes: &[u8]) -> Result<wasmtime::component::Component, String> {
        sandbox.0.compile(bytes, &sandbox.0.load)
    }

    /// The engine that its code must be compiled for.
    pub fn engine(&self) -> &Engine {
        &self.sandbox.engine
    }

    /// Runs code of a stranger as a call over a batch without bytes is run. The error is a clause.
    ///
    /// # Errors
    /// It trapped or broke a limit.
    pub fn call<R>(
        &mut self,
        limits: &Limits,
        call: impl FnOnce(&mut Store<HostState>) -> Result<R>,
    ) -> Result<R, String> {
        let budget = Budget { deadline: limits.deadline, output: limits.output_for(0) };
        self.run(budget, call).0.map_err(|wrong| wrong.clause("in a call"))
    }

    /// Runs code of the rule within its limits. Returns the processor time that it took, too.
    pub(crate) fn run<R>(
        &mut self,
        budget: Budget,
        call: impl FnOnce(&mut Store<HostState>) -> Result<R>,
    ) -> (Result<R, Wrong>, Duration) {
        let store = &mut self.store;
        let _ticking = self.sandbox.ticker.hold();
        store.set_hostcall_fuel(budget.output.bytes);
        store.set_epoch_deadline(1);
        store.data_mut().begin(budget.deadline);
        let result = call(store);
        let spent = store.data_mut().end();
        let tripped = store.data_mut().tripped.take();
        (result.map_err(|error| Wrong::of(&error, tripped, budget.output)), spent)
    }

    /// For what runs no code of the rule.
    pub(crate) fn store(&mut self) -> &mut Store<HostState> {
        &mut self.store
    }
}
