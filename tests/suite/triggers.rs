//! Triggers and rules on the target: what they make of rows is found, counted, or refused; never lost from sight.

use crate::harness::{Database, Folder, Output, run};

const TABLE: &str = "
    create table t (ts timestamptz not null, host text, value int, note text);
    create index on t (ts);
    create table audit (host text);
    insert into t values ('2024-01-01 12:00Z', 'theirs', 0, null), ('2024-01-02 12:00Z', 'theirs', 0, null);";

/// Two days of three rows each.
const CSV: &str = "ts,host,value\n2024-01-01 01:00Z,a,1\n2024-01-01 02:00Z,b,2\n2024-01-01 03:00Z,c,3\n\
                   2024-01-02 01:00Z,d,4\n2024-01-02 02:00Z,e,5\n2024-01-02 03:00Z,f,6\n";

struct Scene {
    database: Database,
    _folder: Folder,
    load: String,
}

/// A table with two rows of others, whose trigger runs `body` as its options say, such as `after insert on t for each row`.
fn scene(when: &str, body: &str) -> Scene {
    let (database, folder) = (Database::with(TABLE), Folder::new());
    let path = folder.write("a.csv", CSV);
    let kind = if when.contains("deferrable") { "constraint trigger" } else { "trigger" };
    database.sql(&format!(
        "create function act() returns trigger language plpgsql as $$ begin {body} end $$;
         create {kind} act {when} execute function act()"
    ));
    let options = "--time-column ts --window 1d --batch-rows 1 --workers 1 --existing keep --job j --ignore note";
    let load = format!("load {path} --table t {options}");
    Scene { database, _folder: folder, load }
}

impl Scene {
    fn run(&self, line: &str) -> Output {
        run(&self.database, line)
    }

    /// Undoes the job, and panics unless nothing but the rows of others is left.
    #[track_caller]
    fn undoes(&self) {
        self.run("undo j").exits(0).prints(&["6 rows deleted"]);
        assert_eq!(self.rows(), ["theirs|0|null", "theirs|0|null"]);
        assert_eq!(self.database.count("pgbackfill.jobs"), 0);
    }

    #[track_caller]
    fn rows(&self) -> Vec<String> {
        self.database.rows("select host, value, note from t order by value, ts")
    }

    #[track_caller]
    fn commit_mode(&self) -> String {
        self.database.one("select commit_mode from pgbackfill.jobs")
    }
}

const UPDATE: &str = "update t set note = 'seen' where ts = new.ts and host = new.host; return null;";

/// The update, in a subtransaction: the row carries another id than the transaction that inserted it.
const UPDATE_CAUGHT: &str = "begin update t set note = 'seen' where ts = new.ts and host = new.host;
                             exception when division_by_zero then null; end; return null;";

#[test]
fn rows_that_a_trigger_moves_to_another_window_are_verified_and_undone() {
    let scene = scene("before insert on t for each row", "new.ts := new.ts + '1 day'; return new;");
    scene.run(&scene.load).exits(0);
    assert_eq!(scene.database.count("t where ts >= '2024-01-03Z'"), 3);
    scene.run("verify j").exits(0).prints(&["cannot be foretold: ts, host, value", "6 rows: equal"]);
    scene.undoes();
}

#[test]
fn a_moved_row_that_is_gone_shows_in_its_own_window() {
    let scene = scene("before insert on t for each row", "new.ts := new.ts + '1 day'; return new;");
    scene.run(&scene.load).exits(0);
    scene.database.sql("delete from t where host = 'a'");
    scene
        .run("verify j")
        .exits(5)
        .prints(&["window [2024-01-01, 2024-01-02) differs: 3 rows were loaded, 2 are there"]);
    scene.run("undo j").exits(1).says(&["only 2 of the 3 rows", "[2024-01-01, 2024-01-02)"]);
    scene.run("undo j --missing-ok").exits(0).prints(&["2 rows deleted"]);
    assert_eq!(scene.database.count("t where host <> 'theirs'"), 0);
}

