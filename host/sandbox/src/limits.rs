//! What one instance may use, and what it may take to make a rule of a file.

use std::time::Duration;

/// Limits of one step. Each worker has an instance of its own, and each instance all of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory and tables. Default 64 MiB.
    pub memory_bytes: usize,
    /// Elements of all its tables. Default 10,000; at most [`Limits::TABLE_ELEMENTS`].
    pub table_elements: usize,
    /// Processor time of the worker's thread that one call may take, host calls not counted. Default 250 ms; a call
    /// over 4,096 rows of ordinary rules takes less than one.
    pub deadline: Duration,
    /// Processor time that starting an instance and opening it may take (it may compile patterns). Default 2 s.
    pub open_deadline: Duration,
    /// Most bytes that the lists of one answer may hold, whatever went in. Default 64 MiB: wasmtime's own default is
    /// twice that, which times the workers is more than a small host has.
    pub output_bytes: usize,
    /// Bytes that an answer may hold for each byte that went in; it may hold 1 MiB more than that, and never more than
    /// `output_bytes`. Default 16.
    pub output_ratio: u32,
    /// Log lines of one call. More are dropped and counted. Default 100.
    pub log_lines: usize,
    /// Bytes of the log lines of one call. More are dropped and counted. Default 10 KiB.
    pub log_bytes: usize,
    /// What making a rule of its file may take.
    pub load: LoadLimits,
}

/// Limits of making a rule of a file, before any of it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadLimits {
    /// Size of the file. Default 16 MiB.
    pub component_bytes: usize,
    /// Processor time of compiling it, rounded up to whole seconds. Default 30 s. Needs
    /// [`Compiler::Process`](crate::Compiler::Process): a thread that compiles cannot be stopped.
    pub compile_time: Duration,
    /// Memory of the process that compiles it. Default 1 GiB. Needs [`Compiler::Process`](crate::Compiler::Process).
    pub compile_memory_bytes: usize,
}

/// What an answer may hold, and which limit says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) bytes: usize,
    pub(crate) says: AllowanceOf,
}

/// Which limit bounds an answer: that is the one to raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AllowanceOf {
    /// `output`, or its like for descriptions and signatures.
    Output,
    /// `output_ratio` of this.
    Ratio(u32),
}

impl Limits {
    /// Most elements that a table can have, whatever a step allows: the pool has room for as many.
    pub const TABLE_ELEMENTS: usize = 20_000;

    /// What an answer to no input at all may hold.
    const OUTPUT_BASE: usize = 1 << 20;

    /// Most that a description or a signature may hold: 1 MiB.
    pub(crate) const TEXT: Allowance = Allowance { bytes: 1 << 20, says: AllowanceOf::Output };

    /// What the answer to `input_bytes` may hold.
    pub(crate) fn output_for(&self, input_bytes: usize) -> Allowance {
        let by_ratio = input_bytes.saturating_mul(self.output_ratio as usize).saturating_add(Self::OUTPUT_BASE);
        if by_ratio < self.output_bytes {
            return Allowance { bytes: by_ratio, says: AllowanceOf::Ratio(self.output_ratio) };
        }
        Allowance { bytes: self.output_bytes, says: AllowanceOf::Output }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            table_elements: 10_000,
            deadline: Duration::from_millis(250),
            open_deadline: Duration::from_secs(2),
            output_bytes: 64 << 20,
            output_ratio: 16,
            log_lines: 100,
            log_bytes: 10 << 10,
            load: LoadLimits::default(),
        }
    }
}

impl Default for LoadLimits {
    fn default() -> Self {
        Self { component_bytes: 16 << 20, compile_time: Duration::from_secs(30), compile_memory_bytes: 1 << 30 }
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
        let ratio = |bytes| Allowance { bytes, says: AllowanceOf::Ratio(16) };
        let ceiling = |bytes| Allowance { bytes, says: AllowanceOf::Output };
        assert_eq!(limits.output_for(0), ratio(1 << 20));
        assert_eq!(limits.output_for(1000), ratio(16_000 + (1 << 20)));
        assert_eq!(limits.output_for(63 << 16), ceiling(64 << 20));
        assert_eq!(limits.output_for(usize::MAX), ceiling(64 << 20));
        assert_eq!(Limits { output_bytes: 7, ..limits }.output_for(1000), ceiling(7));
    }

    #[test]
    fn byte_counts_read_well() {
        assert_eq!([bytes_text(64 << 20), bytes_text(3 << 10), bytes_text(1025)], ["64 MiB", "3 KiB", "1025 bytes"]);
    }
}
