//! Tortures the loader for as long as it is told to: `cargo run --example torture -- --minutes 30`.
//!
//! Each run is drawn from a seed, and told in one line. It fails where a row is lost, doubled or touched that is another's,
//! where ledger or exit code say what is not so, and where a kind of fault never struck. What a run is, `tests/suite/torture`
//! says; the suite runs a few of them.

#![allow(clippy::unwrap_used, reason = "the harness of the tests fails by panicking")]

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;

#[path = "../tests/suite/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use what torture does not")]
mod harness;
#[path = "../tests/suite/torture/mod.rs"]
mod torture;

use torture::{Kind, Lane, Tally};

#[derive(Parser)]
#[command(about = "Load under faults, over and over, and prove each time that every row is there once")]
struct Arguments {
    /// End after so many minutes [default: none]
    #[arg(long)]
    minutes: Option<u64>,
    /// End after so many runs
    #[arg(long, default_value_t = 200)]
    runs: u64,
    /// The first seed; the others follow it [default: that of the moment]
    #[arg(long)]
    seed: Option<u64>,
    /// Run the first seed over and over
    #[arg(long)]
    repeat: bool,
    /// Runs at once, each against a server of its own
    #[arg(long, default_value_t = 2)]
    lanes: u64,
    /// Keep the log of every run, not only of those that fail
    #[arg(long)]
    logs: bool,
    /// The program to torture [default: built anew]
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// What all lanes have seen together.
#[derive(Default)]
struct Seen {
    begun: AtomicU64,
    failures: AtomicU32,
    struck: Mutex<Tally>,
}

/// With so many runs, chance does not explain a kind of fault that never struck.
const RUNS_FOR_EVERY_KIND: u64 = 100;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A run that fails is told in one line, with its log.
    std::panic::set_hook(Box::new(|_| ()));
    harness::use_binary(arguments.binary.clone().unwrap_or_else(build));
    let seed = arguments.seed.unwrap_or_else(|| harness::seed("torture"));
    let (seen, until) =
        (Seen::default(), arguments.minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes)));
    std::thread::scope(|scope| {
        for _ in 0..arguments.lanes {
            scope.spawn(|| run_lane(&arguments, seed, until, &seen));
        }
    });
    sum_up(&seen)
}

/// Builds the program as this example was built: it would be tortured for nothing if it were an old one.
fn build() -> PathBuf {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--bin", "pgbackfill", "--profile", profile])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.is_ok_and(|status| status.success()), "the program does not build; or name one with --binary");
    // The example lies one folder below it.
    let example = std::env::current_exe().expect("a process knows its program");
    example.ancestors().nth(2).expect("examples lie two folders deep").join("pgbackfill")
}

fn run_lane(arguments: &Arguments, first: u64, until: Option<Instant>, seen: &Seen) {
    let lane = Lane::start(arguments.logs);
    loop {
        let number = seen.begun.fetch_add(1, Ordering::SeqCst);
        if number >= arguments.runs || until.is_some_and(|until| Instant::now() >= until) {
            seen.begun.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        let seed = if arguments.repeat { first } else { first.wrapping_add(number) };
        match torture::run(&lane, seed) {
            Ok(report) => {
                println!("{report}");
                seen.struck.lock().expect("no thread panics with it").add_all(&report.struck);
            }
            Err(failure) => {
                println!("{failure}");
                seen.failures.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

fn sum_up(seen: &Seen) -> ExitCode {
    let (runs, failures) = (seen.begun.load(Ordering::SeqCst), seen.failures.load(Ordering::SeqCst));
    let struck = seen.struck.lock().expect("no thread panics with it");
    println!("{runs} runs, {failures} failed; {} faults struck: {struck}", struck.total());
    let missing: Vec<String> =
        Kind::ALL.iter().filter(|kind| struck.of(**kind) == 0).map(ToString::to_string).collect();
    if !missing.is_empty() {
        println!("never struck: {}", missing.join(", "));
    }
    let short = runs < RUNS_FOR_EVERY_KIND;
    if failures == 0 && (short || missing.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
