//! Capability `log`: a rule's lines for the operator, few and short.

use crate::text::clean_line;
use crate::wire::WireLevel;
use std::sync::Arc;
use tracing::{debug, error, info, warn};

/// Characters of one line.
const LINE_CHARS: usize = 1000;

/// Who speaks: the fields of every line, and how much it may say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Speaker {
    pub(crate) dataset: String,
    pub(crate) step: String,
    pub(crate) rule: String,
    /// Lines of one call.
    pub(crate) max_lines: usize,
    /// Bytes of one call.
    pub(crate) max_bytes: usize,
}

/// Writes the lines of one instance and counts what goes beyond the limits. Lines go to `tracing` with target
/// `sluice::rule` and the fields `rule`, `step` and `dataset`.
pub(crate) struct LogBook {
    speaker: Option<Arc<Speaker>>,
    lines: usize,
    bytes: usize,
    dropped: u64,
}

impl LogBook {
    pub(crate) fn new(speaker: Arc<Speaker>) -> Self {
        Self { speaker: Some(speaker), lines: 0, bytes: 0, dropped: 0 }
    }

    /// For calls whose lines nobody asked for.
    pub(crate) fn silent() -> Self {
        Self { speaker: None, lines: 0, bytes: 0, dropped: 0 }
    }

    /// One line of the rule.
    pub(crate) fn write(&mut self, level: WireLevel, message: &str) {
        let Some(speaker) = self.speaker.as_deref() else { return };
        if self.lines >= speaker.max_lines || self.bytes.saturating_add(message.len()) > speaker.max_bytes {
            self.dropped += 1;
            return;
        }
        self.lines += 1;
        self.bytes += message.len();
        let Speaker { dataset, step, rule, .. } = speaker;
        let line = clean_line(message, LINE_CHARS);
        match level {
            WireLevel::Debug => debug!(target: "sluice::rule", %rule, %step, %dataset, "{line}"),
            WireLevel::Info => info!(target: "sluice::rule", %rule, %step, %dataset, "{line}"),
            WireLevel::Warn => warn!(target: "sluice::rule", %rule, %step, %dataset, "{line}"),
            WireLevel::Error => error!(target: "sluice::rule", %rule, %step, %dataset, "{line}"),
        }
    }

    /// The call is over: says how many lines were dropped and begins anew.
    pub(crate) fn close_call(&mut self) {
        if let (true, Some(speaker)) = (self.dropped > 0, self.speaker.as_deref()) {
            let (Speaker { dataset, step, rule, max_lines, max_bytes }, dropped) = (speaker, self.dropped);
            warn!(target: "sluice::rule", %rule, %step, %dataset, dropped,
                "{dropped} log lines dropped; its step allows {max_lines} lines and {max_bytes} bytes a batch, raise \
                 `log_lines` or `log_bytes` under `limits` or let it say less");
        }
        (self.lines, self.bytes, self.dropped) = (0, 0, 0);
    }
}
