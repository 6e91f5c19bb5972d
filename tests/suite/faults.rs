//! Faults of the server: sessions ended, locks not granted, restarts. Runs go on by themselves, or say how to resume.

use std::time::Duration;

use crate::harness::server::{Server, Stop};
use crate::harness::{
    Database, Folder, Gate, METRICS, Output, Random, Running, metrics, run, seed, start, start_at, start_server,
    wide_metrics,
};

const END_LOADERS: &str = "select pg_terminate_backend(pid) from pg_stat_activity
                            where datname = current_database() and application_name like 'pgbackfill%'";

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
    let loader = gate.wait_for(start(&database, &load));
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
    let loader = gate.wait_for(start(&database, &load));
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
    let loader = gate.wait_for(start(&database, &load));
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
    let loader = gate.wait_for(start(&database, &load));
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
    let loader = gate.wait_for(start(&database, &load));
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
    let loader = gate.wait_for(start(&database, &load));
    server.stop(Stop::Immediate).unwrap();
    loader.finish().exits(4).says(&["the same command again"]);
}

/// Has the server refuse what is written to the ledger's runs, so many times, with an error that passes.
fn refuse(database: &Database, event: &str, condition: &str, times: u32) {
    database.sql(&format!(
        "create sequence if not exists tries; select setval('tries', 1, false);
         create or replace function refuse() returns trigger language plpgsql as $$
         begin
           -- A sequence is not rolled back.
           if nextval('public.tries') <= {times} then raise {condition}; end if;
           return new;
         end $$;
         create or replace trigger refuse before {event} on pgbackfill.runs for each row execute function refuse()"
    ));
}

#[test]
fn a_refusal_that_passes_before_any_window_is_begun_is_tried_again() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &metrics(1000, 360), "--window 1d");
    run(&database, "init").exits(0);
    database.sql("alter table metrics add constraint closed check (host is null) not valid");
    let again = |output: &Output| {
        let waits = output.events_named("waiting");
        assert!(waits.iter().any(|wait| wait["reason"].as_str().unwrap().starts_with("another try; ")), "{waits:?}");
    };
    for (condition, code) in [("serialization_failure", 1), ("deadlock_detected", 1), ("lock_not_available", 0)] {
        if code == 0 {
            database.sql("alter table metrics drop constraint closed");
        }
        refuse(&database, "insert", condition, 2);
        again(&run(&database, &load).exits(code));
    }
    database.assert_same("metrics", "expected");
}

#[test]
fn a_refusal_before_any_window_is_begun_that_does_not_pass_ends_the_run_with_4() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &metrics(1000, 360), "--window 1d --retry-for 1s");
    run(&database, "init").exits(0);
    refuse(&database, "insert", "serialization_failure", 1_000_000);
    run(&database, &load).exits(4).says(&["40001", "the same command again resumes the job"]);
    assert_eq!(database.count("pgbackfill.jobs"), 0);
    database.sql("drop trigger refuse on pgbackfill.runs");
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
}

#[test]
fn a_refusal_that_passes_at_the_end_of_a_run_is_tried_again() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &metrics(1000, 360), "--window 1d");
    run(&database, "init").exits(0);
    refuse(&database, "update of ended_at", "deadlock_detected", 2);
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
    assert_eq!(database.count("pgbackfill.runs where ended_at is null"), 0);
    assert_eq!(database.one("select last_value from tries"), "3");
}

#[test]
fn a_refusal_that_passes_at_the_end_of_a_run_that_failed_leaves_no_run_open() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &metrics(1000, 360), "--window 1d");
    run(&database, "init").exits(0);
    database.sql("alter table metrics add constraint closed check (host is null)");
    refuse(&database, "update of ended_at", "deadlock_detected", 2);
    run(&database, &load).exits(1).says(&["23514"]);
    assert_eq!(database.count("pgbackfill.runs where ended_at is null"), 0);
}

