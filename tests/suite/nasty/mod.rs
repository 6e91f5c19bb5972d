//! Nasty CSV files: each file of `fixtures/nasty` is loaded by the real binary, and must give the rows, the rejects or the
//! refusal that stand beside it; where COPY reads it with equal meaning, COPY must agree.

mod expected;
mod large;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use expected::{Nasty, Refusal};

use crate::harness::{Database, Output, Session, run_args};

/// How many of a hundred files are loaded rightly by what `inspect` recommends.
const AGREED_PERCENT_MIN: usize = 97;

/// Types that tables of the corpus have beside the server's own.
const TYPES: &str = "
    create type odd as enum ('plain', 'very, \"odd\"');
    create domain positive as int check (value > 0);";

/// Loads side by side: processes mostly wait for the server.
const AT_ONCE: usize = 4;

/// The corpus is at least this large.
const FILES_MIN: usize = 150;

#[test]
fn every_nasty_file_is_stored_as_its_rows_say_or_refused_as_it_says() {
    let files = expected::all();
    assert!(files.len() >= FILES_MIN, "only {} files are left", files.len());
    let (database, left_out) = (Database::with(TYPES), Mutex::new(Vec::new()));
    run_args(&database, &["init"]).exits(0);
    let help = run_args(&database, &["load", "--help"]).exits(0).stdout;
    let faults = side_by_side(&files, |file, number| {
        if file.needs(&help) {
            left_out.lock().unwrap().push(file.name.clone());
            return;
        }
        check(file, &database, &database.connect(), number);
    });
    let left_out = left_out.into_inner().unwrap();
    if !left_out.is_empty() {
        eprintln!("LEFT OUT, {} files whose options are not known yet: {left_out:?}", left_out.len());
    }
    assert!(faults.is_empty(), "{} of {} files fail:\n\n{}", faults.len(), files.len(), faults.join("\n\n"));
}

#[test]
fn inspect_recommends_the_options_that_read_a_nasty_file() {
    let mut files = expected::all();
    let database = Database::with(TYPES);
    run_args(&database, &["init"]).exits(0);
    let help = run_args(&database, &["load", "--help"]).exits(0).stdout;
    files.retain(|file| file.refused.is_none() && !file.needs(&help));
    let differing = side_by_side(&files, |file, number| {
        let flags = recommended(file, &database);
        let session = database.connect();
        let table = Table::create(file, &session, number);
        let output = table.load(file, &database, &flags);
        assert_eq!(output.code, file.exit, "with {flags:?}: {}", output.stderr);
        table.holds(&session, &file.rows, &format!("with {flags:?} the table"));
    });
    let fails = |file: &Nasty| differing.iter().any(|fault| fault.starts_with(&format!("{}, ", file.name)));
    let (excused, others): (Vec<&Nasty>, Vec<&Nasty>) = files.iter().partition(|file| file.inspect.is_some());
    let alike = |files: &[&Nasty]| files.iter().filter(|file| !fails(file)).count();
    let (agreed, by_chance) = (alike(&others), alike(&excused));
    println!("what inspect recommends loads {agreed} of {} files rightly", others.len());
    println!("of {} others, which no look can tell, {by_chance}", excused.len());
    let unexpected = differing.iter().filter(|fault| !excused.iter().any(|file| fault.starts_with(&file.name)));
    unexpected.for_each(|fault| println!("\n{fault}"));
    assert!(agreed * 100 >= others.len() * AGREED_PERCENT_MIN, "only {agreed} of {}", others.len());
}

/// The flags that `inspect` recommends for a file, given what no look could tell.
fn recommended(file: &Nasty, database: &Database) -> Vec<String> {
    let given = file.given_to_inspect();
    let mut words = vec!["inspect", &file.path, "--json"];
    let time = file.time.as_ref().map(|column| file.source_name(column));
    words.extend(time.iter().flat_map(|column| ["--time-column", column]));
    words.extend(given.iter().map(String::as_str));
    let found = run_args(database, &words).exits(0).json();
    let flags = found["advice"]["flags"].as_array().cloned().unwrap_or_default();
    let mut flags: Vec<String> = flags.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect();
    // How many rows may be bad is not for inspect to say.
    let at = file.options.iter().position(|word| word == "--max-rejects");
    flags.extend(at.into_iter().flat_map(|at| file.options[at..at + 2].to_vec()));
    flags.extend(file.given_to_load());
    flags
}

/// Runs `check` on every file, with its number, and gives what failed.
fn side_by_side(files: &[Nasty], check: impl Fn(&Nasty, usize) + Sync) -> Vec<String> {
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((number, file)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, files.get(at)?)))
        {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(file, number))) {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                faults.lock().unwrap().push(format!("{}, {}\n{}", file.name, file.what, text.unwrap_or_default()));
            }
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let mut faults = faults.into_inner().unwrap();
    faults.sort();
    faults
}

