//! A thread that does one thing again and again until it is dropped.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Runs its work every so often; dropping it ends the thread without waiting for the period.
pub(super) struct Ticker {
    // Only ever dropped, which is what the thread waits for.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(period: Duration, work: impl Fn() + Send + 'static) -> Self {
        let (alive, ended) = mpsc::channel::<()>();
        let tick = move || {
            while ended.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                work();
            }
        };
        // Without a thread there is no progress, and the run is none the worse.
        let thread = thread::Builder::new().name("display".to_owned()).spawn(tick).ok();
        Self { alive: Some(alive), thread }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the drawing thread is not worth another.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Instant;

    #[test]
    fn a_ticker_ticks_and_ends_at_once_when_dropped() {
        let ticks = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&ticks);
        let ticker = Ticker::start(Duration::from_millis(1), move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        while ticks.load(Ordering::Relaxed) < 3 {
            thread::yield_now();
        }
        drop(ticker);
        let slow = Ticker::start(Duration::from_secs(3600), || {});
        let dropped = Instant::now();
        drop(slow);
        assert!(dropped.elapsed() < Duration::from_secs(60));
    }
}
