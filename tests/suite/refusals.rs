//! Rows that only the server refuses: found among the rows of their batch, set aside with its own words, and every other
//! row loaded. The oracle is the server, asked row by row.

use std::fmt::Write as _;

#[cfg(feature = "failpoints")]
use crate::harness::run_with;
use crate::harness::{Database, Folder, Output, Random, run};

/// What a server may refuse: a table, what is there beforehand, and a value of `v` that is refused.
struct Kind {
    name: &'static str,
    /// Statements that make the table, in which `@` stands for its name.
    table: &'static str,
    /// A good value, in which `#` stands for the number of the row.
    good: &'static str,
    bad: &'static str,
    /// Whether rows can be skipped where they conflict: triggers before the insert leave no way to count them.
    skips: bool,
}

const TRIGGER: &str = "create function f_@() returns trigger language plpgsql as $$ begin
                         if new.v = 500 then raise exception 'five hundred' using hint = 'take another'; end if; return new; end $$; ";

const KINDS: [Kind; 14] = [
    Kind {
        name: "a check",
        table: "create table @ (ts timestamptz not null, id int, v int constraint small_@ check (v < 100))",
        good: "#",
        bad: "500",
        skips: true,
    },
    Kind {
        name: "a unique key of another's row",
        table: "create table @ (ts timestamptz not null, id int, v int primary key); insert into @ values ('2023-01-01Z', -1, 500)",
        good: "#",
        bad: "500",
        skips: false,
    },
    Kind {
        name: "a foreign key",
        table: "create table @ (ts timestamptz not null, id int, v int references parents)",
        good: "#",
        bad: "500",
        skips: true,
    },
    Kind {
        name: "a foreign key that is checked at the commit",
        table: "create table @ (ts timestamptz not null, id int, v int references parents deferrable initially deferred)",
        good: "#",
        bad: "500",
        skips: true,
    },
    Kind {
        name: "an exclusion constraint, and rows as text",
        table: "create table @ (ts timestamptz not null, id int, v box, exclude using gist (v with &&));
                insert into @ values ('2023-01-01Z', -1, '(1000,1000),(2000,2000)')",
        good: "\"(#.5,#.5),(#,#)\"",
        bad: "\"(1500,1500),(1501,1501)\"",
        skips: false,
    },
    Kind {
        name: "a value that its type does not read, and rows as text",
        table: "create table @ (ts timestamptz not null, id int, v box)",
        good: "\"(#,#),(#,#)\"",
        bad: "oops",
        skips: true,
    },
    Kind {
        name: "a row that no partition takes",
        table: "create table @ (ts timestamptz not null, id int, v int) partition by range (v);
                create table @_1 partition of @ for values from (0) to (30);
                create table @_2 partition of @ for values from (30) to (100)",
        good: "#",
        bad: "500",
        skips: true,
    },
    Kind {
        name: "a domain's check",
        table: "create domain small_@ as int check (value < 100); create table @ (ts timestamptz not null, id int, v small_@)",
        good: "#",
        bad: "500",
        skips: true,
    },
    Kind {
        name: "a trigger before the insert",
        table: "create table @ (ts timestamptz not null, id int, v int); #TRIGGER
                create trigger raises before insert on @ for each row execute function f_@()",
        good: "#",
        bad: "500",
        skips: false,
    },
    Kind {
        name: "a trigger after the insert",
        table: "create table @ (ts timestamptz not null, id int, v int); #TRIGGER
                create trigger raises after insert on @ for each row execute function f_@()",
        good: "#",
        bad: "500",
        skips: true,
    },
    Kind {
        name: "a constraint trigger at the commit",
        table: "create table @ (ts timestamptz not null, id int, v int); #TRIGGER
                create constraint trigger raises after insert on @ deferrable initially deferred for each row execute function f_@()",
        good: "#",
        bad: "500",
        skips: true,
    },
    Kind {
        name: "a null that a trigger might have filled",
        table: "create table @ (ts timestamptz not null, id int, v int not null); #TRIGGER
                create trigger raises before insert on @ for each row execute function f_@()",
        good: "#",
        bad: "",
        skips: false,
    },
    Kind {
        name: "an index on an expression",
        table: "create table @ (ts timestamptz not null, id int, v int); create index on @ ((100 / (v - 500)))",
        good: "#",
        bad: "500",
        skips: true,
    },
    Kind {
        name: "a value that is too long for an index",
        table: "create function long_@(v int) returns text immutable language sql as $$
                  select string_agg(md5(i::text), '') from generate_series(1, v) i $$;
                create table @ (ts timestamptz not null, id int, v int); create index on @ (long_@(v))",
        good: "#",
        bad: "500",
        skips: true,
    },
];

