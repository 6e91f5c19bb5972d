//! Killed loaders: whatever the moment, a re-run ends with exactly the source's rows, and nobody else's are touched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{
    Database, Folder, Gate, METRICS, Random, Running, Session, metrics, run, seed, start, wide_metrics,
};

const KILLS: u32 = 20;

/// Inserts rows of its own into the windows being loaded until told to end; `foreign_rows` has a second copy of them.
fn write_beside(session: Session, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut number = 0;
        while !stop.load(Ordering::SeqCst) {
            session.sql(&format!(
                "with made as (
                   insert into metrics
                   select timestamptz '2024-01-01' + n * interval '37 s', 'other', {number} % 1000, 'not yours'
                     from generate_series(1, 3000, 100) n
                   returning *)
                 insert into foreign_rows table made"
            ));
            number += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
    })
}

/// Lets a run go on to a random moment: while it prepares, or up to 24 batches into its load.
fn wait_for_a_moment(running: &mut Running, random: &mut Random, preparation: Duration) {
    let micros = |duration: Duration| u64::try_from(duration.as_micros()).expect("it is short");
    if random.below(4) == 0 {
        std::thread::sleep(Duration::from_micros(random.below(micros(preparation) + 1)));
        return;
    }
    for _ in 0..=random.below(24) {
        if running.event_named("batch").is_none() {
            return;
        }
    }
    std::thread::sleep(Duration::from_micros(random.below(10_000)));
}

#[test]
fn a_loader_killed_at_twenty_random_moments_loads_every_row_once_and_touches_no_other() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let mut random = Random(seed("kill"));
    let csv = wide_metrics(300_000);
    let path = folder.write("metrics.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let load = format!(
        "load {path} --table metrics --time-column ts --window 6h --batch-rows 2000 --existing keep --workers 2 --json --job "
    );
    let half_loaded = "select count(*) from pgbackfill.windows where state = 'loading' and batches > 0";
    let stop = Arc::new(AtomicBool::new(false));
    let writer = write_beside(database.connect(), Arc::clone(&stop));
    let (mut kills, mut mid_window, mut round) = (0, 0, 0);
    while kills < KILLS {
        round += 1;
        let load = format!("{load}round{round}");
        let mut preparation = Duration::from_secs(1);
        loop {
            let begun = Instant::now();
            let mut running = start(&database, &load);
            if kills == KILLS {
                running.finish().exits(0);
                break;
            }
            if kills == 0 {
                running.event_named("started");
                preparation = begun.elapsed();
            }
            wait_for_a_moment(&mut running, &mut random, preparation);
            let output = running.kill();
            if output.code == 0 {
                break;
            }
            assert_eq!(output.code, -9, "{output:?}");
            kills += 1;
            let known = database.one("select to_regclass('pgbackfill.windows') is not null") == "t";
            mid_window += u32::from(known && database.one(half_loaded) != "0");
        }
        run(&database, &format!("verify round{round}")).exits(0);
        if kills < KILLS {
            database.assert_same("(select * from metrics where host <> 'other')", "expected");
            run(&database, &format!("undo round{round}")).exits(0);
        }
    }
    stop.store(true, Ordering::SeqCst);
    writer.join().unwrap();
    eprintln!("kill: {kills} kills, {mid_window} that left a window half loaded, {round} rounds");
    assert!(mid_window > 0, "no kill left a window half loaded");
    assert!(database.count("foreign_rows") > 0);
    database.assert_same("(select * from metrics where host <> 'other')", "expected");
    database.assert_same("(select * from metrics where host = 'other')", "foreign_rows");
}

