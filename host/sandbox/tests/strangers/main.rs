//! Modules and components that a generator made, some of them broken: whatever they are, each is refused or runs within
//! the limits of a rule, and the process neither crashes nor hangs nor grows.
//!
//! They come from wasm-smith 0.239: a sample lies in `tests/wasm`, all 847 in `../shared/data/wasm`.

mod archive;
mod calls;
mod opened;
mod stubs;
mod usage;

use archive::File;
use calls::{DEADLINE, Run};
use sluice_sandbox::{Compiler, Sandbox, SandboxConfig, compile_rule};
use std::io::stdin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use usage::{KIB, resident_bytes};

/// How long after its deadline a call may go on.
const LATE: std::time::Duration = std::time::Duration::from_millis(100);

/// How much memory the process may keep of a whole run.
const GROWTH: usize = 50 << 20;

/// Files after which growth is counted: by then every part of the process has run.
const WARM_UP: usize = 50;

#[test]
#[ignore = "no test: the process that compiles for those below"]
fn child() {
    // the test runner has standard output for itself
    let output = std::fs::File::options().write(true).open("/proc/self/fd/3").unwrap();
    compile_rule(stdin().lock(), output).unwrap();
}

/// Memory is counted for the whole process, so one test runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sandbox() -> Sandbox {
    let script = "exec \"$0\" --ignored --exact child --test-threads 1 3>&1 >/dev/null";
    let own = std::env::current_exe().unwrap().into_os_string();
    let args = vec!["-c".into(), script.into(), own];
    let compiler = Compiler::Process { program: "/bin/sh".into(), args, env: Vec::new() };
    Sandbox::new(SandboxConfig { compiler, ..SandboxConfig::default() }).unwrap()
}

/// Runs every file and insists on all that is promised of strangers. Returns what came of them.
fn survive(files: &[File]) -> Run {
    let sandbox = sandbox();
    let mut run = Run::default();
    let mut warm = 0;
    for (index, file) in files.iter().enumerate() {
        if index == WARM_UP.min(files.len() / 2) {
            warm = resident_bytes();
        }
        as_a_rule(&sandbox, file);
        calls::every_export(&sandbox, file, &mut run);
    }
    let grown = resident_bytes().saturating_sub(warm);
    println!("{run}; the process grew by {} KiB", grown / KIB);
    assert!(run.longest <= DEADLINE + LATE, "{run}");
    assert!(grown <= GROWTH, "the process grew by {} KiB", grown / KIB);
    run
}

/// None of them is a rule; the way that rules are loaded says so, and no more.
fn as_a_rule(sandbox: &Sandbox, file: &File) {
    let inspection = sandbox.inspect(&file.bytes);
    let refusal = inspection.refusal.unwrap_or_else(|| panic!("{}: it is taken for a rule", file.name));
    assert_eq!(sandbox.load(&file.bytes).map(drop).unwrap_err().to_string(), refusal, "{}", file.name);
    assert!(refusal.len() < 5000 && !refusal.chars().any(char::is_control), "{}: {refusal:?}", file.name);
    // a component is returned as it is; a module is encoded only if it claims to be a rule
    let componentized = Sandbox::componentize(&file.bytes);
    assert!(componentized.is_err() || componentized.is_ok_and(|bytes| bytes == file.bytes), "{}", file.name);
}

#[test]
fn a_sample_of_strangers_is_refused_or_runs_within_limits() {
    let _alone = alone();
    let run = survive(&archive::sample());
    // one of them never ends
    assert!(run.refused > 0 && run.calls > run.stopped && run.longest >= DEADLINE, "{run}");
}

#[test]
fn all_strangers_are_refused_or_run_within_limits() {
    let _alone = alone();
    let Some(files) = archive::all() else {
        eprintln!("SKIPPED all strangers: ../shared/{} is not there", archive::ARCHIVE);
        return;
    };
    assert_eq!(files.len(), 847);
    let run = survive(&files);
    assert_eq!(run.refused + run.ran, 847, "{run}");
}

#[test]
fn loading_rules_again_and_again_keeps_no_memory() {
    let _alone = alone();
    let here = Sandbox::new(SandboxConfig::default()).unwrap();
    let rule = include_str!("../../../../tests/guests/wat/rule.wat");
    // each a file of its own, with some code to compile
    let file = |n: usize| {
        let functions = format!("(func (result i32) (i32.const {n}))").repeat(200);
        wat::parse_str(rule.replace(";; MORE\n", &functions)).unwrap()
    };
    let load = |sandbox: &Sandbox, n: usize| drop(sandbox.load(&file(n)).unwrap());
    (0..100).for_each(|n| load(&here, n));
    let apart = sandbox();
    (100..110).for_each(|n| load(&apart, n));
    let warm = resident_bytes();
    (200..600).for_each(|n| load(&here, n));
    let of_here = resident_bytes().saturating_sub(warm);
    (700..800).for_each(|n| load(&apart, n));
    let of_both = resident_bytes().saturating_sub(warm);
    println!("400 loads here kept {} KiB, and 100 more by processes {} KiB", of_here / KIB, of_both / KIB);
    assert!(of_both < 10 << 20, "{} KiB", of_both / KIB);
}
