//! What one instance may use.

use std::time::Duration;

/// Limits of one step. Each worker has an instance of its own, and each instance all of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory and tables. Default 64 MiB.
    pub memory_bytes: usize,
    /// Processor time of the worker's thread that one call may take, host calls not counted. Default 250 ms; a call
    /// over 4,096 rows of ordinary rules takes less than one.
    pub deadline: Duration,
    /// Processor time that starting an instance and opening it may take (it may compile patterns). Default 2 s.
    pub open_deadline: Duration,
    /// Bytes that the lists of one answer may hold. Default `None`: four times what went in and 1 MiB more, at most
    /// [`Limits::OUTPUT_CEILING`].
    pub output_bytes: Option<usize>,
}

impl Limits {
    /// Most that an answer may hold where the step sets no limit of its own: 64 MiB. Wasmtime's own default is twice
    /// that, which times the workers is more than a small host has.
    pub const OUTPUT_CEILING: usize = 64 << 20;

    /// Most that a description or a signature may hold: 1 MiB.
    pub(crate) const TEXT_BYTES: usize = 1 << 20;

    /// Bytes that the answer to `input_bytes` may hold.
    pub(crate) fn output_for(&self, input_bytes: usize) -> usize {
        let default = || input_bytes.saturating_mul(4).saturating_add(1 << 20).min(Self::OUTPUT_CEILING);
        self.output_bytes.unwrap_or_else(default)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            deadline: Duration::from_millis(250),
            open_deadline: Duration::from_secs(2),
            output_bytes: None,
        }
    }
}

/// A byte count as people read it: whole MiB or KiB where it is one, else bytes.
pub(crate) fn bytes_text(bytes: usize) -> String {
    match bytes {
        b if b >= 1 << 20 && b % (1 << 20) == 0 => format!("{} MiB", b >> 20),
        b if b >= 1 << 10 && b % (1 << 10) == 0 => format!("{} KiB", b >> 10),
        b => format!("{b} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_limit_follows_the_input_up_to_the_ceiling() {
        let limits = Limits::default();
        assert_eq!(limits.output_for(0), 1 << 20);
        assert_eq!(limits.output_for(1000), 4000 + (1 << 20));
        assert_eq!(limits.output_for(usize::MAX), Limits::OUTPUT_CEILING);
        assert_eq!(Limits { output_bytes: Some(7), ..limits }.output_for(1000), 7);
    }

    #[test]
    fn byte_counts_read_well() {
        assert_eq!([bytes_text(64 << 20), bytes_text(3 << 10), bytes_text(1025)], ["64 MiB", "3 KiB", "1025 bytes"]);
    }
}
