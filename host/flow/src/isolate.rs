//! Finds the rows that a rule fails on, within a budget.
//!
//! A failed call is tried again whole on a fresh instance, then the batch is halved until single rows are left. All
//! calls together may take eight deadlines of processor time; rows still undecided then are given up. So a rule that
//! loops on every row costs eight deadlines a batch and blocks nothing.

use sluice_ports::{Cause, StepFailure};
use std::ops::Range;
use std::time::Duration;

/// Deadlines that isolating may take for each batch.
const BUDGET: u32 = 8;
/// While halves are tried each call has this part of the deadline: a rule that keeps to its deadline on a full batch
/// needs far less for half of it, and a looping row costs so much less to find.
const SHARE: u32 = 8;

/// Stretches of a batch that a rule answered for, and those that it failed on, each in the order of rows.
pub(crate) struct Isolated<T> {
    pub(crate) answered: Vec<(Range<usize>, T)>,
    pub(crate) failed: Vec<(Range<usize>, StepFailure)>,
    /// Whether rows were given up because the budget was spent.
    pub(crate) exhausted: bool,
}

/// Calls a rule on `rows` rows. `call` is given a stretch and, while isolating, a deadline; stretches come in the order of
/// rows, a failed one comes again in halves.
pub(crate) fn isolate<T>(
    rows: usize,
    deadline: Duration,
    mut call: impl FnMut(Range<usize>, Option<Duration>) -> Result<T, StepFailure>,
) -> Isolated<T> {
    let mut done = Isolated { answered: Vec::new(), failed: Vec::new(), exhausted: false };
    let first = match call(0..rows, None) {
        Ok(answer) => {
            done.answered.push((0..rows, answer));
            return done;
        }
        Err(failure) => failure,
    };
    let mut spent = first.spent;
    match call(0..rows, None) {
        Ok(answer) => {
            done.answered.push((0..rows, answer));
            return done;
        }
        Err(failure) => spent += failure.spent,
    }
    let mut last = first.clone();
    let mut open = halves(0..rows);
    while let Some(stretch) = open.pop() {
        if spent > deadline * BUDGET {
            done.exhausted = true;
            done.failed.push((stretch, last.clone()));
            continue;
        }
        match call(stretch.clone(), Some(deadline / SHARE)) {
            Ok(answer) => done.answered.push((stretch, answer)),
            Err(failure) => {
                spent += failure.spent;
                // the deadline that people know is that of the whole batch
                let of_batch = failure.cause == Cause::Deadline && first.cause == Cause::Deadline;
                let failure = if of_batch { StepFailure { detail: first.detail.clone(), ..failure } } else { failure };
                // nothing can be isolated where not even an instance can be had
                if stretch.len() <= 1 || failure.cause == Cause::Start {
                    done.failed.push((stretch, failure.clone()));
                } else {
                    open.extend(halves(stretch));
                }
                last = failure;
            }
        }
    }
    done
}

/// The halves of a stretch as a stack: the first half is on top.
fn halves(stretch: Range<usize>) -> Vec<Range<usize>> {
    let middle = stretch.start + stretch.len().div_ceil(2);
    [middle..stretch.end, stretch.start..middle].into_iter().filter(|half| !half.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEADLINE: Duration = Duration::from_millis(100);

    fn failure(cause: Cause, spent: Duration) -> StepFailure {
        StepFailure { cause, detail: "test".into(), spent }
    }

    #[test]
    fn a_failure_that_does_not_come_again_fails_no_row() {
        let mut calls = 0;
        let done = isolate(100, DEADLINE, |stretch, _| {
            calls += 1;
            if calls == 1 { Err(failure(Cause::Trap, Duration::ZERO)) } else { Ok(stretch.len()) }
        });
        assert_eq!((done.answered.len(), done.failed.len(), calls), (1, 0, 2));
    }

    #[test]
    fn one_looping_row_of_4096_is_found_within_the_budget() {
        let done = isolate(4096, DEADLINE, |stretch, deadline| {
            let spent = deadline.unwrap_or(DEADLINE);
            if stretch.contains(&1234) { Err(failure(Cause::Deadline, spent)) } else { Ok(()) }
        });
        assert_eq!(done.failed.iter().map(|(stretch, _)| stretch.clone()).collect::<Vec<_>>(), vec![1234..1235]);
        assert!(!done.exhausted);
    }

    #[test]
    fn a_passed_deadline_is_told_as_that_of_the_batch() {
        let done = isolate(64, DEADLINE, |stretch, deadline| {
            let spent = deadline.unwrap_or(DEADLINE);
            let detail = format!("deadline of {spent:?} passed on {} rows", stretch.len());
            if stretch.contains(&5) { Err(StepFailure { cause: Cause::Deadline, detail, spent }) } else { Ok(()) }
        });
        assert_eq!(done.failed[0].1.detail, "deadline of 100ms passed on 64 rows");
    }

    #[test]
    fn a_rule_that_loops_on_every_row_is_given_up_after_eight_deadlines() {
        let mut spent = Duration::ZERO;
        let done = isolate(4096, DEADLINE, |_, deadline| {
            spent += deadline.unwrap_or(DEADLINE);
            Err::<(), _>(failure(Cause::Deadline, deadline.unwrap_or(DEADLINE)))
        });
        assert!(done.exhausted);
        assert!(spent <= DEADLINE * (BUDGET + 1), "{spent:?}");
        assert_eq!(done.failed.iter().map(|(stretch, _)| stretch.len()).sum::<usize>(), 4096);
    }

    proptest! {
        #[test]
        fn every_poison_row_is_found_and_no_other_row_is_lost(
            rows in 1usize..300, poison in proptest::collection::btree_set(0usize..300, 0..6),
        ) {
            let done = isolate(rows, DEADLINE, |stretch, _| {
                if poison.iter().any(|row| stretch.contains(row)) {
                    Err(failure(Cause::Trap, Duration::ZERO))
                } else {
                    Ok(())
                }
            });
            let failed: Vec<usize> = done.failed.iter().flat_map(|(stretch, _)| stretch.clone()).collect();
            let expected: Vec<usize> = poison.into_iter().filter(|row| *row < rows).collect();
            prop_assert_eq!(failed, expected);
            let mut all: Vec<usize> = done.answered.iter().chain(&[]).flat_map(|(s, ())| s.clone()).collect();
            all.extend(done.failed.iter().flat_map(|(s, _)| s.clone()));
            all.sort_unstable();
            prop_assert_eq!(all, (0..rows).collect::<Vec<_>>());
        }
    }
}
