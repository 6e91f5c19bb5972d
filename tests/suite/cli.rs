//! What people and programs see: the form of errors, JSON lines, exit codes.

use crate::harness::{Database, Folder, Output, run, run_with};

/// A table, and files of which some can be loaded.
struct Scene {
    database: Database,
    folder: Folder,
}

fn scene() -> Scene {
    let database = Database::with("create table t (ts timestamptz not null, host text, value int)");
    let folder = Folder::new();
    folder.write("good.csv", "ts,host,value\n2024-01-01,a,1\n2024-01-02,b,2\n");
    folder.write("range.csv", "ts,host,value\n2024-01-01,a,1\n2024-01-02,b,99999999999\n");
    folder.write("time.csv", "ts,host,value\n2024-01-01,a,1\n2024-13-02,b,2\n");
    folder.write("columns.csv", "ts,hostname,value\n2024-01-01,a,1\n");
    folder.write("null.csv", "ts,host,value\n2024-01-01,a,1\n,b,2\n");
    Scene { database, folder }
}

impl Scene {
    /// Runs a command in which `DIR` stands for the folder of the files.
    fn run(&self, line: &str) -> Output {
        run(&self.database, &line.replace("DIR", self.folder.path()))
    }

    /// What such a command says on stderr, with `DIR` for the folder.
    fn says(&self, line: &str) -> String {
        self.run(&format!("{line} --quiet")).stderr.replace(self.folder.path(), "DIR")
    }
}

