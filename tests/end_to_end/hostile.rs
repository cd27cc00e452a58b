//! Rules that attack the host, through the whole program: each is contained or refused, the other rows are right, and the
//! account balances. host/sandbox tests every attack by itself.

use crate::support::files;
use crate::support::lake::Lake;
use crate::support::root;
use crate::support::sluice::{Outcome, Sluice, write_pipeline};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

const ROWS: usize = 1_000;
/// Line of the manifest in which the rule is named.
const RULE_LINE: usize = 16;
const KEY: &str = "a key of 32 bytes for this test!";

/// A registry of hostile rules, built once for all tests.
fn rules() -> &'static Path {
    static RULES: OnceLock<PathBuf> = OnceLock::new();
    RULES.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-rules");
        for name in ["transformer", "validator", "aggregator"] {
            let out = folder.join(format!("registry/hostile-{name}/0.1.0.wasm"));
            let package = root().join("tests/guests").join(name);
            Sluice::new("plugin").arg("build").arg(package).arg("--out").arg(out).output().ok();
        }
        folder
    })
}

/// One attack by the transformer, between a check before it and one after it.
struct Attack {
    folder: TempDir,
    pipeline: PathBuf,
}

impl Attack {
    fn new(name: &str) -> Self {
        // what loops is to cost little; what takes much memory takes time for it
        let deadline = if name.ends_with("loop") { "50ms" } else { "250ms" };
        let memory = if name.starts_with("huge") { "64MiB" } else { "16MiB" };
        let step = format!(
            "  - redact: hostile-transformer@^0.1
    name: mask
    reads: [text, number, flag, money, float, day, at, raw]
    writes: [text, number, flag, money, float, day, at, raw]
    grants: [token, log]
    with: {{ attack: {name} }}
    limits: {{ deadline: {deadline}, memory: {memory}, output: 1MiB }}"
        );
        Self::with_step(&step, "token: { key_env: SLUICE_TOKEN_KEY }")
    }

