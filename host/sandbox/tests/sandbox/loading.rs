//! Files that are no rules, and compiled code on disk.

use crate::guests::{module, sandbox, transformer};
use crate::wat::{self, rule, text};
use proptest::prelude::*;
use proptest::sample::Index;
use sluice_ports::RuleKind;
use sluice_sandbox::{Capability, FileKind, LoadLimits, Sandbox, SandboxConfig, World};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

#[test]
fn files_that_are_no_rules_are_refused_with_the_way_out() {
    let whole = rule(&[]);
    let cases = [
        (b"".to_vec(), "the file is no WebAssembly component or module"),
        (b"#!/bin/sh\n".to_vec(), "the file is no WebAssembly component or module"),
        (whole[..whole.len() / 2].to_vec(), "the file is no WebAssembly component or module"),
        (text("(module)"), "it is a core module and it exports none of `sluice:rules/validate@0.1.0`"),
        (text("(module)"), "a rule exports one of them: build it with the SDK or with wit-bindgen"),
        (
            text(
                r#"(module
                    (func (export "sluice:rules/rule@0.1.0#describe"))
                    (func (export "sluice:rules/validate@0.1.0#check")))"#,
            ),
            "no component can be made of it: ",
        ),
        (text("(component)"), "it exports none of `sluice:rules/validate@0.1.0`"),
        (
            text(
                r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))"#,
            ),
            "it imports `wasi_snapshot_preview1`; a rule may import `sluice:rules/log@0.1.0`, `sluice:rules/look",
        ),
        (text(r#"(module (import "env" "now" (func (result i64))))"#), "it imports `env`"),
        (
            text(r#"(component (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func)))))"#),
            "it imports `wasi:clocks/monotonic-clock@0.2.0`; a rule may import",
        ),
        (text(r#"(component (import "now" (func (result u64))))"#), "it imports `now`"),
        (
            text(r#"(component (import "sluice:rules/log@0.2.0" (instance (export "write" (func)))))"#),
            "it imports `sluice:rules/log@0.2.0`",
        ),
    ];
    for (bytes, says) in cases {
        let error = sandbox().load(&bytes).expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_capability_of_another_shape_is_refused() {
    let component = r#"(component
        (import "sluice:rules/token@0.1.0" (instance $token (export "key" (func (result string)))))
        (instance $rule) (export "sluice:rules/rule@0.1.0" (instance $rule))
        (instance $validate) (export "sluice:rules/validate@0.1.0" (instance $validate)))"#;
    let error = sandbox().load(&text(component)).unwrap_err().to_string();
    assert!(error.starts_with("it is refused: ") && error.contains("`sluice:rules/token@0.1.0`"), "{error}");
    let without = component.lines().filter(|line| !line.contains("import")).collect::<String>();
    let error = sandbox().load(&text(&without)).unwrap_err().to_string();
    assert_eq!(error, "its `sluice:rules/rule@0.1.0` has no function `describe`");
}

#[test]
fn a_file_over_the_limit_is_refused_before_it_is_read() {
    let small = LoadLimits { component_bytes: 1000, ..LoadLimits::default() };
    let error = sandbox().load_within(&[0; 1001], &small).unwrap_err().to_string();
    assert!(error.starts_with("it has 1001 bytes and a rule may have 1000"), "{error}");
}

#[test]
fn a_component_is_taken_as_it_is() {
    let component = Sandbox::componentize(&module("validator")).unwrap();
    assert_eq!(Sandbox::componentize(&component).unwrap(), component);
    let loaded = sandbox().load(&component).unwrap();
    assert_eq!((loaded.world(), loaded.imports().len()), (World::Validator, 0));
    assert!(Sandbox::componentize(&text("(module)")).is_err());
    // what lies within the component is not its outside
    let exports = sandbox().inspect(&component).exports;
    assert_eq!(exports, ["sluice:rules/rule@0.1.0", "sluice:rules/validate@0.1.0"]);
}

#[test]
fn inspecting_says_everything_and_refuses_nothing() {
    let module = module("transformer");
    let inspection = sandbox().inspect(&module);
    assert_eq!((inspection.kind, inspection.bytes), (Some(FileKind::CoreModule), module.len()));
    assert_eq!(inspection.digest, transformer().id().digest);
    assert_eq!(inspection.world, Some(World::Transformer));
    assert_eq!(inspection.imports, ["sluice:rules/log@0.1.0", "sluice:rules/token@0.1.0"]);
    assert_eq!(inspection.description.unwrap().kind, RuleKind::Redact);
    assert_eq!(inspection.refusal, None);
    assert_eq!(transformer().imports().iter().collect::<Vec<_>>(), [&Capability::Log, &Capability::Token]);

    let strange = sandbox().inspect(&text(r#"(component (import "wasi:cli/stdin@0.2.0" (instance)))"#));
    assert_eq!(
        (strange.kind, strange.imports.as_slice()),
        (Some(FileKind::Component), ["wasi:cli/stdin@0.2.0".to_owned()].as_slice())
    );
    assert!(strange.refusal.unwrap().starts_with("it imports `wasi:cli/stdin@0.2.0`"));
    assert_eq!(sandbox().inspect(b"text").kind, None);
}

#[test]
fn what_a_module_says_of_its_world_is_not_read() {
    // a package that depends on itself, in such a section, once overflowed the stack of the host
    let section = r#"(@custom "component-type" "no component")"#;
    assert!(sandbox().load(&rule(&[("MORE", section)])).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_file_with_flipped_bits_never_brings_the_host_down(
        component: bool,
        flips in proptest::collection::vec((any::<Index>(), 0u8..8), 1..4),
    ) {
        let module = rule(&[]);
        let mut bytes = if component { Sandbox::componentize(&module).unwrap() } else { module };
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        // a flip may leave a rule, and a rule may then loop
        let loaded = sandbox().load(&bytes);
        let opened = loaded.ok().and_then(|component| component.open(wat::config()).ok());
        drop(opened.and_then(|plan| plan.step().ok()).map(|mut step| step.call(1, &[])));
    }
}

fn cached(folder: &Path) -> Sandbox {
    Sandbox::new(SandboxConfig { cache_dir: Some(folder.to_owned()), ..SandboxConfig::default() }).unwrap()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn runs(sandbox: &Sandbox) -> bool {
    sandbox.load(&rule(&[])).unwrap().open(wat::config()).unwrap().step().unwrap().call(1, &[]).is_ok()
}

#[test]
fn compiled_code_is_kept_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("code");
    assert!(runs(&cached(&folder)));
    let [file] = &files(&folder)[..] else { panic!("one file was to be there") };
    let written = file.metadata().unwrap().modified().unwrap();
    assert!(runs(&cached(&folder)));
    assert_eq!(file.metadata().unwrap().modified().unwrap(), written);
    assert!(cached(&folder).load(&rule(&[("MORE", "(func)")])).is_ok());
    assert_eq!(files(&folder).len(), 2);
}

#[test]
fn compiled_code_that_was_touched_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("code");
    assert!(runs(&cached(&folder)));
    let file = files(&folder).remove(0);
    let good = fs::read(&file).unwrap();
    for at in [3, 20, 50, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&file, &bad).unwrap();
        assert!(runs(&cached(&folder)), "byte {at}");
        assert_eq!(fs::read(&file).unwrap(), good, "byte {at}");
    }
}

#[test]
fn a_folder_that_others_can_write_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    assert!(runs(&cached(dir.path())));
    assert!(files(dir.path()).is_empty());
}

#[test]
fn rules_run_where_address_space_is_short() {
    const NAME: &str = "loading::rules_run_where_address_space_is_short";
    if std::env::var_os("SLUICE_SHORT_OF_SPACE").is_some() {
        let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
        assert!(runs(&sandbox));
        let error = sandbox.load(&rule(&[("DESCRIBE", "(return (i32.const -4))")])).unwrap_err().to_string();
        assert!(error.contains("malformed answer"), "{error}");
        return;
    }
    // 3,000,000 KiB are less than one memory reserves
    let shell = "ulimit -v 3000000 && exec \"$0\" --exact \"$1\"";
    let own = std::env::current_exe().unwrap();
    let status = Command::new("sh").args(["-c", shell]).arg(own).arg(NAME).env("SLUICE_SHORT_OF_SPACE", "1").status();
    assert!(status.unwrap().success());
}
