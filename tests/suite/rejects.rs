//! Rejects: rows that cannot be loaded are set aside as far as the job allows, once each, and no other row is lost for them.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, DurationMicrosecondArray, FixedSizeBinaryArray, Float32Array,
    Int64Array, RecordBatch, StringArray, Time64NanosecondArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use parquet::arrow::ArrowWriter;

#[cfg(feature = "failpoints")]
use crate::harness::run_with;
use crate::harness::{Database, Folder, run};

const TABLE: &str = "
    create table t (ts timestamptz not null, n int, host text not null);
    create index on t (ts);
    create table expected (like t);";

/// Three days with a row an hour, and rows at fault among them: of structure, of time, of value.
const MIXED: &str = "ts,n,host\n\
    2024-01-01T00:00:00Z,1,a\n\
    2024-01-01T01:00:00Z,x,a\n\
    2024-01-01T02:00:00Z,3\n\
    soon,4,a\n\
    2024-01-02T00:00:00Z,5,\n\
    2024-01-02T01:00:00Z,6,b\n\
    2024-01-03T00:00:00Z,99999999999,b\n\
    2024-01-03T01:00:00Z,8,\"c,\"\"d\"\"\"\n";

const GOOD: &str = "ts,n,host\n\
    2024-01-01T00:00:00Z,1,a\n\
    2024-01-02T01:00:00Z,6,b\n\
    2024-01-03T01:00:00Z,8,\"c,\"\"d\"\"\"\n";

fn loading(csv: &str) -> (Database, Folder, String) {
    let (database, folder) = (Database::with(TABLE), Folder::new());
    let path = folder.write("a.csv", csv);
    let load = format!("load {path} --table t --time-column ts --window 1d --job j");
    (database, folder, load)
}

#[test]
fn rows_at_fault_are_set_aside_and_all_others_are_loaded() {
    let (database, _folder, load) = loading(MIXED);
    run(&database, &load).exits(1).says(&["record 3", "--max-rejects"]);
    let loaded = run(&database, &format!("{load} --max-rejects 10 --json")).exits(3);
    assert_eq!(loaded.summary()["rows_rejected"], 5);
    database.copy_csv("expected", "header true", GOOD.as_bytes());
    database.assert_same("t", "expected");
    let rejects = database.rows(
        "select concat_ws('|', coalesce(number::text, '-'), record, coalesce(column_name, '-'), coalesce(sqlstate, '-'),
                          convert_from(raw, 'UTF8'))
           from pgbackfill.rejects order by record",
    );
    let expected = [
        "0|2|n|-|2024-01-01T01:00:00Z,x,a",
        "-|3|-|-|2024-01-01T02:00:00Z,3",
        "-|4|ts|-|soon,4,a",
        "1|5|host|23502|2024-01-02T00:00:00Z,5,",
        "2|7|n|-|2024-01-03T00:00:00Z,99999999999,b",
    ];
    assert_eq!(rejects, expected);
    run(&database, "verify").exits(0);
    // Done again, it reads nothing, and still says that not all is loaded.
    let again = run(&database, &format!("{load} --max-rejects 10 --json")).exits(3);
    assert_eq!((&again.summary()["rows"], &again.summary()["rows_rejected"]), (&0.into(), &5.into()));
}

/// Rows as text, with how often each is there.
fn stored(database: &Database) -> Vec<String> {
    database.rows("select ts at time zone 'UTC', n, host, count(*) from t group by 1, 2, 3 order by 1, 2, 3")
}

/// A row a minute from 2024-01-01 on; every `bad`-th has a number that is none.
fn minutes(rows: u32, bad: u32) -> String {
    let line = |row: u32| {
        let (day, hour, minute) = (1 + row / 1440, row / 60 % 24, row % 60);
        let n = if row % bad == bad - 1 { format!("x{row}") } else { row.to_string() };
        format!("2024-01-{day:02}T{hour:02}:{minute:02}:00Z,{n},h\n")
    };
    std::iter::once("ts,n,host\n".to_owned()).chain((0..rows).map(line)).collect()
}

