//! Rules that do not answer at all.

use crate::guests::{ROWS, call, config, open, sandbox, texts, transformer};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use sluice_ports::{Cause, Step, StepFailure};
use std::time::{Duration, Instant};

/// Attacks tested here, in `logs` and in `tokens`.
pub(crate) const TESTED: [&str; 19] = [
    "honest",
    "echo",
    "loop",
    "allocate",
    "leak",
    "panic",
    "recurse",
    "poison_loop",
    "poison_trap",
    "count",
    "log_flood",
    "log_long",
    "log_escape",
    "token",
    "token_many",
    "token_number",
    "token_offsets",
    "token_domain",
    "stack",
];

fn failure(attack: &str) -> StepFailure {
    let failure = call(&mut *open(transformer(), config(attack)).step().unwrap()).expect_err(attack);
    assert!(failure.detail.starts_with("step `mask` (rule `hostile-transformer@0.1.0`): "), "{}", failure.detail);
    failure
}

#[test]
fn an_endless_loop_ends_at_its_deadline() {
    let failure = failure("loop");
    assert_eq!(failure.cause, Cause::Deadline);
    assert!(failure.detail.ends_with("deadline of 50 ms passed on a batch of 10 rows"), "{}", failure.detail);
    assert!(failure.spent >= Duration::from_millis(50) && failure.spent < Duration::from_millis(500), "{failure:?}");
}

#[test]
fn a_shorter_deadline_is_kept_while_poison_is_sought() {
    let mut step = open(transformer(), config("loop")).step().unwrap();
    let failure = step.call_within(ROWS, &[crate::guests::text()], Duration::from_millis(8)).unwrap_err();
    assert!(failure.detail.ends_with("deadline of 8 ms passed on a batch of 10 rows"), "{}", failure.detail);
    assert!(failure.spent < Duration::from_millis(50), "{failure:?}");
}

#[test]
fn endless_allocation_ends_at_the_memory_cap() {
    let mut config = config("allocate");
    config.limits.deadline = Duration::from_secs(5);
    let failure = call(&mut *open(transformer(), config).step().unwrap()).unwrap_err();
    assert_eq!(failure.cause, Cause::Memory);
    assert!(failure.detail.contains("its cap is 64 MiB, raise `memory` under `limits`"), "{}", failure.detail);
}

#[test]
fn a_leak_costs_an_instance_and_not_the_step() {
    let mut step = open(transformer(), config("leak")).step().unwrap();
    let results: Vec<_> = (0..40).map(|_| call(&mut *step).map_err(|failure| failure.cause)).collect();
    let failed = results.iter().filter(|result| result.is_err()).count();
    assert!((1..=4).contains(&failed), "{results:?}");
    assert!(results.iter().flat_map(|result| result.as_ref().err()).all(|cause| *cause == Cause::Memory));
}

#[test]
fn a_panic_is_a_trap_and_says_where() {
    let failure = failure("panic");
    assert_eq!(failure.cause, Cause::Trap);
    let says = "trapped on a batch of 10 rows: wasm `unreachable` instruction executed, in `hostile_transformer::";
    assert!(failure.detail.contains(says), "{}", failure.detail);
}

#[test]
fn deep_recursion_is_a_trap() {
    for attack in ["recurse", "stack"] {
        let failure = failure(attack);
        assert_eq!(failure.cause, Cause::Trap);
        let overflow = ["call stack exhausted", "out of bounds memory access"];
        assert!(overflow.iter().any(|text| failure.detail.contains(text)), "{attack}: {}", failure.detail);
    }
}

#[test]
fn only_the_batch_with_the_poison_row_fails() {
    let poison = texts(&[Some("fine"), Some("poison"), None]);
    let fine = texts(&[Some("fine"), Some("also fine"), None]);
    for (attack, cause) in [("poison_trap", Cause::Trap), ("poison_loop", Cause::Deadline)] {
        let mut step = open(transformer(), config(attack)).step().unwrap();
        for _ in 0..2 {
            assert_eq!(step.call(3, std::slice::from_ref(&poison)).unwrap_err().cause, cause);
            let out = step.call(3, std::slice::from_ref(&fine)).unwrap();
            let upper = out.columns[0].as_string::<i32>();
            assert_eq!((upper.value(0), upper.value(1), upper.is_null(2)), ("FINE", "ALSO FINE", true));
        }
    }
}

