//! What changes between and during runs: the source, accepted or refused, and the table.

use std::fs::{self, File};
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use pgbackfill::{Backfill, Batches, ErrorKind, Event, MissingRows, Options, Part, Source, Stop, Summary, WindowSize};

use crate::harness::{Database, Folder, Gate, METRICS, block_on, metrics, run, start};

const ACCEPT: &str = "--accept-changed-source";

/// A file for each day, `day=rows`; what is loaded must be what `copy` makes of them.
fn days(folder: &Folder, days: &[(u32, &str)]) {
    for (day, values) in days {
        let row = |(n, value): (usize, &str)| format!("2024-01-{day:02}T0{n}:00:00Z,host,{value},day {day}\n");
        let rows: String = values.split_whitespace().enumerate().map(row).collect();
        folder.write(&format!("s/{day:02}.csv"), format!("ts,host,value,note\n{rows}"));
    }
}

/// Fills `expected` with what the files hold now.
fn expect_files(database: &Database, folder: &Folder) {
    database.sql("truncate expected");
    let mut paths: Vec<_> =
        fs::read_dir(format!("{}/s", folder.path())).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        database.copy_csv("expected", "header true", &fs::read(path).unwrap());
    }
}

fn load_of(folder: &Folder) -> String {
    format!("load {}/s --table metrics --time-column ts --window 1d --workers 1 --job j", folder.path())
}

/// Each window's bounds are where its number says, and each batch's rows are in its window.
fn assert_ledger_is_true(database: &Database) {
    let order = "select count(*) from (select lower, lag(upper) over (order by number) as former, number,
                                              row_number() over (order by number) - 1 as place
                                         from pgbackfill.windows) w where former > lower or number <> place";
    assert_eq!(database.one(order), "0");
    let told = "(select w.lower, b.xid::text, b.rows from pgbackfill.batches b join pgbackfill.windows w using (job_id, number))";
    let found = "(select w.lower, m.xmin::text, count(*)
                    from metrics m
                    join pgbackfill.windows w
                      on (extract(epoch from m.ts - '2000-01-01Z') * 1000000)::bigint >= w.lower
                     and (extract(epoch from m.ts - '2000-01-01Z') * 1000000)::bigint < w.upper
                   where m.note is distinct from 'not ours'
                   group by 1, 2)";
    database.assert_same(told, found);
}

#[test]
fn an_accepted_change_reloads_the_windows_that_it_concerns_and_touches_nothing_else() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    days(&folder, &[(2, "1 2"), (3, "3 4 5"), (4, "6"), (6, "7")]);
    let load = load_of(&folder);
    run(&database, &load).exits(0);
    let kept = "select ts, xmin, ctid from metrics where ts >= '2024-01-02Z' and ts < '2024-01-03Z' order by 1";
    let untouched = database.rows(kept);
    // One changes, one vanishes, two come: before all others, and in between.
    days(&folder, &[(1, "8"), (3, "3 4 55 9"), (5, "10 11")]);
    fs::remove_file(format!("{}/s/04.csv", folder.path())).unwrap();
    run(&database, &load).exits(1).says(&[
        "04.csv has vanished;",
        "03.csv has changed;",
        "01.csv is new;",
        "05.csv is new",
        "--accept-changed-source",
    ]);
    let output = run(&database, &format!("{load} {ACCEPT} --json")).exits(0);
    let told = output.events_named("warning")[0]["message"].as_str().unwrap().to_owned();
    assert!(
        told.contains("1 object changed, 1 object vanished, 2 objects new; 1 window loaded again, 2 windows new, 1 window gone, 4 rows deleted"),
        "{told}"
    );
    let claimed: Vec<String> = output.events_named("claimed").iter().map(|event| event["window"].to_string()).collect();
    assert_eq!(
        claimed,
        ["\"[2024-01-01, 2024-01-02)\"", "\"[2024-01-03, 2024-01-04)\"", "\"[2024-01-05, 2024-01-06)\""]
    );
    assert_eq!(output.summary()["rows"], 7);
    expect_files(&database, &folder);
    database.assert_same("metrics", "expected");
    assert_eq!(database.rows(kept), untouched);
    assert_ledger_is_true(&database);
    run(&database, "verify j").exits(0).prints(&["5 windows"]);
    // Now this is the job's source, with or without the word.
    for again in [load.clone(), format!("{load} {ACCEPT}")] {
        let output = run(&database, &format!("{again} --json")).exits(0);
        assert_eq!((output.events_named("claimed").len(), &output.summary()["rows"]), (0, &0.into()));
    }
    run(&database, "undo j").exits(0);
    assert_eq!(database.count("metrics"), 0);
}

