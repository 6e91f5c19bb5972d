//! Faults of the server: sessions ended, locks not granted, restarts. Runs go on by themselves, or say how to resume.

use std::time::Duration;

use crate::harness::server::{Server, Stop};
use crate::harness::{
    Database, Folder, Gate, METRICS, Output, Random, Running, metrics, run, seed, start, start_server, wide_metrics,
};

const END_LOADERS: &str = "select pg_terminate_backend(pid) from pg_stat_activity
                            where datname = current_database() and application_name = 'pgbackfill'";

/// Measurements, their file, and a command that loads them.
fn scene(database: &Database, csv: &str, options: &str) -> (Folder, String) {
    let folder = Folder::new();
    let path = folder.write("a.csv", csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    (folder, format!("load {path} --table metrics --time-column ts --json {options}"))
}

/// Panics unless the table holds every row once, after the same command once more where the run says that it is not done.
#[track_caller]
fn recovered(database: &Database, load: &str, output: &Output) {
    assert!([0, 4].contains(&output.code), "{output:?}");
    assert!(!output.events_named("retrying").is_empty(), "nothing was tried again: {output:?}");
    if output.code == 4 {
        run(database, load).exits(0);
    }
    database.assert_same("metrics", "expected");
    run(database, "verify").exits(0);
}

#[test]
fn sessions_ended_in_the_midst_of_a_batch_are_opened_anew_and_the_window_is_loaded_again() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &metrics(60_000, 360), "--window 3h --batch-rows 2000 --workers 2");
    let gate = Gate::close(&database, 30_000);
    let loader = start(&database, &load);
    gate.wait_for_loader();
    database.rows(END_LOADERS);
    gate.open();
    recovered(&database, &load, &loader.finish());
}

#[test]
fn sessions_ended_at_random_moments_lose_and_double_nothing() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &wide_metrics(200_000), "--window 4h --batch-rows 2000 --workers 2");
    let mut random = Random(seed("sessions ended"));
    let mut loader = start(&database, &load);
    for _ in 0..4 {
        for _ in 0..=random.below(3) {
            loader.event_named("batch");
        }
        std::thread::sleep(Duration::from_micros(random.below(5_000)));
        database.rows(END_LOADERS);
    }
    recovered(&database, &load, &loader.finish());
}

#[test]
fn a_lock_that_is_not_granted_in_time_is_tried_again() {
    let database = Database::with(METRICS);
    database.sql(&format!("alter database {} set lock_timeout = '50ms'", database.name()));
    let (_folder, load) = scene(&database, &metrics(20_000, 360), "--window 1h --workers 2");
    let other = database.connect();
    other.sql("begin; lock table metrics in share mode");
    let mut loader = start(&database, &load);
    assert!(loader.event_named("retrying").is_some());
    other.sql("commit");
    recovered(&database, &load, &loader.finish().exits(0));
}

/// Restarts a server of the test's own while a loader stands at the gate of one of its databases.
fn restarted(mode: Stop) {
    let server = start_server();
    let database = Database::on(server);
    database.sql(METRICS);
    let (_folder, load) = scene(&database, &metrics(60_000, 360), "--window 3h --batch-rows 2000 --workers 2");
    let gate = Gate::close(&database, 30_000);
    let loader = start(&database, &load);
    gate.wait_for_loader();
    // The gate opens by itself: its keeper's session ends too.
    restart(server, mode);
    let output = loader.finish();
    recovered(&Database::attach(server, database.name()), &load, &output);
    server.stop(Stop::Immediate).unwrap();
}

fn restart(server: &Server, mode: Stop) {
    server.restart(mode).unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn a_server_that_crashes_in_the_midst_of_a_batch_is_waited_for() {
    restarted(Stop::Immediate);
}

#[test]
fn a_server_that_is_restarted_in_the_midst_of_a_batch_is_waited_for() {
    restarted(Stop::Fast);
}

#[test]
fn a_server_that_stays_away_ends_the_run_with_4_and_the_same_command_resumes_it() {
    let server = start_server();
    let database = Database::on(server);
    database.sql(METRICS);
    let (_folder, load) =
        scene(&database, &metrics(60_000, 360), "--window 3h --batch-rows 5000 --workers 2 --retry-for 1s");
    let gate = Gate::close(&database, 30_000);
    let loader = start(&database, &load);
    gate.wait_for_loader();
    server.stop(Stop::Immediate).unwrap();
    loader.finish().exits(4).says(&["error:"]);
    run(&database, &load).exits(4).says(&["cannot connect", "is a server running there?"]);
    restart(server, Stop::Immediate);
    let database = Database::attach(server, database.name());
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
    run(&database, "verify").exits(0);
    server.stop(Stop::Immediate).unwrap();
}

#[test]
fn a_read_only_server_is_told_at_once() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &metrics(10, 360), "");
    database.sql(&format!("alter database {} set default_transaction_read_only = on", database.name()));
    run(&database, &load).exits(1).says(&["read-only", "25006"]);
}

/// Panics unless the run mended itself.
#[track_caller]
fn mended(database: &Database, loader: Running) {
    let summary = loader.finish().exits(0).summary();
    assert!(summary["retries"].as_u64() > Some(0), "nothing was tried again: {summary}");
    database.assert_same("metrics", "expected");
}

#[test]
fn a_run_whose_sessions_were_all_ended_mends_itself_and_ends_with_0() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &metrics(60_000, 360), "--window 3h --batch-rows 5000 --workers 2");
    let gate = Gate::close(&database, 30_000);
    let loader = start(&database, &load);
    gate.wait_for_loader();
    database.rows(END_LOADERS);
    gate.open();
    mended(&database, loader);
}

#[test]
fn a_run_whose_server_crashed_mends_itself_and_ends_with_0() {
    let server = start_server();
    let database = Database::on(server);
    database.sql(METRICS);
    let (_folder, load) = scene(&database, &metrics(60_000, 360), "--window 3h --batch-rows 5000 --workers 2");
    let gate = Gate::close(&database, 30_000);
    let loader = start(&database, &load);
    gate.wait_for_loader();
    restart(server, Stop::Immediate);
    mended(&Database::attach(server, database.name()), loader);
    server.stop(Stop::Immediate).unwrap();
}

#[test]
fn a_run_that_gives_up_says_how_to_resume() {
    let server = start_server();
    let database = Database::on(server);
    database.sql(METRICS);
    let (_folder, load) =
        scene(&database, &metrics(60_000, 360), "--window 3h --batch-rows 5000 --workers 2 --retry-for 1s");
    let gate = Gate::close(&database, 30_000);
    let loader = start(&database, &load);
    gate.wait_for_loader();
    server.stop(Stop::Immediate).unwrap();
    loader.finish().exits(4).says(&["the same command again"]);
}