    fn with_step(step: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifest = format!(
            "dataset: hostile
source: {{ format: json }}
schema:
  id: int64
  text: text
  number: int64
  flag: boolean
  money: decimal(5,2)
  float: float64
  day: date
  at: timestamp
  raw: binary
  secret: text
steps:
  - check: {{ sql: id <> 13, reason: unlucky }}
{step}
  - check: {{ sql: id <> 14, reason: unwanted }}
{more}
"
        );
        let pipeline = write_pipeline(&folder.path().join("hostile"), &manifest);
        let line = |id| {
            let text = if is_poison(id) { "poison".to_owned() } else { format!("text {id}") };
            format!(
                "{{\"id\":{id},\"text\":\"{text}\",\"number\":{id},\"flag\":true,\"money\":\"1.25\",\"float\":0.5,\
                 \"day\":\"2024-02-29\",\"at\":\"2024-02-29T12:00:00Z\",\"secret\":\"hidden\"}}\n"
            )
        };
        files::write(&folder.path().join("in"), (0..ROWS).map(line).collect::<String>());
        Self { folder, pipeline }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    fn run(&self) -> Outcome {
        self.command().args(["--threads", "2", "--batch-rows", "250"]).output()
    }

    fn command(&self) -> Sluice {
        let run = Sluice::run(&self.pipeline, &self.data()).rules(rules()).env("SLUICE_TOKEN_KEY", KEY);
        run.input(&self.folder.path().join("in"))
    }

    fn check(&self) -> Outcome {
        Sluice::new("check").arg(&self.pipeline).rules(rules()).env("SLUICE_TOKEN_KEY", KEY).output()
    }

    fn lake(&self) -> Lake {
        Lake::new(&self.data())
    }

    /// What the quarantine says of the rows that the rule failed on.
    fn failures(&self) -> Vec<String> {
        let quarantine = self.lake().quarantine();
        let failed = quarantine.texts("reason").into_iter().zip(quarantine.texts("reasons"));
        failed.filter(|(reason, _)| *reason == "rule_failed").map(|(_, causes)| causes.to_owned()).collect()
    }
}

/// Three rows of a thousand.
fn is_poison(id: usize) -> bool {
    matches!(id, 77 | 500 | 999)
}

/// Runs an attack on some rows and insists that these are quarantined for it and nothing else happens.
#[track_caller]
fn contained(name: &str, says: &str, hits: fn(usize) -> bool) {
    let attack = Attack::new(name);
    let outcome = attack.run().ok();
    let account = outcome.account();
    let hit = (0..ROWS).filter(|id| hits(*id) && *id != 13).count();
    assert_eq!(account["reasons"]["rule_failed"].as_u64(), (hit > 0).then_some(hit as u64), "{name}: {account}");
    assert_eq!(account["read"], ROWS);
    let (silver, quarantined) = (account["silver"].as_u64().unwrap(), account["quarantined"].as_u64().unwrap());
    assert_eq!(silver + quarantined, ROWS as u64, "{name}: {account}");
    for causes in attack.failures() {
        assert!(causes.contains(says), "{name}: `{causes}` does not say `{says}`");
        for part in ["step `mask`", "hostile-transformer@0.1.0"] {
            assert!(causes.contains(part), "{name}: `{causes}` does not name {part}");
        }
    }
    let silver = attack.lake().silver();
    let mut texts = silver.texts("text");
    texts.sort_unstable();
    let mut expected: Vec<String> =
        (0..ROWS).filter(|id| !hits(*id) && ![13, 14].contains(id)).map(|id| format!("TEXT {id}")).collect();
    expected.sort_unstable();
    assert_eq!(texts, expected, "{name}");
    attack.lake().nothing_is_left_behind();
}

#[test]
fn a_rule_that_behaves_is_left_alone() {
    // the poisoned rows too: upper case
    let attack = Attack::new("honest");
    let account = attack.run().ok().account();
    assert_eq!((account["silver"].as_u64(), account["quarantined"].as_u64()), (Some(998), Some(2)));
}

#[test]
fn a_rule_that_loops_on_some_rows_loses_these_and_no_others() {
    contained("poison_loop", "deadline of 50 ms passed", is_poison);
}

#[test]
fn a_rule_that_traps_on_some_rows_loses_these_and_no_others() {
    contained("poison_trap", "trapped", is_poison);
}

#[test]
fn a_rule_that_crashes_on_every_row_quarantines_all_and_the_run_goes_on() {
    for (name, says) in [
        ("loop", "deadline of 50 ms passed"),
        ("allocate", "its cap is 16 MiB"),
        ("panic", "trapped"),
        ("recurse", "trapped"),
        ("stack", "trapped"),
    ] {
        contained(name, says, |_| true);
    }
}

#[test]
fn a_rule_that_answers_what_cannot_be_quarantines_all_and_the_run_goes_on() {
    for (name, says) in [
        ("offsets_long", "its last offset is 4294967295"),
        ("offsets_first", "its first offset is 1; it must be 0"),
        ("rows_few", "the answer must have"),
        ("rows_many", "the answer must have"),
        ("columns_many", "2 columns came back"),
        ("reject_range", "the batch has"),
        ("type_other", "came back as text"),
        ("wild_pointer", "out of bounds"),
        ("huge", "over its limit of 1 MiB"),
    ] {
        contained(name, says, |_| true);
    }
}

#[test]
fn a_rule_that_answers_no_utf8_quarantines_all_and_the_run_goes_on() {
    contained("utf8_bytes", "", |_| true);
}

#[test]
fn a_rule_that_leaks_is_renewed_and_loses_nothing() {
    let attack = Attack::new("leak");
    let run = attack.command().args(["--threads", "1", "--batch-rows", "25"]);
    let account = run.output().ok().account();
    assert_eq!(account["silver"], ROWS - 2, "{account}");
}

#[test]
fn a_rule_that_wants_what_it_was_not_granted_is_refused_before_anything_runs() {
    for (name, says) in [
        ("writes_ungranted", "`secret`"),
        ("reads_ungranted", "`secret`"),
        ("writes_reserved", "`_sluice_id`"),
        ("reads_unknown", "`nowhere`"),
        ("open_loop", "deadline"),
        ("open_trap", "trapped"),
        ("open_allocate", "16 MiB"),
    ] {
        refused(&Attack::new(name), &[says]);
    }
}

#[test]
fn a_rule_that_imports_what_it_was_not_granted_is_refused_before_anything_runs() {
    let step = "  - redact: hostile-transformer@^0.1\n    name: mask\n    reads: [text]\n    writes: [text]\n";
    refused(&Attack::with_step(step, ""), &["capability `log`", "capability `token`", "`grants`"]);
}

/// Insists that `check` says all of these at the place of the rule, and that nothing runs.
#[track_caller]
fn refused(attack: &Attack, says: &[&str]) {
    let file = attack.pipeline.join("pipeline.yaml").display().to_string();
    attack.check().exits(3).says(&[&format!("{file}:{RULE_LINE}:")]).says(says);
    attack.run().exits(3);
    assert!(!attack.data().exists(), "something was written");
}

#[test]
fn everything_that_a_rule_wants_and_was_not_granted_is_said_at_once() {
    // it wants all columns that there are
    refused(&Attack::new("echo"), &["reads column `id`", "reads column `secret`", "writes column `id`", "`writes`"]);
}

#[test]
fn a_rule_that_imports_wasi_is_refused_at_check() {
    let folder = tempfile::tempdir().unwrap();
    let module = wat::parse_str(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1))"#,
    )
    .unwrap();
    let file = folder.path().join("registry/wants-wasi/1.0.0.wasm");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    files::write(&file, module);
    let manifest = "dataset: wasi
