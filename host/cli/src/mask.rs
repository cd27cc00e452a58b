//! What the process writes for people: personal data is masked in it where the manifest guards logs.

use sluice_guard::{Detector, Kind};
use sluice_manifest::{GuardLayer, GuardPlan};
use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::OnceLock;
use tracing_subscriber::fmt::MakeWriter;

static DETECTOR: OnceLock<Detector> = OnceLock::new();

/// From now on lines are masked as the manifest says. The first pipeline of a process decides.
pub(crate) fn guard(plan: Option<&GuardPlan>) {
    let Some(plan) = plan.filter(|plan| plan.layers.contains(&GuardLayer::Logs)) else { return };
    let kinds: Vec<Kind> = plan.kinds.iter().filter_map(|kind| kind.name().parse().ok()).collect();
    // set before, it stays: a later version of a manifest may look for more, and begins to at the next start
    let _ = DETECTOR.set(Detector::new(&kinds));
}

/// A text as it may be shown.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    match DETECTOR.get() {
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