#[test]
fn what_is_exported_is_loaded_by_the_same_options_once_it_is_mended() {
    let (database, folder, load) = loading(MIXED);
    run(&database, &format!("{load} --max-rejects 100%")).exits(3);
    let exported = run(&database, "rejects j").exits(0);
    exported_says(&exported.stderr);
    let expected = "ts,n,host\n\
        2024-01-01T01:00:00Z,x,a\n\
        2024-01-01T02:00:00Z,3\n\
        soon,4,a\n\
        2024-01-02T00:00:00Z,5,\n\
        2024-01-03T00:00:00Z,99999999999,b\n";
    assert_eq!(exported.stdout, expected);
    let mended =
        exported.stdout.replace(",x,", ",2,").replace(",3\n", ",3,a\n").replace("soon", "2024-01-01T03:00:00Z");
    let mended = mended.replace(",5,\n", ",5,b\n").replace("99999999999", "7");
    let path = folder.write("mended.csv", &mended);
    let again = format!("load {path} --table t --time-column ts --window 1d --job again --existing keep");
    run(&database, &again).exits(0);
    let whole = MIXED.replace(",x,", ",2,").replace(",3\n", ",3,a\n").replace("soon", "2024-01-01T03:00:00Z");
    let whole = whole.replace(",5,\n", ",5,b\n").replace("99999999999", "7");
    database.copy_csv("expected", "header true", whole.as_bytes());
    database.assert_same("t", "expected");
    run(&database, "verify j").exits(0);
    run(&database, "verify again").exits(0);
}

fn exported_says(stderr: &str) {
    for text in ["job j: 5 rows of 1 object rejected", "\"…\" is not an integer", "null value", "host"] {
        assert!(stderr.contains(text), "{stderr}");
    }
}

#[test]
fn details_say_where_each_row_stood_and_why_as_csv_or_json() {
    let (database, _folder, load) = loading(MIXED);
    run(&database, &format!("{load} --max-rejects 5")).exits(3);
    let details = run(&database, "rejects j --details --quiet").exits(0);
    let mut reader = csv::Reader::from_reader(details.stdout.as_bytes());
    assert_eq!(
        reader.headers().unwrap(),
        vec!["object", "record", "byte", "column", "reason", "sqlstate", "window", "raw"]
    );
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let places: Vec<(&str, &str, &str)> = rows.iter().map(|row| (&row[1], &row[3], &row[6])).collect();
    let days = ["[2024-01-01, 2024-01-02)", "[2024-01-02, 2024-01-03)", "[2024-01-03, 2024-01-04)"];
    assert_eq!(
        places,
        [("2", "n", days[0]), ("3", "", ""), ("4", "ts", ""), ("5", "host", days[1]), ("7", "n", days[2])]
    );
    assert_eq!(&rows[3][5], "23502");
    let json = run(&database, "rejects --json").exits(0).events();
    assert_eq!(json.len(), 5);
    assert_eq!((&json[0]["record"], &json[0]["raw"]), (&2.into(), &"2024-01-01T01:00:00Z,x,a".into()));
    let status = run(&database, "status j").exits(0);
    status.prints(&["rejects   5"]);
}

#[test]
fn a_job_without_rejects_prints_none() {
    let (database, _folder, load) = loading(GOOD);
    run(&database, &format!("{load} --max-rejects 5")).exits(0);
    let none = run(&database, "rejects j").exits(0).says(&["0 rows of 0 objects"]);
    assert_eq!(none.stdout, "");
    run(&database, "rejects nobody").exits(2);
}

