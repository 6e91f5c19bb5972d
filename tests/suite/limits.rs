//! Every number has a most, and what is past it is an error that says so: settings, columns, keys.

use std::fmt::Write as _;
use std::fs::File;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use pgbackfill::{Backfill, ErrorKind, Event, Options, Stop};

use crate::harness::{Database, Folder, Gate, Running, block_on, run, start};

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

/// Loads the keys into a bigint time column with each width of window, as CSV, and checks every row by the server.
#[track_caller]
fn loads_keys(keys: &[i64], windows: &[(&str, u64)]) {
    let folder = Folder::new();
    let rows = keys.iter().map(|key| format!("{key},x\n")).collect::<Vec<_>>().concat();
    let path = folder.write("keys.csv", format!("n,host\n{rows}"));
    for (width, expected) in windows {
        let database = Database::with("create table t (n bigint not null, host text); create index on t (n)");
        let load = format!("load {path} --table t --time-column n --job j --window {width}");
        run(&database, &load).exits(0);
        let mut sorted: Vec<String> = keys.iter().map(i64::to_string).collect();
        sorted.sort_unstable();
        let mut found = database.rows("select n from t");
        found.sort_unstable();
        assert_eq!(found, sorted, "{width}");
        assert_eq!(database.count("pgbackfill.windows"), *expected, "{width}");
        run(&database, "verify j").exits(0);
        run(&database, &load).exits(0);
        assert_eq!(database.count("t"), keys.len() as u64, "{width}");
        run(&database, "undo j").exits(0);
        assert_eq!(database.count("t"), 0, "{width}");
    }
}

#[test]
fn a_bigint_key_takes_its_smallest_and_its_largest_value() {
    loads_keys(&[i64::MAX], &[("auto", 1), ("1", 1), ("1000", 1), ("9223372036854775807", 1)]);
    loads_keys(&[i64::MIN], &[("auto", 1), ("1", 1), ("1000", 1), ("9223372036854775807", 1)]);
    loads_keys(&[i64::MAX - 2, i64::MAX - 1, i64::MAX], &[("auto", 1), ("1", 2), ("2", 2), ("1000", 1)]);
    loads_keys(&[i64::MIN, i64::MIN + 1, i64::MIN + 2], &[("1", 3), ("1000", 1)]);
    loads_keys(&[i64::MIN, -1, 0, 1, i64::MAX], &[("9223372036854775807", 3), ("1000000000000000000", 20)]);
}

#[test]
fn the_last_key_is_checked_cleared_and_replaced_with_its_window() {
    let database = Database::with("create table t (n bigint not null, host text); create index on t (n)");
    database.sql("insert into t values (9223372036854775807, 'other'), (9223372036854770000, 'other'), (5, 'other')");
    let folder = Folder::new();
    let path = folder.write("keys.csv", "n,host\n9223372036854775807,x\n");
    let load = format!("load {path} --table t --time-column n --window 10000 --job j");
    run(&database, &load).exits(1).says(&["already holds rows", "9223372036854775807]"]);
    run(&database, &load.replace("--job j", "--job k --existing replace")).exits(0);
    assert_eq!(database.rows("select n, host from t order by n"), ["5|other", "9223372036854775807|x"]);
    run(&database, "verify k").exits(0);
    database.sql("delete from t where n > 5");
    run(&database, "verify k").exits(5);
    let until = format!("load {path} --table t --time-column n --job u --until 9223372036854775807");
    run(&database, &until).exits(2).says(&["the largest of all keys", "without --until"]);
    run(&database, &until.replace("--until", "--from")).exits(2).says(&["the largest of all keys"]);
    run(&database, &format!("load {path} --table t --time-column n --job v --existing keep")).exits(0);
    assert_eq!(database.count("t where n = 9223372036854775807"), 1);
}

