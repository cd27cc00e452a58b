//! Attacks that no compiler makes: a rule written by hand, and changes to it.

use crate::guests::{fields, sandbox};
use sluice_ports::Cause;
use sluice_sandbox::{Limits, StepConfig};
use std::time::Duration;

const RULE: &str = include_str!("../../../../tests/guests/wat/rule.wat");

/// A module or component written as text.
pub(crate) fn text(source: &str) -> Vec<u8> {
    wat::parse_str(source).unwrap_or_else(|error| panic!("{error}"))
}

/// The rule with each `;; MARK` replaced by text.
pub(crate) fn rule(changes: &[(&str, &str)]) -> Vec<u8> {
    let mut text = RULE.to_owned();
    for (mark, change) in changes {
        // the number of pages has a default
        let mark = if *mark == "PAGES" { "1 ;; PAGES\n".into() } else { format!(";; {mark}\n") };
        assert!(text.contains(&mark), "no mark {mark}");
        text = text.replace(&mark, &format!("{change}\n"));
    }
    self::text(&text)
}

/// The rule reads nothing and writes nothing.
pub(crate) fn config() -> StepConfig {
    StepConfig {
        label: "by-hand".into(),
        dataset: "tests".into(),
        config: "{}".into(),
        inputs: fields(),
        reads: Vec::new(),
        writes: Vec::new(),
        grants: Default::default(),
        limits: Limits { deadline: Duration::from_millis(50), ..Limits::default() },
        token_key: None,
        lookups: Vec::new(),
    }
}

const LOOP: &str = "(loop $again (br $again))";

#[test]
fn the_rule_by_hand_is_a_rule() {
    let component = sandbox().load(&rule(&[])).unwrap();
    assert_eq!(component.id().to_string(), "by-hand@0.1.0");
    let out = component.open(config()).unwrap().step().unwrap().call(3, &[]).unwrap();
    assert!(out.rejections.is_empty());
}

#[test]
fn what_goes_wrong_before_it_says_what_it_is_refuses_the_file() {
    let start = |body: &str| ("MORE", format!("(func $start {body}) (start $start)"));
    let describe = |body: &str| ("DESCRIBE", body.to_owned());
    let more = |text: &str| ("MORE", text.to_owned());
    let cases = [
        (start(LOOP), "deadline of 2000 ms passed while it was asked what it is"),
        (start("unreachable"), "trapped while it was asked what it is: wasm `unreachable`"),
        (start("(drop (memory.grow (i32.const 2000)))"), "its cap is 64 MiB"),
        (start("(drop (table.grow $table (ref.null func) (i32.const 100000)))"), "asked for 100004 elements of tables"),
        (start("(call $deep)"), "call stack exhausted"),
        (describe(LOOP), "deadline of 2000 ms passed"),
        (describe("(return (i32.const -4))"), "malformed answer"),
        (describe("(return (i32.const 1025))"), "malformed answer"),
        (describe("(i32.store8 (i32.const 1040) (i32.const 9))"), "malformed answer"),
        (describe("(i32.store (i32.const 1028) (i32.const -1))"), "malformed answer"),
        (describe("(i32.store8 (i32.const 64) (i32.const 0xff))"), "malformed answer"),
        (describe("(i32.store8 (i32.const 64) (i32.const 66))"), "its name `By-hand` is none"),
        (
            describe("(i32.store8 (i32.const 1040) (i32.const 1))"),
            "it says that it is for `redact` and exports world `validator`",
        ),
        (describe("(i32.store (i32.const 1036) (i32.const 3))"), "its version `0.1` is no semantic version"),
        (more("(memory 1)"), "it is refused: "),
        (more("(memory i64 1)"), "it is refused: "),
        (more("(table 100000 funcref)"), "it is refused: "),
        (more(&"(table 1 funcref)".repeat(5)), "it is refused: "),
        (
            more("(func (param v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0)))"),
            "it is refused: ",
        ),
        (more("(func (result i32) (i32.atomic.load (i32.const 0)))"), "it is refused: "),
    ];
    for ((mark, change), says) in cases {
        let error = sandbox().load(&rule(&[(mark, &change)])).expect_err(&change).to_string();
        assert!(error.contains(says), "{change}: {error}");
    }
}