/// Ends the sessions of a loader while it waits for a lock on a table of the ledger, and lets it go on.
#[track_caller]
fn ended_while_it_waits(database: &Database, load: &str, table: &str) {
    let other = database.connect();
    other.sql(&format!("begin; lock table pgbackfill.{table} in access exclusive mode"));
    let loader = start(database, load);
    let blocked = "select count(*) from pg_stat_activity where datname = current_database()
                      and application_name like 'pgbackfill%' and wait_event_type = 'Lock'";
    database.wait_until("the loader waits for the lock", || database.one(blocked) != "0");
    database.rows(END_LOADERS);
    other.sql("commit");
    let output = loader.finish().exits(0);
    let waits = output.events_named("waiting");
    assert!(waits.iter().any(|wait| wait["reason"].as_str().unwrap().contains("57P01")), "{table}: {waits:?}");
    database.assert_same("metrics", "expected");
    assert_eq!(database.count("pgbackfill.runs where ended_at is null"), 0);
}

#[test]
fn sessions_ended_at_any_step_before_the_first_window_are_opened_again() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &metrics(1000, 360), "--window 1d");
    run(&database, "init").exits(0);
    for table in ["version", "jobs", "objects", "windows", "rejects", "runs"] {
        ended_while_it_waits(&database, &load, table);
        database.sql("truncate pgbackfill.jobs cascade; truncate metrics");
    }
}

#[test]
fn sessions_ended_at_any_step_of_a_resume_before_the_first_window_are_opened_again() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &metrics(1000, 360), "--window 1d");
    run(&database, &load).exits(0);
    for table in ["version", "jobs", "objects", "windows", "runs"] {
        database.sql("update pgbackfill.windows set state = 'pending'");
        ended_while_it_waits(&database, &load, table);
    }
}

#[test]
fn a_connection_that_can_never_be_made_is_a_failure_and_one_that_may_come_is_not() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &metrics(10, 360), "");
    let (name, (folder, port)) = (database.name().to_owned(), database.address());
    let closed = format!("{name}_closed");
    database.sql(&format!("create database {closed} allow_connections false"));
    let to = |database: &str, more: &str| format!("host={folder} port={port} user=postgres dbname={database} {more}");
    let cases = [
        (to("no_such_database", ""), 1, "name an existing database"),
        (to(&closed, ""), 1, "55000"),
        (to(&name, "options='-c no_such_setting=1'"), 1, "42704"),
        (to(&name, "").replace("user=postgres", "user=nobody_at_all"), 1, "28000"),
        (format!("host={folder} port=1 user=postgres dbname={name}"), 4, "is a server running there?"),
        (format!("host=no-such-host.invalid user=postgres dbname={name}"), 4, "check the host's name"),
    ];
    for (target, code, says) in cases {
        start_at(&target, &load).finish().exits(code).says(&["cannot connect", says]);
        start_at(&target, "status").finish().exits(code).says(&["cannot connect", says]);
    }
    database.sql(&format!("drop database {closed}"));
}

/// Changes the ledger under a loader that stands in the midst of a batch; what the loader says then.
#[track_caller]
fn changed_under_a_loader(statements: &str, says: &str) -> (Database, Folder, String) {
    let database = Database::with(METRICS);
    let (folder, load) = scene(&database, &metrics(60_000, 360), "--window 1h --batch-rows 2000 --workers 1");
    let gate = Gate::close(&database, 30_000);
    let loader = gate.wait_for(start(&database, &load));
    database.sql(statements);
    gate.open();
    loader.finish().exits(4).says(&[says, "promoted without the last commits"]);
    (database, folder, load)
}

#[test]
fn a_job_that_is_deleted_under_a_run_ends_it_with_4_and_says_so() {
    changed_under_a_loader("delete from pgbackfill.jobs", "the job is not in the ledger any more");
}

#[test]
fn a_run_that_the_server_has_forgotten_ends_with_4_and_the_same_command_resumes() {
    let (database, _folder, load) =
        changed_under_a_loader("delete from pgbackfill.runs", "this run is not in the ledger any more");
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
}

#[test]
fn a_claim_that_the_server_has_forgotten_ends_the_run_with_4_and_the_same_command_resumes() {
    let forget = "update pgbackfill.windows set state = 'pending', run_id = null, attempt = 0 where state = 'loading'";
    let (database, _folder, load) = changed_under_a_loader(forget, "this run's claim is not in the ledger any more");
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
}