#[test]
fn past_the_limit_the_job_fails_and_a_higher_one_resumes_it_without_doubling_a_reject() {
    // Four days, 14 or 15 rows at fault in each.
    let (database, _folder, load) = loading(&minutes(4 * 1440, 100));
    for limit in ["20", "0.5%"] {
        database.sql("truncate t; drop schema if exists pgbackfill cascade");
        let limited = format!("{load} --batch-rows 100 --workers 1");
        let stopped = run(&database, &format!("{limited} --max-rejects {limit}")).exits(1);
        stopped.says(&["rows cannot be loaded", &format!("--max-rejects {limit} allows no more"), "is not an integer"]);
        let so_far = database.count("pgbackfill.rejects");
        assert!((1..=28).contains(&so_far), "{so_far}");
        assert_eq!(so_far.to_string(), database.one("select sum(rejected) from pgbackfill.windows"));
        run(&database, &format!("{limited} --max-rejects 57 --json")).exits(3);
        assert_eq!(database.count("pgbackfill.rejects"), 57);
        assert_eq!(database.one("select count(distinct record) from pgbackfill.rejects"), "57");
        assert_eq!(database.one("select sum(rejected) from pgbackfill.windows"), "57");
        assert_eq!(database.count("t"), 4 * 1440 - 57);
        run(&database, "verify").exits(0);
    }
}

#[test]
fn workers_and_runs_keep_one_limit_together() {
    let (database, _folder, load) = loading(&minutes(4 * 1440, 100));
    let limited =
        |limit: u32| format!("{load} --batch-rows 200 --workers 4 --join --max-rejects {limit} --retry-for 30s");
    run(&database, &limited(56)).exits(1).says(&["57 rows cannot be loaded"]);
    assert!(database.count("pgbackfill.rejects") <= 56);
    let two = [57, 57].map(|limit| crate::harness::start(&database, &limited(limit)));
    for run in two {
        run.finish().exits(3);
    }
    assert_eq!(database.count("pgbackfill.rejects"), 57);
    assert_eq!(database.count("t"), 4 * 1440 - 57);
}

#[test]
fn a_source_that_is_spooled_has_its_rejects_with_the_windows_that_they_are_of() {
    // So many windows that the source is read once; each row is in another.
    let (database, _folder, load) = loading(&minutes(3000, 7));
    let spooled = load.replace("--window 1d", "--window 5min");
    let plan = run(&database, &format!("{spooled} --max-rejects 1000").replace("load ", "plan ")).exits(0);
    plan.prints(&["read once, into a temporary file"]);
    run(&database, &spooled).exits(1).says(&["is not an integer"]);
    run(&database, &format!("{spooled} --max-rejects 1000")).exits(3);
    assert_eq!(database.count("pgbackfill.rejects"), 428);
    assert_eq!(database.count("t"), 3000 - 428);
    let elsewhere = "pgbackfill.rejects r join pgbackfill.windows w using (job_id, number)
                     where floor((record - 1) / 5) <> number";
    assert_eq!(database.count(elsewhere), 0);
    assert_eq!(
        database.count(
            "pgbackfill.windows w where rejected <> (select count(*) from pgbackfill.rejects r
                               where r.job_id = w.job_id and r.number = w.number)"
        ),
        0
    );
    run(&database, "verify").exits(0);
    let exported = run(&database, "rejects --quiet").exits(0);
    assert_eq!(exported.stdout.lines().count(), 429);
}

#[test]
fn a_window_whose_rows_are_all_rejected_is_loaded_and_empty() {
    for commit in ["batch", "window"] {
        let (database, _folder, load) = loading(&minutes(2 * 1440, 1));
        run(&database, &format!("{load} --max-rejects 100% --commit {commit} --json")).exits(3);
        assert_eq!((database.count("t"), database.count("pgbackfill.rejects")), (0, 2 * 1440));
        assert_eq!(database.count("pgbackfill.windows where state = 'loaded' and rejected = 1440"), 2);
        run(&database, "verify").exits(0);
        run(&database, "undo j").exits(0);
        assert_eq!(database.count("pgbackfill.rejects"), 0);
    }
}

