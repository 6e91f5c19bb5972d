//! What happened in a run of torture, with times: kept in a file where the run failed.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Notes of one run.
pub(super) struct Log {
    begun: Instant,
    text: Mutex<String>,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), text: Mutex::default() }
    }

    pub(super) fn note(&self, what: &str) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(text, "{seconds:8.3} {what}").expect("a String takes any text");
    }

    /// Seconds since the run began.
    pub(super) fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Writes the notes to a file.
    pub(super) fn keep(&self, seed: u64) -> PathBuf {
        let path = std::env::temp_dir().join(format!("pgbackfill-torture-{seed}.log"));
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        std::fs::write(&path, text.as_bytes()).expect("the temporary folder takes a file");
        path
    }
}