#[test]
fn what_a_rule_remembers_shows_when_a_fresh_instance_gets_the_same_batch() {
    let plan = open(transformer(), config("count"));
    let first = |step: &mut dyn Step| call(step).unwrap().columns[0].as_primitive::<Int64Type>().value(0);
    let mut step = plan.step().unwrap();
    assert_eq!((0..3).map(|_| first(&mut *step)).collect::<Vec<_>>(), [0, 1, 2]);
    // so a run of the batch on another instance tells on it
    assert_eq!(first(&mut *plan.step().unwrap()), 0);
}

#[test]
fn an_error_never_shows_a_value() {
    let secret = texts(&[Some("4111-1111-1111-1111"), Some("poison")]);
    for attack in ["poison_trap", "utf8_bytes", "offsets_fall", "panic"] {
        let failure = open(transformer(), config(attack)).step().unwrap().call(2, std::slice::from_ref(&secret));
        if let Err(failure) = failure {
            assert!(!failure.detail.contains("4111"), "{}", failure.detail);
        }
    }
}

#[test]
fn loops_of_eight_workers_do_not_hold_one_another_up() {
    let plan = open(transformer(), config("poison_loop"));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let plan = &plan;
            scope.spawn(move || {
                let mut step = plan.step().unwrap();
                let row = if worker % 2 == 0 { "poison" } else { "fine" };
                let result = step.call(1, &[texts(&[Some(row)])]);
                assert_eq!(result.is_err(), worker % 2 == 0);
            });
        }
    });
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn instances_are_given_back() {
    // more than the pool holds, one after another
    let plan = open(transformer(), config("honest"));
    for _ in 0..200 {
        drop(plan.step().unwrap());
    }
}

#[test]
fn a_batch_without_rows_needs_no_call() {
    let out = open(transformer(), config("panic")).step().unwrap().call(0, &[texts(&[])]).unwrap();
    assert_eq!((out.rejections.len(), out.columns.len(), out.columns[0].len()), (0, 1, 0));
}

#[test]
fn an_array_of_another_type_is_the_hosts_mistake() {
    let numbers: arrow_array::ArrayRef = std::sync::Arc::new(arrow_array::Int64Array::from(vec![1]));
    let mut step = open(transformer(), config("honest")).step().unwrap();
    let failure = step.call(1, &[numbers]).unwrap_err();
    assert!(failure.detail.contains("the host handed over a column of Arrow type `Int64`"), "{}", failure.detail);
    let failure = step.call(3, &[texts(&[Some("a")])]).unwrap_err();
    assert!(failure.detail.contains("columns of [1] rows; 1 columns of 3 rows were to come"), "{}", failure.detail);
    assert!(call(&mut *step).is_ok());
}

#[test]
fn a_transformer_is_no_aggregator() {
    let plan = open(transformer(), config("honest"));
    let failure = plan.fold().map(drop).unwrap_err();
    assert_eq!(failure.cause, Cause::Start);
    assert!(failure.detail.contains("world `transformer`"), "{}", failure.detail);
}

#[test]
fn a_sandbox_can_go_while_its_plans_are_in_use() {
    let own = sluice_sandbox::Sandbox::new(sluice_sandbox::SandboxConfig::default()).unwrap();
    let component = own.load(&crate::wat::rule(&[])).unwrap();
    drop(own);
    let plan = component.open(crate::wat::config()).unwrap();
    drop(component);
    assert!(plan.step().unwrap().call(1, &[]).is_ok());
    assert!(sandbox().load(&crate::wat::rule(&[])).is_ok());
}