#[test]
fn rejects_of_a_table_without_a_time_column_are_those_of_its_pieces() {
    let database = Database::with("create table t (a int, b text not null)");
    let folder = Folder::new();
    let path = folder.write("a.csv", "a,b\n1,x\nno,x\n3\n4,\n5,x\n");
    run(&database, &format!("load {path} --table t --no-time-column --max-rejects 3 --job j")).exits(3);
    assert_eq!(database.rows("select a from t order by a"), ["1", "5"]);
    let rejects = database.rows(
        "select record, coalesce(number::text, '-'), convert_from(raw, 'UTF8') from pgbackfill.rejects order by 1",
    );
    assert_eq!(rejects, ["2|0|no,x", "3|-|3", "4|0|4,"]);
}

#[test]
fn bytes_that_are_no_text_are_kept_as_they_stood_and_long_rows_in_part() {
    let database = Database::with("create table t (ts timestamptz not null, v text)");
    let folder = Folder::new();
    let long = "y".repeat(300);
    let mut csv = b"ts,v\n2024-01-01,a\n2024-01-01,\xffb\n2024-01-01,\"c\0\r\nd\"\n".to_vec();
    csv.extend(format!("2024-01-01,{long}\nsoon,{long}\n").bytes());
    let path = folder.write("a.csv", &csv);
    let load = format!("load {path} --table t --time-column ts --reject-bytes 100 --max-rejects 9 --job j");
    run(&database, &load).exits(3);
    assert_eq!(database.rows("select v from t order by length(v)"), ["a", &long]);
    let rejects =
        database.rows("select record, sqlstate, encode(raw, 'escape'), raw_cut from pgbackfill.rejects order by 1");
    assert_eq!(rejects[0], r"2|22021|2024-01-01,\377b|f");
    assert!(rejects[1].starts_with("3|null|2024-01-01,\"c\\000\r\nd\"|f"), "{rejects:?}");
    assert_eq!(rejects[2], format!("5|null|soon,{}|t", "y".repeat(95)));
    // What is kept in part is no row any more.
    run(&database, "rejects j --details").exits(0);
    run(&database, "rejects j --json").exits(0);
}

#[test]
fn objects_with_other_headers_are_exported_one_by_one() {
    let (database, folder, _) = loading(GOOD);
    folder.write("b.csv", "n,ts,host\nx,2024-01-01,a\n");
    folder.write("c.csv", "ts,n,host\n2024-01-01,y,a\n");
    let load = format!("load {} --table t --time-column ts --window 1d --job j --max-rejects 9", folder.path());
    run(&database, &load).exits(3);
    run(&database, "rejects j").exits(2).says(&["--object", "b.csv", "c.csv"]);
    let one = run(&database, &format!("rejects j --object {}/b.csv --quiet", folder.path())).exits(0);
    assert_eq!(one.stdout, "n,ts,host\nx,2024-01-01,a\n");
    run(&database, &format!("rejects j --object {}/a.csv", folder.path())).exits(2);
}

#[test]
fn what_stands_around_the_records_stands_around_the_exported_ones() {
    let (database, folder, _) = loading(GOOD);
    let path = folder.write("p.csv", "a report\nts;n;host\n2024-01-01;x;a\n2024-01-01;1;a\ntotal;1\n");
    let options = "--table t --time-column ts --skip-lines 1 --footer-lines 1 --delimiter ;";
    run(&database, &format!("load {path} {options} --job j --max-rejects 1")).exits(3);
    let exported = run(&database, "rejects j --quiet").exits(0);
    assert_eq!(exported.stdout, "a report\nts;n;host\n2024-01-01;x;a\n\n");
    let path = folder.write("m.csv", exported.stdout.replace(";x;", ";2;"));
    run(&database, &format!("load {path} {options} --job again --existing keep")).exits(0);
    assert_eq!(database.rows("select n from t order by n"), ["1", "2"]);
}

