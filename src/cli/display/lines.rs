//! The view off a terminal: messages as they come, and a line of progress now and then.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pgbackfill::report::{Tally, bytes, counted, escaped};
use pgbackfill::{Event, Observer};

use super::{Clock, message};

/// Writes plain lines to `W`.
pub(super) struct Lines<W> {
    inner: Mutex<Inner<W>>,
    clock: Clock,
}

struct Inner<W> {
    tally: Tally,
    output: W,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(clock: Clock, output: W) -> Self {
        Self { inner: Mutex::new(Inner { tally: Tally::new(), output }), clock }
    }

    /// Writes a line of progress, if there is progress to write of.
    pub(super) fn write_progress(&self) {
        let now = self.clock.now();
        let mut inner = self.inner();
        if inner.tally.is_loading() {
            let line = inner.tally.line(now);
            inner.write(&line);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner<W>> {
        // Tally and output are whole between any two of their statements.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Write + Send> Observer for Lines<W> {
    fn observe(&self, event: &Event) {
        let mut inner = self.inner();
        inner.tally.note(event, self.clock.now());
        if let Some(text) = message(event).or_else(|| milestone(event)) {
            inner.write(&text);
        }
    }
}

impl<W: Write> Inner<W> {
    fn write(&mut self, line: &str) {
        // Where nobody reads the log any more, the load goes on.
        let _ = writeln!(self.output, "{}", escaped(line)).and_then(|()| self.output.flush());
    }
}

/// What a log should show although nothing is wrong.
fn milestone(event: &Event) -> Option<String> {
    Some(match event {
        Event::Preparing { step } => step.clone(),
        Event::Planned { job, windows, rows, bytes: size } => {
            format!("job {job}: {}, {}, {}", counted(*windows, "window"), counted(*rows, "row"), bytes(*size))
        }
        Event::Started { windows, workers, .. } => {
            let workers = u64::try_from(*workers).unwrap_or(u64::MAX);
            format!("loading {} with {}", counted(*windows, "window"), counted(workers, "worker"))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgbackfill::Conflicts;

    fn written(lines: &Lines<Vec<u8>>) -> String {
        String::from_utf8(lines.inner().output.clone()).unwrap()
    }

    #[test]
    fn a_log_shows_milestones_troubles_and_progress_while_loading() {
        let lines = Lines::new(Clock::start(), Vec::new());
        lines.write_progress();
        lines.observe(&Event::Preparing { step: "profiling 2 objects".into() });
        lines.observe(&Event::Planned { job: "j".into(), windows: 2, rows: 1_000, bytes: 5_000 });
        lines.observe(&Event::Started { job: "j".into(), windows: 2, windows_before: 0, rows: 1_000, workers: 1 });
        lines.observe(&Event::Batch { window: "w".into(), rows: 400, bytes: 100, conflicts: Conflicts::default() });
        lines.write_progress();
        lines.observe(&Event::Finished(pgbackfill::Summary::default()));
        lines.write_progress();
        let text = written(&lines);
        let log: Vec<_> = text.lines().collect();
        assert_eq!(
            log[..3],
            ["profiling 2 objects", "job j: 2 windows, 1,000 rows, 5.0 kB", "loading 2 windows with 1 worker"]
        );
        assert!(log[3].starts_with("0/2 windows · 400 rows · "), "{text}");
        assert_eq!(log.len(), 4, "{text}");
    }
}
