//! What the process writes for people: personal data is masked in it where the manifest guards logs.

use sluice_guard::{Detector, Kind};
use sluice_manifest::{GuardLayer, GuardPlan};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Mutex, RwLock};
use tracing_subscriber::fmt::MakeWriter;

/// What is looked for so far.
static KINDS: Mutex<BTreeSet<Kind>> = Mutex::new(BTreeSet::new());
static DETECTOR: RwLock<Option<Detector>> = RwLock::new(None);

/// From now on lines are masked as this manifest says, and as those before it said: what they let through may still be on
/// its way.
pub(crate) fn guard(plan: Option<&GuardPlan>) {
    let Some(plan) = plan.filter(|plan| plan.layers.contains(&GuardLayer::Logs)) else { return };
    let mut kinds = KINDS.lock().expect("no holder panics");
    kinds.extend(plan.kinds.iter().filter_map(|kind| kind.name().parse::<Kind>().ok()));
    let all: Vec<Kind> = kinds.iter().copied().collect();
    *DETECTOR.write().expect("no holder panics") = Some(Detector::new(&all));
}

/// A text as it may be shown.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    match *DETECTOR.read().expect("no holder panics") {
        Some(detector) => detector.mask_text(text).0,
        None => Cow::Borrowed(text),
    }
}

/// Standard error, for the log: each line is written at once, masked.
pub(crate) struct Stderr;

/// One line on its way.
pub(crate) struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let line = String::from_utf8_lossy(&self.0);
        // there is nobody to tell that standard error is gone
        let _ = io::stderr().lock().write_all(text(&line).as_bytes());
    }
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Vec::new())
    }
}