#[test]
fn a_source_that_changed_brings_its_own_rejects_and_keeps_those_of_windows_that_stay() {
    let (database, folder, _) = loading(GOOD);
    let write = |name: &str, csv: &str| folder.write(name, format!("ts,n,host\n{csv}"));
    write("a.csv", "2024-01-01,x,a\n2024-01-01,1,a\n");
    write("b.csv", "2024-01-02,y,a\nsoon,2,a\n2024-01-02,3,a\n");
    let load =
        format!("load {}/[ab].csv --table t --time-column ts --window 1d --job j --max-rejects 9", folder.path());
    run(&database, &load).exits(3);
    assert_eq!(database.count("pgbackfill.rejects"), 3);
    write("b.csv", "2024-01-02,4,a\nlater,5,a\nnever,6,a\n2024-01-02,z,a\n");
    run(&database, &load).exits(1).says(&["--accept-changed-source"]);
    run(&database, &format!("{load} --accept-changed-source --json")).exits(3);
    let rejects = database.rows("select convert_from(raw, 'UTF8') from pgbackfill.rejects order by object, record");
    assert_eq!(rejects, ["2024-01-01,x,a", "later,5,a", "never,6,a", "2024-01-02,z,a"]);
    assert_eq!(stored(&database).len(), 2);
    run(&database, &load).exits(3);
    let exported = run(&database, "rejects j --quiet").exits(0);
    assert!(exported.stdout.starts_with("ts,n,host\n2024-01-01,x,a\n"), "{}", exported.stdout);
}

/// A Parquet file of times in nanoseconds, numbers and texts; the second time is no whole microsecond.
fn nanoseconds(folder: &Folder) -> String {
    const DAY: i64 = 86_400_000_000_000;
    let from_2024 = |nanos: i64| Some(19_723 * DAY + nanos);
    let times = [from_2024(0), from_2024(1), from_2024(DAY), None, from_2024(2 * DAY)];
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("ts", Arc::new(TimestampNanosecondArray::from(times.to_vec())) as ArrayRef, true),
        ("n", Arc::new(Int64Array::from(vec![1, 2, 1 << 40, 4, 5])), true),
        ("host", Arc::new(StringArray::from(vec![Some("a"), Some("b,c"), Some(""), Some("d"), None])), true),
    ])
    .unwrap();
    let path = PathBuf::from(folder.path()).join("a.parquet");
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn rows_of_parquet_are_rejected_as_printed_records() {
    let (database, folder) = (Database::with(TABLE), Folder::new());
    let path = nanoseconds(&folder);
    let load = format!("load {path} --table t --time-column ts --window 1d --job j");
    // Without rejects the time column is read by its statistics, and the first row at fault ends the load.
    run(&database, &load).exits(1).says(&["record 2", "--max-rejects"]);
    run(&database, &format!("{load} --max-rejects 3 --json")).exits(3);
    assert_eq!(stored(&database), ["2024-01-01 00:00:00|1|a|1"]);
    let rejects = database.rows("select record, coalesce(number::text, '-'), column_name, convert_from(raw, 'UTF8') from pgbackfill.rejects order by 1");
    let expected = [
        "2|-|ts|2024-01-01T00:00:00.000000001,2,\"b,c\"",
        "3|1|n|2024-01-02 00:00:00+00,1099511627776,\"\"",
        "5|2|host|2024-01-03 00:00:00+00,5,",
    ];
    assert_eq!(rejects, expected);
    let exported = run(&database, "rejects j --quiet").exits(0);
    let mended = exported.stdout.replace("000001", "").replace("1099511627776", "3").replace(",5,", ",5,e");
    let path = folder.write("mended.csv", mended);
    run(&database, &format!("load {path} --table t --time-column ts --window 1d --job again --existing keep")).exits(0);
    assert_eq!(database.count("t"), 4);
}

#[test]
fn a_limit_below_what_is_rejected_is_refused_before_more_is_loaded() {
    let (database, _folder, load) = loading(MIXED);
    run(&database, &format!("{load} --max-rejects 3")).exits(1);
    assert_eq!(database.count("pgbackfill.rejects"), 3);
    let before = database.rows("select number, attempt from pgbackfill.windows order by 1");
    run(&database, &format!("{load} --max-rejects 2"))
        .exits(1)
        .says(&["job j has 3 rows rejected, and --max-rejects 2 allows fewer", "--max-rejects 3 or more"]);
    let after = database.rows("select number, attempt from pgbackfill.windows order by 1");
    assert_eq!(after, before);
}