/// Rows that a loader leaves in a window of 60,000 rows when it is killed with its third batch or later not yet committed.
fn rows_after_a_kill_mid_window(commit: &str) -> u64 {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = wide_metrics(60_000);
    let path = folder.write("metrics.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let gate = Gate::close(&database, 20_000);
    let load = format!(
        "load {path} --table metrics --time-column ts --window 1d --batch-rows 2000 --workers 1 --commit {commit}"
    );
    let loader = gate.wait_for(start(&database, &load));
    assert_eq!(loader.kill().code, -9);
    gate.open();
    database.wait_until_alone();
    let left = database.count("metrics");
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
    run(&database, "verify").exits(0);
    left
}

#[test]
fn with_a_transaction_a_window_a_kill_mid_window_leaves_no_row_of_it() {
    assert_eq!(rows_after_a_kill_mid_window("window"), 0);
}

#[test]
fn with_a_transaction_a_batch_a_kill_mid_window_leaves_whole_batches_which_the_next_run_clears() {
    let left = rows_after_a_kill_mid_window("batch");
    assert!(left > 0 && left < 60_000, "{left}");
}

#[test]
fn a_half_loaded_window_is_cleared_of_our_rows_only_and_the_run_says_how_many() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = wide_metrics(60_000);
    let path = folder.write("metrics.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    database.sql(
        "insert into foreign_rows select '2024-01-01 00:01', 'other', n, 'there before' from generate_series(1, 10) n;
                  insert into metrics table foreign_rows",
    );
    let gate = Gate::close(&database, 20_000);
    let load = format!(
        "load {path} --table metrics --time-column ts --window 1d --batch-rows 2000 --workers 1 --existing keep --json"
    );
    let loader = gate.wait_for(start(&database, &load));
    loader.kill();
    gate.open();
    database.wait_until_alone();
    let ours = database.count("metrics") - 10;
    database.sql("insert into foreign_rows select '2024-01-01 00:02', 'other', n, 'written meanwhile' from generate_series(1, 10) n;
                  insert into metrics select * from foreign_rows where note = 'written meanwhile'");
    let again = run(&database, &load).exits(0);
    let claimed = again.events_named("claimed");
    assert_eq!((claimed[0]["cleared"].as_u64(), claimed[0]["attempt"].as_u64()), (Some(ours), Some(2)));
    database.assert_same("(select * from metrics where host <> 'other')", "expected");
    database.assert_same("(select * from metrics where host = 'other')", "foreign_rows");
}

/// Sends a signal to a loader that stands at the gate, opens the gate, and returns what the loader said.
fn stopped_by(signal: &str, code: i32) {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = wide_metrics(60_000);
    let path = folder.write("metrics.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let gate = Gate::close(&database, 20_000);
    let load = format!("load {path} --table metrics --time-column ts --window 2h --batch-rows 2000 --workers 1");
    let loader = gate.wait_for(start(&database, &load));
    loader.signal(signal);
    // The running batch is finished, not cut off.
    std::thread::sleep(Duration::from_millis(200));
    assert!(!loader.has_ended());
    gate.open();
    let output = loader.finish().exits(code).says(&["the same command again"]);
    assert!(output.stderr.contains("resume"), "{output:?}");
    for some in ["state = 'loaded'", "state <> 'loaded'"] {
        assert_ne!(database.count(&format!("pgbackfill.windows where {some}")), 0, "{some}");
    }
    assert_eq!(database.count("pgbackfill.runs where ended_at is null"), 0);
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
    run(&database, "verify").exits(0);
}

#[test]
fn ctrl_c_finishes_the_running_batch_exits_130_and_says_how_to_resume() {
    stopped_by("INT", 130);
}

#[test]
fn a_supervisors_term_finishes_the_running_batch_exits_143_and_says_how_to_resume() {
    stopped_by("TERM", 143);
}

#[test]
fn ctrl_c_twice_stops_at_once_and_loses_nothing() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = metrics(60_000, 360);
    let path = folder.write("metrics.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let gate = Gate::close(&database, 20_000);
    let load = format!("load {path} --table metrics --time-column ts --window 2h --workers 1");
    let loader = gate.wait_for(start(&database, &load));
    loader.signal("INT");
    std::thread::sleep(Duration::from_millis(200));
    assert!(!loader.has_ended());
    loader.signal("INT");
    // At once: the gate is still closed.
    loader.finish().exits(130);
    gate.open();
    database.wait_until_alone();
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
}
