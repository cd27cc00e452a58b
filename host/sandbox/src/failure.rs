//! What went wrong in a call, told apart once.

use crate::limits::{Allowance, AllowanceOf, bytes_text};
use crate::text::clean_line;
use sluice_ports::Cause;
use std::fmt;
use std::time::Duration;
use wasmtime::{Error, Trap, WasmBacktrace};

/// Frames that say nothing about where a rule went wrong: how a panic gets from the rule to the trap.
const PANIC_FRAMES: [&str; 6] = ["core::", "std::", "alloc::", "__rust", "rust_", "<"];

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// More processor time than this.
    Deadline(Duration),
    /// More processor time in host calls than this.
    HostDeadline(Duration),
    /// Asked for this much memory, of that much.
    Memory { asked: usize, cap: usize },
    /// Asked for this many elements of tables, of that many.
    Table { asked: usize, cap: usize },
    /// Trapped.
    Trap(String),
    /// Answered what cannot be.
    Answer(String),
    /// Answered more than this.
    OverSize(Allowance),
    /// Could not be started.
    Start(String),
}

impl Wrong {
    /// Tells an error of wasmtime apart. `tripped` is what a limit of ours has noted when it stopped the rule;
    /// `output` what the answer might hold.
    pub(crate) fn of(error: &Error, tripped: Option<Self>, output: Allowance) -> Self {
        if let Some(wrong) = tripped {
            return wrong;
        }
        if let Some(trap) = error.downcast_ref::<Trap>() {
            let text = trap.to_string();
            return Self::Trap(format!("{}{}", text.trim_start_matches("wasm trap: "), place(error)));
        }
        // what wasmtime says of values that break the canonical ABI has no type of its own
        let text = error.root_cause().to_string();
        if text.contains("fuel allocated for hostcalls has been exhausted") {
            return Self::OverSize(output);
        }
        Self::Answer(clean_line(&text, 300))
    }

    /// Which of the port's causes it is.
    pub(crate) fn cause(&self) -> Cause {
        match self {
            Self::Deadline(_) | Self::HostDeadline(_) => Cause::Deadline,
            Self::Memory { .. } | Self::Table { .. } => Cause::Memory,
            Self::Trap(_) => Cause::Trap,
            Self::Answer(_) | Self::OverSize(_) => Cause::Answer,
            Self::Start(_) => Cause::Start,
        }
    }

    /// The clause that follows the names of step and rule. `occasion` is `on a batch of 8192 rows`, or the like.
    pub(crate) fn clause(&self, occasion: &str) -> String {
        match self {
            Self::Deadline(limit) => format!("deadline of {} passed {occasion}", Millis(*limit)),
            Self::HostDeadline(limit) => format!("host calls took more than {} {occasion}", Millis(*limit)),
            Self::Memory { asked, cap } => format!(
                "asked for {} of memory {occasion}; its cap is {}, raise `memory` under `limits` or let it hold less",
                bytes_text(*asked),
                bytes_text(*cap)
            ),
            Self::Table { asked, cap } => format!(
                "asked for {asked} elements of tables {occasion}; it may have {cap}, raise `table_elements` under \
                 `limits` or take fewer addresses of functions"
            ),
            Self::Trap(text) => format!("trapped {occasion}: {text}"),
            Self::Answer(text) => format!("malformed answer {occasion}: {text}"),
            Self::OverSize(Allowance { bytes, says: AllowanceOf::Output }) => format!(
                "its answer {occasion} is over its limit of {}; raise `output` under `limits` or let it return less",
                bytes_text(*bytes)
            ),
            Self::OverSize(Allowance { bytes, says: AllowanceOf::Ratio(ratio) }) => format!(
                "its answer {occasion} is over its limit of {}, {ratio} times what went in and 1 MiB; raise \
                 `output_ratio` under `limits` or let it return less",
                bytes_text(*bytes)
            ),
            Self::Start(text) => text.clone(),
        }
    }
}

/// A time in milliseconds, as manifests write it.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0.as_micros() as f64 / 1000.0)
    }
}

/// `, in FUNCTION`: the first function of the rule's own on the stack, where the component has names.
fn place(error: &Error) -> String {
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    let names = frames.iter().filter_map(|frame| frame.func_name());
    let readable = names.map(|name| format!("{:#}", rustc_demangle::demangle(name)));
    let own = |name: &String| !PANIC_FRAMES.iter().any(|prefix| name.starts_with(prefix));
    readable.into_iter().find(own).map_or_else(String::new, |name| format!(", in `{}`", clean_line(&name, 120)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_name_limit_and_value() {
        let occasion = "on a batch of 8192 rows";
        let deadline = Wrong::Deadline(Duration::from_millis(250));
        assert_eq!(deadline.clause(occasion), "deadline of 250 ms passed on a batch of 8192 rows");
        assert_eq!(Wrong::Deadline(Duration::from_micros(1500)).clause("now"), "deadline of 1.5 ms passed now");
        let memory = Wrong::Memory { asked: 65 << 20, cap: 64 << 20 }.clause(occasion);
        assert!(
            memory.starts_with("asked for 65 MiB of memory on a batch of 8192 rows; its cap is 64 MiB"),
            "{memory}"
        );
    }
}
