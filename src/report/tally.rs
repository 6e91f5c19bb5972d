//! Events added up: how far a run is, how fast, and when it will end.

use std::collections::{HashMap, VecDeque};

use super::number::{approximate, bytes, count, counted, duration, rate, rounded};
use crate::model::Event;

/// Running totals of a run. Times are seconds on whatever clock its owner keeps, and never run backwards.
#[derive(Debug, Default)]
pub struct Tally {
    /// What is being prepared, until loading begins.
    step: Option<String>,
    /// When loading began.
    started: Option<f64>,
    windows: u64,
    windows_before: u64,
    loaded: u64,
    skipped: u64,
    failed: u64,
    retries: u64,
    rows_planned: u64,
    rows: u64,
    bytes: u64,
    /// Rows and bytes of windows that are not at their end, and may be cleared again.
    open: HashMap<String, (u64, u64)>,
    rejected: u64,
    /// Rejects of windows that are not at their end, and may be cleared again.
    open_rejects: HashMap<String, u64>,
    frontier: Option<String>,
    stopping: bool,
    finished: bool,
    samples: VecDeque<Sample>,
}

/// The totals at a moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    time: f64,
    rows: u64,
    bytes: u64,
}

/// Rates are taken over this long: enough to be steady over batches of seconds, and to show a stall soon.
const RATE_SECONDS: f64 = 15.0;

/// Samples stand this far apart, so that a fast run keeps few of them.
const SAMPLE_SECONDS: f64 = 0.5;

impl Tally {
    /// A tally of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event that happened at `now`.
    pub fn note(&mut self, event: &Event, now: f64) {
        match event {
            Event::Planned { windows, rows, .. } => {
                self.windows = *windows;
                self.rows_planned = *rows;
            }
            Event::Preparing { step } => self.step = Some(step.clone()),
            Event::Started { windows, windows_before, rows, .. } => {
                self.windows = windows + windows_before;
                self.windows_before = *windows_before;
                self.rows_planned = *rows;
                self.started = Some(now);
                self.sample(now);
            }
            Event::Claimed { window, .. } => self.clear(window),
            Event::Rejected { window: None, rows, .. } => self.rejected += rows,
            Event::Rejected { window: Some(window), rows, .. } => {
                *self.open_rejects.entry(window.clone()).or_default() += rows;
            }
            Event::Batch { window, rows, bytes, conflicts } => {
                self.batch(window, *rows + conflicts.skipped, *bytes, now);
            }
            Event::Loaded { window, rows, bytes, conflicts, .. } => {
                self.rejected += self.open_rejects.remove(window).unwrap_or_default();
                self.clear(window);
                self.loaded += 1;
                self.add(*rows + conflicts.skipped, *bytes, now);
            }
            Event::Skipped { .. } => self.skipped += 1,
            Event::Frontier { frontier } => self.frontier = Some(frontier.clone()),
            Event::Retrying { window, .. } => {
                self.clear(window);
                self.retries += 1;
            }
            Event::Failed { window, .. } => {
                self.clear(window);
                self.failed += 1;
            }
            Event::Bisecting { .. }
            | Event::Warning { .. }
            | Event::Waiting { .. }
            | Event::Verified { .. }
            | Event::Undone { .. } => {}
            Event::Stopping => self.stopping = true,
            Event::Finished(summary) => {
                self.finished = true;
                self.frontier.clone_from(&summary.frontier);
            }
        }
    }

