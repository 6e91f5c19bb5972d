//! The pauses between tries, and the time after which a run gives up.
//!
//! `--retry-for` is counted from the first failure since the last progress, not from when a window was begun: a window
//! may take hours, and fail for the first time at its end. Progress is a try that committed more of the window than any
//! before it. A window that always dies at the same place therefore makes none, and ends within `--retry-for` of its first
//! failure; one that gets further each time is given its time anew.

use std::time::{Duration, Instant};

use crate::error::{Error, Retry};

/// Pauses are doubled each time up to the longest, with jitter so that workers do not knock in step.
pub(crate) struct Backoff {
    retry_for: Duration,
    next: Duration,
    /// When the run gives up: set by the first failure.
    until: Option<Instant>,
    /// Rows that the best try had committed.
    best: u64,
}

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

impl Backoff {
    pub(crate) fn new(retry_for: Duration) -> Self {
        Self { retry_for, next: FIRST_PAUSE, until: None, best: 0 }
    }

    /// How long to wait before the next try; `None` where it cannot help, or the time for tries is over.
    pub(crate) fn pause(&mut self, error: &Error) -> Option<Duration> {
        self.pause_after(error, 0)
    }

    /// The same for a try that had committed `rows` rows before it failed.
    pub(crate) fn pause_after(&mut self, error: &Error, rows: u64) -> Option<Duration> {
        let helps = matches!(error.retry(), Retry::Backoff | Retry::FewerWorkers | Retry::SmallerBatches);
        if helps { self.pause_at(Instant::now(), rows) } else { None }
    }

    fn pause_at(&mut self, now: Instant, rows: u64) -> Option<Duration> {
        if rows > self.best {
            *self = Self { best: rows, ..Self::new(self.retry_for) };
        }
        let left = self.until.get_or_insert(now + self.retry_for).checked_duration_since(now)?;
        if left.is_zero() {
            return None;
        }
        let pause = self.next.mul_f64(0.5 + jitter() / 2.0);
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        // The last try is made when the time is over, not left out because a whole pause no longer fits.
        Some(pause.min(left))
    }
}

/// A number in `[0, 1)` that differs from worker to worker; its quality does not matter.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    f64::from(u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn time_is_counted_from_the_first_failure_and_not_from_the_beginning() {
        let mut backoff = Backoff::new(MINUTE);
        let late = Instant::now() + 100 * MINUTE;
        assert!(backoff.pause_at(late, 0).is_some());
        assert!(backoff.pause_at(late + MINUTE / 2, 0).is_some());
        assert!(backoff.pause_at(late + MINUTE, 0).is_none());
    }

    #[test]
    fn a_window_that_always_dies_at_the_same_place_is_given_up_and_one_that_gets_further_is_not() {
        let (mut stuck, mut moving, now) = (Backoff::new(MINUTE), Backoff::new(MINUTE), Instant::now());
        let tries = |backoff: &mut Backoff, step: u64| {
            (0..8)
                .take_while(|i| backoff.pause_at(now + MINUTE / 4 * *i, 1000 + step * u64::from(*i)).is_some())
                .count()
        };
        assert_eq!(tries(&mut stuck, 0), 4);
        assert_eq!(tries(&mut moving, 1), 8);
        // Getting less far than before is no progress either.
        let mut worse = Backoff::new(MINUTE);
        assert!(worse.pause_at(now, 1000).is_some() && worse.pause_at(now + MINUTE, 999).is_none());
    }

    #[test]
    fn pauses_grow_to_the_longest_and_end_with_the_time_for_tries() {
        let (mut backoff, now) = (Backoff::new(100 * MINUTE), Instant::now());
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.pause_at(now, 0).unwrap()).collect();
        assert!(pauses[0] <= FIRST_PAUSE && pauses[0] >= FIRST_PAUSE / 2);
        assert!(pauses[11] <= LONGEST_PAUSE && pauses[11] >= LONGEST_PAUSE / 2);
        let last = backoff.pause_at(now + 99 * MINUTE + Duration::from_millis(59_999), 0).unwrap();
        assert!(last <= Duration::from_millis(1));
    }
}