/// Loads a file into a table of its own and looks at what came of it.
fn check(file: &Nasty, database: &Database, session: &Session, number: usize) {
    let table = Table::create(file, session, number);
    let output = table.load(file, database, &[&file.options[..], &file.given[..]].concat());
    match &file.refused {
        Some(refusal) => refused(&output, refusal, file),
        None => drop(output.exits(file.exit)),
    }
    table.holds(session, &file.rows, "the table");
    table.rejected(session, file);
    if let Some(options) = &file.copy {
        table.copied(session, file, options);
    }
    if let Some(options) = &file.copy_refuses {
        let copied = session.try_copy_csv(&table.oracle, options, &file.csv());
        assert!(copied.is_err(), "COPY takes it");
    }
}

fn refused(output: &Output, refusal: &Refusal, file: &Nasty) {
    let all = format!("{output:?}");
    assert_eq!(output.code, refusal.exit, "{all}");
    for text in &refusal.says {
        assert!(output.stderr.contains(text), "it does not say {text:?}: {}", output.stderr);
    }
    let place = match (refusal.record, refusal.byte) {
        (Some(record), Some(byte)) => format!("{} record {record}, byte {byte}", file.path),
        (Some(record), None) => format!("{} record {record},", file.path),
        (None, Some(byte)) => format!("byte {byte}"),
        (None, None) => return,
    };
    assert!(output.stderr.contains(&place), "it does not name {place}: {}", output.stderr);
}

/// The table of one file, in a schema of its own, and one like it for COPY.
struct Table {
    schema: String,
    name: String,
    oracle: String,
    /// Its columns as texts, for a query.
    columns: String,
}

impl Table {
    fn create(file: &Nasty, session: &Session, number: usize) -> Self {
        let schema = format!("nasty_{number}");
        session.sql(&format!(
            "set timezone = 'UTC'; create schema {schema}; create table {schema}.t ({});
             create table {schema}.oracle (like {schema}.t including all)",
            file.table
        ));
        let columns = session.one(&format!(
            "select string_agg(format('%I::text', attname), ', ' order by attnum) from pg_attribute
             where attrelid = '{schema}.t'::regclass and attnum > 0"
        ));
        Self { name: format!("{schema}.t"), oracle: format!("{schema}.oracle"), schema, columns }
    }

    /// Loads the file with `options`.
    fn load(&self, file: &Nasty, database: &Database, options: &[String]) -> Output {
        let mut words = vec!["load", &file.path, "--table", &self.name, "--job", &self.schema];
        match &file.time {
            Some(column) => words.extend(["--time-column", column]),
            None => words.push("--no-time-column"),
        }
        if file.rows.is_empty() && file.exit == 0 {
            words.push("--allow-empty");
        }
        words.extend(options.iter().map(String::as_str));
        run_args(database, &words)
    }

    /// Panics unless a table holds exactly `rows`, in any order.
    fn holds(&self, session: &Session, rows: &[Vec<Option<String>>], what: &str) {
        let table = if what == "COPY" { &self.oracle } else { &self.name };
        let stored = session.rows(&format!("select to_json(array[{}]) from {table}", self.columns));
        let read = |row: &String| serde_json::from_str(row).expect("the server writes JSON");
        let mut stored: Vec<Vec<Option<String>>> = stored.iter().map(read).collect();
        let mut rows = rows.to_vec();
        stored.sort();
        rows.sort();
        assert!(stored == rows, "{what} holds\n  {stored:?}\nand not\n  {rows:?}");
    }

    /// Panics unless COPY stores the rows that are expected.
    fn copied(&self, session: &Session, file: &Nasty, options: &str) {
        if let Some(zone) = file.given_value("--timezone") {
            session.sql(&format!("set timezone = '{zone}'"));
        }
        session.copy_csv(&self.oracle, options, &file.csv());
        session.sql("set timezone = 'UTC'");
        self.holds(session, &file.rows, "COPY");
    }

    /// Panics unless the ledger has the rejects that are expected, and no others.
    fn rejected(&self, session: &Session, file: &Nasty) {
        if file.rejects.is_empty() {
            return;
        }
        let stored = session.rows(&format!(
            "select record, byte, column_name, encode(raw, 'escape') from pgbackfill.rejects join pgbackfill.jobs
             on job_id = jobs.id where name = '{}' order by record",
            self.schema
        ));
        assert_eq!(stored.len(), file.rejects.len(), "{stored:?}");
        for (row, expected) in stored.iter().zip(&file.rejects) {
            let fields: Vec<&str> = row.splitn(4, '|').collect();
            let is = |at: usize, wanted: Option<String>| wanted.is_none_or(|wanted| wanted == fields[at]);
            let same = is(0, Some(expected.record.to_string())) && is(1, expected.byte.map(|byte| byte.to_string()));
            let same = same && fields[2] == expected.column.as_deref().unwrap_or("null") && is(3, expected.raw.clone());
            assert!(same, "{row} is not {expected:?}");
        }
    }
}