    /// Whether loading has begun and the run has not ended.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.started.is_some() && !self.finished
    }

    /// Rows loaded by this run, or skipped for a row of their key; those of windows under way included.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows and bytes a second, lately.
    #[must_use]
    pub fn rates(&self, now: f64) -> (f64, f64) {
        let recent = self.samples.iter().find(|sample| now - sample.time <= RATE_SECONDS).or(self.samples.back());
        let Some(from) = recent else { return (0.0, 0.0) };
        let seconds = now - from.time;
        // A window that was cleared takes its rows back, so that a total may be below an earlier one.
        (rate(self.rows.saturating_sub(from.rows), seconds), rate(self.bytes.saturating_sub(from.bytes), seconds))
    }

    /// The share of this run's work that is done, from 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        let (done, all) = if self.rows_planned > 0 {
            (self.rows.min(self.rows_planned), self.rows_planned)
        } else {
            (self.loaded + self.skipped, self.windows.saturating_sub(self.windows_before))
        };
        if all == 0 { 0.0 } else { (approximate(done) / approximate(all)).min(1.0) }
    }

    /// Seconds until the end at the present pace, once there is a pace.
    #[must_use]
    pub fn seconds_left(&self, now: f64) -> Option<f64> {
        if self.rows_planned > 0 {
            let (pace, _) = self.rates(now);
            let left = approximate(self.rows_planned.saturating_sub(self.rows));
            return (pace > 0.0).then(|| left / pace);
        }
        let share = self.share();
        let elapsed = now - self.started?;
        (share > 0.0).then(|| elapsed * (1.0 - share) / share)
    }

    /// `12/30 windows · 1,234,567 rows · 512,000 rows/s · 93.1 MB/s · frontier 2024-01-05 · eta 1m 12s · 2 retries`.
    #[must_use]
    pub fn line(&self, now: f64) -> String {
        if self.started.is_none() {
            return self.step.clone().unwrap_or_else(|| "preparing".to_owned());
        }
        let (rows_per_second, bytes_per_second) = self.rates(now);
        let done = self.windows_before + self.loaded + self.skipped;
        let mut parts = vec![
            format!("{}/{}", count(done), counted(self.windows, "window")),
            counted(self.rows, "row"),
            format!("{} rows/s", count(rounded(rows_per_second))),
            format!("{}/s", bytes(rounded(bytes_per_second))),
        ];
        parts.extend(self.frontier.as_ref().map(|frontier| format!("frontier {frontier}")));
        if self.stopping {
            parts.push("stopping after the running batches".to_owned());
        } else {
            parts.extend(self.seconds_left(now).map(|seconds| format!("eta {}", duration(seconds))));
        }
        match self.retries {
            0 => {}
            1 => parts.push("1 retry".to_owned()),
            more => parts.push(format!("{} retries", count(more))),
        }
        let rejected = self.rejected + self.open_rejects.values().sum::<u64>();
        for (number, what) in [(rejected, "rejected"), (self.skipped, "skipped"), (self.failed, "failed")] {
            if number > 0 {
                parts.push(format!("{} {what}", count(number)));
            }
        }
        parts.join(" · ")
    }

    fn batch(&mut self, window: &str, rows: u64, bytes: u64, now: f64) {
        let open = self.open.entry(window.to_owned()).or_default();
        open.0 += rows;
        open.1 += bytes;
        self.add(rows, bytes, now);
    }

    fn add(&mut self, rows: u64, bytes: u64, now: f64) {
        self.rows += rows;
        self.bytes += bytes;
        if self.samples.back().is_none_or(|last| now - last.time >= SAMPLE_SECONDS) {
            self.sample(now);
        }
    }

    /// Takes back what was counted for a window: its rows are deleted before the next attempt, or counted as a whole.
    fn clear(&mut self, window: &str) {
        self.open_rejects.remove(window);
        if let Some((rows, bytes)) = self.open.remove(window) {
            self.rows -= rows;
            self.bytes -= bytes;
        }
    }

    fn sample(&mut self, now: f64) {
        while self.samples.front().is_some_and(|oldest| now - oldest.time > RATE_SECONDS) {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { time: now, rows: self.rows, bytes: self.bytes });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Conflicts;

    fn started(windows: u64, windows_before: u64, rows: u64) -> Tally {
        let mut tally = Tally::new();
        tally.note(&Event::Started { job: "j".to_owned(), windows, windows_before, rows, workers: 2 }, 0.0);
        tally
    }

    fn batch(window: &str, rows: u64) -> Event {
        Event::Batch { window: window.to_owned(), rows, bytes: rows * 100, conflicts: Conflicts::default() }
    }

    fn loaded(window: &str, rows: u64) -> Event {
        Event::Loaded {
            window: window.to_owned(),
            rows,
            bytes: rows * 100,
            seconds: 1.0,
            conflicts: Conflicts::default(),
        }
    }

    fn retrying(window: &str) -> Event {
        Event::Retrying { window: window.to_owned(), attempt: 1, delay_seconds: 1.0, error: "lost".to_owned() }
    }

    #[test]
    fn rejects_of_a_window_that_is_tried_again_are_not_counted_twice() {
        let mut tally = started(2, 0, 100);
        let rejected = |window: Option<&str>, rows| Event::Rejected {
            window: window.map(str::to_owned),
            rows,
            first: "\"x\" is not an integer".to_owned(),
        };
        tally.note(&rejected(None, 2), 1.0);
        tally.note(&rejected(Some("a"), 3), 1.0);
        assert!(tally.line(1.0).ends_with(" · 5 rejected"), "{}", tally.line(1.0));
        tally.note(&retrying("a"), 2.0);
        tally.note(&rejected(Some("a"), 3), 3.0);
        tally.note(&loaded("a", 10), 3.0);
        assert!(tally.line(3.0).contains("5 rejected"), "{}", tally.line(3.0));
    }

    #[test]
    fn the_line_has_every_fact() {
        let mut tally = started(18, 12, 4_000_000);
        for second in 1..=10 {
            tally.note(&batch("a", 100_000), f64::from(second));
        }
        tally.note(&loaded("a", 1_000_000), 10.0);
        tally.note(&retrying("b"), 10.0);
        tally.note(&Event::Frontier { frontier: "2024-01-05".to_owned() }, 10.0);
        assert_eq!(
            tally.line(10.0),
            "13/30 windows · 1,000,000 rows · 100,000 rows/s · 10.0 MB/s · frontier 2024-01-05 · eta 30s · 1 retry"
        );
    }

    #[test]
    fn rows_of_a_window_that_is_tried_again_are_counted_once() {
        let mut tally = started(2, 0, 300);
        tally.note(&batch("a", 50), 1.0);
        tally.note(&batch("b", 100), 1.0);
        tally.note(&retrying("a"), 2.0);
        assert_eq!(tally.rows(), 100);
        tally.note(&batch("a", 200), 3.0);
        tally.note(&loaded("a", 200), 3.0);
        tally.note(&loaded("b", 100), 3.0);
        assert_eq!(tally.rows(), 300);
        assert!((tally.share() - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_stall_shows_in_the_rate_and_then_in_no_eta() {
        let mut tally = started(4, 0, 4_000);
        tally.note(&batch("a", 1_000), 10.0);
        assert!((tally.rates(10.0).0 - 100.0).abs() < 0.01);
        assert!(tally.rates(15.0).0 < 100.0);
        assert!(tally.rates(100.0).0.abs() < f64::EPSILON);
        assert_eq!(tally.seconds_left(100.0), None);
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut tally = started(4, 0, 0);
        for second in 1..=100 {
            tally.note(&batch("a", if second <= 50 { 10 } else { 1_000 }), f64::from(second));
        }
        assert!((tally.rates(100.0).0 - 1_000.0).abs() < 1.0, "{:?}", tally.rates(100.0));
        assert!(tally.samples.len() <= 17);
    }

    #[test]
    fn without_a_count_of_rows_windows_give_the_eta() {
        let mut tally = started(4, 6, 0);
        assert_eq!(tally.seconds_left(1.0), None);
        tally.note(&loaded("a", 10), 5.0);
        assert!((tally.seconds_left(5.0).unwrap() - 15.0).abs() < 0.01);
        tally.note(&Event::Skipped { window: "b".to_owned() }, 5.0);
        assert!((tally.seconds_left(5.0).unwrap() - 5.0).abs() < 0.01);
    }

    #[test]
    fn before_loading_the_line_is_the_step_of_preparation() {
        let mut tally = Tally::new();
        assert_eq!(tally.line(0.0), "preparing");
        tally.note(&Event::Preparing { step: "profiling 24 objects".to_owned() }, 0.0);
        assert_eq!(tally.line(1.0), "profiling 24 objects");
        assert!(!tally.is_loading());
    }

    #[test]
    fn a_stopping_run_says_so_instead_of_an_eta() {
        let mut tally = started(4, 0, 100);
        tally.note(&batch("a", 10), 1.0);
        tally.note(&Event::Stopping, 1.0);
        let line = tally.line(1.0);
        assert!(line.ends_with("stopping after the running batches") && !line.contains("eta"), "{line}");
    }

    proptest::proptest! {
        #[test]
        fn no_order_of_events_makes_a_total_wrong_or_panics(steps in proptest::collection::vec((0..5u8, 0..3u8, 0..1000u64), 0..60)) {
            let mut tally = started(9, 0, 1000);
            let mut open = std::collections::HashMap::new();
            let mut done = 0;
            for (time, (what, window, rows)) in (0u32..).zip(steps) {
                let name = window.to_string();
                let event = match what {
                    0 | 1 => { *open.entry(window).or_insert(0) += rows; batch(&name, rows) }
                    2 => { open.remove(&window); retrying(&name) }
                    3 => { open.remove(&window); done += rows; loaded(&name, rows) }
                    _ => Event::Skipped { window: name },
                };
                tally.note(&event, f64::from(time));
                let _ = tally.line(f64::from(time));
            }
            proptest::prop_assert_eq!(tally.rows(), done + open.values().sum::<u64>());
        }
    }
}
