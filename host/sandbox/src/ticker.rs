//! The thread that moves the engine's epoch, so that running rules look at their deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use wasmtime::Engine;

/// Time between two looks at the deadline. A deadline is passed by about this much at most.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// Ticks without a running rule after which the thread goes to sleep.
const IDLE_TICKS: u32 = 20;

/// Moves the epoch while rules run. Stops when it is dropped.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn start(engine: Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let run = move || theirs.run(|| engine.increment_epoch());
        let thread = thread::Builder::new().name("sluice-epoch".into()).spawn(run)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Keeps the epoch moving as long as the guard lives.
    pub(crate) fn hold(&self) -> Held<'_> {
        // Sequentially consistent on both sides: either the thread sees this count before it goes to sleep, or the
        // flag is seen here and the thread is woken.
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.wake();
        }
        Held(&self.shared)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // it only sleeps and counts; there is no panic to report
            let _ = thread.join();
        }
    }
}

/// A rule is running.
pub(crate) struct Held<'a>(&'a Shared);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn run(&self, tick: impl Fn()) {
        let mut idle = 0;
        while !self.stopped.load(Ordering::SeqCst) {
            tick();
            thread::sleep(TICK);
            idle = if self.running.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
            if idle > IDLE_TICKS {
                self.sleep_until_held();
                idle = 0;
            }
        }
    }

    fn sleep_until_held(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) == 0 && !self.stopped.load(Ordering::SeqCst) {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn ticks_stop_when_nothing_runs_and_come_back() {
        let (shared, ticks) = (Arc::new(Shared::default()), Arc::new(AtomicU32::new(0)));
        let (theirs, count) = (shared.clone(), ticks.clone());
        let thread = thread::spawn(move || theirs.run(|| _ = count.fetch_add(1, Ordering::SeqCst)));
        while !shared.asleep.load(Ordering::SeqCst) {
            thread::sleep(TICK);
        }
        let asleep_at = ticks.load(Ordering::SeqCst);
        thread::sleep(TICK * 10);
        assert_eq!(ticks.load(Ordering::SeqCst), asleep_at);

        let ticker = Ticker { shared: shared.clone(), thread: Some(thread) };
        let held = ticker.hold();
        while ticks.load(Ordering::SeqCst) < asleep_at + 3 {
            thread::sleep(TICK);
        }
        drop(held);
        drop(ticker);
        assert_eq!(shared.running.load(Ordering::SeqCst), 0);
    }
}
