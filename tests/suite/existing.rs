//! Rows that were there before: never deleted, doubled or taken for the job's unless the user asked for exactly that.

use crate::harness::{Database, Folder, Output, run};

/// A table with three days of rows that somebody else wrote into the second and the third, and a file for all three.
struct Scene {
    database: Database,
    folder: Folder,
    path: String,
}

const OURS: &str = "2024-01-01 06:00Z,1,ours\n2024-01-02 06:00Z,1,ours\n2024-01-03 06:00Z,2,ours\n";

fn scene() -> Scene {
    let setup = "
        create table t (ts timestamptz not null, tenant int, note text);
        create index on t (ts);
        create table others (like t);
        create table expected (like t);
        insert into others values
          ('2023-12-31 23:59:59.999999Z', 1, 'before'), ('2024-01-02 00:00Z', 1, 'theirs'), ('2024-01-02 12:00Z', 2, 'theirs'),
          ('2024-01-03 12:00Z', 3, 'theirs'), ('2024-01-04 00:00Z', 1, 'after');
        insert into t table others";
    let (database, folder) = (Database::with(setup), Folder::new());
    let path = folder.write("a.csv", format!("ts,tenant,note\n{OURS}"));
    Scene { database, folder, path }
}

impl Scene {
    fn load(&self, options: &str) -> Output {
        run(&self.database, &format!("load {} --table t --time-column ts --window 1d --workers 1 {options}", self.path))
    }

    /// Panics unless the table holds the others' rows that `others` selects, and ours that `ours` selects.
    #[track_caller]
    fn holds(&self, others: &str, ours: &str) {
        self.database.sql("truncate expected");
        self.database.copy_csv("expected", "", OURS.as_bytes());
        let expected = format!("(select * from expected where {ours} union all select * from others where {others})");
        self.database.assert_same("t", &expected);
    }
}

#[test]
fn a_window_that_holds_rows_is_an_error_that_names_it_and_touches_none() {
    let scene = scene();
    let output = scene.load("").exits(1);
    output.says(&[
        "window [2024-01-02, 2024-01-03)",
        "already holds rows that this job did not write",
        "--existing keep",
    ]);
    // What was loaded before it stays: windows go oldest first.
    scene.holds("true", "ts < '2024-01-02Z'");
    scene.load("").exits(1);
    scene.holds("true", "ts < '2024-01-02Z'");
    // Once the rows are out of the way, the same command goes on.
    scene.database.sql("delete from t where note = 'theirs'; delete from others where note = 'theirs'");
    scene.load("").exits(0);
    scene.holds("true", "true");
    run(&scene.database, "verify").exits(0);
}

#[test]
fn keep_loads_beside_the_rows_that_are_there() {
    let scene = scene();
    scene.load("--existing keep --job kept").exits(0);
    scene.holds("true", "true");
    run(&scene.database, "verify kept").exits(0).prints(&["3 rows: equal"]);
    run(&scene.database, "undo kept").exits(0);
    scene.holds("true", "false");
}

#[test]
fn replace_deletes_the_rows_of_its_windows_and_no_other() {
    let scene = scene();
    scene.load("--existing replace").exits(0);
    scene.holds("note <> 'theirs'", "true");
    run(&scene.database, "verify").exits(0);
    // Done is done: rows that come later are not replaced by a re-run.
    scene.database.sql("insert into others values ('2024-01-02 01:00Z', 9, 'later'); insert into t select * from others where note = 'later'");
    scene.load("--existing replace").exits(0);
    scene.holds("note <> 'theirs'", "true");
}

#[test]
fn skip_leaves_windows_that_hold_rows_as_they_are() {
    let scene = scene();
    let summary = scene.load("--existing skip --json").exits(0).summary();
    assert_eq!((&summary["progress"]["skipped"], &summary["progress"]["loaded"]), (&2.into(), &1.into()));
    scene.holds("true", "ts < '2024-01-02Z'");
    run(&scene.database, "status").prints(&["1 loaded, 0 open, 2 skipped, 0 failed, of 3"]);
    run(&scene.database, "verify").exits(0).prints(&["not compared: 2 windows, skipped"]);
    assert_eq!(scene.load("--existing skip --json").exits(0).summary()["windows"], 0);
}

