//! The ledger: what a resume may differ in, who holds a job, and which version it is of.

use std::time::Duration;

use crate::harness::{Database, Folder, Gate, METRICS, metrics, run, start};

/// A table, and two files for it.
fn two_files() -> (Database, Folder) {
    let (database, folder) =
        (Database::with("create table t (ts timestamptz not null, host text, value text)"), Folder::new());
    folder.write("s/a.csv", "ts,host,value\n2024-01-01,a,1\n2024-01-02,NA,2\n");
    folder.write("s/b.csv", "ts,host,value\n2024-01-03,c,3\n");
    (database, folder)
}

#[test]
fn a_resume_with_settings_that_would_load_other_rows_is_refused_with_every_difference() {
    let (database, folder) = two_files();
    let load = format!("load {}/s --table t --time-column ts --job j", folder.path());
    run(&database, &format!("{load} --window 1d")).exits(0);
    let changes = [
        ("--window 1d --null NA", "--null was [] and is [\"NA\"]"),
        ("--window 12h", "--window was \"86400 s\" and is \"43200 s\""),
        ("--window 1d --from 2024-01-02", "--from was null and is \"2024-01-02\""),
        ("--window 1d --scope 'host is null'", "--scope was null and is \"host is null\""),
        ("--window 1d --timezone +02", "--timezone was \"UTC\""),
        ("--window 1d --map host=value --map value=host", "--map was []"),
        ("--window 1d --delimiter ;", "--delimiter was \",\" and is \";\""),
    ];
    for (options, difference) in changes {
        run(&database, &format!("{load} {options}"))
            .exits(2)
            .says(&["job j was begun with other settings", difference]);
    }
    // What changes no row may change: how much is done at once.
    run(&database, &format!("{load} --window 1d --workers 3 --batch-rows 7 --memory 64MiB")).exits(0);
    database.sql("create table u (like t)");
    let other = format!("load {}/s --table u --time-column ts --job j --window 1d", folder.path());
    run(&database, &other).exits(2).says(&["--table was \"public.t\" and is \"public.u\""]);
    assert_eq!((database.count("t"), database.count("u")), (3, 0));
}

#[test]
fn another_table_or_source_is_another_job_without_being_told() {
    let (database, folder) = two_files();
    database.sql("create table u (like t)");
    for table in ["t", "u"] {
        run(&database, &format!("load {}/s --table {table} --time-column ts", folder.path())).exits(0);
        assert_eq!(database.count(table), 3);
    }
    run(&database, "verify").exits(2).says(&["which job is meant is not clear", "t-", "u-"]);
    run(&database, "verify nonesuch").exits(2).says(&["there is no job nonesuch"]);
}

#[test]
fn a_source_that_changed_vanished_or_grew_is_refused_by_name() {
    let (database, folder) = two_files();
    let load = format!("load {}/s --table t --time-column ts --window 1d --job j", folder.path());
    run(&database, &load).exits(0);
    let refused = |what: &str| {
        run(&database, &load).exits(1).says(&["the source of job j is not what it was", what]);
        assert_eq!(database.count("t"), 3);
    };
    folder.write("s/c.csv", "ts,host,value\n2024-01-04,d,4\n");
    refused("s/c.csv is new");
    std::fs::remove_file(format!("{}/s/c.csv", folder.path())).unwrap();
    run(&database, &load).exits(0);
    std::fs::remove_file(format!("{}/s/b.csv", folder.path())).unwrap();
    refused("s/b.csv has vanished");
    folder.write("s/b.csv", "ts,host,value\n2024-01-03,c,33\n");
    refused("s/b.csv has changed");
}

#[test]
fn a_source_that_changes_while_the_job_is_half_loaded_is_refused_and_nothing_is_mixed() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let path = folder.write("a.csv", metrics(60_000, 360));
    let gate = Gate::close(&database, 20_000);
    let load = format!("load {path} --table metrics --time-column ts --window 2h --workers 1 --job j");
    let loader = gate.wait_for(start(&database, &load));
    loader.kill();
    gate.open();
    database.wait_until_alone();
    let before = database.count("metrics");
    folder.write("a.csv", metrics(59_999, 360));
    run(&database, &load).exits(1).says(&["a.csv has changed"]);
    assert_eq!(database.count("metrics"), before);
    run(&database, "undo j").exits(0);
    assert_eq!(database.count("metrics"), 0);
}

