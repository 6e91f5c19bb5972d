//! What a run's sessions meet on servers that hang, are locked, are set otherwise, are not ready, or take no writes.

use std::fs;
use std::process::Command;

use crate::harness::server::{Server, Stop};
use crate::harness::{Database, Folder, Gate, METRICS, metrics, run, run_as, run_at, start, start_at, start_server};

fn scene(database: &Database, csv: &str, options: &str) -> (Folder, String) {
    let folder = Folder::new();
    let path = folder.write("a.csv", csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    (folder, format!("load {path} --table metrics --time-column ts --json {options}"))
}

fn kill(signal: &str, pid: &str) -> bool {
    Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status().expect("there is a shell").success()
}

#[test]
fn a_server_process_that_hangs_is_given_up_and_its_window_is_loaded_over_another_connection() {
    let server = start_server();
    let database = Database::on(server);
    database.sql(METRICS);
    let (_folder, load) =
        scene(&database, &metrics(60_000, 360), "--window 3h --batch-rows 2000 --workers 2 --statement-timeout 3s");
    let gate = Gate::close(&database, 30_000);
    let mut loader = start(&database, &load);
    let at_gate = "select pid from pg_locks where locktype = 'advisory' and not granted
                      and database = (select oid from pg_database where datname = current_database()) limit 1";
    let mut hung = String::new();
    database.wait_until("a process of the loader hangs", || {
        hung = database.rows(at_gate).pop().unwrap_or_default();
        !hung.is_empty() && kill("STOP", &hung)
    });
    gate.open();
    let says =
        |event: &serde_json::Value| event["error"].as_str().is_some_and(|text| text.contains("within 3 s: copy"));
    assert!(loader.event(|event| event["event"] == "retrying" && says(event)).is_some());
    let output = loader.finish().exits(0);
    let there = format!("select count(*) from pg_stat_activity where pid = {hung}");
    assert_eq!(database.one(&there), "1");
    assert!(kill("CONT", &hung));
    database.wait_until("the process is over", || database.one(&there) == "0");
    assert!(output.summary()["retries"].as_u64() > Some(0));
    database.assert_same("metrics", "expected");
    run(&database, "verify").exits(0);
    server.stop(Stop::Immediate).unwrap();
}

#[test]
fn a_lock_that_somebody_holds_is_told_with_who_it_is() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &metrics(1000, 360), "--window 1d --workers 1");
    let other = database.connect();
    other.sql("begin; lock table metrics in share mode");
    let pid = other.one("select pg_backend_pid()");
    let mut loader = start(&database, &load);
    let waiting = loader.event_named("waiting").unwrap();
    let reason = waiting["reason"].as_str().unwrap();
    let expected =
        format!("a lock on public.metrics, held by process {pid} (test of postgres, idle in transaction for ");
    assert!(reason.starts_with(&expected), "{reason}");
    assert!(waiting["seconds"].as_f64() >= Some(5.0), "{waiting}");
    other.sql("commit");
    loader.finish().exits(0);
    database.assert_same("metrics", "expected");
}

#[test]
fn timeouts_and_styles_set_for_a_role_or_a_database_break_no_load() {
    let database = Database::with(METRICS);
    database.sql(
        "create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.2); return null; end';
         create trigger slow after insert on metrics for each statement execute function slow()",
    );
    let mut settings = vec![
        ("statement_timeout", "100ms"),
        ("idle_in_transaction_session_timeout", "1ms"),
        ("lock_timeout", "10s"),
        ("default_transaction_isolation", "serializable"),
        ("datestyle", "German"),
        ("timezone", "Asia/Tokyo"),
        ("bytea_output", "escape"),
        ("standard_conforming_strings", "off"),
    ];
    let version: u32 = database.one("show server_version_num").parse().unwrap();
    if version >= 140_000 {
        settings.push(("idle_session_timeout", "1s"));
    }
    if version >= 170_000 {
        settings.push(("transaction_timeout", "150ms"));
    }
    for (name, value) in settings {
        database.sql(&format!("alter database {} set {name} = '{value}'", database.name()));
    }
    let (_folder, load) = scene(&database, &metrics(2000, 360), "--window 1d --batch-rows 500 --workers 2");
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
    run(&database, "verify").exits(0);
    run(&database, "status").exits(0);
}

