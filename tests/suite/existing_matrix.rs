//! `--existing` by `--scope` by kind of table: for every combination, which rows stand there after load, verify and undo.

use std::fmt::Write as _;

use crate::harness::{Database, Folder, Output, run};

/// A kind of target: how it is made, and how rows that are not the job's get into it.
struct Kind {
    /// Makes `t`, and what lies beneath it.
    setup: &'static str,
    /// Puts `others` into it.
    foreign: &'static str,
    /// A query for the rows that the job has written, told without `xmin`; and one for rows that no job may reach.
    ours: &'static str,
    beyond: &'static str,
    /// Whether its rows carry transaction ids.
    has_xmin: bool,
}

const COLUMNS: &str = "(ts timestamptz not null, tenant int, note text)";

const PLAIN: Kind = Kind {
    setup: "create table t COLUMNS",
    foreign: "insert into t table others",
    ours: "select * from t where note = 'ours'",
    beyond: "select * from others where false",
    has_xmin: true,
};

/// Two days have a partition, and all others share the default one.
const PARTITIONED: Kind = Kind {
    setup: "create table t COLUMNS partition by range (ts);
            create table t1 partition of t for values from ('2024-01-01Z') to ('2024-01-02Z');
            create table t2 partition of t for values from ('2024-01-02Z') to ('2024-01-03Z');
            create table t_default partition of t default",
    ..PLAIN
};

/// Rows of others stand in the parent and in its children, one of them a grandchild.
const PARENT: Kind = Kind {
    setup: "create table t COLUMNS;
            create table child () inherits (t);
            create table grandchild () inherits (child)",
    foreign: "insert into child select * from others where ts < '2024-01-02 12:00Z';
              insert into grandchild select * from others where ts > '2024-01-02 12:00Z' and ts < '2024-01-05Z';
              insert into t select * from others where ts >= '2024-01-05Z'",
    ours: "select * from only t where note = 'ours'",
    ..PLAIN
};

/// Rows of the parent itself and of a sibling stand in the same windows, and are not the table's.
const CHILD: Kind = Kind {
    setup: "create table parent COLUMNS;
            create table t () inherits (parent);
            create table sibling () inherits (parent)",
    foreign: "insert into t table others;
              insert into parent select ts, tenant, 'beyond' from others;
              insert into sibling select ts + '6 h', tenant, 'beyond' from others",
    beyond: "select * from parent where note = 'beyond'",
    ..PLAIN
};

/// Rows that the view does not show are beyond it.
const VIEW: Kind = Kind {
    setup: "create table base COLUMNS;
            create view t as select * from base where note <> 'beyond'",
    foreign: "insert into base table others;
              insert into base select ts, tenant, 'beyond' from others",
    beyond: "select * from base where note = 'beyond'",
    has_xmin: false,
    ..PLAIN
};

/// Rows of others: at the very bounds of the second and the third window, and of the whole range from outside.
const OTHERS: &str = "
    insert into others values
      ('2023-12-31 23:59:59.999999Z', 2, 'theirs'),
      ('2024-01-02 00:00Z', 2, 'theirs'),
      ('2024-01-03 23:59:59.999999Z', 2, 'theirs'),
      ('2024-01-05 00:00Z', 2, 'theirs')";

/// Ours: four windows, with rows at both bounds of each.
fn csv() -> String {
    let mut csv = String::from("ts,tenant,note\n");
    for day in 1..=4 {
        for time in ["00:00", "12:00", "23:59:59.999999"] {
            writeln!(csv, "2024-01-0{day} {time}Z,1,ours").expect("a String takes any text");
        }
    }
    csv
}

/// How a load with rows of others in its second and third window is to end.
struct Expected {
    code: i32,
    states: &'static str,
    /// Rows of ours, and those of others, that are there afterwards.
    ours: &'static str,
    others: &'static str,
    verify: i32,
}

const ALL_BESIDE: Expected =
    Expected { code: 0, states: "loaded loaded loaded loaded", ours: "true", others: "true", verify: 0 };
const REPLACED: Expected = Expected { others: "ts < '2024-01-01Z' or ts >= '2024-01-05Z'", ..ALL_BESIDE };
const STOPPED: Expected = Expected {
    code: 1,
    states: "loaded failed pending pending",
    ours: "ts < '2024-01-02Z'",
    others: "true",
    verify: 4,
};
const SKIPPED: Expected = Expected {
    code: 0,
    states: "loaded skipped skipped loaded",
    ours: "ts < '2024-01-02Z' or ts >= '2024-01-04Z'",
    ..ALL_BESIDE
};

/// Scopes that every row of ours is in; only the last leaves those of others out.
const SCOPES: [(&str, bool); 3] = [("", true), ("--scope 'tenant < 10'", true), ("--scope 'tenant = 1'", false)];