#[test]
fn windows_exist_only_where_rows_do() {
    let database = Database::with("create table t (ts timestamp not null, host text); create index on t (ts)");
    let folder = Folder::new();
    // A month of days, and dates that stand for none: 1900, 9999 and the server's first and last year.
    let mut rows: Vec<String> = (1..=30).map(|day| format!("2024-06-{day:02} 12:00,x")).collect();
    rows.extend(["1900-01-01,x", "9999-12-31,x", "294276-12-31 23:59:59,x", "4713-01-01 BC,x"].map(str::to_owned));
    rows.swap(3, 30);
    rows.swap(9, 32);
    let path = folder.write("dates.csv", format!("ts,host\n{}\n", rows.join("\n")));
    for (window, windows) in [("1d", 34), ("1h", 34), ("'1 month'", 5), ("auto", 0)] {
        database.sql("drop schema if exists pgbackfill cascade; truncate t");
        let load = format!("load {path} --table t --time-column ts --job j --window {window}");
        run(&database, &load).exits(0);
        assert_eq!(database.count("t"), 34, "{window}");
        let found = database.count("pgbackfill.windows");
        assert!(if windows == 0 { found < 1_100 } else { found == windows }, "{window}: {found}");
        run(&database, "verify j").exits(0);
        run(&database, &load).exits(0);
        assert_eq!(database.count("t"), 34, "{window}");
    }
    let bounds = "load {path} --table t --time-column ts --job b --window 1d --from 2024-06-05 --until 9999-12-31";
    database.sql("drop schema pgbackfill cascade; truncate t");
    run(&database, &bounds.replace("{path}", &path)).exits(0);
    assert_eq!((database.count("t"), database.count("pgbackfill.windows")), (26, 26));
}

#[test]
fn integer_keys_far_apart_make_few_windows() {
    loads_keys(
        &[i64::MIN, i64::MIN + 1, -5, 0, 7, 2_000, i64::MAX - 1, i64::MAX],
        &[("1000", 5), ("1", 7), ("10000000", 4)],
    );
}

#[test]
fn one_outlier_in_many_pieces_does_not_make_windows_between() {
    let database = Database::with("create table t (ts timestamp not null, host text); create index on t (ts)");
    let folder = Folder::new();
    let mut csv = String::from("ts,host\n");
    let padding = "x".repeat(200);
    // Some pieces of shuffled hours of a month, each with a date that stands for none.
    for row in 0..60_000_u32 {
        let hour = row.wrapping_mul(2_654_435_761) % 720;
        let (day, hour) = (1 + hour / 24, hour % 24);
        match row % 10_000 {
            17 => csv.push_str("9999-12-31,"),
            18 => csv.push_str("1900-01-01,"),
            _ => write!(csv, "2024-06-{day:02} {hour:02}:00,").expect("a String takes any text"),
        }
        csv.push_str(&padding);
        csv.push('\n');
    }
    let path = folder.write("dates.csv", csv);
    let plan = run(&database, &format!("plan {path} --table t --time-column ts --window 1h --json")).exits(0);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["windows"].as_array().unwrap().len(), 722);
    run(&database, &format!("load {path} --table t --time-column ts --window 1h --job j")).exits(0);
    assert_eq!(database.one("select count(*), count(distinct ts) from t"), "60000|722");
    run(&database, "verify j").exits(0);
}

/// Writes `rows` times the same value of 1 MiB, which the file holds once.
fn write_repeated(path: &str, rows: usize) {
    let value = "a".repeat(1 << 20);
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&value, rows)));
    let batch = RecordBatch::try_from_iter([("v", column)]).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_page_size_limit(4 << 20)
        .build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The most memory that a process has held, in KiB.
fn peak_kib(running: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_small_file_of_large_values_is_loaded_within_the_default_memory() {
    let (database, folder) = (Database::with("create table metrics (v text)"), Folder::new());
    let path = format!("{}/repeated.parquet", folder.path());
    write_repeated(&path, 200);
    assert!(std::fs::metadata(&path).unwrap().len() < 100_000);
    // The loader stands at the gate once nearly all is sent, and its peak can be read.
    let gate = Gate::close(&database, 190);
    let loader = gate.wait_for(start(&database, &format!("load {path} --table metrics --no-time-column")));
    let peak = peak_kib(&loader);
    gate.open();
    loader.finish().exits(0);
    assert_eq!(database.one("select count(*) || ' ' || sum(length(v)) from metrics"), format!("200 {}", 200 << 20));
    assert!(peak < 256 << 10, "the loader held {peak} KiB");
}