/// Makes a server a standby, or a primary again; `hot` takes questions.
fn restart_as(server: &Server, standby: bool, hot: bool) {
    server.stop(Stop::Fast).unwrap();
    let signal = server.data_folder().join("standby.signal");
    if standby {
        fs::write(&signal, "").unwrap();
    } else {
        fs::remove_file(&signal).unwrap();
    }
    let settings = server.data_folder().join("postgresql.auto.conf");
    fs::write(settings, format!("hot_standby = {hot}\n")).unwrap();
    server.restart(Stop::Fast).unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn a_standby_is_named_before_anything_is_read() {
    let server = start_server();
    let database = Database::on(server);
    database.sql(METRICS);
    let (_folder, load) = scene(&database, &metrics(10, 360), "");
    restart_as(server, true, true);
    let place = format!("{}:{}", server.socket_folder().display(), server.port());
    let output =
        run(&database, &load).exits(1).says(&[&place, "is a standby", "25006", "target_session_attrs=read-write"]);
    assert!(output.events().iter().all(|event| event["step"] != "opening the source"), "{output:?}");
    run(&database, "status").exits(0);
    server.stop(Stop::Immediate).unwrap();
}

#[test]
fn a_database_that_becomes_read_only_in_the_midst_of_a_run_is_named() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, &metrics(60_000, 360), "--window 3h --batch-rows 2000 --workers 2");
    let gate = Gate::close(&database, 30_000);
    let loader = gate.wait_for(start(&database, &load));
    let (folder, port) = database.address();
    let name = database.name();
    database.sql(&format!("alter database {name} set default_transaction_read_only = on"));
    database.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name like 'pgbackfill%'",
    );
    gate.open();
    let place = format!("the server at {folder}:{port} is read-only");
    loader.finish().exits(1).says(&[&place, "25006"]);
    // This session is older than the setting, and still writes.
    database.sql(&format!("alter database {name} reset default_transaction_read_only"));
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
}

#[test]
fn a_server_that_is_starting_is_waited_for_and_one_that_is_not_there_is_not() {
    let server = start_server();
    let database = Database::on(server);
    database.sql(METRICS);
    let (_folder, load) = scene(&database, &metrics(1000, 360), "--window 1d");
    // A standby that takes no questions says what a server says that is still recovering.
    restart_as(server, true, false);
    let mut loader = start(&database, &load);
    let waiting = loader.event_named("waiting").unwrap();
    assert!(
        waiting["reason"].as_str().unwrap().contains("the database system is not accepting connections"),
        "{waiting}"
    );
    restart_as(server, false, true);
    // While it restarts there may be no server for a moment, which is not waited for.
    let output = loader.finish();
    if output.code != 0 {
        output.exits(4).says(&["is a server running there?"]);
        run(&database, &load).exits(0);
    }
    let database = Database::attach(server, database.name());
    database.assert_same("metrics", "expected");
    server.stop(Stop::Immediate).unwrap();
    let nobody = run(&database, &load).exits(4).says(&["cannot connect"]);
    assert_eq!(nobody.events_named("waiting").len(), 0);
}

#[test]
fn connections_that_are_all_taken_are_waited_for() {
    let database = Database::with(METRICS);
    let role = format!("crowded_{}", database.name());
    database.sql(&format!(
        "create role {role} login connection limit 8; grant create on database {} to {role};
         grant all on metrics to {role}",
        database.name()
    ));
    let (_folder, load) = scene(&database, &metrics(1000, 360), "--window 1d --workers 2");
    let taken: Vec<_> = (0..8).map(|_| database.connect_as(&role)).collect();
    let mut loader = start_at(&database.url_of(&role), &load);
    let waiting = loader.event_named("waiting").unwrap();
    assert!(waiting["reason"].as_str().unwrap().contains("too many connections for role"), "{waiting}");
    drop(taken);
    loader.finish().exits(0);
    database.assert_same("metrics", "expected");
    run_as(&database, &role, "status").exits(0);
    let impatient = "--retry-for 100ms";
    let _taken: Vec<_> = (0..8).map(|_| database.connect_as(&role)).collect();
    run_at(&database.url_of(&role), &format!("{load} {impatient}")).exits(4).says(&["too many connections"]);
}

#[test]
fn a_limit_of_one_connection_is_named_at_once_and_two_are_enough() {
    let database = Database::with(METRICS);
    let name = database.name().to_owned();
    let role = format!("single_{name}");
    database.sql(&format!(
        "create role {role} login; grant create on database {name} to {role}; grant all on metrics to {role}"
    ));
    let (_folder, load) = scene(&database, &metrics(1000, 360), "--window 1d");
    database.sql(&format!("alter role {role} connection limit 1"));
    run_at(&database.url_of(&role), &load)
        .exits(1)
        .says(&["may have 1 connection, and a load needs 2 at least", "connection limit 8"]);
    database.sql(&format!("alter role {role} connection limit 2"));
    run_at(&database.url_of(&role), &load).exits(0);
    database.assert_same("metrics", "expected");
}
