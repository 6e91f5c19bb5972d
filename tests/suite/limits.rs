//! Every number has a most, and what is past it is an error that says so: settings, columns, keys.

use std::process::{Command, Stdio};

use pgbackfill::{Backfill, ErrorKind, Event, Options, Stop};

use crate::harness::{Database, Folder, block_on, run};

/// Runs the program with at most so many KiB of memory.
fn run_within(kib: u32, database: &Database, line: &str) -> (Option<i32>, String) {
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -v {kib}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_pgbackfill")])
        .args(line.split_whitespace())
        .env("PGBACKFILL_TARGET", database.url())
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_header_of_millions_of_columns_is_an_error_in_little_memory() {
    let (database, folder) = (Database::with("create table t (ts timestamptz, host text)"), Folder::new());
    // 60 MB of commas took 17.6 GiB.
    let commas = folder.write("commas.csv", [vec![b','; 60_000_000], b"\n1\n".to_vec()].concat());
    let long =
        folder.write("long.csv", [b"ts,".to_vec(), vec![b'x'; 2_000_000], b"\n2024-01-01,1\n".to_vec()].concat());
    let many = folder.write("many.csv", [vec![b','; 10_000], b"\n1\n".to_vec()].concat());
    for (path, told) in
        [(&commas, "the header has 60000000 bytes"), (&long, "the header has 2000003 bytes"), (&many, "10001 columns")]
    {
        for line in
            [format!("load {path} --table t --time-column ts"), format!("plan {path} --table t --time-column ts")]
        {
            let (code, stderr) = run_within(1_500_000, &database, &line);
            assert_eq!(code, Some(1), "{stderr}");
            assert!(stderr.contains(told) && stderr.contains("--delimiter") && stderr.len() < 2_000, "{stderr}");
        }
    }
    // Columns that are ignored count too; ten thousand are read.
    let names: Vec<String> = (0..9_998).map(|number| format!("x{number}")).collect();
    let wide = folder.write("wide.csv", format!("ts,host,{}\n2024-01-01,a{}\n", names.join(","), ",".repeat(9_998)));
    let file = folder.write("job.toml", format!("ignore = {names:?}\n"));
    run(&database, &format!("load {wide} --table t --time-column ts --config {file}")).exits(0);
    assert_eq!(database.count("t"), 1);
}

#[test]
fn a_number_past_its_most_is_refused_before_anything_is_started() {
    let (database, folder) = (Database::with("create table t (ts timestamptz, host text)"), Folder::new());
    let path = folder.write("a.csv", "ts,host\n2024-01-01,a\n");
    let load = format!("load {path} --table t --time-column ts");
    run(&database, &format!("{load} --threads 100000")).exits(2).says(&["--threads", "from 1 to 1,024"]);
    run(&database, &format!("{load} --lease 999999999d")).exits(2).says(&["--lease", "from 3s to 1day"]);
    run(&database, &format!("{load} --memory 9999TiB")).exits(2).says(&["--memory", "from 1 MiB to 1 TiB"]);
    run(&database, &format!("{load} --job {}", "j".repeat(256))).exits(2).says(&["job has 256 bytes", "at most 255"]);
    assert_eq!(database.one("select to_regclass('pgbackfill.jobs') is null"), "t");
    let mut options = Options::new("t").with_time_column("ts");
    options.limits.threads = Some(100_000);
    let backfill = Backfill::new(database.settings(), path.as_str(), options.clone());
    let refused = block_on(backfill.load(|_: &Event| (), &Stop::new())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Settings);
    let refused = block_on(backfill.plan(|_: &Event| ())).unwrap_err();
    assert!(refused.to_string().contains("limits.threads is 100000, and takes 1 to 1024"), "{refused}");
    assert_eq!(block_on(pgbackfill::inspect(path.as_str(), &options, &[])).unwrap_err().kind(), ErrorKind::Settings);
}

#[test]
fn objects_pieces_and_windows_have_a_most_that_an_option_raises() {
    let (database, folder) = (Database::with("create table t (ts timestamptz, host text)"), Folder::new());
    for day in 1..=3 {
        folder.write(&format!("{day}.csv"), format!("ts,host\n2024-01-0{day},a\n"));
    }
    let load = format!("load {} --table t --time-column ts --window 1d", folder.path());
    for option in ["--objects-max", "--pieces-max", "--windows-max"] {
        run(&database, &format!("{load} {option} 2")).exits(1).says(&["more than 2", option]);
    }
    run(&database, &format!("{load} --objects-max 3 --pieces-max 3 --windows-max 3")).exits(0);
    assert_eq!(database.count("t"), 3);
}
