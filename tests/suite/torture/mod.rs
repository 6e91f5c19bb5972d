//! Torture: loads under faults that a seed draws, each followed by the proof that every row is there once.
//!
//! A run draws a scene (source, table, loaders, plan of faults), lets faults strike while the loaders work and others write
//! into the same table, then ends the faults, runs the same command until it says that all is loaded, and compares table,
//! ledger and `verify` with the source. The seed decides what is planned; the moment decides what it strikes, so a seed that
//! failed is to be run more than once.
//!
//! The suite runs a few seeds; `cargo run --example torture` runs for as long as it is told to.

mod check;
mod crew;
mod kind;
mod log;
mod others;
mod scene;
mod source;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crew::Crew;
pub(crate) use kind::{Kind, Tally};
use log::Log;
use scene::{Moment, Planned, Scene};

use crate::harness::server::{Server, Stop};
use crate::harness::{Database, Fault, Proxy, Random, start_server};

/// A server of its own, whose crashes concern no other.
pub(crate) struct Lane {
    server: &'static Server,
    /// Whether the log of a run is kept that went well.
    keeps_logs: bool,
}

/// What a run met and survived.
pub(crate) struct Report {
    seed: u64,
    pub(crate) struck: Tally,
    /// Loaders side by side, and how often one was started.
    loaders: (u64, u64),
    retries: u64,
    /// How often the command was run after the faults.
    again: u32,
    seconds: f64,
}

/// A run after which something was not as it must be.
pub(crate) struct Failure {
    seed: u64,
    why: String,
    log: PathBuf,
}

/// How long batches are waited for that do not come.
const PATIENCE: Duration = Duration::from_secs(4);

/// After the faults, the command says within so many runs that all is loaded.
const RUNS_AGAIN_MAX: u32 = 20;

impl Lane {
    /// Starts its server.
    ///
    /// `fsync` is off there, and a crash is honest all the same: what the server has written survives its death, for the
    /// system it runs on lives; and what it has not, its own buffers of the log, is lost. The log's writer sleeps for long, so
    /// that commits which do not wait for it are lost often rather than hardly ever.
    pub(crate) fn start(keeps_logs: bool) -> Self {
        let lane = Self { server: start_server(), keeps_logs };
        let database = Database::on(lane.server);
        database.sql("alter system set wal_writer_delay = '10s'");
        database.rows("select pg_reload_conf()");
        lane
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Best effort: the server ends with the process too.
        let _ = self.server.stop(Stop::Immediate);
    }
}

/// One run.
pub(crate) fn run(lane: &Lane, seed: u64) -> Result<Report, Failure> {
    let log = Log::new();
    let outcome = catch_unwind(AssertUnwindSafe(|| torture(lane, seed, &log)));
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let why = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        log.note(&format!("failed: {why}\nthe server's log:\n{}", lane.server.log()));
        Failure { seed, why, log: log.keep(seed) }
    })
}

fn torture(lane: &Lane, seed: u64, log: &Log) -> Report {
    let mut random = Random(seed);
    let scene = Scene::draw(&mut random);
    log.note(&format!("seed {seed}: {scene}"));
    scene.faults.iter().for_each(|fault| log.note(&format!("planned: {} after {:?}", fault.kind, fault.moment)));
    let (mut database, source) = (Database::on(lane.server), scene.source.write());
    database.sql(&scene.tables());
    database.copy_csv("expected", "header true", source.csv.as_bytes());
    let proxy = Proxy::start(&database);
    let mut crew = Crew::new(proxy.url(&database), scene.command(&source.paths), scene.loaders, log);
    let stop = AtomicBool::new(false);
    let again = std::thread::scope(|scope| {
        let _writers = others::start(scope, &database, &stop, scene.shared, scene.source.minutes());
        storm(lane, &database, &proxy, &mut crew, &scene, log);
        proxy.calm();
        recover(&database, &mut crew)
    });
    check::holds(&mut database);
    if lane.keeps_logs {
        log.keep(seed);
    }
    Report {
        seed,
        struck: crew.tally,
        loaders: (scene.loaders, crew.starts),
        retries: crew.retries,
        again,
        seconds: log.seconds(),
    }
}

