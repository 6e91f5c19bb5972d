//! Through a pooler in transaction mode, which gives every transaction whichever connection is free.

use crate::harness::{Database, Folder, Gate, METRICS, Pooler, Session, metrics, run_at, start_at};

/// Everything that a client may have left on a connection: settings, prepared statements, temporary tables, locks.
const LEFT_BEHIND: &str = "select (select string_agg(name || '=' || setting, ' ' order by name) from pg_settings
                                    where source in ('session', 'override')
                                      and name not in ('application_name', 'transaction_isolation', 'transaction_read_only',
                                                       'transaction_deferrable')),
                                  (select count(*) from pg_prepared_statements),
                                  (select count(*) from pg_class where pg_is_other_temp_schema(relnamespace) or relpersistence = 't'),
                                  (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory')";

/// Fewer than the workers that load.
const CONNECTIONS: usize = 2;

fn scene(database: &Database, csv: &str, options: &str) -> (Folder, String) {
    let folder = Folder::new();
    let path = folder.write("a.csv", csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    (folder, format!("load {path} --table metrics --time-column ts --json --job j --workers 3 {options}"))
}

/// Panics unless the connections of the pool are as `before` they were, and no transaction is open.
#[track_caller]
fn unharmed(database: &Database, pooler: &Pooler, before: &[String]) {
    assert_eq!(pooler.on_every_connection(LEFT_BEHIND), before);
    let own = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
                  and application_name like 'pgbackfill%' and state <> 'idle'";
    database.wait_until("no transaction is open", || database.one(own) == "0");
}

#[test]
fn a_load_with_more_workers_than_connections_is_verified_and_undone_and_leaves_connections_as_they_were() {
    let database = Database::with(METRICS);
    let Some(pooler) = Pooler::start(&database, CONNECTIONS) else { return };
    let before = pooler.on_every_connection(LEFT_BEHIND);
    assert!(before.iter().all(|left| left.ends_with("|0|0|0")), "{before:?}");
    let (_folder, load) = scene(&database, &metrics(20_000, 360), "--window 3h --batch-rows 1000");
    run_at(&pooler.url(), "init").exits(0);
    unharmed(&database, &pooler, &before);
    run_at(&pooler.url(), &load).exits(0);
    unharmed(&database, &pooler, &before);
    database.assert_same("metrics", "expected");
    run_at(&pooler.url(), "verify").exits(0);
    run_at(&pooler.url(), "status").exits(0).prints(&["20,000 of 20,000"]);
    unharmed(&database, &pooler, &before);
    run_at(&pooler.url(), "undo j").exits(0);
    assert_eq!(database.count("metrics"), 0);
    unharmed(&database, &pooler, &before);
}

#[test]
fn a_load_that_is_killed_is_resumed() {
    let database = Database::with(METRICS);
    let Some(pooler) = Pooler::start(&database, CONNECTIONS) else { return };
    let before = pooler.on_every_connection(LEFT_BEHIND);
    let (_folder, load) = scene(&database, &metrics(60_000, 360), "--window 3h --batch-rows 2000");
    let gate = Gate::close(&database, 30_000);
    let loader = gate.wait_for(start_at(&pooler.url(), &load));
    assert_eq!(loader.kill().code, -9);
    gate.open();
    run_at(&pooler.url(), &load).exits(0);
    unharmed(&database, &pooler, &before);
    database.assert_same("metrics", "expected");
    run_at(&pooler.url(), "verify").exits(0);
}

#[test]
fn a_load_whose_server_connections_are_ended_tries_again() {
    let database = Database::with(METRICS);
    let Some(pooler) = Pooler::start(&database, CONNECTIONS) else { return };
    let (_folder, load) = scene(&database, &metrics(60_000, 360), "--window 3h --batch-rows 2000");
    let gate = Gate::close(&database, 30_000);
    let loader = gate.wait_for(start_at(&pooler.url(), &load));
    end_pooled(&database);
    gate.open();
    let output = loader.finish().exits(0);
    assert!(!output.events_named("retrying").is_empty(), "{output:?}");
    database.assert_same("metrics", "expected");
    run_at(&pooler.url(), "verify").exits(0);
}

fn end_pooled(session: &Session) {
    session.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name like 'pgbackfill%'",
    );
}
