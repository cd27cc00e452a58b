//! Files that attack whoever reads them, before anything of them runs.

use crate::compiling::apart;
use crate::guests::{module, sandbox};
use crate::wat::{self, rule, text};
use sluice_ports::Cause;
use sluice_sandbox::Sandbox;
use std::time::{Duration, Instant};

/// A section of a binary: its number, its length, its bytes.
fn section(id: u8, bytes: &[u8]) -> Vec<u8> {
    [&[id], &leb128(bytes.len())[..], bytes].concat()
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

#[track_caller]
fn refused(bytes: &[u8], says: &str) {
    let start = Instant::now();
    let error = apart().load(bytes).expect_err(says).to_string();
    assert!(error.contains(says), "`{error}` does not say `{says}`");
    assert!(error.len() < 2000 && !error.chars().any(char::is_control), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn a_flood_of_exports_is_refused_at_once() {
    let count = 500_000;
    let function = [b"\x01\x60\0\0".as_slice(), b"\x01\0", b"\x01\x02\0\x0b"];
    let exports: Vec<u8> = (0..count).flat_map(|n| [&[8], format!("{n:08}").as_bytes(), &[0, 0]].concat()).collect();
    let exports = [leb128(count), exports].concat();
    let parts = [section(1, function[0]), section(3, function[1]), section(7, &exports), section(10, function[2])];
    refused(
        &[MODULE.to_vec(), parts.concat()].concat(),
        "it has more than 10000 imports and exports; a rule has a dozen",
    );
}

#[test]
fn a_flood_of_custom_sections_changes_nothing() {
    let flood = section(0, b"\x04note").repeat(300_000);
    for mut bytes in [rule(&[]), Sandbox::componentize(&rule(&[])).unwrap()] {
        bytes.extend_from_slice(&flood);
        let start = Instant::now();
        let component = apart().load(&bytes).unwrap();
        assert!(component.open(wat::config()).unwrap().step().unwrap().call(1, &[]).is_ok());
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}

#[test]
fn components_in_components_without_end_do_not_bring_the_host_down() {
    // each ends with the next, so the lengths are known from the innermost on
    let mut heads = vec![COMPONENT.to_vec()];
    let mut length = COMPONENT.len();
    for _ in 0..100_000 {
        let head = [COMPONENT, &[4], &leb128(length)[..]].concat();
        length += head.len();
        heads.push(head);
    }
    heads.reverse();
    let whole = Sandbox::componentize(&rule(&[])).unwrap();
    refused(&[whole, section(4, &heads.concat())].concat(), "compiling it took more than 1024 MiB of memory");
}

#[test]
fn types_in_types_without_end_do_not_bring_the_host_down() {
    // wasmparser 0.254 reads them by recursion; each a component type that declares one type, the next
    let depth = 200_000;
    let nested = [b"\x41\x01\x01".repeat(depth), b"\x41\0".to_vec()].concat();
    let whole = Sandbox::componentize(&rule(&[])).unwrap();
    refused(&[whole, section(7, &[b"\x01".to_vec(), nested].concat())].concat(), "compiling it overflows the stack");
}

#[test]
fn a_type_that_doubles_at_each_level_is_refused() {
    let doubling: String = (0..64).map(|n| format!("(type $t{} (tuple $t{n} $t{n}))", n + 1)).collect();
    let component = text(&format!("(component (type $t0 (tuple u8 u8)) {doubling})"));
    let whole = Sandbox::componentize(&rule(&[])).unwrap();
    refused(&[whole, component[COMPONENT.len()..].to_vec()].concat(), "it is refused: ");
}

#[test]
fn more_instances_than_a_rule_needs_are_refused() {
    let whole = Sandbox::componentize(&rule(&[])).unwrap();
    let one = [0, 1, 0];
    let instances = [vec![9], one.repeat(9)].concat();
    let many = [whole, section(1, MODULE), section(2, &instances)].concat();
    refused(&many, "instances");
}

#[test]
fn a_shared_memory_is_refused() {
    refused(&rule(&[("PAGES", "1 2 shared")]), "it is refused: ");
}

/// A component with the contract's names, whose functions are of the type given.
fn component_of(function: &str) -> Vec<u8> {
    text(&format!(
        r#"(component
            (core module $module
                (func (export "f") (result i32) (i32.const 0))
                (func (export "g") (param i32 i32 i32) (result i32) (i32.const 0)))
            (core instance $core (instantiate $module))
            {function}
            (instance $rule (export "describe" (func $f)) (export "open" (func $f)))
            (export "sluice:rules/rule@0.1.0" (instance $rule))
            (instance $validate (export "check" (func $f)))
            (export "sluice:rules/validate@0.1.0" (instance $validate)))"#
    ))
}

#[test]
fn functions_of_another_type_are_refused() {
    let number = r#"(func $f (result u32) (canon lift (core func $core "f")))"#;
    refused(&component_of(number), "has a function of another type than the contract's");
    let handle = r#"(type $r (resource (rep i32))) (export $out "r" (type $r))
        (func $f (result (own $out)) (canon lift (core func $core "f")))"#;
    refused(&component_of(handle), "has a function of another type than the contract's");
    let waiting =
        r#"(func $f async (result u32) (canon lift (core func $core "f") async (callback (core func $core "g"))))"#;
    refused(&component_of(waiting), "it is refused: ");
}

#[test]
fn another_version_of_the_contract_is_refused() {
    let of_later = String::from_utf8(include_bytes!("../../../../tests/guests/wat/rule.wat").to_vec()).unwrap();
    let of_later = text(&of_later.replace("@0.1.0", "@0.2.0"));
    refused(&of_later, "it exports none of `sluice:rules/validate@0.1.0`");
    let mixed = String::from_utf8(include_bytes!("../../../../tests/guests/wat/rule.wat").to_vec()).unwrap();
    let mixed = text(&mixed.replace("rule@0.1.0", "rule@0.1.1"));
    refused(&mixed, "it does not export `sluice:rules/rule@0.1.0`");
}

#[test]
fn names_in_a_file_cannot_drive_the_terminal() {
    let import = text(r#"(module (import "e\1b[2J\nv" "now" (func)) (func (export "a\1b[31m")))"#);
    refused(&import, "it imports `e\u{fffd}[2J v`");
    let inspection = sandbox().inspect(&import);
    assert_eq!(
        (&inspection.imports[..], &inspection.exports[..]),
        (&["e\u{fffd}[2J v".to_owned()][..], &["a\u{fffd}[31m".to_owned()][..])
    );

    let evil = r#"$"evil\1b[2J\nWARN all is well""#;
    let trap = rule(&[("MORE", &format!("(func {evil} unreachable)")), ("CHECK", &format!("(call {evil})"))]);
    let failure = sandbox().load(&trap).unwrap().open(wat::config()).unwrap().step().unwrap().call(1, &[]).unwrap_err();
    assert_eq!(failure.cause, Cause::Trap);
    assert!(failure.detail.ends_with("in `evil\u{fffd}[2J WARN all is well`"), "{}", failure.detail);
}

#[test]
fn what_a_rule_says_of_itself_is_never_long() {
    let long = ("DESCRIBE", "(i32.store (i32.const 1028) (i32.const 2000000))");
    refused(&rule(&[long, ("PAGES", "64")]), "its answer while it was asked what it is is over its limit of 1 MiB");
    let name =
        ("DESCRIBE", "(i32.store (i32.const 1024) (i32.const 8192)) (i32.store (i32.const 1028) (i32.const 100000))");
    refused(&rule(&[name, ("PAGES", "64")]), "is none; names are 1 to 64 lower-case letters");
}

#[test]
fn a_rule_that_answers_otherwise_each_time_is_asked_on_a_fresh_instance() {
    // counts in its memory, and gives the count as the last digit of its version
    let count = "(i32.store8 (i32.const 84) (i32.add (i32.load8_u (i32.const 84)) (i32.const 1)))";
    let versions: Vec<String> =
        (0..3).map(|_| sandbox().load(&rule(&[("DESCRIBE", count)])).unwrap().description().version.clone()).collect();
    assert_eq!(versions, ["0.1.1", "0.1.1", "0.1.1"]);
    // and when it is opened: signatures of two instances are compared, and there is nothing that they could differ by
    let plan = sandbox().load(&rule(&[("OPEN", count)])).unwrap().open(wat::config()).unwrap();
    assert!((0..3).all(|_| plan.step().unwrap().call(1, &[]).is_ok()));
}

#[test]
fn a_broken_copy_of_a_rule_is_refused() {
    let whole = module("transformer");
    for length in (8..whole.len()).step_by(whole.len() / 20) {
        assert!(apart().load(&whole[..length]).is_err(), "{length} bytes");
    }
}