#[test]
fn an_error_names_the_window_the_value_and_its_place() {
    insta::assert_snapshot!(scene().says("load DIR/range.csv --table t --time-column ts --window 1d --job j"), @r#"
    error: window [2024-01-02, 2024-01-03) of job j failed after 1 attempt
      caused by: 99999999999 is out of range for integer in column "value", DIR/range.csv record 2, byte 29

    hint: `pgbackfill load … --max-rejects 100` would set such rows aside; `pgbackfill rejects` prints them
    "#);
}

#[test]
fn an_error_in_the_time_column_names_the_value_and_its_place() {
    insta::assert_snapshot!(scene().says("load DIR/time.csv --table t --time-column ts --window 1d --job j"), @r#"
    error: "2024-13-02" is not a timestamp with time zone in column "ts", DIR/time.csv record 2, byte 29
      caused by: the calendar has no such day

    hint: `pgbackfill load … --max-rejects 100` would set such rows aside; `pgbackfill rejects` prints them
    "#);
}

#[test]
fn an_error_of_columns_lists_both_sides() {
    insta::assert_snapshot!(scene().says("load DIR/columns.csv --table t --time-column ts"), @r"
    error: columns do not fit: source column hostname has no column in the table; target column host has no column in the source, DIR/columns.csv

    hint: source has: ts, hostname, value
          public.t has: ts, host, value
          `--map source=target` pairs names, `--ignore column` leaves one out
    ");
}

#[test]
fn an_error_of_an_occupied_window_says_what_can_be_done() {
    let scene = scene();
    scene.database.sql("insert into t values ('2024-01-02 12:00Z', 'theirs', 1)");
    insta::assert_snapshot!(scene.says("load DIR/good.csv --table t --time-column ts --window 1d --job j"), @r#"
    error: window [2024-01-02, 2024-01-03) of job j failed after 1 attempt
      caused by: clear window [2024-01-02, 2024-01-03)
      caused by: public.t already holds rows that this job did not write in window [2024-01-02, 2024-01-03)

    hint: --existing keep loads beside them, skip leaves such windows out, replace deletes those rows first; --scope narrows the check to rows that a predicate selects
    "#);
}

#[test]
fn an_error_of_settings_names_the_difference_and_the_next_step() {
    let scene = scene();
    scene.run("load DIR/good.csv --table t --time-column ts --window 1d --job j").exits(0);
    insta::assert_snapshot!(scene.says("load DIR/good.csv --table t --time-column ts --window 1d --job j --null x"), @r#"
    error: job j was begun with other settings: --null was [] and is ["x"]

    hint: run it with its own settings to resume it; to begin anew, choose another name (--job), or take back what it loaded: `pgbackfill undo j`
    "#);
}

#[test]
fn an_error_without_a_table_or_a_time_column_says_what_to_give() {
    let scene = scene();
    insta::assert_snapshot!(scene.says("load DIR/good.csv --time-column ts"), @r"
    error: no table is given

    hint: name it: --table metrics
    ");
    insta::assert_snapshot!(scene.says("load DIR/good.csv --table t"), @r"
    error: no time column is given

    hint: name it: --time-column ts, or --no-time-column for a table without one
    ");
    insta::assert_snapshot!(scene.says("load DIR/good.csv --table nonesuch --time-column ts"), @r#"
    error: there is no table nonesuch

    hint: create the table first, and spell its name as SQL does: schema.table, "Quoted"
    "#);
}

#[test]
fn every_outcome_has_its_exit_code() {
    let scene = scene();
    let load = "load --table t --time-column ts --window 1d --existing keep";
    scene.run(&format!("{load} DIR/good.csv --job good")).exits(0);
    scene.run(&format!("{load} DIR/range.csv")).exits(1);
    scene.run(&format!("{load} DIR/missing.csv")).exits(1);
    scene.run(&format!("{load} DIR/columns.csv")).exits(2);
    scene.run(&format!("{load} DIR/good.csv --window sometimes")).exits(2);
    scene.run(&format!("{load} DIR/good.csv --no-such-flag")).exits(2);
    scene.run("").exits(2);
    scene.run("--help").exits(0);
    scene.run("load --help").exits(0);
    scene.run("--version").exits(0).prints(&[env!("CARGO_PKG_VERSION")]);
    scene.run(&format!("{load} DIR/null.csv")).exits(3);
    scene.run("status --target postgresql://nobody@127.0.0.1:1/none").exits(4);
    scene.run("verify good").exits(0);
    scene.database.sql("delete from t");
    scene.run("verify good").exits(5);
}

#[test]
fn every_line_of_json_is_an_object_with_its_kind_and_all_of_a_load_is_told() {
    let scene = scene();
    let loaded = scene.run("load DIR/good.csv --table t --time-column ts --window 1d --json --job j").exits(0);
    let kinds: Vec<String> = loaded.events().iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect();
    for kind in ["preparing", "planned", "started", "claimed", "batch", "loaded", "frontier", "finished"] {
        assert!(kinds.iter().any(|each| each == kind), "{kind} is missing: {kinds:?}");
    }
    assert_eq!(kinds.last().map(String::as_str), Some("finished"));
    let rows = |name: &str| loaded.events_named(name).iter().map(|event| event["rows"].as_u64().unwrap()).sum::<u64>();
    assert_eq!((rows("batch"), rows("loaded"), rows("finished")), (2, 2, 2));
    for line in [
        "status --json",
        "verify j --json",
        "plan DIR/good.csv --table t --time-column ts --json",
        "inspect DIR/good.csv --json",
    ] {
        assert!(scene.run(line).exits(0).events().iter().all(serde_json::Value::is_object), "{line}");
    }
    let failed = scene.run("load DIR/range.csv --table t --time-column ts --existing keep --json").exits(1);
    let error = failed.events().pop().unwrap();
    assert_eq!((&error["event"], &error["exit"]), (&"error".into(), &1.into()));
    assert!(error["causes"][0].as_str().unwrap().contains("out of range"), "{error}");
    assert!(scene.run("undo j --json").exits(0).events().iter().all(serde_json::Value::is_object));
}

#[test]
fn data_goes_to_stdout_and_messages_to_stderr() {
    let scene = scene();
    let loaded = scene.run("load DIR/good.csv --table t --time-column ts --job j").exits(0);
    assert_eq!(loaded.stdout, "");
    assert!(
        !loaded.stderr.contains('\u{1b}') && !loaded.stderr.contains('\r'),
        "no animation off a terminal: {loaded:?}"
    );
    loaded.says(&["loaded 2 rows", "next: `pgbackfill verify j`"]);
    for line in
        ["status", "verify", "plan DIR/good.csv --table t --time-column ts", "inspect DIR/good.csv", "init --print"]
    {
        let output = scene.run(line).exits(0);
        assert!(!output.stdout.is_empty() && !output.stderr.contains("error"), "{line}: {output:?}");
    }
}

#[test]
fn a_password_is_never_printed() {
    let scene = scene();
    let targets =
        ["postgresql://me:s3cret-word@127.0.0.1:1/none", "host=127.0.0.1 port=1 user=me password=s3cret-word"];
    for target in targets {
        for flags in ["", "--json", "-vv"] {
            let output = scene.run(&format!("status {flags} --target '{target}'")).exits(4);
            let all = format!("{}{}", output.stdout, output.stderr);
            assert!(all.contains("127.0.0.1") && !all.contains("s3cret"), "{all}");
        }
    }
}

#[test]
fn the_environment_stands_in_for_flags_and_flags_win() {
    let scene = scene();
    let path = format!("{}/good.csv", scene.folder.path());
    let environment = [
        ("PGBACKFILL_TABLE", "t"),
        ("PGBACKFILL_TIME_COLUMN", "ts"),
        ("PGBACKFILL_WINDOW", "1d"),
        ("PGBACKFILL_JOB", "env"),
    ];
    run_with(&scene.database, &environment, &format!("load {path}")).exits(0);
    assert_eq!(scene.database.one("select name, settings->>'window' from pgbackfill.jobs"), "env|86400 s");
    run_with(&scene.database, &environment, &format!("load {path} --window 12h")).exits(2).says(&["--window was"]);
    let url = scene.database.url();
    let ours = [("PGBACKFILL_TARGET", ""), ("DATABASE_URL", url.as_str())];
    let output = run_with(&scene.database, &ours, "status env");
    assert!(output.code == 0 && output.stdout.contains("job       env"), "{output:?}");
}

#[test]
fn the_same_command_gives_the_same_plan() {
    let scene = scene();
    let plan = |_| scene.run("plan DIR/good.csv --table t --time-column ts --window 6h --json").exits(0).stdout;
    let plans: Vec<String> = (0..3).map(plan).collect();
    assert!(plans.windows(2).all(|pair| pair[0] == pair[1]), "{plans:#?}");
}

#[test]
fn inspect_describes_a_source() {
    let scene = scene();
    let found = scene.run("inspect DIR/good.csv DIR/null.csv -c ts").exits(0);
    insta::assert_snapshot!(found.stdout.replace(scene.folder.path(), "DIR").lines().skip(3).collect::<Vec<_>>().join("\n"), @r"
      2 objects, 78 B, 4 rows

      column  looks like
      ts      date
      host    text
      value   integer

      ts from 2024-01-01 to 2024-01-02, not in order
      1 rows have no time, or an infinite one

    Recommended, by a guess from the first and the last bytes; a load itself guesses nothing:

      pgbackfill load DIR/good.csv DIR/null.csv --table TABLE --time-column ts
    ");
}

#[test]
fn a_null_where_none_may_be_names_its_place() {
    let scene = scene();
    scene.database.sql("alter table t alter host set not null");
    scene.folder.write("hole.csv", "ts,host,value\n2024-01-01,a,1\n2024-01-01,,2\n");
    let refused = scene.run("load DIR/hole.csv --table t --time-column ts").exits(1);
    refused.says(&["null value in column \"host\" (23502)", "hole.csv record 2, byte 29"]);
    // Out of a spool too.
    let refused = scene.run("load DIR/hole.csv DIR/good.csv --table t --time-column ts --window 1h --job j").exits(1);
    refused.says(&["null value in column \"host\" (23502)", "hole.csv record 2, byte 29"]);
    assert_eq!(scene.database.count("t"), 0);
}