#[test]
fn a_finished_job_loads_one_new_file_and_reads_no_other() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    days(&folder, &[(1, "1"), (2, "2")]);
    let load = load_of(&folder);
    run(&database, &load).exits(0);
    days(&folder, &[(3, "3 4")]);
    let output = run(&database, &format!("{load} {ACCEPT} --json")).exits(0);
    assert_eq!((output.summary()["windows"].as_u64(), output.summary()["rows"].as_u64()), (Some(1), Some(2)));
    expect_files(&database, &folder);
    database.assert_same("metrics", "expected");
}

#[test]
fn rows_of_others_in_the_windows_concerned_stay() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    days(&folder, &[(1, "1"), (2, "2 3"), (3, "4")]);
    let load = load_of(&folder);
    run(&database, &load).exits(0);
    database.sql(
        "insert into metrics select '2024-01-02 12:00Z'::timestamptz + n * interval '1 h', 'other', n, 'not ours'
           from generate_series(0, 23) n",
    );
    days(&folder, &[(2, "22 33 44")]);
    fs::remove_file(format!("{}/s/03.csv", folder.path())).unwrap();
    run(&database, &format!("{load} {ACCEPT}")).exits(0);
    expect_files(&database, &folder);
    database.assert_same("(select * from metrics where note <> 'not ours')", "expected");
    assert_eq!(database.count("metrics where note = 'not ours'"), 24);
    assert_ledger_is_true(&database);
}

#[test]
fn a_window_whose_rows_others_have_changed_is_not_loaded_again_unless_asked_for() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    days(&folder, &[(1, "1"), (2, "2 3"), (3, "4 5")]);
    let load = load_of(&folder);
    run(&database, &load).exits(0);
    database.sql("update metrics set host = 'mended' where value = 2; delete from metrics where value = 4");
    let before = database.rows("select *, xmin from metrics order by ts");
    let refused = |what: &str| {
        run(&database, &format!("{load} {ACCEPT}")).exits(1).says(&[what, "--reload-missing"]);
        assert_eq!(database.rows("select *, xmin from metrics order by ts"), before);
        run(&database, &load).exits(1).says(&["has"]);
    };
    days(&folder, &[(2, "2 33")]);
    refused("only 1 of the 2 rows that job j loaded");
    days(&folder, &[(2, "2 3"), (3, "4 5 6")]);
    fs::remove_file(format!("{}/s/03.csv", folder.path())).unwrap();
    refused("only 1 of the 2 rows that job j loaded");
    days(&folder, &[(2, "2 33"), (3, "4 5 6")]);
    run(&database, &format!("{load} {ACCEPT} --existing replace")).exits(1).says(&["only 1 of the 2 rows"]);
    run(&database, &format!("{load} {ACCEPT} --existing replace --reload-missing")).exits(0);
    expect_files(&database, &folder);
    database.assert_same("metrics", "expected");
    run(&database, "verify j").exits(0);
}

#[test]
fn a_run_killed_after_it_accepted_a_change_is_resumed_with_or_without_the_word() {
    for word in ["", ACCEPT] {
        let (database, folder) = (Database::with(METRICS), Folder::new());
        let csv = metrics(60_000, 360);
        let (header, rows) = csv.split_once('\n').unwrap();
        let middle = rows.match_indices('\n').nth(29_999).unwrap().0 + 1;
        let file = |name: &str, rows: &str| folder.write(&format!("s/{name}.csv"), format!("{header}\n{rows}"));
        file("a", &rows[..middle]);
        file("b", &rows[middle..]);
        let load = load_of(&folder).replace("--window 1d", "--window 1h") + " --batch-rows 2000";
        run(&database, &load).exits(0);
        // The second half changes, and a file comes before all others, so that every window has another number.
        file("b", &rows[middle..].replace("host-7,", "host-seven,"));
        file("0", "2023-12-31T00:00:00Z,first,1.0000,first\n");
        let gate = Gate::close(&database, 54_000);
        let loader = gate.wait_for(start(&database, &format!("{load} {ACCEPT}")));
        loader.kill();
        gate.open();
        database.wait_until_alone();
        run(&database, &format!("{load} {word}")).exits(0);
        expect_files(&database, &folder);
        database.assert_same("metrics", "expected");
        assert_ledger_is_true(&database);
        run(&database, "verify j").exits(0);
    }
}