#[test]
fn a_trigger_that_only_writes_elsewhere_costs_neither_batches_nor_the_comparison_of_values() {
    let scene = scene("after insert on t for each row", "insert into audit values (new.host); return null;");
    scene.run(&scene.load).exits(0);
    assert_eq!((scene.commit_mode().as_str(), scene.database.count("audit")), ("batch", 6));
    assert_eq!(scene.database.one("select max(batches) from pgbackfill.windows"), "3");
    scene.run("verify j").exits(0).prints(&["6 rows: equal"]);
    // No statement gives a row another value and leaves it its transaction id; so the ledger is told another value.
    scene.database.sql("update pgbackfill.windows set row_hash = decode(repeat('00', 16), 'hex') where number = 1");
    scene.run("verify j").exits(5).prints(&["window [2024-01-02, 2024-01-03) differs: values differ"]);
}

/// Rows that a trigger updates in the transaction that inserts them.
#[track_caller]
fn rewritten_rows_are_counted_cleared_and_undone(when: &str, body: &str) {
    let scene = scene(when, body);
    // The window breaks off after two batches, for what is no row's fault, and these are cleared though they were updated.
    scene.database.sql(
        "create function stop() returns trigger language plpgsql as $$ begin
           if new.host = 'c' then raise exception 'stop here' using errcode = 'feature_not_supported'; end if;
           return null;
         end $$;
         create trigger stop after insert on t for each row execute function stop()",
    );
    scene.run(&scene.load).exits(1).says(&["stop here"]);
    assert_eq!(scene.database.count("t where note = 'seen'"), 2);
    scene.database.sql("drop trigger stop on t");
    scene.run(&scene.load).exits(0);
    let rows = ["a|1|seen", "b|2|seen", "c|3|seen", "d|4|seen", "e|5|seen", "f|6|seen"];
    assert_eq!(scene.rows()[2..], rows);
    scene.run("verify j").exits(0).prints(&["only counted: the rows of 2 windows", "6 rows: equal"]);
    scene.undoes();
}

#[test]
fn rows_that_a_row_trigger_updates_once_they_are_stored_are_counted_cleared_and_undone() {
    rewritten_rows_are_counted_cleared_and_undone("after insert on t for each row", UPDATE);
}

#[test]
fn rows_that_a_statement_trigger_updates_once_they_are_stored_are_counted_cleared_and_undone() {
    let body = "update t set note = 'seen' where ts in (select ts from fresh); return null;";
    let when = "after insert on t referencing new table as fresh for each statement";
    rewritten_rows_are_counted_cleared_and_undone(when, body);
}

#[test]
fn rows_that_a_deferred_trigger_updates_are_counted_cleared_and_undone() {
    let when = "after insert on t deferrable initially deferred for each row";
    rewritten_rows_are_counted_cleared_and_undone(when, UPDATE);
}

/// Rows that could not be told from others' are not left in the table.
#[track_caller]
fn rows_with_another_transaction_id_are_refused(when: &str, body: &str) {
    let scene = scene(when, body);
    for commit in ["batch", "window"] {
        let refused = scene.run(&format!("{} --commit {commit}", scene.load)).exits(1);
        refused.says(&["triggers of public.t leave 0 of", "rows as this transaction's own", "disable trigger"]);
        assert_eq!(scene.rows(), ["theirs|0|null", "theirs|0|null"]);
    }
    scene.database.sql("alter table t disable trigger act");
    scene.run(&scene.load).exits(0);
    scene.run("verify j").exits(0).prints(&["6 rows: equal"]);
    scene.undoes();
}

#[test]
fn rows_that_a_row_trigger_updates_in_a_subtransaction_are_refused() {
    rows_with_another_transaction_id_are_refused("after insert on t for each row", UPDATE_CAUGHT);
}

#[test]
fn rows_that_a_statement_trigger_updates_in_a_subtransaction_are_refused() {
    let body = "begin update t set note = 'seen' where ts in (select ts from fresh);
                exception when division_by_zero then null; end; return null;";
    let when = "after insert on t referencing new table as fresh for each statement";
    rows_with_another_transaction_id_are_refused(when, body);
}

#[test]
fn rows_that_a_deferred_trigger_updates_in_a_subtransaction_are_refused() {
    let when = "after insert on t deferrable initially deferred for each row";
    rows_with_another_transaction_id_are_refused(when, UPDATE_CAUGHT);
}

#[test]
fn rows_that_a_trigger_moves_once_they_are_stored_are_refused() {
    let scene = scene(
        "after insert on t for each row",
        "update t set ts = ts + '7 days' where ts = new.ts and host = new.host; return null;",
    );
    scene.run(&scene.load).exits(1).says(&["leave 0 of 1 rows"]);
    assert_eq!(scene.rows(), ["theirs|0|null", "theirs|0|null"]);
}