fn expected(existing: &str, in_scope: bool) -> Expected {
    match (existing, in_scope) {
        ("error", true) => STOPPED,
        ("replace", true) => REPLACED,
        ("skip", true) => SKIPPED,
        _ => ALL_BESIDE,
    }
}

struct Matrix<'a> {
    kind: &'a Kind,
    database: Database,
    _folder: Folder,
    path: String,
}

impl Matrix<'_> {
    fn run(&self, line: &str) -> Output {
        run(&self.database, line)
    }

    /// Puts the table back to what it was before the first load.
    fn set_up(&self) {
        let setup = self.kind.setup.replace("COLUMNS", COLUMNS);
        self.database.sql(&format!(
            "drop schema public cascade; create schema public; drop schema if exists pgbackfill cascade;
             create table others {COLUMNS}; create table expected {COLUMNS}; create table untouched {COLUMNS};
             {OTHERS}; {setup}; {}; insert into untouched {}",
            self.kind.foreign, self.kind.beyond
        ));
        self.database.copy_csv("expected", "header true", csv().as_bytes());
    }

    /// Panics unless `t` holds those rows of ours and of others, in the relations where they belong.
    #[track_caller]
    fn holds(&self, combination: &str, ours: &str, others: &str) {
        eprintln!("{combination}");
        let wanted = format!("(select * from expected where {ours})");
        self.database.assert_same(&format!("({})", self.kind.ours), &wanted);
        self.database
            .assert_same("(select * from t where note <> 'ours')", &format!("(select * from others where {others})"));
        self.database.assert_same(&format!("({})", self.kind.beyond), "untouched");
    }

    #[track_caller]
    fn combine(&self, existing: &str, scope: &str, expected: &Expected) {
        let combination = format!("--existing {existing} {scope}");
        self.set_up();
        let load = format!("load {} --table t --time-column ts --window 1d --workers 1 --job j", self.path);
        let loaded = self.run(&format!("{load} {combination}")).exits(expected.code);
        if expected.code != 0 {
            loaded.says(&["window [2024-01-02, 2024-01-03)", "already holds rows that this job did not write"]);
        }
        self.holds(&combination, expected.ours, expected.others);
        let states = "select string_agg(state, ' ' order by number) from pgbackfill.windows";
        assert_eq!(self.database.one(states), expected.states, "{combination}");
        let live = "select count(*) from pgbackfill.runs where ended_at is null";
        assert_eq!(self.database.one(live), "0", "{combination}");
        // Rows without a transaction id cannot be told from others', once those were to be kept.
        let told_apart = self.kind.has_xmin || existing != "keep";
        // Rows that are told from others by the scope alone are compared only with a caller who repeats it.
        if !self.kind.has_xmin && !scope.is_empty() && told_apart {
            self.run("verify j").exits(2).says(&["must be repeated", scope]);
        }
        self.run(&format!("verify j {scope}")).exits(if told_apart { expected.verify } else { 2 });
        self.undo(&combination, expected);
    }

    #[track_caller]
    fn undo(&self, combination: &str, expected: &Expected) {
        if self.kind.has_xmin {
            let rows = self.database.count(&format!("expected where {}", expected.ours));
            self.run("undo j").exits(0).prints(&[&format!("{rows} rows deleted")]);
            self.holds(combination, "false", expected.others);
            assert_eq!(self.database.count("pgbackfill.jobs"), 0, "{combination}");
        } else {
            self.run("undo j").exits(2).says(&["carry no transaction id"]);
            self.holds(combination, expected.ours, expected.others);
        }
    }
}

/// Every combination of `--existing` and `--scope` on one kind of table.
#[track_caller]
fn holds_in_every_combination(kind: &Kind) {
    let folder = Folder::new();
    let path = folder.write("a.csv", csv());
    let matrix = Matrix { kind, database: Database::new(), _folder: folder, path };
    for existing in ["error", "replace", "keep", "skip"] {
        for (scope, in_scope) in SCOPES {
            matrix.combine(existing, scope, &expected(existing, in_scope));
        }
    }
}

#[test]
fn existing_and_scope_do_what_they_say_on_a_plain_table() {
    holds_in_every_combination(&PLAIN);
}

#[test]
fn existing_and_scope_do_what_they_say_on_a_partitioned_table_with_a_default_partition() {
    holds_in_every_combination(&PARTITIONED);
}

#[test]
fn existing_and_scope_reach_the_children_of_an_inheritance_parent_as_sql_does() {
    holds_in_every_combination(&PARENT);
}

#[test]
fn existing_and_scope_reach_neither_parent_nor_siblings_of_an_inheritance_child() {
    holds_in_every_combination(&CHILD);
}

#[test]
fn existing_and_scope_reach_no_row_that_a_view_does_not_show() {
    holds_in_every_combination(&VIEW);
}