#[test]
fn a_half_loaded_job_over_a_changed_source_is_right_in_the_end() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = metrics(60_000, 360);
    folder.write("s/a.csv", &csv);
    let gate = Gate::close(&database, 33_000);
    let load = load_of(&folder).replace("--window 1d", "--window 1h") + " --batch-rows 2000";
    let loader = gate.wait_for(start(&database, &load));
    loader.kill();
    gate.open();
    database.wait_until_alone();
    folder.write("s/a.csv", metrics(50_000, 360));
    run(&database, &format!("{load} {ACCEPT}")).exits(0);
    expect_files(&database, &folder);
    database.assert_same("metrics", "expected");
    assert_ledger_is_true(&database);
    run(&database, "verify j").exits(0);
}

#[test]
fn a_run_frozen_while_its_windows_are_numbered_anew_writes_nothing_more() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = metrics(60_000, 360);
    folder.write("s/a.csv", &csv);
    let gate = Gate::close(&database, 20_000);
    let load = load_of(&folder).replace("--window 1d", "--window 1h").replace("--workers 1", "--workers 3")
        + " --lease 3s --batch-rows 2000";
    let frozen = gate.wait_for(start(&database, &load));
    frozen.signal("STOP");
    gate.open();
    let lease = "select count(*) from pgbackfill.runs where lease_until > now()";
    database.wait_until("the lease has run out", || database.one(lease) == "0");
    folder.write("s/0.csv", "ts,host,value,note\n2023-12-31T00:00:00Z,first,1.0000,first\n");
    let accepting = start(&database, &format!("{load} {ACCEPT}"));
    // Where it was frozen with a window's row in its hands, the change waits for that.
    let waiting =
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    database.wait_until("the change is accepted or waits", || accepting.has_ended() || database.one(waiting) != "0");
    frozen.signal("CONT");
    accepting.finish().exits(0);
    frozen.finish().exits(7);
    expect_files(&database, &folder);
    database.assert_same("metrics", "expected");
    assert_ledger_is_true(&database);
    run(&database, "verify j").exits(0);
}

#[test]
fn a_change_is_not_accepted_beside_a_live_run() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    folder.write("s/a.csv", metrics(60_000, 360));
    let gate = Gate::close(&database, 20_000);
    let load = load_of(&folder).replace("--window 1d", "--window 3h");
    let first = gate.wait_for(start(&database, &load));
    folder.write("s/b.csv", "ts,host,value,note\n2024-02-01T00:00:00Z,last,1.0000,last\n");
    for join in ["", "--join"] {
        run(&database, &format!("{load} {ACCEPT} {join}")).exits(7).says(&["is being loaded", "by process"]);
    }
    assert_eq!(database.count("pgbackfill.objects"), 1);
    gate.open();
    // The new file is none of the run's business, and is told all the same.
    first.finish().exits(0).says(&["the source has changed since it was planned", "s/b.csv is new"]);
    assert_eq!(database.count("metrics"), 60_000);
    run(&database, &load).exits(1).says(&["s/b.csv is new"]);
    run(&database, &format!("{load} {ACCEPT}")).exits(0);
    expect_files(&database, &folder);
    database.assert_same("metrics", "expected");
}

#[test]
fn new_objects_that_feed_other_columns_are_not_accepted() {
    let (database, folder) =
        (Database::with("create table t (ts timestamptz, a text, b text default 'none')"), Folder::new());
    folder.write("s/a.csv", "ts,a,b\n2024-01-01,x,y\n");
    let load = format!("load {}/s --table t --time-column ts --window 1d --job j", folder.path());
    run(&database, &load).exits(0);
    folder.write("s/a.csv", "ts,a\n2024-01-01,x\n");
    run(&database, &format!("{load} {ACCEPT}"))
        .exits(1)
        .says(&["now feeds other columns: it fed ts, a, b, and feeds ts, a"]);
    assert_eq!(database.rows("select b from t"), ["y"]);
}

#[test]
fn where_rows_carry_no_transaction_id_only_what_is_new_is_accepted() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    database.sql("create view v as select * from metrics");
    days(&folder, &[(1, "1"), (2, "2")]);
    let load = load_of(&folder).replace("metrics", "v");
    run(&database, &load).exits(0);
    days(&folder, &[(3, "3")]);
    run(&database, &format!("{load} {ACCEPT}")).exits(0);
    expect_files(&database, &folder);
    database.assert_same("metrics", "expected");
    days(&folder, &[(1, "11")]);
    run(&database, &format!("{load} {ACCEPT}")).exits(1).says(&["concerns 1 loaded window", "carry no transaction id"]);
    database.assert_same("metrics", "expected");
}