/// Rows of a source, in three windows of twenty.
const ROWS: usize = 60;

const SEVERAL: [usize; 7] = [0, 7, 8, 19, 25, 58, 59];

struct Scene {
    database: Database,
    load: String,
    lines: Vec<String>,
    _folder: Folder,
}

impl Scene {
    fn new(kind: &Kind, bad: &[usize]) -> Self {
        let (database, folder) = (Database::new(), Folder::new());
        database.sql("create table parents (id int primary key); insert into parents select generate_series(0, 99)");
        for name in ["t", "expected"] {
            database.sql(&kind.table.replace("#TRIGGER", TRIGGER).replace('@', name));
        }
        let line = |row: usize| {
            let v = if bad.contains(&row) { kind.bad.to_owned() } else { kind.good.replace('#', &row.to_string()) };
            format!("2024-01-{:02} {:02}:00Z,{row},{v}\n", 1 + row / 20, row % 20)
        };
        let lines: Vec<String> = (0..ROWS).map(line).collect();
        let path = folder.write("a.csv", format!("ts,id,v\n{}", lines.concat()));
        let load =
            format!("load {path} --table t --time-column ts --window 1d --workers 1 --existing keep --job j --json");
        Self { database, load, lines, _folder: folder }
    }

    fn load(&self, options: &str) -> Output {
        run(&self.database, &format!("{} {options}", self.load))
    }

    #[cfg(feature = "failpoints")]
    fn struck(&self, failpoints: &str, options: &str) -> Output {
        run_with(&self.database, &[("FAILPOINTS", failpoints)], &format!("{} {options}", self.load))
    }

    /// Asks the server row by row; what it refuses, as `record|byte|SQLSTATE`.
    fn ask(&self) -> Vec<String> {
        let (mut refused, mut byte) = (Vec::new(), "ts,id,v\n".len());
        for (row, line) in self.lines.iter().enumerate() {
            // An insert, for what is found at the commit is no answer to a COPY.
            let mut fields = line.trim_end().splitn(3, ',');
            let [ts, id, v] = [(); 3].map(|()| fields.next().unwrap());
            let v = if v.is_empty() { "null".to_owned() } else { format!("'{}'", v.trim_matches('"')) };
            let insert = format!("insert into expected (ts, id, v) values ('{ts}', {id}, {v})");
            if let Err(error) = self.database.try_sql(&insert) {
                refused.push(format!("{}|{byte}|{}", row + 1, error.code().unwrap().code()));
            }
            byte += line.len();
        }
        refused
    }

    /// Panics unless the table holds what row by row would have put there, and the ledger the rest as rejects.
    #[track_caller]
    fn is_as_row_by_row(&self) {
        let refused = self.ask();
        self.database.assert_same("(select ts, id, v::text from t)", "(select ts, id, v::text from expected)");
        let rejects = "select record, byte, sqlstate from pgbackfill.rejects order by record";
        assert_eq!(self.database.rows(rejects), refused);
        let counted = "select sum(rows), sum(rejected) from pgbackfill.windows where state = 'loaded'";
        let loaded = ROWS - refused.len();
        assert_eq!(self.database.one(counted), format!("{loaded}|{}", refused.len()));
        let sums = "select sum(rows) from pgbackfill.batches";
        assert_eq!(self.database.rows(sums), [if loaded == 0 { "0".to_owned() } else { loaded.to_string() }]);
        run(&self.database, "verify j").exits(0);
    }
}

