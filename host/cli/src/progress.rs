//! Shows how far a run has come: bars on a terminal, plain lines in a log.

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use sluice_flow::{Progress, Snapshot};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows progress until it is told to stop.
pub(crate) struct Display {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Display {
    /// Starts showing on standard error.
    pub(crate) fn start(progress: Arc<Progress>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let terminal = std::io::stderr().is_terminal();
        let task = tokio::spawn(async move {
            if terminal { bar(&progress, stopped).await } else { lines(&progress, stopped).await }
        });
        Self { stop, task }
    }

    /// Clears the bar.
    pub(crate) async fn stop(self) {
        // the task ends by itself only when it is told to
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

async fn bar(progress: &Progress, mut stopped: oneshot::Receiver<()>) {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}").expect("the template is well-formed");
    bar.set_style(style);
    let begun = Instant::now();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            () = tokio::time::sleep(BAR_EVERY) => {}
        }
        let now = progress.snapshot();
        bar.set_length(now.size.max(1));
        bar.set_position(now.consumed.min(now.size));
        bar.set_message(text(&now, begun.elapsed()));
    }
    bar.finish_and_clear();
}

async fn lines(progress: &Progress, mut stopped: oneshot::Receiver<()>) {
    let begun = Instant::now();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            () = tokio::time::sleep(LINE_EVERY) => {}
        }
        eprintln!("{}", text(&progress.snapshot(), begun.elapsed()));
    }
}

fn text(now: &Snapshot, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = |count: u64| (count as f64 / seconds) as u64;
    let mut text = format!(
        "{} records  {}  {}/s  {}/s",
        HumanCount(now.records),
        HumanBytes(now.bytes),
        HumanCount(rate(now.records)),
        HumanBytes(rate(now.bytes)),
    );
    for (reason, count) in &now.rejects {
        text.push_str(&format!("  {reason} {}", HumanCount(*count)));
    }
    if let Some(left) = left(now, elapsed) {
        text.push_str(&format!("  {} s left", left.as_secs()));
    }
    text
}

/// How long the rest takes if it goes on as before.
fn left(now: &Snapshot, elapsed: Duration) -> Option<Duration> {
    let rest = now.size.checked_sub(now.consumed).filter(|rest| *rest > 0)?;
    (now.consumed > 0).then(|| elapsed.mul_f64(rest as f64 / now.consumed as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_goes_by_bytes_as_stored() {
        let now = Snapshot { consumed: 25, size: 100, ..Snapshot::default() };
        assert_eq!(left(&now, Duration::from_secs(10)), Some(Duration::from_secs(30)));
        assert_eq!(left(&Snapshot::default(), Duration::from_secs(10)), None);
        let done = Snapshot { consumed: 100, size: 100, ..Snapshot::default() };
        assert_eq!(left(&done, Duration::from_secs(10)), None);
    }
}