/// A source whose parts are what the test says: `(number, first, step, bytes)`, of five rows each.
struct Parts(Mutex<Vec<(u64, i64, i64, u64)>>);

impl Source for Parts {
    fn name(&self) -> &'static str {
        "parts"
    }

    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
    }

    fn parts(&self) -> pgbackfill::Result<Vec<Part>> {
        let part = |(number, first, step, bytes): &(u64, i64, i64, u64)| Part {
            number: *number,
            version: format!("{first} {step}"),
            bytes: *bytes,
        };
        Ok(self.0.lock().unwrap().iter().map(part).collect())
    }

    fn read(&self, part: &Part) -> pgbackfill::Result<Batches> {
        let parts = self.0.lock().unwrap();
        let (_, first, step, _) = *parts.iter().find(|each| each.0 == part.number).unwrap();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..5).map(|i| first + i * step)));
        Ok(Box::new(std::iter::once(Ok(RecordBatch::try_from_iter([("n", numbers)]).unwrap()))))
    }
}

fn load_parts(database: &Database, parts: &Arc<Parts>, time: bool, accept: bool) -> pgbackfill::Result<Summary> {
    let mut options = Options::new("t").with_window(WindowSize::Auto).with_job("j");
    options.time_column = time.then(|| "n".to_owned());
    options.accept_changed_source = accept;
    options.limits.workers = Some(1);
    let source: Arc<dyn Source> = Arc::clone(parts) as Arc<dyn Source>;
    block_on(Backfill::new(database.settings(), source, options).load(|_: &Event| (), &Stop::new()))
}

#[test]
fn windows_of_auto_keep_their_width_however_the_source_grows() {
    let database = Database::with("create table t (n bigint)");
    let mib = 1 << 20;
    // Keys from 0 to 9999 in 640 MiB: windows of a thousand. The last ends where the source does.
    let parts = Arc::new(Parts(Mutex::new(vec![(1, 0, 1, 320 * mib), (2, 9_500, 1, 320 * mib)])));
    load_parts(&database, &parts, true, false).unwrap();
    assert_eq!(database.rows("select lower, upper from pgbackfill.windows order by 1"), ["0|1000", "9000|9505"]);
    let former = database.rows("select n, xmin from t where n < 1000 order by 1");
    // A hundred times as many bytes would have made windows of ten.
    parts.0.lock().unwrap().push((3, 9_200, 700, 64_000 * mib));
    assert_eq!(load_parts(&database, &parts, true, false).unwrap_err().kind(), ErrorKind::Changed);
    let summary = load_parts(&database, &parts, true, true).unwrap();
    assert!(summary.is_complete(), "{summary:?}");
    assert_eq!(
        database.rows("select lower, upper from pgbackfill.windows order by 1"),
        ["0|1000", "9000|10000", "10000|11000", "11000|12000", "12000|12001"]
    );
    assert_eq!(database.rows("select n, xmin from t where n < 1000 order by 1"), former);
    assert_eq!(database.one("select count(*), count(distinct n) from t"), "15|15");
    load_parts(&database, &parts, true, false).unwrap();
}

#[test]
fn without_a_time_column_runs_of_the_same_pieces_stay_wherever_they_stand() {
    let database = Database::with("create table t (n bigint)");
    let bytes = 64 << 20;
    let parts = Arc::new(Parts(Mutex::new((2..6).map(|n| (n, i64::try_from(n).unwrap() * 100, 1, bytes)).collect())));
    load_parts(&database, &parts, false, false).unwrap();
    let former = database.rows("select n, xmin from t where n >= 300 order by 1");
    {
        // One comes before all others, and one changes.
        let mut parts = parts.0.lock().unwrap();
        parts.insert(0, (1, 100, 1, bytes));
        parts[1].1 = 250;
    }
    assert_eq!(load_parts(&database, &parts, false, false).unwrap_err().kind(), ErrorKind::Changed);
    let summary = load_parts(&database, &parts, false, true).unwrap();
    assert_eq!((summary.windows, summary.rows, summary.is_complete()), (2, 10, true));
    assert_eq!(database.rows("select n, xmin from t where n >= 300 order by 1"), former);
    let expected =
        "(select first + i as n from unnest('{100,250,300,400,500}'::bigint[]) first, generate_series(0, 4) i)";
    database.assert_same("t", expected);
    let verification = block_on(pgbackfill::verify(&database.settings(), None, &|_: &Event| ())).unwrap();
    assert!(verification.is_equal() && verification.windows == 5, "{verification:?}");
    let undone = block_on(pgbackfill::undo(&database.settings(), "j", MissingRows::Refuse, &|_: &Event| ())).unwrap();
    assert_eq!((undone.rows, database.count("t")), (25, 0));
}