/// Each kind, with one row refused, with several and with all.
#[track_caller]
fn every_kind(options: &str, wanted: impl Fn(&Kind) -> bool) {
    for kind in KINDS.iter().filter(|kind| wanted(kind)) {
        let all: Vec<usize> = (0..ROWS).collect();
        for bad in [&[27][..], &SEVERAL, &all] {
            eprintln!("{}, {} of {ROWS} rows, {options}", kind.name, bad.len());
            let scene = Scene::new(kind, bad);
            let output = scene.load(&format!("--max-rejects 60 {options}")).exits(3);
            assert!(!output.events_named("bisecting").is_empty(), "{output:?}");
            scene.is_as_row_by_row();
        }
    }
}

#[test]
fn rows_that_the_server_refuses_are_found_in_batches() {
    every_kind("--batch-rows 13", |_| true);
}

#[test]
fn rows_that_the_server_refuses_are_found_in_windows_of_one_transaction() {
    every_kind("--commit window", |_| true);
}

#[test]
fn rows_that_the_server_refuses_are_found_where_conflicts_are_skipped() {
    every_kind("--on-conflict skip", |kind| kind.skips);
}

#[test]
fn of_rows_of_one_key_in_a_source_the_first_is_loaded() {
    for options in ["--batch-rows 7", "--commit window", "--threads 1"] {
        let kind = Kind { good: "7", ..KINDS[1] };
        let scene = Scene::new(&kind, &[3, 40]);
        scene.load(&format!("--max-rejects 60 {options}")).exits(3);
        scene.is_as_row_by_row();
        assert_eq!(scene.database.rows("select id from t order by id"), ["-1", "0"]);
    }
}

#[test]
fn a_reject_has_the_servers_words_and_the_row_as_it_stood() {
    let scene = Scene::new(&KINDS[0], &[27]);
    scene.load("--max-rejects 1").exits(3);
    let found = scene.database.one(
        "select object like '%/a.csv', record, byte, coalesce(column_name, '-'), reason, sqlstate, convert_from(raw, 'UTF8')
           from pgbackfill.rejects",
    );
    let byte = 8 + scene.lines[..27].concat().len();
    let raw = scene.lines[27].trim_end();
    let reason = "new row for relation \"t\" violates check constraint \"small_t\": Failing row contains (2024-01-02 07:00:00+00, 27, 500).";
    assert_eq!(found, format!("t|28|{byte}|-|{reason}|23514|{raw}"));
    run(&scene.database, "verify j").exits(0).prints(&["not there: 1 row of the source, rejected", ": equal"]);
    run(&scene.database, "rejects j").exits(0).prints(&[raw]).says(&["violates check constraint \"small_t\""]);
}

#[test]
fn a_table_with_updates_on_conflict_rejects_what_the_server_refuses() {
    let kind = Kind {
        table: "create table @ (ts timestamptz not null, id int primary key, v int check (v < 100));
                insert into @ values ('2024-01-01Z', 3, 1), ('2024-01-03Z', 41, 1)",
        ..KINDS[0]
    };
    let scene = Scene::new(&kind, &SEVERAL);
    scene.load("--max-rejects 7 --on-conflict update").exits(3);
    assert_eq!(
        scene.database.one("select sum(rows), sum(rows_updated), sum(rejected) from pgbackfill.windows"),
        "53|2|7"
    );
    assert_eq!(scene.database.count("t where v = id"), 53);
    run(&scene.database, "verify j").exits(0);
    // Two rows of one key are nobody's fault alone, and still end the run.
    let kind = Kind { good: "7", ..kind };
    let kind = Kind { table: "create table @ (ts timestamptz not null, id int, v int primary key)", ..kind };
    let scene = Scene::new(&kind, &[]);
    scene
        .load("--max-rejects 60 --on-conflict update")
        .exits(1)
        .says(&["two source rows of the window have the same key"]);
    assert_eq!(scene.database.count("t"), 0);
}

