//! `inspect`: what it recommends, what it takes as given, and which records it says cannot be read.

use serde_json::{Value, json};

use crate::harness::{Database, Folder, Output, run, run_with};

struct Scene {
    database: Database,
    folder: Folder,
}

impl Scene {
    fn new() -> Self {
        Self { database: Database::new(), folder: Folder::new() }
    }

    /// Inspects a file with some options.
    fn inspect(&self, csv: impl AsRef<[u8]>, options: &str) -> Output {
        let path = self.folder.write("a.csv", csv);
        run(&self.database, &format!("inspect {path} {options}")).exits(0)
    }

    fn json(&self, csv: impl AsRef<[u8]>, options: &str) -> Value {
        self.inspect(csv, &format!("--json {options}")).json()
    }
}

#[test]
fn it_prints_a_line_to_paste_what_columns_look_like_and_what_a_person_has_to_know() {
    let scene = Scene::new();
    let csv = "Report 2024\nts;v\n31.01.2024 10:00;1,5\n01.02.2024 11:00;NA\nTotal;1,5\n";
    // Each row of the tables is as wide as the longest path, which differs from run to run.
    let path = scene.folder.path().to_owned();
    let output = scene.inspect(csv, "");
    let told: Vec<&str> = output.stdout.lines().skip(2).collect();
    insta::assert_snapshot!(told.join("\n").replace(&path, "DIR"), @r#"
      1 object, 68 B, 2 rows
      mended: 1 line at the end left out

      column  looks like
      ts      timestamptz
      v       text

    Recommended, by a guess from the first and the last bytes; a load itself guesses nothing:

      pgbackfill load DIR/a.csv --table TABLE --time-column ts --delimiter ';' --skip-lines 1 --footer-lines 1 --timestamp-format '%d.%m.%Y %H:%M'

      - lines before the first record are skipped: "Report 2024"
      - the last lines look like a footer: "Total;1,5"
      - column v has decimal commas, which only text holds: convert it in the table
      - column ts holds times as %d.%m.%Y %H:%M
    "#);
}

#[test]
fn the_line_that_is_recommended_loads_the_file() {
    let scene = Scene::new();
    scene.database.sql("create table t (ts timestamptz, v int, \"a b\" text)");
    let csv = "# export\nts|v|a b\n31/01/2024 10:00:00|1|'x|y'\n01/02/2024 11:00:00|-|''\n(2 rows)\n";
    let output = scene.inspect(csv, "");
    let line = output.stdout.lines().find(|line| line.contains("pgbackfill load")).expect("a line is recommended");
    let words = line.trim().strip_prefix("pgbackfill ").expect("it begins so").replace("TABLE", "t");
    // The harness knows no backslash before a quote, as a shell does.
    let script = format!("printf '%s\\n' {words}");
    let shell = std::process::Command::new("sh").args(["-c", &script]).output().expect("there is a shell");
    let words: Vec<String> = String::from_utf8(shell.stdout).unwrap().lines().map(str::to_owned).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    crate::harness::run_args(&scene.database, &words).exits(0);
    let rows = scene.database.rows("select ts at time zone 'UTC', v, \"a b\" from t order by 1");
    assert_eq!(rows, ["2024-01-31 10:00:00|1|x|y", "2024-02-01 11:00:00|null|"]);
}

#[test]
fn what_is_given_is_not_guessed_wherever_it_was_given() {
    let scene = Scene::new();
    let csv = "id;name\n1;NA\n2;x\n3;NULL\n";
    let flags = |found: &Value| found["advice"]["flags"].clone();
    assert_eq!(flags(&scene.json(csv, "")), json!(["--delimiter", ";", "--null=NULL"]));
    let comma = scene.json(csv, "--delimiter ,");
    assert_eq!(flags(&comma), json!([]), "the default, said aloud, is given too");
    assert_eq!(comma["advice"]["columns"][0]["name"], "id;name");
    assert_eq!(flags(&scene.json(csv, "--null NA")), json!(["--delimiter", ";", "--null=NA"]));
    assert_eq!(
        flags(&scene.json(csv, "--timezone +02:00")),
        json!(["--delimiter", ";", "--null=NULL", "--timezone=+02:00"])
    );
    let path = scene.folder.write("b.csv", csv);
    let environment = [("PGBACKFILL_DELIMITER", ",")];
    let found = run_with(&scene.database, &environment, &format!("inspect {path} --json")).exits(0).json();
    assert_eq!(flags(&found), json!([]));
}

#[test]
fn the_first_records_that_cannot_be_read_are_told_with_their_place_and_the_others_counted() {
    let scene = Scene::new();
    let mut csv = "ts,v\n".to_owned();
    for row in 1..=40 {
        csv.push_str(if row % 5 == 0 { "2024-01-01T00:00:00Z,1,surplus\n" } else { "2024-01-01T00:00:00Z,1\n" });
    }
    csv.push_str("soon,1\n2024-01-02T00:00:00Z,2\n");
    let found = scene.json(&csv, "-c ts");
    assert_eq!(found["rows_bad"], 9);
    assert_eq!(found["bad"].as_array().map(Vec::len), Some(5));
    assert_eq!(found["bad"][0]["record"], 5);
    assert_eq!(found["bad"][0]["byte"], 5 + 4 * 23);
    assert_eq!(found["bad"][0]["reason"], "the record has 3 fields, expected 2");
    assert_eq!(found["bad"][0]["text"], "2024-01-01T00:00:00Z,1,surplus");
    assert_eq!(found["advice"]["flags"], json!([]), "nothing that drops a field is recommended");
    let output = scene.inspect(&csv, "-c ts");
    output.prints(&["9 records cannot be read so", "record 5 byte 97: the record has 3 fields, expected 2"]);
}

#[test]
fn a_file_that_no_options_read_is_described_as_far_as_it_is_read() {
    let scene = Scene::new();
    let found = scene.json("id,name\n1,a\n2,\"b\n3,c\n4,d\n", "--stray-quotes toggle --quote '\"'");
    assert_eq!(
        (&found["rows_bad"], &found["bad"][0]["record"], &found["bad"][0]["byte"]),
        (&json!(1), &json!(2), &json!(14))
    );
    let found = scene.json("no table\nbut some prose, that\ngoes on: and on\n", "");
    let notes = found["advice"]["notes"].to_string();
    assert!(notes.contains("no delimiter fits"), "{notes}");
}

#[test]
fn a_footer_is_found_at_the_end_of_a_file_that_is_longer_than_what_is_looked_at() {
    let scene = Scene::new();
    let csv = format!("id|name\n{}Total: 200000|\n", "12345|some text\n".repeat(200_000));
    let found = scene.json(csv, "");
    assert_eq!(found["advice"]["flags"], json!(["--delimiter", "|", "--footer-lines", "1"]));
    assert_eq!((&found["rows"], &found["rows_bad"]), (&json!(200_000), &json!(0)));
}

#[test]
fn objects_that_want_other_options_than_most_are_named() {
    let scene = Scene::new();
    for name in ["a.csv", "b.csv"] {
        scene.folder.write(name, "id;v\n1;2\n3;4\n");
    }
    scene.folder.write("c.csv", "id,v\n1,2\n3,4\n");
    let found = run(&scene.database, &format!("inspect {} --json", scene.folder.path())).exits(0).json();
    assert_eq!(found["advice"]["flags"], json!(["--delimiter", ";"]));
    assert_eq!(found["advice"]["looked_at"], 3);
    let others = &found["advice"]["others"];
    assert!(others[0][0].as_str().is_some_and(|uri| uri.ends_with("c.csv")), "{others}");
    assert_eq!(others[0][1], json!([]));
}