/// Loads three windows of a file that is read once for each, and changes it while the second is loaded.
fn changed_while_it_is_read(name: &str, write: impl Fn(&str, u32), change: impl Fn(&str), says: &str) {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let path = folder.write(&format!("s/{name}"), "");
    write(&path, 60_000);
    let gate = Gate::close(&database, 30_000);
    let load = load_of(&folder).replace("--window 1d", "--window 2h") + " --batch-rows 2000";
    let loader = gate.wait_for(start(&database, &load));
    change(&path);
    gate.open();
    loader.finish().exits(1).says(&[says, name]);
    // The first is what it was; of the second there is nothing that is called loaded.
    assert_eq!(database.rows("select state from pgbackfill.windows order by number limit 1"), ["loaded"]);
    assert_eq!(database.count("pgbackfill.windows where state = 'loaded'"), database.count("metrics") / 20_000);
    write(&path, 50_000);
    run(&database, &load).exits(1).says(&["has changed"]);
    run(&database, &format!("{load} {ACCEPT}")).exits(0);
    database.copy_csv("expected", "header true", metrics(50_000, 360).as_bytes());
    database.assert_same("metrics", "expected");
    run(&database, "verify j").exits(0);
}

fn write_csv(path: &str, rows: u32) {
    fs::write(path, metrics(rows, 360)).unwrap();
}

fn truncate(path: &str) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

/// Puts another file in its place, of equal size and equal time of modification.
fn replace_alike(path: &str) {
    let (bytes, modified) = (fs::read(path).unwrap(), fs::metadata(path).unwrap().modified().unwrap());
    let other = format!("{path}.new");
    fs::write(&other, bytes).unwrap();
    File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
    fs::rename(&other, path).unwrap();
}

/// The same rows in Parquet, every column as text.
fn write_parquet(path: &str, rows: u32) {
    let csv = metrics(rows, 360);
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let records: Vec<Vec<&str>> = lines.collect();
    let column = |place: usize| {
        let values = records.iter().map(|record| record[place]);
        Arc::new(arrow_array::StringArray::from_iter_values(values)) as ArrayRef
    };
    let batch =
        RecordBatch::try_from_iter(names.iter().enumerate().map(|(place, name)| (*name, column(place)))).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_csv_file_that_is_written_anew_while_it_is_read_ends_the_run_and_nothing_is_mixed() {
    changed_while_it_is_read("a.csv", write_csv, |path| write_csv(path, 59_999), "changed since it was listed");
}

#[test]
fn a_parquet_file_that_is_written_anew_while_it_is_read_ends_the_run_and_nothing_is_mixed() {
    let change = |path: &str| write_parquet(path, 59_999);
    changed_while_it_is_read("a.parquet", write_parquet, change, "changed since it was listed");
}

#[test]
fn a_file_that_is_cut_short_while_it_is_read_ends_the_run_and_nothing_is_mixed() {
    changed_while_it_is_read("a.csv", write_csv, truncate, "changed since it was listed");
    changed_while_it_is_read("a.parquet", write_parquet, truncate, "changed since it was listed");
}

#[test]
fn a_file_that_vanishes_while_it_is_read_ends_the_run_and_nothing_is_mixed() {
    let remove = |path: &str| fs::remove_file(path).unwrap();
    changed_while_it_is_read("a.csv", write_csv, remove, "vanished since it was listed");
}

#[test]
fn a_file_in_whose_place_another_of_equal_size_and_time_is_put_ends_the_run() {
    changed_while_it_is_read("a.csv", write_csv, replace_alike, "another file has its name");
}

#[test]
fn a_table_that_is_no_longer_what_it_was_is_refused_with_each_difference() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    folder.write("s/a.csv", metrics(60_000, 360));
    let gate = Gate::close(&database, 20_000);
    let load = load_of(&folder).replace("--window 1d", "--window 3h");
    let loader = gate.wait_for(start(&database, &load));
    loader.kill();
    gate.open();
    database.wait_until_alone();
    let before = database.count("metrics");
    database.sql(
        "alter table metrics alter note type varchar(80), alter value type float8;
         alter table metrics add place text not null default 'here';
         alter table metrics alter place drop default",
    );
    run(&database, &load).exits(1).says(&[
        "public.metrics is not what it was when job j was begun",
        "column value of public.metrics is now double precision, and was numeric(7,4)",
        "column note of public.metrics is now character varying(80), and was text",
        "column place of public.metrics is new",
        "pgbackfill undo j",
    ]);
    assert_eq!(database.count("metrics"), before);
    assert_eq!(database.count("pgbackfill.runs where ended_at is null and lease_until > now()"), 1);
}