#[test]
fn a_trigger_of_one_partition_is_noticed() {
    let (database, folder) = (Database::new(), Folder::new());
    database.sql(&format!(
        "create table t (ts timestamptz not null, host text, value int, note text) partition by range (ts);
         create table t1 partition of t for values from ('2024-01-01Z') to ('2024-01-02Z');
         create table t2 partition of t default;
         create function act() returns trigger language plpgsql as $$ begin {UPDATE_CAUGHT} end $$;
         create trigger act after insert on t2 for each row execute function act()"
    ));
    let path = folder.write("a.csv", CSV);
    let load = format!("load {path} --table t --time-column ts --window 1d --workers 1 --ignore note");
    run(&database, &load).exits(1).says(&["window [2024-01-02, 2024-01-03)", "leave 0 of 3 rows"]);
    assert_eq!(database.rows("select host from t order by ts"), ["a", "b", "c"]);
    database.sql("alter table t2 disable trigger act");
    run(&database, &load).exits(0);
    run(&database, "verify").exits(0).prints(&["6 rows: equal"]);
}

/// What keeps rows from being deleted, and what puts it out of the way.
const KEEPERS: [(&str, &str); 2] = [
    (
        "create function keep() returns trigger language plpgsql as $$ begin return null; end $$;
         create trigger keep before delete on t for each row execute function keep()",
        "drop trigger keep on t",
    ),
    ("create rule keep as on delete to t do instead nothing", "drop rule keep on t"),
];

#[test]
fn rows_that_stay_though_they_are_replaced_are_an_error_and_none_is_loaded_beside_them() {
    for (keep, release) in KEEPERS {
        let (database, folder) = (Database::with(TABLE), Folder::new());
        database.sql(keep);
        let path = folder.write("a.csv", CSV);
        let load = format!("load {path} --table t --time-column ts --window 1d --existing replace --ignore note");
        run(&database, &load).exits(1).says(&["rows of public.t stay where they are", "a rule, a trigger or a policy"]);
        assert_eq!(database.count("t where host <> 'theirs'"), 0);
        database.sql(release);
        run(&database, &load).exits(0);
        assert_eq!(database.count("t"), 6);
    }
}

#[test]
fn rows_that_stay_though_a_table_without_windows_is_replaced_are_an_error() {
    let (database, folder) = (Database::with(TABLE), Folder::new());
    database.sql(KEEPERS[1].0);
    let path = folder.write("a.csv", CSV);
    let load = format!("load {path} --table t --no-time-column --existing replace --ignore note");
    run(&database, &load).exits(1).says(&["rows of public.t stay where they are"]);
    assert_eq!(database.count("t"), 2);
}

#[test]
fn rows_that_stay_though_their_job_is_undone_are_an_error_and_the_job_is_not_forgotten() {
    for (keep, release) in KEEPERS {
        let (database, folder) = (Database::with(TABLE), Folder::new());
        let path = folder.write("a.csv", CSV);
        let load = format!("load {path} --table t --time-column ts --window 1d --existing keep --job j --ignore note");
        run(&database, &load).exits(0);
        database.sql(keep);
        run(&database, "undo j")
            .exits(1)
            .says(&["3 rows of the job stay in public.t", "window [2024-01-02, 2024-01-03)"]);
        assert_eq!(database.count("t"), 8);
        run(&database, "verify j").exits(0);
        database.sql(release);
        run(&database, "undo j").exits(0).prints(&["6 rows deleted"]);
        assert_eq!(database.count("t"), 2);
    }
}

#[test]
fn rules_of_a_table_are_passed_by_and_the_plan_says_so() {
    let (database, folder) = (Database::with(TABLE), Folder::new());
    database.sql("create rule away as on insert to t do instead insert into audit values (new.host)");
    let path = folder.write("a.csv", CSV);
    let load = format!("{path} --table t --time-column ts --existing keep --ignore note");
    run(&database, &format!("plan {load}")).exits(0).prints(&["the rules of public.t for inserts are not applied"]);
    run(&database, &format!("load {load}")).exits(0);
    assert_eq!((database.count("t where host <> 'theirs'"), database.count("audit")), (6, 0));
    run(&database, "verify").exits(0);
}

