//! What a job of 100,000 windows costs, from its plan to its end: seconds, CPU and the peak of memory of each step.
//!
//! `cargo bench --bench scale` plans and loads 1,000,000 parts of a source that is made here, and then 100,000 small CSV
//! files, into a private server with the settings that a server has by default (autovacuum too). Words behind `--` narrow
//! it:
//!
//! - `parts`, `files`, `wide`: only these sources; `wide` is one whose parts each reach over a hundredth of the time
//! - `held`: another session keeps a transaction open, so that nothing dead can be cleaned away meanwhile
//! - `verify`, `undo`: these too, of what is loaded
//! - `windows=100000`, `each=10` (parts of a window), `workers=4`, `seconds=60`: how long to load before the load is
//!   stopped and resumed, and how long then
//!
//! What claims cost is told by the server (`pg_stat_statements`): the mean over every claim that the workers made since the
//! line before, and the pages that each touched.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "numbers are made here, and a bench ends where something fails"
)]

#[path = "../src/cli/server/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the binary and its tests use what the bench does not")]
mod server;

#[path = "scale/claims.rs"]
mod claims;
#[path = "scale/meter.rs"]
mod meter;
#[path = "scale/sources.rs"]
mod sources;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use claims::Claims;
use meter::Meter;
use pgbackfill::{Backfill, ConnectSettings, Event, Input, Options, Stop, WindowSize};
use server::Server;

/// What is measured, as the words on the command line say.
struct Shape {
    words: Vec<String>,
    windows: u64,
    each: u64,
    workers: usize,
    seconds: u64,
}

impl Shape {
    fn of_arguments() -> Self {
        let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
        let number = |name: &str, default: u64| {
            let word = words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            word.map_or(default, |word| word.parse().unwrap())
        };
        let (windows, each) = (number("windows", 100_000), number("each", 10));
        let (workers, seconds) = (number("workers", 4) as usize, number("seconds", 60));
        Self { words, windows, each, workers, seconds }
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|each| each == word)
    }

    /// Whether a source is wanted: each is, where none is named.
    fn wants(&self, source: &str) -> bool {
        self.has(source) || !["parts", "files", "wide"].iter().any(|each| self.has(each))
    }
}

const TABLE: &str = "create table readings (ts timestamptz not null, sensor bigint, value float8);
                     create index on readings (ts)";

fn main() {
    let shape = Shape::of_arguments();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (windows, each) = (shape.windows, shape.each);
    if shape.wants("parts") {
        println!("\n{windows} windows, {} parts of a custom source, 3 rows each", windows * each);
        runtime.block_on(measure(&shape, sources::parts(windows * each, windows, 1)));
    }
    if shape.wants("wide") {
        let parts = windows * each / 100;
        println!("\n{windows} windows, {parts} parts of a custom source, each over a hundredth of all windows");
        runtime.block_on(measure(&shape, sources::parts(parts, windows, windows / 100)));
    }
    if shape.wants("files") {
        println!("\n{windows} windows, {windows} CSV files of 3 rows");
        let folder = sources::files(windows);
        runtime.block_on(measure(&shape, Input::from(folder.path().to_str().unwrap())));
    }
}

/// A job over `input`, from its plan to its end or as far as the time given lets it come.
async fn measure(shape: &Shape, input: Input) {
    let server =
        Server::start_with(&["shared_preload_libraries = 'pg_stat_statements'", "max_connections = 200"]).unwrap();
    let target = ConnectSettings::resolve(Some(&server.url()), &|_| None).unwrap();
    let claims = Claims::watch(&server, TABLE).await;
    let mut options = Options::new("readings").with_time_column("ts").with_job("scale");
    options = options.with_window(WindowSize::Span(Duration::from_secs(sources::WINDOW_SECONDS)));
    options.limits.workers = Some(shape.workers);
    let backfill = Backfill::new(target.clone(), input, options);

    let meter = Meter::start("plan");
    let plan = backfill.plan(|event: &Event| step(event)).await.unwrap();
    meter.stop(&format!("{} windows, {} pieces, {} rows", plan.windows.len(), plan.pieces, plan.rows));
    drop(plan);
    if shape.has("held") {
        claims.hold().await;
    }
    load(shape, "begin", &backfill, &target, &claims).await;
    load(shape, "resume", &backfill, &target, &claims).await;
    if pgbackfill::status(&target, None).await.unwrap().progress.is_complete() {
        let meter = Meter::start("again, when all is loaded");
        backfill.load(|_: &_| (), &Stop::new()).await.unwrap();
        meter.stop("");
    }
    if shape.has("verify") {
        let meter = Meter::start("verify");
        let found = pgbackfill::verify(&target, None, &|_: &_| ()).await.unwrap();
        meter.stop(&format!("{} windows", found.windows));
    }
    if shape.has("undo") {
        let meter = Meter::start("undo");
        let undone = pgbackfill::undo(&target, "scale", pgbackfill::MissingRows::Refuse, &|_: &_| ()).await.unwrap();
        meter.stop(&format!("{} rows", undone.rows));
    }
}

fn step(event: &Event) {
    if let Event::Preparing { step } = event {
        println!("    {step}, at {:.1} s", meter::since_start());
    }
}

/// A run that is stopped after its time; what it takes before the first claim, and what claims and `status` take then.
async fn load(shape: &Shape, name: &str, backfill: &Backfill, target: &ConnectSettings, claims: &Claims) {
    let (stop, loaded) = (Stop::new(), Arc::new(AtomicU64::new(0)));
    let meter = Arc::new(Mutex::new(Some(Meter::start(&format!("{name}: until the first claim")))));
    let observer = {
        let (loaded, meter) = (Arc::clone(&loaded), Arc::clone(&meter));
        move |event: &Event| match event {
            Event::Planned { .. } => println!("    planned and in the ledger, at {:.1} s", meter::since_start()),
            Event::Started { windows, .. } => {
                let begun = meter.lock().unwrap().take();
                begun.unwrap().stop(&format!("{windows} windows are open"));
            }
            Event::Loaded { .. } => drop(loaded.fetch_add(1, Ordering::Relaxed)),
            other => step(other),
        }
    };
    let running = backfill.load(observer, &stop);
    let watching = claims.report(target, &loaded, || meter.lock().unwrap().is_none(), shape.seconds);
    tokio::pin!(running, watching);
    let summary = tokio::select! {
        summary = &mut running => summary.unwrap(),
        () = &mut watching => {
            stop.request();
            running.await.unwrap()
        }
    };
    println!(
        "  {name}: {} windows loaded in {:.1} s, {} of {}",
        summary.windows, summary.seconds, summary.progress.loaded, summary.progress.windows
    );
}