/// Lets the planned faults strike, one after the other.
fn storm(lane: &Lane, database: &Database, proxy: &Proxy, crew: &mut Crew, scene: &Scene, log: &Log) {
    let (mut random, mut on_the_wire) = (Random(scene.loaders), Vec::new());
    for fault in scene.faults.iter().cloned() {
        // Once all is done a crash is all that can still take something away.
        if wait_for(fault.moment, crew, &mut random) || fault.kind == Kind::CrashServer {
            log.note(&format!("strikes: {}", fault.kind));
            on_the_wire.extend(strike(lane, database, proxy, crew, fault));
        }
        if crew.done {
            check::is_complete(database);
        }
    }
    while crew.has_paused() {
        tend(crew, &mut random);
    }
    on_the_wire.iter().filter(|(_, fault)| fault.has_struck()).for_each(|(kind, _)| crew.tally.add(*kind));
}

/// Waits for the moment of a fault, while loaders come and go. Whether there are any left.
fn wait_for(moment: Moment, crew: &mut Crew, random: &mut Random) -> bool {
    let (before, begun) = (crew.batches(), Instant::now());
    let has_come = |crew: &mut Crew| match moment {
        // Loaders that wait for each other make no batches.
        Moment::Batches(batches, _) => crew.batches() >= before + batches || begun.elapsed() >= PATIENCE,
        Moment::Time(time) => begun.elapsed() >= time,
    };
    tend(crew, random);
    while !has_come(crew) && (crew.is_alive() || !crew.done) {
        tend(crew, random);
    }
    if let Moment::Batches(_, time) = moment {
        std::thread::sleep(time);
    }
    crew.is_alive()
}

/// Looks after the loaders, and rests.
fn tend(crew: &mut Crew, random: &mut Random) {
    crew.tend(random);
    std::thread::sleep(Duration::from_millis(3));
}

/// Does a fault. One on the wire is set up, and strikes when its message comes.
fn strike(
    lane: &Lane,
    database: &Database,
    proxy: &Proxy,
    crew: &mut Crew,
    Planned { kind, mut random, .. }: Planned,
) -> Option<(Kind, Fault)> {
    if let Some((point, action)) = kind.on_the_wire(&mut random) {
        let nth = u32::try_from(1 + random.below(4)).expect("it is small");
        return Some((kind, proxy.arm(point, nth, action)));
    }
    match kind {
        Kind::EndSessions => end_sessions(database, crew),
        Kind::CrashServer => restart(lane, crew, kind, Stop::Immediate),
        Kind::RestartServer => restart(lane, crew, kind, Stop::Fast),
        _ => crew.signal(kind, &mut random),
    }
    None
}

fn end_sessions(database: &Database, crew: &mut Crew) {
    let ended = database.connect().rows(
        "select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'pgbackfill'",
    );
    if !ended.is_empty() && crew.is_loading() {
        crew.tally.add(Kind::EndSessions);
    }
}

fn restart(lane: &Lane, crew: &mut Crew, kind: Kind, mode: Stop) {
    if crew.is_loading() {
        crew.tally.add(kind);
    }
    lane.server.restart(mode).unwrap_or_else(|fault| panic!("{fault}"));
}

/// Runs the command until it says that all is loaded; how often that took.
fn recover(database: &Database, crew: &mut Crew) -> u32 {
    crew.dismiss();
    for again in 1..=RUNS_AGAIN_MAX {
        let code = crew.run_once();
        if code == 0 {
            check::is_complete(database);
            return again;
        }
        // A lease that nobody renews any more has to run out.
        std::thread::sleep(Duration::from_millis(250));
    }
    panic!("the command does not come to an end, though nothing is in its way");
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, struck, loaders: (loaders, starts), retries, again, seconds } = self;
        write!(
            f,
            "seed {seed}: {} faults ({struck}), {loaders} loaders started {starts} times, {retries} retries, \
             {again} runs after, {seconds:.1} s",
            struck.total()
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {} failed: {}\nits log: {}", self.seed, self.why, self.log.display())
    }
}

/// Runs seeds one after the other; the first that fails fails the test.
#[cfg(test)]
fn survives(seeds: impl IntoIterator<Item = u64>) {
    let lane = Lane::start(false);
    for seed in seeds {
        match run(&lane, seed) {
            Ok(report) => eprintln!("{report}"),
            Err(failure) => panic!("{failure}"),
        }
    }
}

#[test]
fn loads_under_faults_of_known_seeds_hold_every_row_once() {
    survives(1..=3);
}

#[test]
fn loads_under_faults_of_more_known_seeds_hold_every_row_once() {
    survives(4..=6);
}

#[test]
fn a_load_under_faults_of_the_moment_holds_every_row_once() {
    survives([crate::harness::seed("torture")]);
}
