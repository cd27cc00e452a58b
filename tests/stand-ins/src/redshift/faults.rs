//! Things that go wrong on purpose.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallFault {
    /// `ThrottlingException`, nothing done.
    Throttle,
    /// `InternalServerException`, nothing done.
    Internal,
    /// Done, but the connection is closed instead of an answer.
    LoseReply,
}

/// What happens to a statement whose text holds something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StatementFault {
    /// It takes so much longer to start.
    Slow(Duration),
    /// It fails with this.
    Fail(String),
    /// It fails for want of an order with others.
    Conflict,
    /// Its session is lost before it runs.
    LoseSessionBefore,
    /// Its session is lost once it has run.
    LoseSessionAfter,
}

/// A fault and how often it strikes yet.
#[derive(Debug)]
struct Armed<F> {
    /// The operation, or a piece of SQL.
    what: String,
    fault: F,
    times: u32,
}

/// What is to go wrong.
#[derive(Debug, Default)]
struct Plan {
    calls: Vec<Armed<CallFault>>,
    statements: Vec<Armed<StatementFault>>,
}

/// A handle that makes things go wrong, from the next call on.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
}

impl Faults {
    /// The next `times` calls of an operation (`ExecuteStatement`, ...) are throttled.
    pub fn throttle(&self, operation: &str, times: u32) {
        self.arm_call(operation, CallFault::Throttle, times);
    }

    /// The next `times` calls of an operation fail with an error of the server.
    pub fn internal_error(&self, operation: &str, times: u32) {
        self.arm_call(operation, CallFault::Internal, times);
    }

    /// The next `times` calls of an operation take effect, but their answer is lost.
    pub fn lose_reply(&self, operation: &str, times: u32) {
        self.arm_call(operation, CallFault::LoseReply, times);
    }

    /// The next `times` statements that hold `sql` wait before they run; in a batch, within its transaction.
    pub fn slow(&self, sql: &str, delay: Duration, times: u32) {
        self.arm_statement(sql, StatementFault::Slow(delay), times);
    }

    /// The next `times` statements that hold `sql` fail with `ERROR: message`.
    pub fn fail(&self, sql: &str, message: &str, times: u32) {
        self.arm_statement(sql, StatementFault::Fail(message.to_owned()), times);
    }

    /// The next `times` statements that hold `sql` fail with error 1023.
    pub fn serialization_conflict(&self, sql: &str, times: u32) {
        self.arm_statement(sql, StatementFault::Conflict, times);
    }

    /// The session of the next statement that holds `sql` is lost before that statement runs, which fails.
    pub fn lose_session_before(&self, sql: &str) {
        self.arm_statement(sql, StatementFault::LoseSessionBefore, 1);
    }

    /// The session of the next statement that holds `sql` is lost once that statement has succeeded.
    pub fn lose_session_after(&self, sql: &str) {
        self.arm_statement(sql, StatementFault::LoseSessionAfter, 1);
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        *self.lock() = Plan::default();
    }

    /// The fault that strikes this call.
    pub(crate) fn strike_call(&self, operation: &str) -> Option<CallFault> {
        strike(&mut self.lock().calls, |armed| armed == operation)
    }

    /// The fault that strikes this statement.
    pub(crate) fn strike_statement(&self, sql: &str) -> Option<StatementFault> {
        strike(&mut self.lock().statements, |armed| sql.contains(armed))
    }

    fn arm_call(&self, operation: &str, fault: CallFault, times: u32) {
        self.lock().calls.push(Armed { what: operation.to_owned(), fault, times });
    }

    fn arm_statement(&self, sql: &str, fault: StatementFault, times: u32) {
        self.lock().statements.push(Armed { what: sql.to_owned(), fault, times });
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner) // a plan is whole after every step
    }
}

fn strike<F: Clone>(armed: &mut Vec<Armed<F>>, strikes: impl Fn(&str) -> bool) -> Option<F> {
    let at = armed.iter().position(|armed| armed.times > 0 && strikes(&armed.what))?;
    armed[at].times -= 1;
    let fault = armed[at].fault.clone();
    armed.retain(|armed| armed.times > 0);
    Some(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_as_often_as_it_was_armed() {
        let faults = Faults::default();
        faults.throttle("ExecuteStatement", 2);
        faults.serialization_conflict("INSERT INTO t", 1);
        assert_eq!(faults.strike_call("DescribeStatement"), None);
        assert_eq!(faults.strike_call("ExecuteStatement"), Some(CallFault::Throttle));
        assert_eq!(faults.strike_call("ExecuteStatement"), Some(CallFault::Throttle));
        assert_eq!(faults.strike_call("ExecuteStatement"), None);
        assert_eq!(faults.strike_statement("INSERT INTO t SELECT 1"), Some(StatementFault::Conflict));
        assert_eq!(faults.strike_statement("INSERT INTO t SELECT 1"), None);
    }
}
