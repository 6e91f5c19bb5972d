//! Texts from outside that would act upon a terminal, forge lines or hide something: names, values, what the server says,
//! what was typed. Whatever a person sees of them is harmless and short.

use pgbackfill::report::is_hidden;

use crate::harness::{Database, Folder, Output, run, run_args, run_with};

/// Clears the screen, turns the reading direction, starts a sequence as one byte, hides, and forges a line.
const EVIL: &str = "e\u{1b}[2J\u{202e}\u{9b}1m\u{200b}\u{2028}\u{e0041}\r\nerror: x";

/// What is seen of it.
const SEEN: &str = r"e\u{1b}[2J\u{202e}\u{9b}1m\u{200b}\u{2028}\u{e0041}\r\nerror: x";

/// A name that a file can have, and what is seen of it: those with control characters of ASCII are refused.
const FILE: &str = "f\u{202e}\u{9b}1m\u{200b}\u{2028}\u{e0041}";

/// Panics if anything that was printed hides or acts; line ends are the program's own.
#[track_caller]
fn is_harmless(output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        let found = text.chars().find(|character| *character != '\n' && is_hidden(*character));
        assert!(found.is_none(), "{found:?} in {output:?}");
        assert!(!text.lines().any(|line| line.starts_with("error: x")), "a line is forged: {output:?}");
    }
}

/// A table, a column, a job and a file with that name.
struct Scene {
    database: Database,
    _folder: Folder,
    path: String,
}

impl Scene {
    fn new(rows: &str) -> Self {
        let database = Database::with(&format!(
            "create table \"{EVIL}\" (ts timestamptz not null, \"{EVIL}\" text, value int);
             create index on \"{EVIL}\" (ts)"
        ));
        let folder = Folder::new();
        let path = folder.write(&format!("{FILE}.csv"), format!("ts,\"{EVIL}\",value\n{rows}"));
        Self { database, _folder: folder, path }
    }

    #[track_caller]
    fn run(&self, words: &[&str], code: i32) -> Output {
        let output = run_args(&self.database, words).exits(code);
        is_harmless(&output);
        output
    }

    #[track_caller]
    fn load(&self, words: &[&str], code: i32) -> Output {
        let table = format!("\"{EVIL}\"");
        let load = ["load", &self.path, "--table", &table, "--time-column", "ts", "--job", EVIL, "--window", "1d"];
        self.run(&[&load, words].concat(), code)
    }
}

#[test]
fn names_are_harmless_in_every_output() {
    let scene = Scene::new("2024-01-01,a,1\n2024-01-02,b,2\n");
    let table = format!("\"{EVIL}\"");
    for extra in [&[][..], &["--json"], &["-vv"]] {
        let plan = ["plan", &scene.path, "--table", &table, "--time-column", "ts", "--job", EVIL];
        scene.run(&[&plan, extra].concat(), 0);
        scene.run(&[&["inspect", &scene.path, "-c", "ts"], extra].concat(), 0);
        scene.load(extra, 0);
        scene.run(&[&["status"], extra].concat(), 0);
        scene.run(&[&["verify", EVIL], extra].concat(), 0);
        scene.run(&[&["rejects", EVIL], extra].concat(), 0);
        scene.run(&[&["undo", EVIL], extra].concat(), 0);
        scene.run(&[&["status", EVIL], extra].concat(), 2);
    }
    assert!(scene.load(&[], 0).stderr.contains(SEEN));
    assert!(scene.run(&["status"], 0).stdout.contains(&format!("job       {SEEN} into ")));
    // A program reads the very name.
    let status: serde_json::Value = serde_json::from_str(&scene.run(&["status", "--json"], 0).stdout).unwrap();
    assert_eq!(status["job"], EVIL);
}

