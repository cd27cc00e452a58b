//! Files that are made to keep a compiler busy. They are compiled in a process of their own, which is this test program
//! once more.

use crate::guests::{module, sandbox};
use crate::wat::{self, rule};
use sluice_sandbox::{Compiler, LoadLimits, Sandbox, SandboxConfig, compile_rule};
use std::fs::{self, File};
use std::io::stdin;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

#[test]
#[ignore = "no test: the process that compiles for those below"]
fn child() {
    // the test runner has standard output for itself
    let output = File::options().write(true).open("/proc/self/fd/3").unwrap();
    compile_rule(stdin().lock(), output).unwrap();
}

fn by_shell(script: &str) -> Compiler {
    let own = std::env::current_exe().unwrap().into_os_string();
    Compiler::Process { program: "/bin/sh".into(), args: vec!["-c".into(), script.into(), own], env: Vec::new() }
}

fn compiler() -> Compiler {
    by_shell("exec \"$0\" --ignored --exact compiling::child --test-threads 1 3>&1 >/dev/null")
}

fn with(compiler: Compiler, cache_dir: Option<&Path>) -> Sandbox {
    let cache_dir = cache_dir.map(Path::to_owned);
    Sandbox::new(SandboxConfig { compiler, cache_dir, ..SandboxConfig::default() }).unwrap()
}

pub(crate) fn apart() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| with(compiler(), None))
}

fn load(bytes: &[u8], limits: &LoadLimits) -> Result<(), String> {
    apart().load_within(bytes, limits).map(drop).map_err(|error| error.to_string())
}

/// A rule with more functions, each of `statements` of which the next depends on the one before.
fn bomb(functions: usize, statements: usize) -> Vec<u8> {
    let statement = "(local.set 0 (i64.add (i64.mul (local.get 0) (local.get 1)) (i64.rotl (local.get 1) (local.get 0))))\
                     (if (i64.eqz (local.get 0)) (then (local.set 1 (i64.load (i32.wrap_i64 (local.get 0))))))";
    let function = format!("(func (param i64 i64) (result i64) {} (local.get 0))", statement.repeat(statements));
    rule(&[("MORE", &function.repeat(functions))])
}

#[test]
fn rules_compiled_in_a_process_of_their_own_run_as_others_do() {
    for (bytes, name) in [(rule(&[]), "by-hand"), (module("transformer"), "hostile-transformer")] {
        let component = apart().load(&bytes).unwrap();
        assert_eq!(component.description().name, name);
        let here = sandbox().load(&bytes).unwrap();
        assert_eq!((component.id(), component.imports()), (here.id(), here.imports()));
    }
    let plan = apart().load(&rule(&[])).unwrap().open(wat::config()).unwrap();
    assert!(plan.step().unwrap().call(1, &[]).is_ok());
}

#[test]
fn what_is_no_rule_is_refused_in_the_same_words() {
    for bytes in [rule(&[("MORE", "(memory 1)")]), module("validator")[..5000].to_vec(), wat::text("(module)")] {
        let (there, here) = (apart().load(&bytes).unwrap_err(), sandbox().load(&bytes).unwrap_err());
        assert_eq!(there, here);
    }
}

#[test]
fn a_compile_bomb_ends_when_its_processor_time_is_over() {
    let bytes = bomb(200, 2000);
    let limits = LoadLimits { compile_time: Duration::from_secs(1), ..LoadLimits::default() };
    let start = Instant::now();
    let error = load(&bytes, &limits).unwrap_err();
    let says = "compiling it took more than 1 s of processor time; raise `compile_time` under `limits`, or let it have";
    assert!(error.starts_with(says), "{error}");
    assert!(start.elapsed() < Duration::from_secs(14), "{:?}", start.elapsed());
}

#[test]
fn a_compile_bomb_ends_when_its_memory_is_full() {
    let bytes = bomb(1, 60_000);
    let limits = LoadLimits { compile_memory_bytes: 128 << 20, ..LoadLimits::default() };
    let error = load(&bytes, &limits).unwrap_err();
    assert!(error.starts_with("compiling it took more than 128 MiB of memory; raise `compile_memory`"), "{error}");
}

#[test]
fn a_compiler_that_crashes_or_talks_nonsense_is_an_error_and_no_more() {
    let cases = [
        ("echo 'sad story' >&2; exit 3", "ended with exit status: 3", "`sad story`"),
        ("kill -SEGV $$", "was ended by signal 11", ""),
        ("cat >/dev/null; echo 'Compiled! Here is the code: ....'", "what came is of another layout", ""),
        ("exec cat /dev/zero", "what came is of another layout", ""),
        ("exec cat /dev/zero >&2", "", ""),
        ("exit 0", "ended with exit status: 0", ""),
    ];
    for (script, how, last) in cases {
        let error = with(by_shell(script), None).load(&rule(&[])).unwrap_err().to_string();
        assert!(error.contains(how) && error.contains(last), "{script}: {error}");
    }
    let nowhere = Compiler::Process { program: "/nowhere/sluice".into(), args: Vec::new(), env: Vec::new() };
    let error = with(nowhere, None).load(&rule(&[])).unwrap_err().to_string();
    assert!(error.starts_with("no process to compile it could be started from `/nowhere/sluice`: "), "{error}");
}

#[test]
fn code_of_another_process_is_kept_and_found_by_either() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("code");
    assert!(with(compiler(), Some(&folder)).load(&rule(&[])).is_ok());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    // a compiler that cannot be started is not asked
    let nowhere = Compiler::Process { program: "/nowhere/sluice".into(), args: Vec::new(), env: Vec::new() };
    assert!(with(nowhere, Some(&folder)).load(&rule(&[])).is_ok());
    assert!(with(Compiler::InProcess, Some(&folder)).load(&rule(&[])).is_ok());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn rules_are_compiled_for_checked_bounds_where_address_space_is_short() {
    const NAME: &str = "compiling::rules_are_compiled_for_checked_bounds_where_address_space_is_short";
    if std::env::var_os("SLUICE_SHORT_OF_SPACE").is_some() {
        assert!(apart().load(&rule(&[])).is_ok());
        return;
    }
    let shell = "ulimit -v 3000000 && exec \"$0\" --exact \"$1\"";
    let own = std::env::current_exe().unwrap();
    let status = Command::new("sh").args(["-c", shell]).arg(own).arg(NAME).env("SLUICE_SHORT_OF_SPACE", "1").status();
    assert!(status.unwrap().success());
}