#[test]
fn more_refused_rows_than_are_allowed_end_the_run_and_a_resume_may_allow_more() {
    for options in ["--batch-rows 13", "--commit window"] {
        let scene = Scene::new(&KINDS[0], &SEVERAL);
        scene.load(options).exits(1).says(&["(23514)"]);
        for limit in ["0", "3", "6"] {
            let output = scene.load(&format!("{options} --max-rejects {limit}")).exits(1);
            if limit != "0" {
                output.says(&[&format!("--max-rejects {limit} allows no more")]);
            }
        }
        scene.load(&format!("{options} --max-rejects 7")).exits(3);
        scene.is_as_row_by_row();
    }
}

#[test]
fn a_row_that_the_server_refuses_is_named_where_none_may_be_rejected() {
    for options in ["--batch-rows 13", "--commit window", "--commit window --batch-rows 7"] {
        for kind in &KINDS {
            eprintln!("{}, {options}", kind.name);
            let scene = Scene::new(kind, &SEVERAL[3..]);
            let output = scene.load(options).exits(1);
            let byte = 8 + scene.lines[..19].concat().len();
            output.says(&[&format!("/a.csv record 20, byte {byte}"), "--max-rejects 100"]);
            assert_eq!(scene.database.count("pgbackfill.rejects"), 0);
            assert_eq!(scene.database.count("pgbackfill.windows where state = 'loaded'"), 0);
            scene.load(&format!("{options} --max-rejects 60")).exits(3);
            scene.is_as_row_by_row();
        }
    }
}

#[test]
fn a_row_that_only_lacks_others_is_not_named_for_one_that_is_at_fault() {
    // Alone, none of the first thirty rows is taken: each has a later one for its parent.
    let rows = |bad: &dyn Fn(usize) -> String| {
        (0..64).map(|row| format!("{row},2024-01-01Z,{}\n", bad(row))).collect::<Vec<_>>().concat()
    };
    let parent = |row: usize| if row < 30 { (63 - row).to_string() } else { String::new() };
    for options in ["", "--commit window"] {
        let (database, folder) = (Database::new(), Folder::new());
        database.sql("create table t (id int primary key, ts timestamptz not null, n int check (n <> 7), parent int references t)");
        let load = |csv: &str, name: &str| {
            let path = folder.write(&format!("{name}.csv"), format!("id,ts,n,parent\n{csv}"));
            run(&database, &format!("load {path} --table t --time-column ts --window 1d --job {name} {options}"))
        };
        let checked = rows(&|row| format!("{},{}", if row == 32 { 7 } else { 1 }, parent(row)));
        load(&checked, "a").exits(1).says(&["(23514)", "a.csv record 33"]);
        let orphaned = rows(&|row| format!("1,{}", if row == 40 { "999".to_owned() } else { parent(row) }));
        load(&orphaned, "b").exits(1).says(&["Key (parent)=(999)", "(23503)", "b.csv record 41"]);
        assert_eq!(database.count("t"), 0);
        load(&rows(&|row| format!("1,{}", parent(row))), "c").exits(0);
    }
}

#[test]
fn a_window_is_tried_whole_whatever_was_refused_before_it() {
    // The first row of the second day needs the last one, which is more than a held batch away.
    for options in ["--batch-rows 250000", "--commit window"] {
        let (database, folder) = (Database::new(), Folder::new());
        database.sql(
            "create table t (id int primary key, ts timestamptz not null, n int check (n <> 7),
                             parent int references t deferrable initially deferred)",
        );
        let mut csv = "id,ts,n,parent\n1,2024-01-01Z,7,\n2,2024-01-01Z,1,\n".to_owned();
        for id in 3..=20_000 {
            writeln!(csv, "{id},2024-01-02Z,1,{}", if id == 3 { "20000" } else { "" }).unwrap();
        }
        let path = folder.write("a.csv", csv);
        let load =
            format!("load {path} --table t --time-column ts --window 1d --workers 1 --job j --max-rejects 9 {options}");
        run(&database, &load).exits(3);
        assert_eq!(database.rows("select record, sqlstate from pgbackfill.rejects"), ["1|23514"]);
        assert_eq!(database.count("t"), 19_999);
    }
}

