//! Seconds, CPU seconds and the peak of memory of one step.

use std::fs;
use std::sync::Mutex;
use std::time::Instant;

/// A step under way.
pub(crate) struct Meter {
    name: String,
    begun: Instant,
    cpu: f64,
    resident: u64,
}

/// When the step under way began.
static BEGUN: Mutex<Option<Instant>> = Mutex::new(None);

/// Seconds since the step under way began.
pub(crate) fn since_start() -> f64 {
    BEGUN.lock().unwrap().map_or(0.0, |begun| begun.elapsed().as_secs_f64())
}

impl Meter {
    /// Begins a step, with the peak of memory set back to what is held now.
    pub(crate) fn start(name: &str) -> Self {
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let begun = Instant::now();
        *BEGUN.lock().unwrap() = Some(begun);
        Self { name: name.to_owned(), begun, cpu: cpu_seconds(), resident: memory("VmRSS:") }
    }

    /// Ends the step, and tells what it took.
    pub(crate) fn stop(self, remark: &str) {
        println!(
            "  {:<34} {:>7.2} s {:>7.2} s of CPU, {:>5} MB at its peak, {:>5} MB before: {remark}",
            self.name,
            self.begun.elapsed().as_secs_f64(),
            cpu_seconds() - self.cpu,
            memory("VmHWM:") >> 10,
            self.resident >> 10,
        );
    }
}

/// A line of `/proc/self/status`, in KiB.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// CPU seconds of this process, of which the kernel counts a hundred a second.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}