#[test]
fn a_memory_over_the_cap_is_refused() {
    let error = sandbox().load(&rule(&[("PAGES", "2000")])).unwrap_err().to_string();
    assert!(error.contains("asked for 125 MiB of memory") && error.contains("its cap is 64 MiB"), "{error}");
}

#[test]
fn what_goes_wrong_in_a_call_is_told_apart() {
    let check = |body: &str| ("CHECK", body.to_owned());
    let cases = [
        (check(LOOP), Cause::Deadline, "deadline of 50 ms passed on a batch of 3 rows"),
        (check("unreachable"), Cause::Trap, "wasm `unreachable` instruction executed"),
        (check("(drop (i32.div_u (i32.const 1) (i32.const 0)))"), Cause::Trap, "integer divide by zero"),
        (check("(drop (i32.load (i32.const -8)))"), Cause::Trap, "out of bounds memory access"),
        (check("(call $deep)"), Cause::Trap, "call stack exhausted"),
        (check("(call_indirect $table (i32.const 5))"), Cause::Trap, "undefined element"),
        (check("(drop (memory.grow (i32.const 1)))"), Cause::Memory, "asked for 64 MiB"),
        (
            check("(drop (table.grow $table (ref.null func) (i32.const 9997)))"),
            Cause::Memory,
            "asked for 10001 elements of tables on a batch of 3 rows; it may have 10000, raise `table_elements` under",
        ),
        (check("(return (i32.const -4))"), Cause::Answer, "malformed answer on a batch of 3 rows: "),
        (
            check("(i32.store (i32.const 2052) (i32.const -1))"),
            Cause::Answer,
            "list pointer/length out of bounds of memory",
        ),
        (check("(i32.store (i32.const 2048) (i32.const 1))"), Cause::Answer, "list pointer is not aligned"),
        (("AFTER_CHECK", LOOP.to_owned()), Cause::Deadline, "deadline of 50 ms passed"),
        (("AFTER_CHECK", "unreachable".to_owned()), Cause::Trap, "unreachable"),
    ];
    // 1,023 pages: the next one is over the cap, which also holds the table
    let pages = ("PAGES", "1023 4000");
    for ((mark, change), cause, says) in cases {
        let module = rule(&[(mark, &change), pages]);
        let component = sandbox().load(&module).unwrap_or_else(|error| panic!("{change}: {error}"));
        let mut step = component.open(config()).unwrap().step().unwrap();
        for _ in 0..2 {
            let failure = step.call(3, &[]).expect_err(&change);
            assert_eq!(failure.cause, cause, "{change}: {}", failure.detail);
            assert!(failure.detail.starts_with("step `by-hand` (rule `by-hand@0.1.0`): "), "{}", failure.detail);
            assert!(failure.detail.contains(says), "{change}: {}", failure.detail);
        }
    }
}

#[test]
fn what_the_host_lays_into_its_memory_is_guarded_too() {
    let cases = [
        (LOOP, "deadline of 100 ms passed while it was opened"),
        ("(return (i32.const -16))", "malformed answer while it was opened: "),
        ("(return (i32.const 3))", "malformed answer while it was opened: "),
    ];
    for (change, says) in cases {
        let mut config = config();
        config.limits.open_deadline = Duration::from_millis(100);
        let component = sandbox().load(&rule(&[("REALLOC", change)])).unwrap();
        let error = component.open(config).map(drop).expect_err(change).to_string();
        assert!(error.contains(says), "{change}: {error}");
    }
}

#[test]
fn a_step_says_how_many_elements_tables_may_have() {
    let component = sandbox().load(&rule(&[("MORE", "(table 15000 funcref)")])).unwrap();
    let error = component.open(config()).map(drop).unwrap_err().to_string();
    assert!(error.contains("asked for 15004 elements of tables while it was opened"), "{error}");
    let mut roomy = config();
    roomy.limits.table_elements = 15_004;
    assert!(component.open(roomy).unwrap().step().unwrap().call(1, &[]).is_ok());
}

#[test]
fn growth_beyond_a_memorys_own_maximum_traps_instead_of_failing_quietly() {
    let module = rule(&[("PAGES", "1 2"), ("CHECK", "(drop (memory.grow (i32.const 5)))")]);
    let failure = sandbox().load(&module).unwrap().open(config()).unwrap().step().unwrap().call(1, &[]).unwrap_err();
    assert_eq!(failure.cause, Cause::Memory, "{}", failure.detail);
}