#[test]
fn whatever_code_a_trigger_or_an_input_function_gives_its_row_is_found() {
    for code in ["45000", "MY001"] {
        let trigger = format!("create function f_@() returns trigger language plpgsql as $$ begin
                                 if new.v = 500 then raise exception 'no' using errcode = '{code}'; end if; return new; end $$;");
        let (database, folder) = (Database::new(), Folder::new());
        database.sql("create table t (ts timestamptz not null, v int)");
        database.sql(&trigger.replace('@', "t"));
        database.sql("create trigger raises after insert on t for each row execute function f_t()");
        let path = folder.write("a.csv", "ts,v\n2024-01-01Z,1\n2024-01-01Z,500\n2024-01-01Z,3\n");
        let load = format!("load {path} --table t --time-column ts --window 1d --job j");
        run(&database, &load).exits(1).says(&["a.csv record 2", code]);
        run(&database, &format!("{load} --max-rejects 1")).exits(3);
        assert_eq!(database.rows("select record, sqlstate from pgbackfill.rejects"), [format!("2|{code}")]);
        assert_eq!(database.count("t"), 2);
    }
    let (database, folder) = (Database::new(), Folder::new());
    database.sql("create table t (ts timestamptz not null, v tsvector, r regclass)");
    let path =
        folder.write("a.csv", "ts,v,r\n2024-01-01Z,a b,\n2024-01-01Z,'abc,\n2024-01-01Z,,nowhere\n2024-01-01Z,,t\n");
    let load = format!("load {path} --table t --time-column ts --window 1d --job j");
    run(&database, &load).exits(1).says(&["a.csv record 2", "in column \"v\"", "(42601)"]);
    run(&database, &format!("{load} --max-rejects 2")).exits(3);
    let rejects = database.rows("select record, sqlstate, column_name from pgbackfill.rejects order by 1");
    assert_eq!(rejects, ["2|42601|v", "3|42P01|r"]);
    assert_eq!(database.count("t"), 2);
}

#[test]
fn more_rejects_than_memory_holds_are_entered_in_batches_of_their_own() {
    let (database, folder) = (Database::new(), Folder::new());
    database.sql("create table t (id int, ts timestamptz not null, n int check (n <> 7), pad text)");
    let pad = "a".repeat(62_000);
    let mut csv = "id,ts,n,pad\n".to_owned();
    for id in 0..1_120 {
        writeln!(csv, "{id},2024-01-01Z,7,{pad}").unwrap();
    }
    csv.push_str("9999,2024-01-01Z,1,b\n");
    let path = folder.write("a.csv", csv);
    let load = format!("load {path} --table t --time-column ts --window 1d --job j --max-rejects 100%");
    run(&database, &load).exits(3);
    assert_eq!(database.count("pgbackfill.rejects"), 1_120);
    assert_eq!(database.rows("select id from t"), ["9999"]);
    assert_eq!(database.one("select sum(rows), max(rejected) from pgbackfill.windows"), "1|1120");
    run(&database, "verify j").exits(0);
}

#[test]
fn a_key_that_is_there_is_told_with_what_serves_it() {
    let scene = Scene::new(&KINDS[1], &[27]);
    scene.load("").exits(1).says(&["record 28", "(23505)", "--on-conflict skip"]);
}

#[test]
fn an_error_that_is_no_rows_fault_is_told_and_no_row_is_rejected_for_it() {
    let scene = Scene::new(&KINDS[0], &SEVERAL);
    scene.database.sql(
        "create function gone() returns trigger language plpgsql as $$ begin perform no_such_function(); return null; end $$;
         create trigger gone after insert on t execute function gone()",
    );
    scene.load("--max-rejects 60").exits(1).says(&["no_such_function"]);
    assert_eq!(scene.database.count("pgbackfill.rejects"), 0);
    assert_eq!(scene.database.count("t"), 0);
}

#[test]
fn a_source_in_no_order_is_searched_too() {
    // So many windows over one piece that it is read once, into the spool, where no row has a place any more.
    let mut scene = Scene::new(&KINDS[2], &SEVERAL);
    scene.load = scene.load.replace("--window 1d", "--window 2h");
    scene.load("--max-rejects 7").exits(3).prints(&["into a temporary file"]);
    scene.is_as_row_by_row();
}

#[test]
fn finding_few_rows_among_many_takes_few_transactions() {
    let (database, folder) = (Database::new(), Folder::new());
    let table =
        |name: &str| format!("create table {name} (ts timestamptz not null, id int, v int references parents);");
    database.sql(&format!(
        "create table parents (id int primary key); insert into parents values (1); {} {}",
        table("t"),
        table("expected")
    ));
    let (mut random, mut csv, rows) = (Random(7), String::from("ts,id,v\n"), 20_000_u64);
    let bad: std::collections::BTreeSet<u64> = (0..9).map(|_| random.below(rows)).collect();
    for row in 0..rows {
        let v = if bad.contains(&row) { 2 } else { 1 };
        let (hours, minutes, seconds) = (row / 3600, row / 60 % 60, row % 60);
        writeln!(csv, "2024-01-01 {hours:02}:{minutes:02}:{seconds:02}Z,{row},{v}").unwrap();
    }
    let path = folder.write("many.csv", &csv);
    let load = format!("load {path} --table t --time-column ts --window 1d --workers 1 --job j --max-rejects 9 --json");
    run(&database, &load).exits(3);
    assert_eq!(database.count("t"), rows - bad.len() as u64);
    let found = database.rows("select record - 1 from pgbackfill.rejects order by record");
    assert_eq!(found, bad.iter().map(ToString::to_string).collect::<Vec<_>>());
    // Good parts are batches: about two for each halving and row, not one for each row.
    let batches = database.count("pgbackfill.batches");
    assert!(batches < 9 * 2 * 15, "{batches} batches");
    run(&database, "verify j").exits(0);
}

#[cfg(feature = "failpoints")]
mod struck {
    use super::{KINDS, SEVERAL, Scene};

    const SEARCH: [(&str, u32); 5] = [("probe", 0), ("probe", 3), ("probe", 9), ("mid-copy", 5), ("after-rejects", 0)];

    /// Kills and fails the search at many moments; the same command then ends it.
    #[track_caller]
    fn strike(options: &str, rest: &[(&str, u32)]) {
        let options = format!("{options} --max-rejects 7 --retry-for 60s");
        for (point, passes) in SEARCH.iter().chain(rest) {
            for action in ["return(kill)", "return(error)"] {
                eprintln!("{options}: {point} {action} after {passes}");
                let scene = Scene::new(&KINDS[2], &SEVERAL);
                let output = scene.struck(&format!("{point}={passes}*off->1*{action}"), &options);
                scene.database.wait_until_alone();
                let output = output.exits(if action == "return(error)" { 3 } else { -6 });
                output.says(&[&format!("failpoint {point}")]);
                scene.load(&options).exits(3);
                scene.is_as_row_by_row();
            }
        }
    }

    #[test]
    fn a_search_that_is_killed_or_cut_off_in_batches_loses_and_doubles_nothing() {
        strike("--batch-rows 13", &[("after-copy", 1), ("after-record", 0), ("last-batch", 1), ("after-commit", 1)]);
    }

    #[test]
    fn a_search_that_is_killed_or_cut_off_in_windows_of_one_transaction_loses_and_doubles_nothing() {
        strike("--commit window", &[("after-copy", 1), ("last-batch", 1), ("after-commit", 1)]);
    }
}
