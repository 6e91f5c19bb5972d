//! What a person, or a program, sees of a run while it runs.
//!
//! Four views: a bar on a terminal, plain lines elsewhere, JSON lines for machines, and nothing. Messages and progress
//! go to stderr; only JSON goes to stdout. The bar and the lines are redrawn by a thread of their own, so that a
//! stalled run is seen to stall, and so that an event costs its sender no drawing.

mod bar;
mod json;
mod lines;
mod ticker;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgbackfill::{Event, Observer};

use bar::Bar;
use json::JsonLines;
use lines::Lines;
use ticker::Ticker;

/// Which view is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// One bar, redrawn in place.
    Terminal,
    /// A line every few seconds.
    Plain,
    /// Each event as one line of JSON on stdout.
    Json,
    /// Nothing.
    Quiet,
}

/// A view of one run; it goes when dropped.
pub(crate) struct Display {
    observer: Arc<dyn Observer>,
    // Ends its thread when dropped; the observer is shared with it.
    _ticker: Option<Ticker>,
}

/// A bar is redrawn this often; its draw target draws at most [`bar::DRAWS_PER_SECOND`].
const BAR_PERIOD: Duration = Duration::from_millis(200);

/// Plain lines come this often: often enough for a log to show life, rarely enough for one of a day-long run.
const LINE_PERIOD: Duration = Duration::from_secs(5);

impl View {
    /// The view that the options and the terminal ask for.
    pub(crate) fn choose(json: bool, quiet: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        match (json, quiet) {
            (true, _) => Self::Json,
            (false, true) => Self::Quiet,
            (false, false) if io::stderr().is_terminal() && !dumb => Self::Terminal,
            (false, false) => Self::Plain,
        }
    }
}

impl Display {
    /// Starts a view.
    pub(crate) fn start(view: View) -> Self {
        match view {
            View::Terminal => {
                let bar = Arc::new(Bar::new(Clock::start(), no_color()));
                let drawn = Arc::clone(&bar);
                Self { observer: bar, _ticker: Some(Ticker::start(BAR_PERIOD, move || drawn.draw())) }
            }
            View::Plain => {
                let lines = Arc::new(Lines::new(Clock::start(), io::stderr()));
                let written = Arc::clone(&lines);
                Self { observer: lines, _ticker: Some(Ticker::start(LINE_PERIOD, move || written.write_progress())) }
            }
            View::Json => Self { observer: Arc::new(JsonLines::new(super::output::Stdout)), _ticker: None },
            View::Quiet => Self { observer: Arc::new(|_: &Event| {}), _ticker: None },
        }
    }

    /// Whoever watches the run for this view.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.observer)
    }
}

/// Seconds since a view started.
#[derive(Debug, Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn now(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Whether the person asked for no colour (<https://no-color.org>).
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// The text of an event that a person reads as a line of its own; most are only counted.
pub(super) fn message(event: &Event) -> Option<String> {
    use pgbackfill::report::{count, counted};
    Some(match event {
        Event::Warning { message } => format!("warning: {message}"),
        Event::Waiting { reason, seconds } => format!("waiting, {seconds:.0}s so far, for {reason}"),
        Event::Retrying { window, attempt, delay_seconds, error } => {
            format!("window {window} failed in attempt {attempt} and is tried again in {delay_seconds:.1}s: {error}")
        }
        Event::Claimed { window, cleared, .. } if *cleared > 0 => {
            format!("window {window}: deleted {} before loading it", counted(*cleared, "row"))
        }
        Event::Started { windows, windows_before, .. } if *windows_before > 0 => {
            format!("resuming: {} to load, {} loaded before", counted(*windows, "window"), count(*windows_before))
        }
        Event::Stopping => "stopping after the running batches; a second Ctrl-C stops at once".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgbackfill::Conflicts;

    #[test]
    fn options_come_before_the_terminal() {
        assert_eq!(View::choose(true, true), View::Json);
        assert_eq!(View::choose(true, false), View::Json);
        assert_eq!(View::choose(false, true), View::Quiet);
    }

    #[test]
    fn troubles_are_lines_of_their_own_and_routine_is_not() {
        let retry = Event::Retrying { window: "[a, b)".into(), attempt: 2, delay_seconds: 1.52, error: "lost".into() };
        assert_eq!(message(&retry).unwrap(), "window [a, b) failed in attempt 2 and is tried again in 1.5s: lost");
        let claimed = |cleared| Event::Claimed { window: "[a, b)".into(), attempt: 1, cleared };
        assert_eq!(message(&claimed(0)), None);
        assert_eq!(message(&claimed(1200)).unwrap(), "window [a, b): deleted 1,200 rows before loading it");
        assert_eq!(
            message(&Event::Batch { window: "w".into(), rows: 1, bytes: 1, conflicts: Conflicts::default() }),
            None
        );
        assert_eq!(message(&Event::Warning { message: "no index".into() }).unwrap(), "warning: no index");
    }

    #[test]
    fn every_view_takes_every_event_and_ends() {
        for view in [View::Terminal, View::Plain, View::Quiet] {
            let display = Display::start(view);
            let observer = display.observer();
            observer.observe(&Event::Warning { message: "seen".into() });
            observer.observe(&Event::Finished(pgbackfill::Summary::default()));
            drop(display);
        }
    }
}