#[test]
fn rows_of_parquet_become_the_same_when_they_are_exported_and_loaded_again() {
    let columns =
        "n int check (n <> 7), f float8, ts timestamptz, t time, b text, js jsonb, a int[], u uuid, d interval,
                   m numeric(9,3), z timestamptz, e text, y bytea, o boolean";
    let (database, folder) = (Database::new(), Folder::new());
    database.sql(&format!("create table t ({columns}); create table direct (like t)"));
    let nanos = 1_700_000_000_123_456_999_i64;
    let mut words = ListBuilder::new(StringBuilder::new());
    words.append_value([Some("1"), Some("true"), None, Some("a,\"b")]);
    let mut numbers = ListBuilder::new(Int64Builder::new());
    numbers.append_value([Some(1), None, Some(3)]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(vec![7]))),
        ("f", Arc::new(Float32Array::from(vec![0.1]))),
        ("ts", Arc::new(TimestampNanosecondArray::from(vec![nanos]))),
        ("t", Arc::new(Time64NanosecondArray::from(vec![86_399_999_999_999]))),
        ("b", Arc::new(BinaryArray::from_iter_values([b"NULL "]))),
        ("js", Arc::new(words.finish())),
        ("a", Arc::new(numbers.finish())),
        ("u", Arc::new(FixedSizeBinaryArray::try_from_iter([[7_u8; 16]].iter()).unwrap())),
        ("d", Arc::new(DurationMicrosecondArray::from(vec![-1_500_000]))),
        ("m", Arc::new(Decimal128Array::from(vec![-12_345]).with_precision_and_scale(9, 4).unwrap())),
        ("z", Arc::new(TimestampMicrosecondArray::from(vec![Some(1)]).with_timezone("Europe/Berlin"))),
        ("e", Arc::new(StringArray::from(vec![""]))),
        ("y", Arc::new(BinaryArray::from_iter_values([b"\x00,"]))),
        ("o", Arc::new(BooleanArray::from(vec![true]))),
    ];
    let path = PathBuf::from(folder.path()).join("a.parquet");
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let load = |path: &str, table: &str, job: &str| {
        format!(
            "load {path} --table {table} --no-time-column --job {job} --max-rejects 1 --allow-lossy --timezone +02:00"
        )
    };
    run(&database, &load(path.to_str().unwrap(), "t", "j")).exits(3);
    run(&database, &load(path.to_str().unwrap(), "direct", "direct")).exits(0);
    let exported = run(&database, "rejects j --quiet").exits(0);
    database.sql("alter table t drop constraint t_n_check");
    let path = folder.write("again.csv", exported.stdout);
    run(&database, &load(&path, "t", "again")).exits(0);
    database.assert_same("t", "direct");
}

#[cfg(feature = "failpoints")]
#[test]
fn a_job_takes_no_more_rows_for_rejects_than_were_at_fault_though_it_retries() {
    let (database, _folder, load) = loading(&minutes(2 * 1440, 10));
    let load = format!("{load} --batch-rows 100 --workers 1 --max-rejects 288");
    for failpoint in ["return(kill)", "return(error)", "panic"] {
        database.sql("truncate t; drop schema if exists pgbackfill cascade");
        for passes in [0, 3] {
            let failpoints = format!("after-rejects={passes}*off->1*{failpoint}");
            run_with(&database, &[("FAILPOINTS", &failpoints)], &format!("{load} --json"));
            database.wait_until_alone();
        }
        run(&database, &load).exits(3);
        assert_eq!(database.count("pgbackfill.rejects"), 288, "{failpoint}");
        assert_eq!(database.one("select count(distinct record) from pgbackfill.rejects"), "288");
        assert_eq!(database.count("t"), 2 * 1440 - 288);
        run(&database, "verify").exits(0);
    }
}