#[test]
fn a_second_run_beside_a_live_one_is_refused_naming_host_and_process() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = metrics(60_000, 360);
    let path = folder.write("a.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let gate = Gate::close(&database, 20_000);
    let load = format!("load {path} --table metrics --time-column ts --window 2h --workers 1 --job j");
    let first = gate.wait_for(start(&database, &load));
    // Stopped it gives no sign of life, and is alive all the same.
    first.signal("STOP");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let held = format!("job j is being loaded by process {} on {}", first.pid(), host.trim());
    run(&database, &load).exits(7).says(&[&held]);
    run(&database, "undo j").exits(7).says(&[&held]);
    run(&database, "status j").exits(0).prints(&[&format!("{}:{}", host.trim(), first.pid())]);
    gate.open();
    first.signal("CONT");
    first.finish().exits(0);
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
}

#[test]
fn a_run_frozen_past_its_lease_finds_out_when_it_thaws_and_nothing_is_doubled() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = metrics(60_000, 360);
    let path = folder.write("a.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let gate = Gate::close(&database, 20_000);
    let load = format!("load {path} --table metrics --time-column ts --window 3h --workers 1 --lease 3s --job j");
    let frozen = gate.wait_for(start(&database, &load));
    frozen.signal("STOP");
    gate.open();
    let lease = "select count(*) from pgbackfill.runs where lease_until > now()";
    database.wait_until("the lease has run out", || database.one(lease) == "0");
    // The window that it holds is cleared and loaded by the next run, for which its open transaction is no hindrance.
    run(&database, &load).exits(0);
    frozen.signal("CONT");
    frozen.finish().exits(7).says(&["lease ran out", "another run took over"]);
    database.assert_same("metrics", "expected");
    run(&database, "verify j").exits(0);
}

#[test]
fn runs_that_start_together_load_every_row_once_between_them() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = metrics(60_000, 360);
    let path = folder.write("a.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let load = format!("load {path} --table metrics --time-column ts --window 1h --workers 1 --job j");
    let runs: Vec<_> = (0..4).map(|_| start(&database, &load)).collect();
    let codes: Vec<i32> = runs.into_iter().map(|run| run.finish().code).collect();
    assert!(codes.contains(&0) && codes.iter().all(|code| [0, 7].contains(code)), "{codes:?}");
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
    run(&database, "verify j").exits(0);
}

#[test]
fn the_ledger_tells_the_truth_of_every_row() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let path = folder.write("a.csv", metrics(60_000, 360));
    run(&database, &format!("load {path} --table metrics --time-column ts --window 1h --batch-rows 2000")).exits(0);
    // Every row's transaction is a batch's, in the window that holds the row, and each batch has as many rows as it says.
    let told = "(select w.lower, b.xid::text, b.rows from pgbackfill.batches b join pgbackfill.windows w using (job_id, number))";
    let found =
        "(select (extract(epoch from date_trunc('hour', ts) - '2000-01-01Z') * 1000000)::bigint, xmin::text, count(*)
                    from metrics group by 1, 2)";
    database.assert_same(told, found);
    assert_eq!(database.one("select sum(rows) from pgbackfill.windows where state = 'loaded'"), "60000");
    assert_eq!(database.count("pgbackfill.runs where ended_at is null"), 0);
}

#[test]
fn a_resume_after_a_stop_loads_only_what_is_missing() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let path = folder.write("a.csv", metrics(60_000, 360));
    let gate = Gate::close(&database, 20_000);
    let load = format!("load {path} --table metrics --time-column ts --window 1h --workers 1 --json");
    let mut stopped = gate.wait_for(start(&database, &load));
    stopped.signal("INT");
    assert!(stopped.event_named("stopping").is_some());
    gate.open();
    let first = stopped.finish().exits(130).summary();
    assert_eq!(first["interrupted"], true);
    let second = run(&database, &load).exits(0);
    let loaded = |summary: &serde_json::Value| summary["windows"].as_u64().unwrap();
    assert!(loaded(&first) > 0);
    assert_eq!(loaded(&first) + loaded(&second.summary()), 6);
    assert_eq!(second.events_named("claimed").len() as u64, loaded(&second.summary()));
    assert_eq!(second.events_named("started")[0]["windows_before"].as_u64(), Some(loaded(&first)));
}