source: { format: json }
schema: { text: text }
steps:
  - validate: wants-wasi@^1
    reads: [text]
";
    let pipeline = write_pipeline(&folder.path().join("wasi"), manifest);
    let check = || Sluice::new("check").arg(&pipeline).rules(folder.path());
    check().output().exits(3).says(&["pipeline.yaml:5:", "wasi_snapshot_preview1"]);
    let inspect = Sluice::new("plugin").arg("inspect").arg(&file).output().exits(3);
    assert!(inspect.stdout.contains("wasi_snapshot_preview1"), "{}", inspect.printed());
}

#[test]
fn a_compile_bomb_is_refused_by_the_program_and_takes_nothing_down() {
    // one function of 60,000 statements, each of which needs the one before
    let statement =
        "(local.set 0 (i64.add (i64.mul (local.get 0) (local.get 1)) (i64.rotl (local.get 1) (local.get 0))))
        (if (i64.eqz (local.get 0)) (then (local.set 1 (i64.load (i32.wrap_i64 (local.get 0))))))";
    let rule = std::fs::read_to_string(root().join("tests/guests/wat/rule.wat")).unwrap();
    let bomb = format!("(func (param i64 i64) (result i64) {} (local.get 0))", statement.repeat(60_000));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bomb.wasm");
    files::write(&file, wat::parse_str(rule.replace(";; MORE\n", &bomb)).unwrap());
    let inspect = Sluice::new("plugin").arg("inspect").arg(&file).output().exits(3);
    let says = "compiling it took more than 1024 MiB of memory; raise `compile_memory` under `limits`";
    assert!(inspect.stdout.contains(says), "{}", inspect.printed());
}

#[test]
fn the_command_that_compiles_is_not_shown_and_refuses_what_is_no_request() {
    let help = Sluice::new("help").output().ok();
    assert!(!help.stdout.contains("compile-rule"), "{}", help.stdout);
    Sluice::new("compile-rule").output().exits(1);
}

#[test]
fn an_aggregator_that_fails_on_rows_moves_no_silver_row() {
    let gold = "gold:
  - name: totals
    aggregate: hostile-aggregator@^0.1
    reads: [number]
    with: { attack: fold_trap }
    limits: { deadline: 50ms, memory: 16MiB }
    window: { tumbling: 1d, on: at }";
    let attack = Attack::with_step("", gold);
    let account = attack.run().ok().account();
    assert_eq!(account["silver"], ROWS - 2, "{account}");
    assert_eq!(account["windows"]["totals"]["fold_failed"], ROWS - 2, "{account}");
    assert_eq!(account["gold"]["totals"], 0);
}

#[test]
fn an_aggregator_that_cannot_finish_stops_nothing_and_is_told_of() {
    let gold = "gold:
  - name: totals
    aggregate: hostile-aggregator@^0.1
    reads: [number]
    with: { attack: finish_rows }
    window: { tumbling: 1d, on: at }";
    let attack = Attack::with_step("", gold);
    let outcome = attack.run().exits(8).says(&["totals", "could not finish"]);
    let account = outcome.account();
    assert!(account["windows"]["totals"]["finish_failed"].as_u64() > Some(0), "{account}");
    assert_eq!(account["gold"]["totals"], 0);
    assert_eq!(account["silver"], attack.lake().silver().texts("id").len());
}

#[test]
fn what_failed_in_a_cut_is_not_tried_again_when_the_cut_is_run_again() {
    let attack = Attack::new("poison_loop");
    let run = || attack.command().args(["--threads", "2", "--batch-rows", "250"]);
    let first = run().dying_at("before-commit", 1).output();
    assert!(first.stderr.contains("deadline of 50 ms passed"), "{}", first.stderr);
    let (cut, digest) = attack.lake().open_cut().expect("it died before the commit");
    let failed: usize = cut.batches.iter().flat_map(|batch| &batch.failed).map(|failed| failed.rows.len()).sum();
    assert_eq!(failed, 3);
    let objects = attack.lake().objects_of(&digest);
    let again = run().output().ok();
    assert!(!again.stderr.contains("deadline"), "the rule was tried again: {}", again.stderr);
    assert_eq!(attack.lake().objects_of(&digest), objects);
    assert!(attack.lake().aborts().is_empty());
}
