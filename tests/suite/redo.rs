//! Tables that lost what a job had loaded, and `--redo`, which loads it again.

use std::fs;

use crate::harness::{Database, Folder, METRICS, metrics, run};

/// A finished job over measurements of several windows, and the command that loaded it.
fn loaded(table: &str, options: &str) -> (Database, Folder, String) {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    database.sql(table);
    let csv = metrics(1000, 36_000);
    let path = folder.write("a.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let load = format!("load {path} --table metrics --job j --window 1h {options}");
    run(&database, &load).exits(0);
    (database, folder, load)
}

const TIMED: &str = "--time-column ts";

#[track_caller]
fn is_refused_and_redone(database: &Database, load: &str, says: &str) {
    run(database, load).exits(1).says(&[says, "1,000 rows", "--redo"]);
    run(database, &format!("{load} --redo")).exits(0).says(&["of the 1,000 rows that job j had loaded"]);
    database.assert_same("metrics", "expected");
    run(database, "verify").exits(0);
    run(database, load).exits(0).says(&["every window was loaded before"]);
}

#[test]
fn a_finished_job_over_a_table_that_was_emptied_fails_and_redo_loads_it_again() {
    for (table, options) in [("", TIMED), ("drop index if exists metrics_ts_idx", TIMED), ("", "--no-time-column")] {
        let (database, _folder, load) = loaded(table, options);
        for empty in ["truncate metrics", "delete from metrics"] {
            database.sql(empty);
            is_refused_and_redone(&database, &load, "metrics holds no row any more");
        }
    }
}

#[test]
fn a_finished_job_over_a_table_that_was_created_again_fails_and_redo_loads_it_again() {
    let (database, _folder, load) = loaded("", TIMED);
    database.sql(
        "create table another (like metrics including all); drop table metrics; alter table another rename to metrics",
    );
    is_refused_and_redone(&database, &load, "public.metrics was dropped and created again since job j loaded");
}

#[test]
fn rows_of_others_beyond_the_range_of_a_job_do_not_hide_that_its_own_are_gone() {
    let (database, _folder, load) = loaded("create index if not exists by_ts on metrics (ts)", TIMED);
    database.sql("truncate metrics; insert into metrics (ts, host) values ('1999-01-01Z', 'theirs')");
    run(&database, &load).exits(1).says(&["its range of public.metrics holds no row any more", "--redo"]);
    run(&database, &format!("{load} --redo")).exits(0);
    database.sql("delete from metrics where host = 'theirs' and ts = '1999-01-01Z'");
    database.assert_same("metrics", "expected");
}

#[test]
fn an_unfinished_job_over_a_table_that_was_emptied_does_not_load_the_rest_alone() {
    let (database, _folder, load) = loaded("", TIMED);
    database.sql(
        "delete from pgbackfill.batches where number = 1;
         update pgbackfill.windows set state = 'pending', admitted = false, batches = 0, rows = 0 where number = 1;
         truncate metrics",
    );
    run(&database, &load).exits(1).says(&["holds no row any more", "--redo"]);
    assert_eq!(database.count("metrics"), 0);
    run(&database, &format!("{load} --redo")).exits(0);
    database.assert_same("metrics", "expected");
}

#[test]
fn redo_deletes_the_rows_of_the_job_alone() {
    let (database, _folder, load) = loaded("", TIMED);
    let first = database.one("select min(ts) from metrics");
    database.sql(&format!("insert into metrics (ts, host) values ('{first}', 'theirs')"));
    run(&database, &format!("{load} --redo")).exits(1).says(&["already holds rows that this job did not write"]);
    assert_eq!(database.count("metrics where host = 'theirs'"), 1);
    run(&database, &format!("{load} --redo --existing keep")).exits(0);
    assert_eq!(database.count("metrics"), 1001);
    // A row that others have updated is theirs, and stays in the way of its window.
    database.sql("delete from metrics where host = 'theirs'");
    database.sql(&format!("update metrics set host = 'changed' where ts = '{first}'"));
    run(&database, &format!("{load} --redo")).exits(1).says(&["already holds rows that this job did not write"]);
    run(&database, &format!("{load} --redo --existing replace")).exits(0);
    database.assert_same("metrics", "expected");
    run(&database, "verify").exits(0);
}

#[test]
fn redo_takes_nothing_back_where_the_source_or_the_settings_are_others() {
    let (database, folder, load) = loaded("", TIMED);
    let other = load.replace("--window 1h", "--window 2h");
    run(&database, &format!("{other} --redo")).exits(2).says(&["window"]);
    fs::remove_file(format!("{}/a.csv", folder.path())).unwrap();
    run(&database, &format!("{load} --redo")).exits(1).says(&["does not exist"]);
    folder.write("a.csv", "ts,host,value,note\n");
    run(&database, &format!("{load} --redo")).exits(1).says(&["no row was found to load"]);
    folder.write("a.csv", "ts,host,value,note\n2024-01-01T00:00:00Z,a,no number,x\n");
    database.assert_same("metrics", "expected");
}

#[test]
fn redo_of_a_job_that_is_not_in_the_ledger_begins_it() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let path = folder.write("a.csv", metrics(10, 360));
    run(&database, &format!("load {path} --table metrics {TIMED} --redo")).exits(0);
    assert_eq!(database.count("metrics"), 10);
}
