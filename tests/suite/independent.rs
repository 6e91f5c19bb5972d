//! Parquet as other implementations write and read it: the table holds what they read, value by value.
//!
//! `verify` compares the table with what was decoded here, so it cannot see a value that was decoded wrongly. Here
//! `DuckDB`, pyarrow, polars and fastparquet write files, another of them reads each file, and the server makes values of
//! what it read. Together they cover the types, encodings, codecs and page versions that writers of today use.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Database, Folder, run};

/// Where `.ci/run` installs the packages; `PGBACKFILL_READERS` names another virtual environment.
fn python() -> Option<PathBuf> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/readers");
    let environment = std::env::var_os("PGBACKFILL_READERS").map_or_else(own, PathBuf::from);
    let python = environment.join("bin/python");
    if python.exists() {
        return Some(python);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "there is no Python with other readers of Parquet in {}",
        python.display()
    );
    eprintln!("skipped: no Python with other readers of Parquet; CONTRIBUTING.md says how to install it");
    None
}

/// The files that the script writes into `folder`, and what it reads in them; `None` where it cannot run.
fn cases(folder: &Folder) -> Option<Vec<Value>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/independent/write_and_read.py");
    let output = Command::new(python()?).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// The columns of a case, with their types.
fn columns(case: &Value) -> Vec<(&str, &str)> {
    case["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
        .collect()
}

/// Fills the table `read` with what the other implementation read.
fn fill(database: &Database, case: &Value) {
    let texts = case["texts"].as_array().unwrap();
    let rows = texts[0].as_array().unwrap().len();
    let literal = |value: &Value| match value.as_str() {
        Some(text) => format!("'{}'", text.replace('\'', "''")),
        None => "null".to_owned(),
    };
    let row =
        |row: usize| format!("({})", texts.iter().map(|column| literal(&column[row])).collect::<Vec<_>>().join(","));
    let rows: Vec<String> = (0..rows).map(row).collect();
    database.sql(&format!("insert into read values {}", rows.join(",")));
}

#[test]
fn values_are_those_that_other_implementations_read() {
    let folder = Folder::new();
    let Some(cases) = cases(&folder) else { return };
    assert!(cases.len() > 40, "only {} files were written", cases.len());
    let (database, mut different) = (Database::new(), Vec::new());
    for case in &cases {
        let (name, path) = (case["name"].as_str().unwrap(), case["path"].as_str().unwrap());
        let columns = columns(case);
        let declared: Vec<String> = columns.iter().map(|(name, ty)| format!("\"{name}\" {ty}")).collect();
        database.sql(&format!("drop table if exists read; create table read ({})", declared.join(",")));
        database.sql(&format!("create table \"{name}\" (like read)"));
        fill(&database, case);
        run(&database, &format!("load {path} --table {name} --no-time-column --job {name}")).exits(0);
        for (column, _) in &columns {
            let printed =
                |table: &str| database.rows(&format!("select \"{column}\"::text from \"{table}\" order by ctid"));
            let pairs = printed(name).into_iter().zip(printed("read"));
            let unequal = pairs.filter(|(stored, read)| stored != read);
            different.extend(unequal.take(1).map(|(stored, read)| format!("{name} {column}: {stored}, not {read}")));
        }
        assert_eq!(database.count(name), database.count("read"), "{name}");
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    run(&database, "verify duckdb_snappy_v1").exits(0).prints(&["equal"]);
}
