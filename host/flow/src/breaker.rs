//! Parks a rule that keeps failing.
//!
//! A rule that fails on every batch costs eight deadlines for each, since poison rows are looked for anew every time. So
//! what its last batches came to is kept, and where too many failed the rule is parked: for a while its rows are set aside
//! without calling it. Then one batch tries it again. Whether a rule was parked is a decision about a batch, and stands in
//! the cut.

use sluice_manifest::plan::BreakerPlan;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

/// A batch counts as failed where isolation ran out of its budget, or where more than one row in this many failed.
const ROWS_PER_FAILED: usize = 20;

/// Whether a batch on which a rule failed in part counts as failed.
pub(crate) fn is_failed_batch(rows: usize, failed: usize, exhausted: bool) -> bool {
    exhausted || failed * ROWS_PER_FAILED > rows
}

/// The breaker of one rule, shared by all workers.
pub(crate) struct Breaker {
    plan: BreakerPlan,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the last batches came to: true where one failed.
    outcomes: VecDeque<bool>,
    failures: u32,
    parked: Option<Parked>,
}

/// Since when, and whether a batch is trying the rule again.
struct Parked {
    until: Duration,
    trying: bool,
    why: String,
}

/// What a breaker says to a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The rule may be called.
    Call,
    /// It is parked, and why.
    Parked(String),
}

impl Breaker {
    pub(crate) fn new(plan: BreakerPlan) -> Self {
        Self { plan, state: Mutex::default() }
    }

    /// Whether the rule may be called now. Of a rule whose pause is over, one batch may; it must report with
    /// [`Breaker::note`].
    pub(crate) fn admit(&self, now: Duration) -> Admission {
        let mut state = self.state.lock().expect("no holder panics");
        let Some(parked) = &mut state.parked else { return Admission::Call };
        if now >= parked.until && !parked.trying {
            parked.trying = true;
            return Admission::Call;
        }
        Admission::Parked(parked.why.clone())
    }

    /// What a batch came to. Returns why, where it parked the rule.
    pub(crate) fn note(&self, failed: bool, now: Duration) -> Option<String> {
        let mut state = self.state.lock().expect("no holder panics");
        if let Some(parked) = &mut state.parked {
            // batches that were under way when the rule was parked have no say
            if parked.trying && failed {
                (parked.until, parked.trying) = (now + self.plan.pause, false);
            } else if parked.trying {
                *state = State::default();
            }
            return None;
        }
        state.outcomes.push_back(failed);
        state.failures += u32::from(failed);
        if state.outcomes.len() > self.plan.of as usize && state.outcomes.pop_front() == Some(true) {
            state.failures -= 1;
        }
        if state.failures < self.plan.failures {
            return None;
        }
        let (failures, of) = (state.failures, state.outcomes.len());
        let pause = self.plan.pause.as_secs_f64();
        let why =
            format!("failed on {failures} of its last {of} batches and is parked; it is tried again every {pause} s");
        state.parked = Some(Parked { until: now + self.plan.pause, trying: false, why: why.clone() });
        Some(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn breaker() -> Breaker {
        Breaker::new(BreakerPlan { failures: 3, of: 5, pause: at(30) })
    }

    fn is_parked(breaker: &Breaker, now: u64) -> bool {
        breaker.admit(at(now)) != Admission::Call
    }

    #[test]
    fn failures_far_apart_park_nothing_and_those_close_together_do() {
        let breaker = breaker();
        for failed in [true, false, false, false, true, false, false, false, true, true] {
            assert_eq!(breaker.note(failed, at(0)), None);
        }
        assert!(breaker.note(true, at(0)).unwrap().starts_with("failed on 3 of its last 5 batches"));
        assert!(is_parked(&breaker, 29));
    }

    #[test]
    fn after_the_pause_one_batch_tries_and_decides() {
        let breaker = breaker();
        (0..3).for_each(|_| drop(breaker.note(true, at(0))));
        assert!(!is_parked(&breaker, 30));
        assert!(is_parked(&breaker, 30), "only one batch tries");
        breaker.note(true, at(31));
        assert!(is_parked(&breaker, 60));
        assert!(!is_parked(&breaker, 61));
        breaker.note(false, at(61));
        assert!((0..10).all(|_| !is_parked(&breaker, 62)));
    }

    #[test]
    fn batches_under_way_when_it_was_parked_have_no_say() {
        let breaker = breaker();
        (0..3).for_each(|_| drop(breaker.note(true, at(0))));
        breaker.note(false, at(1));
        assert!(is_parked(&breaker, 2));
    }

    #[test]
    fn a_few_failed_rows_are_no_failed_batch() {
        assert!(!is_failed_batch(4096, 200, false));
        assert!(is_failed_batch(4096, 205, false));
        assert!(is_failed_batch(4096, 1, true));
        assert!(is_failed_batch(1, 1, false));
    }
}
