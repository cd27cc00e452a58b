//! Capability `log`: lines for the operator. The host limits their number and length. Never put a value of a record
//! into one.
//!
//! In a component these call the host, and only a component that calls them imports the capability; the manifest must
//! grant it. Natively the lines are kept for the thread, and [`taken`] gives them to a test.

/// A line for the rule's author.
pub fn debug(message: &str) {
    imp::write(imp::Level::Debug, message);
}

/// A line for the operator.
pub fn info(message: &str) {
    imp::write(imp::Level::Info, message);
}

/// Something is not as it should be.
pub fn warn(message: &str) {
    imp::write(imp::Level::Warn, message);
}

/// Something failed.
pub fn error(message: &str) {
    imp::write(imp::Level::Error, message);
}

#[cfg(not(target_arch = "wasm32"))]
pub use imp::taken;

#[cfg(target_arch = "wasm32")]
mod imp {
    pub(super) use sluice_guest_types::log::{Level, write};
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    use std::cell::RefCell;

    /// Lines kept for a thread; older ones give way, so that a long native run does not fill the memory.
    const KEPT: usize = 1_000;

    thread_local! {
        static LINES: RefCell<std::collections::VecDeque<String>> = const { RefCell::new(std::collections::VecDeque::new()) };
    }

    #[derive(Debug, Clone, Copy)]
    pub(super) enum Level {
        Debug,
        Info,
        Warn,
        Error,
    }

    pub(super) fn write(level: Level, message: &str) {
        let line = format!("{}: {message}", format!("{level:?}").to_lowercase());
        LINES.with_borrow_mut(|lines| {
            if lines.len() == KEPT {
                lines.pop_front();
            }
            lines.push_back(line);
        });
    }

    /// The lines that this thread wrote since it was last asked, as `level: message`. Only natively; at most 1,000.
    #[must_use]
    pub fn taken() -> Vec<String> {
        LINES.take().into()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_are_kept_for_the_test_that_asks() {
        super::info("opened");
        super::warn("two columns are empty");
        assert_eq!(super::taken(), ["info: opened", "warn: two columns are empty"]);
        assert!(super::taken().is_empty());
    }
}