#[test]
fn a_column_that_rows_may_leave_out_is_no_difference_and_other_columns_are_no_concern() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    database.sql("alter table metrics add other int default 7; alter table expected add other int default 7");
    folder.write("s/a.csv", metrics(60_000, 360));
    let gate = Gate::close(&database, 20_000);
    let load = load_of(&folder).replace("--window 1d", "--window 3h");
    let loader = gate.wait_for(start(&database, &load));
    loader.kill();
    gate.open();
    database.wait_until_alone();
    for table in ["metrics", "expected"] {
        database.sql(&format!("alter table {table} add place text default 'here', alter other set default 8"));
    }
    run(&database, &load).exits(0);
    expect_files_in(&database, &folder);
    database.assert_same(
        "(select ts, host, value, note, place from metrics)",
        "(select ts, host, value, note, place from expected)",
    );
    run(&database, "verify j").exits(0);
}

/// The same for a table with more columns than the files.
fn expect_files_in(database: &Database, folder: &Folder) {
    let csv = fs::read(format!("{}/s/a.csv", folder.path())).unwrap();
    database.copy_csv("expected (ts, host, value, note)", "header true", &csv);
}

#[test]
fn a_table_that_was_dropped_and_made_anew_is_not_taken_for_the_one_that_was_half_loaded() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    days(&folder, &[(1, "1"), (2, "2")]);
    let load = load_of(&folder);
    run(&database, &load).exits(0);
    database.sql(
        "update pgbackfill.windows set state = 'pending' where number = 1;
         create table another (like metrics); drop table metrics; alter table another rename to metrics",
    );
    run(&database, &load).exits(1).says(&["it was dropped and made anew", "undo j --missing-ok"]);
    run(&database, "undo j").exits(1).says(&["only 0 of the 1 rows"]);
    run(&database, "undo j --missing-ok").exits(0);
    run(&database, &load).exits(0);
    assert_eq!(database.count("metrics"), 2);
}

#[test]
fn a_window_whose_rows_cannot_be_deleted_does_not_go() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    days(&folder, &[(2, "1 2")]);
    // A window of auto ends with the source's last row, and so goes for a longer one.
    let load = format!("load {}/s --table metrics --time-column ts --existing keep --job j", folder.path());
    run(&database, &load).exits(0);
    database.sql(
        "create function stay() returns trigger language plpgsql as 'begin return null; end';
         create trigger stay before delete on metrics for each row execute function stay()",
    );
    days(&folder, &[(3, "3")]);
    run(&database, &format!("{load} {ACCEPT}")).exits(1).says(&["2 rows of the job stay in public.metrics"]);
    assert_eq!(database.count("metrics"), 2);
    database.sql("drop trigger stay on metrics");
    run(&database, &format!("{load} {ACCEPT}")).exits(0);
    expect_files(&database, &folder);
    database.assert_same("metrics", "expected");
    run(&database, "verify j").exits(0);
}

#[test]
fn a_change_does_not_reach_into_the_range_that_another_job_is_loading() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    days(&folder, &[(2, "1 2")]);
    let load = load_of(&folder);
    run(&database, &load).exits(0);
    let path = folder
        .write("other.csv", "ts,host,value,note\n2024-01-05T00:00:00Z,other,1,x\n2024-01-05T01:00:00Z,other,2,x\n");
    let gate = Gate::close(&database, 2);
    let other = gate
        .wait_for(start(&database, &format!("load {path} --table metrics --time-column ts --window 1d --job other")));
    days(&folder, &[(5, "5")]);
    let accept = format!("{load} {ACCEPT} --existing replace");
    run(&database, &accept).exits(7).says(&["is being loaded as job other"]);
    gate.open();
    other.finish().exits(0);
    assert_eq!(database.count("metrics"), 4);
}