#[test]
fn a_scope_narrows_every_check_and_delete_to_its_rows() {
    let scene = scene();
    scene.load("--scope 'tenant = 1' --job one").exits(1).says(&["[2024-01-02, 2024-01-03)"]);
    scene.holds("true", "ts < '2024-01-02Z'");
    run(&scene.database, "undo one").exits(0);
    scene.load("--scope 'tenant = 7' --job seven").exits(0);
    scene.holds("true", "true");
    run(&scene.database, "verify seven").exits(0);
    run(&scene.database, "undo seven").exits(0);
    scene.holds("true", "false");
    scene.load("--scope 'tenant = 1 or tenant = 3' --existing replace --job three").exits(0);
    scene.holds("note <> 'theirs' or tenant = 2", "true");
    run(&scene.database, "verify three").exits(0);
    run(&scene.database, "undo three").exits(0);
    scene.holds("note <> 'theirs' or tenant = 2", "false");
}

#[test]
fn skip_looks_at_the_rows_of_the_scope_only() {
    let scene = scene();
    let summary = scene.load("--existing skip --scope 'tenant = 3' --json").exits(0).summary();
    assert_eq!(summary["progress"]["skipped"], 1);
    scene.holds("true", "ts < '2024-01-03Z'");
}

#[test]
fn a_scope_that_is_no_predicate_is_an_error_and_deletes_nothing() {
    let scene = scene();
    let output = scene.load("--existing replace --scope 'nonsense = 1'");
    assert_ne!(output.code, 0);
    output.says(&["nonsense"]);
    scene.holds("true", "false");
}

#[test]
fn rows_of_another_job_are_somebody_elses() {
    let scene = scene();
    scene.load("--existing keep --job one").exits(0);
    scene.load("--job two").exits(1).says(&["[2024-01-01, 2024-01-02)"]);
    scene.load("--existing keep --job three").exits(0);
    assert_eq!(scene.database.count("t where note = 'ours'"), 6);
    run(&scene.database, "undo one").exits(0);
    scene.holds("true", "true");
    run(&scene.database, "verify three").exits(0);
}

#[test]
fn undo_refuses_where_others_have_updated_rows_and_leaves_those_once_that_is_accepted() {
    let scene = scene();
    scene.load("--existing keep --job one").exits(0);
    scene.database.sql("update t set note = 'mine now' where note = 'ours' and tenant = 2");
    run(&scene.database, "undo one").exits(1).says(&["only 0 of the 1 rows", "[2024-01-03, 2024-01-04)"]);
    assert_eq!(scene.database.count("t where note = 'ours'"), 2);
    run(&scene.database, "undo one --missing-ok").exits(0).prints(&["2 rows deleted", "1 more were loaded"]);
    scene.database.sql("insert into others select * from t where note = 'mine now'");
    scene.holds("true", "false");
}

#[test]
fn replace_without_a_row_to_load_replaces_nothing() {
    let scene = scene();
    let header = scene.folder.write("header.csv", "ts,tenant,note\n");
    let load = format!("load {header} --table t --time-column ts --existing replace");
    run(&scene.database, &load).exits(1).says(&["no row was found to load"]);
    scene.holds("true", "false");
    run(&scene.database, &format!("{load} --allow-empty")).exits(0);
    scene.holds("true", "false");
}

#[test]
fn replace_with_an_empty_file_replaces_nothing() {
    let scene = scene();
    let empty = scene.folder.write("empty.csv", "");
    let load = format!("load {empty} --table t --time-column ts --existing replace --allow-empty");
    run(&scene.database, &load).exits(0);
    scene.holds("true", "false");
}

#[test]
fn an_empty_file_asks_for_no_window_and_finds_none_occupied() {
    let scene = scene();
    let empty = scene.folder.write("empty.csv", "");
    let load = format!("load {empty} --table t --time-column ts --allow-empty");
    run(&scene.database, &load).exits(0);
    run(&scene.database, &format!("{load} --existing skip --job skip")).exits(0);
    scene.holds("true", "false");
}

#[test]
fn the_hint_of_an_occupied_window_can_be_followed() {
    let scene = scene();
    scene.load("").exits(1).says(&["--existing keep loads beside them"]);
    scene.load("--existing keep").exits(0);
    scene.holds("true", "true");
}