#[test]
fn values_and_rejects_are_harmless_and_the_rows_are_printed_as_they_are() {
    let value = EVIL.replace('"', "");
    let scene = Scene::new(&format!("2024-01-01,a,\"{value}\"\n\"{value}\",b,2\n2024-01-02,c,3\n"));
    let failed = scene.load(&[], 1);
    assert!(failed.stderr.contains(r"e\u{1b}[2J\u{202e}"), "{failed:?}");
    scene.load(&["--max-rejects", "5"], 3);
    for extra in [&["--details"][..], &["--json"]] {
        scene.run(&[&["rejects", EVIL], extra].concat(), 0);
    }
    let rows = run_args(&scene.database, &["rejects", EVIL, "--quiet"]).exits(0).stdout;
    // Lines are read without what ends them.
    let value = value.replace("\r\n", "\n");
    assert!(rows.contains(&format!(",a,\"{value}\"")), "a row is data: {rows:?}");
    scene.run(&["inspect", &scene.path, "-c", "ts"], 0);
}

#[test]
fn what_the_server_says_is_harmless_and_short() {
    let scene = Scene::new("2024-01-01,a,1\n");
    scene.database.sql(&format!(
        "create function refuse() returns trigger language plpgsql as $$ begin
           raise notice '{EVIL}';
           raise exception using message = '{EVIL}' || repeat('m', 1000000), detail = '{EVIL}', hint = '{EVIL}';
         end $$;
         create trigger refuse after insert on \"{EVIL}\" for each statement execute function refuse()"
    ));
    for extra in [&[][..], &["--json"], &["-vv"]] {
        let failed = scene.load(extra, 1);
        assert!(failed.stderr.contains(r"e\u{1b}[2J") && failed.stderr.len() < 200_000, "{}", failed.stderr.len());
    }
    let status = scene.run(&["status"], 0);
    assert!(status.stdout.contains(r"failed    [2024-01-01, 2024-01-02)") && status.stdout.len() < 5_000, "{status:?}");
}

#[test]
fn what_was_typed_is_harmless() {
    let (database, folder) = (Database::with("create table t (ts timestamptz)"), Folder::new());
    let path = folder.write("x.csv", "ts\n2024-01-01\n");
    for words in [
        &["load", "x", "--workers", EVIL][..],
        &["load", "x", "--timezone", EVIL],
        &["load", "x", "--timestamp-format", EVIL],
        &["load", "x", "--existing", EVIL],
        &["load", &path, "--encoding", EVIL, "--table", "t", "--time-column", "ts"],
        &["load", EVIL, "--table", "t", "--time-column", "ts"],
        &["load", "x", "--config", EVIL],
        &["status", EVIL],
        &[EVIL],
        &[&format!("--{EVIL}")],
    ] {
        let refused = run_args(&database, words);
        is_harmless(&refused);
        assert!(refused.code != 0 && refused.stderr.contains(r"e\u{1b}[2J"), "{words:?}: {refused:?}");
    }
    is_harmless(&run_args(&database, &["status", "--target", EVIL]).exits(2));
    let refused = run_with(&database, &[("PGBACKFILL_WORKERS", EVIL)], "load x");
    is_harmless(&refused.exits(2));
    let file = folder.write("job.toml", "workers = \"\\u001b[2J\\u202e\\nerror: x\"\n\"\\u001bkey\" = 1\n");
    let refused = run(&database, &format!("load x --config {file}")).exits(2);
    is_harmless(&refused.says(&[r"\u{1b}key"]));
}

#[test]
fn an_error_is_short_however_many_names_there_are() {
    let (database, folder) = (Database::with("create table t (ts timestamptz, host text)"), Folder::new());
    let names: Vec<String> = (0..9_999).map(|number| format!("{}{number}", "n".repeat(90))).collect();
    let path = folder.write("wide.csv", format!("{}\n1\n", names.join(",")));
    for extra in ["", "--json"] {
        let refused = run(&database, &format!("load {path} --table t --time-column ts {extra}")).exits(2);
        refused.says(&["columns do not fit", "and 9991 more faults", "and 9899 more", "leaves one out"]);
        let refused = run(&database, &format!("load {path} --table t --time-column ts {extra}"));
        assert!(refused.stderr.len() < 40_000 && refused.stdout.len() < 40_000, "{}", refused.stderr.len());
    }
}