#[test]
fn a_dead_runs_job_is_free_at_once_on_its_own_machine() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let path = folder.write("a.csv", metrics(60_000, 360));
    let gate = Gate::close(&database, 20_000);
    let load = format!("load {path} --table metrics --time-column ts --window 2h --workers 1 --lease 1h");
    let loader = gate.wait_for(start(&database, &load));
    loader.kill();
    gate.open();
    let begun = std::time::Instant::now();
    run(&database, &load).exits(0);
    // Not after the lease of an hour.
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert_eq!(database.count("metrics"), 60_000);
}

#[test]
fn a_run_on_another_machine_is_never_called_dead_before_its_lease_is_over() {
    let (database, folder) = two_files();
    let load = format!("load {}/s --table t --time-column ts --window 1d --job j", folder.path());
    run(&database, &load).exits(0);
    database.sql(
        "update pgbackfill.windows set state = 'pending' where number = 0;
         insert into pgbackfill.runs (job_id, host, pid, process, lease_until)
         select id, 'elsewhere', 4711, 'boot/namespace/4711/1', now() + interval '1 hour' from pgbackfill.jobs",
    );
    run(&database, &load).exits(7).says(&["process 4711 on elsewhere", "its lease runs out within 3"]);
    database.sql("update pgbackfill.runs set lease_until = now() - interval '1 s' where host = 'elsewhere'");
    run(&database, &load).exits(0);
    assert_eq!(database.count("t"), 3);
}

#[test]
fn a_ledger_of_another_version_is_refused_by_every_command_and_left_as_it_is() {
    let (database, folder) = two_files();
    let load = format!("load {}/s --table t --time-column ts --window 1d --job j", folder.path());
    run(&database, &load).exits(0);
    database.sql("update pgbackfill.version set version = 99");
    for command in [&load, "status j", "verify j", "undo j", "init"] {
        run(&database, command)
            .exits(2)
            .says(&["the ledger in this database is of version 99", "drop schema pgbackfill"]);
    }
    let statements = run(&database, "init --print").exits(0).stdout;
    database.sql(&statements);
    run(&database, &load).exits(2).says(&["is of version 99"]);
    // Those before the first that was marked had no such table.
    database.sql("drop table pgbackfill.version");
    run(&database, &load).exits(2).says(&["is of an older version"]);
    let refused = database.try_sql(&statements).unwrap_err();
    assert!(format!("{refused:?}").contains("the ledger of another version"), "{refused:?}");
    assert_eq!(database.count("t"), 3);
}

#[test]
fn of_four_loaders_that_start_at_once_one_makes_the_ledger_and_the_others_find_it() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = metrics(2000, 360);
    let path = folder.write("a.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    database.sql(
        "create table changes (xid xid8);
         create function note() returns event_trigger language plpgsql as
           'begin insert into changes values (pg_current_xact_id()); end';
         create event trigger note on ddl_command_start execute function note()",
    );
    let keeper = database.connect();
    // The lock that keeps loaders from making the ledger at once: the first eight bytes of pgbackfill.
    keeper.sql("select pg_advisory_lock(x'70676261636b6669'::bigint)");
    let load = format!("load {path} --table metrics --time-column ts --window 1h --join --json");
    let loaders = [(); 4].map(|()| start(&database, &load));
    let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted
                      and database = (select oid from pg_database where datname = current_database())";
    database.wait_until("all are to make the ledger", || database.one(waiting) == "4");
    keeper.sql("select pg_advisory_unlock(x'70676261636b6669'::bigint)");
    for loader in loaders {
        loader.finish().exits(0);
    }
    database.assert_same("metrics", "expected");
    assert_eq!(database.one("select count(distinct xid::text) from changes"), "1");
    run(&database, &load).exits(0);
    assert_eq!(database.one("select count(distinct xid::text) from changes"), "1", "a ledger that is there is changed");
}