#[test]
fn a_view_that_a_rule_fills_takes_rows_one_transaction_a_window() {
    let (database, folder) = (Database::with(TABLE), Folder::new());
    database.sql(
        "create view v as select ts, upper(host) as host, value from t where host <> 'theirs';
         create rule fill as on insert to v do instead insert into t values (new.ts, lower(new.host), new.value)",
    );
    let path = folder.write("a.csv", CSV.replace(",a,", ",A,"));
    run(&database, &format!("load {path} --table v --time-column ts --window 1d --job j")).exits(0);
    assert_eq!(database.count("t where host <> 'theirs'"), 6);
    assert_eq!(database.one("select commit_mode from pgbackfill.jobs"), "whole");
    run(&database, "undo j").exits(2).says(&["carry no transaction id"]);
}

impl Scene {
    /// Has every new session fire the triggers of a replica.
    fn as_replica(&self) {
        self.database.sql(&format!("alter database {} set session_replication_role = replica", self.database.name()));
    }
}

#[test]
fn replica_triggers_that_hide_rows_are_refused_where_they_fire() {
    for enable in ["replica", "always"] {
        let scene = scene("after insert on t for each row", UPDATE_CAUGHT);
        scene.database.sql(&format!("alter table t enable {enable} trigger act"));
        scene.as_replica();
        let refused = scene.run(&scene.load).exits(1);
        refused.says(&["triggers of public.t leave 0 of 1 rows as this transaction's own"]);
        assert_eq!(scene.rows(), ["theirs|0|null", "theirs|0|null"]);
    }
}

#[test]
fn replica_triggers_that_move_rows_are_seen_and_their_rows_undone() {
    let scene = scene("before insert on t for each row", "new.ts := new.ts + '1 day'; return new;");
    scene.database.sql("alter table t enable replica trigger act");
    scene.as_replica();
    scene.run(&scene.load).exits(0).says(&["triggers may rewrite rows", "act"]);
    assert_eq!((scene.commit_mode().as_str(), scene.database.count("t where ts >= '2024-01-03Z'")), ("window", 3));
    scene.run("verify j").exits(0).prints(&["6 rows: equal"]);
    scene.undoes();
}

#[test]
fn triggers_that_do_not_fire_in_the_session_cost_nothing() {
    let move_rows = "new.ts := new.ts + '1 day'; return new;";
    let of_origin = scene("before insert on t for each row", move_rows);
    of_origin.as_replica();
    let of_replica = scene("before insert on t for each row", move_rows);
    of_replica.database.sql("alter table t enable replica trigger act");
    for scene in [of_origin, of_replica] {
        scene.run(&scene.load).exits(0);
        assert_eq!((scene.commit_mode().as_str(), scene.database.count("t where ts >= '2024-01-03Z'")), ("batch", 0));
        scene.run("verify j").exits(0).prints(&["6 rows: equal"]);
    }
}

#[test]
fn replica_triggers_that_follow_updates_are_seen_by_on_conflict() {
    let scene = scene(
        "after update on t for each row",
        "update t set value = 7 where host = new.host and value <> 7; return null;",
    );
    scene.database.sql("create unique index on t (ts, host); alter table t enable replica trigger act");
    scene.database.sql("insert into t values ('2024-01-01 01:00Z', 'a', 0, null)");
    scene.as_replica();
    scene.run(&scene.load.replace("--existing keep", "--on-conflict update --conflict-key ts,host")).exits(0);
    scene.run("verify j").exits(0).prints(&["only counted: the rows of 1 window"]);
}

#[test]
fn a_view_whose_trigger_does_not_fire_is_refused() {
    let (database, folder) = (Database::with(TABLE), Folder::new());
    database.sql(&format!(
        "create view v as select ts, host, value from t;
         create function fill() returns trigger language plpgsql as $$ begin
           insert into t values (new.ts, new.host, new.value); return new;
         end $$;
         create trigger fill instead of insert on v for each row execute function fill();
         alter database {} set session_replication_role = replica",
        database.name()
    ));
    let path = folder.write("a.csv", CSV);
    let load = format!("load {path} --table v --time-column ts --window 1d --existing keep");
    run(&database, &load).exits(2).says(&["public.v is a view whose INSTEAD OF triggers do not fire"]);
    database.sql(&format!("alter database {} reset session_replication_role", database.name()));
    run(&database, &load).exits(0);
    assert_eq!(database.count("t"), 8);
}
