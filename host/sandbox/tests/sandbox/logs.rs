//! Capability `log`.

use crate::guests::{call, config, open, transformer};
use sluice_ports::Cause;
use sluice_sandbox::StepConfig;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps events of the rules as `LEVEL field=value ...`.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sluice::rule"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

fn lines_of(attack: &str, calls: usize) -> (Vec<String>, Option<Cause>) {
    lines_within(config(attack), calls)
}

fn lines_within(config: StepConfig, calls: usize) -> (Vec<String>, Option<Cause>) {
    let kept = Kept::default();
    let failure = tracing::subscriber::with_default(kept.clone(), || {
        let mut step = open(transformer(), config).step().unwrap();
        (0..calls).filter_map(|_| call(&mut *step).err()).map(|failure| failure.cause).next()
    });
    let lines = kept.0.lock().unwrap().clone();
    (lines, failure)
}

#[test]
fn a_flood_is_cut_and_counted_for_each_batch() {
    let (lines, failure) = lines_of("log_flood", 2);
    assert_eq!((lines.len(), failure), (202, None));
    for batch in lines.chunks(101) {
        assert!(batch[0].starts_with("INFO") && batch[0].contains("line 0"), "{}", batch[0]);
        assert!(batch[0].contains("rule=hostile-transformer@0.1.0 step=mask dataset=tests"), "{}", batch[0]);
        assert!(batch[100].starts_with("WARN") && batch[100].contains("400 log lines dropped"), "{}", batch[100]);
    }
}

#[test]
fn a_step_says_how_many_lines_and_bytes_a_rule_may_write() {
    let mut few = config("log_flood");
    few.limits.log_lines = 3;
    let (lines, _) = lines_within(few, 1);
    assert_eq!(lines.len(), 4);
    assert!(
        lines[3].contains("497 log lines dropped; its step allows 3 lines and 10240 bytes a batch"),
        "{}",
        lines[3]
    );
    let mut short = config("log_flood");
    // `line 0` has six bytes
    short.limits.log_bytes = 20;
    assert_eq!(lines_within(short, 1).0.len(), 4);
    let mut mute = config("log_flood");
    mute.limits.log_lines = 0;
    assert!(lines_within(mute, 1).0[0].contains("500 log lines dropped"));
}

#[test]
fn a_line_over_the_answer_limit_is_not_even_copied() {
    let (lines, failure) = lines_of("log_long", 1);
    assert_eq!((lines.len(), failure), (0, Some(Cause::Answer)));
}

#[test]
fn a_line_cannot_forge_another_or_drive_the_terminal() {
    let (lines, _) = lines_of("log_escape", 1);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("ERROR") && lines[0].contains("cleared WARN another line"), "{}", lines[0]);
    assert!(!lines[0].contains('\u{1b}') && !lines[0].contains('\n'));
}
