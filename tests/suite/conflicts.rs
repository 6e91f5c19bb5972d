//! Rows whose key is in the table: skipped or updated on request, each counted exactly, and rows of others never taken away.

use crate::harness::{Database, Folder, Output, run};

struct Scene {
    database: Database,
    folder: Folder,
    path: String,
}

/// Three days of two rows each; the second of each day has a key that the table of [`scene`] holds.
const OURS: &str = "id,ts,v\n1,2024-01-01 06:00Z,ours\n2,2024-01-01 07:00Z,ours\n3,2024-01-02 06:00Z,ours\n\
                    4,2024-01-02 07:00Z,ours\n5,2024-01-03 06:00Z,ours\n6,2024-01-03 07:00Z,ours\n";

/// A table of `columns`, with rows of others, and a file of rows, some of which have their keys.
fn scene_of(columns: &str) -> Scene {
    let (database, folder) = (Database::new(), Folder::new());
    database.sql(&format!(
        "create table t ({columns});
         create table others as select id, ts, v from t;
         insert into others values (2, '2024-01-01 07:00Z', 'theirs'), (4, '2024-01-02 07:00Z', 'theirs'),
                                   (6, '2024-01-03 07:00Z', 'theirs'), (99, '2024-01-02 12:00Z', 'theirs')"
    ));
    let path = folder.write("a.csv", OURS);
    Scene { database, folder, path }
}

fn scene() -> Scene {
    let scene = scene_of("id int, ts timestamptz not null, v text, note text default 'n', primary key (id, ts)");
    scene.fill();
    scene
}

impl Scene {
    fn fill(&self) {
        self.database.sql("insert into t (id, ts, v) select id, ts, v from others");
    }

    fn load(&self, options: &str) -> Output {
        run(&self.database, &self.line(options))
    }

    fn line(&self, options: &str) -> String {
        format!("load {} --table t --time-column ts --window 1d --workers 1 --job j {options}", self.path)
    }

    fn run(&self, line: &str) -> Output {
        run(&self.database, line)
    }

    #[track_caller]
    fn holds(&self, rows: &[&str]) {
        assert_eq!(self.database.rows("select id, v from t order by id, v"), rows);
    }

    /// Rows, rows skipped and rows updated of each window, and of its batches.
    #[track_caller]
    fn counted(&self, windows: &[&str]) {
        let sum = "select sum(rows), sum(rows_skipped), sum(rows_updated) from pgbackfill.batches group by number order by number";
        let of_windows = "select rows, rows_skipped, rows_updated from pgbackfill.windows order by number";
        assert_eq!(self.database.rows(of_windows), windows);
        assert_eq!(self.database.rows(sum), windows);
    }
}

const SKIPPED: [&str; 7] = ["1|ours", "2|theirs", "3|ours", "4|theirs", "5|ours", "6|theirs", "99|theirs"];
const UPDATED: [&str; 7] = ["1|ours", "2|ours", "3|ours", "4|ours", "5|ours", "6|ours", "99|theirs"];

#[test]
fn without_a_word_a_row_whose_key_is_there_ends_the_load() {
    let scene = scene();
    scene.load("--existing keep --conflict-key id,ts").exits(2).says(&["add --on-conflict"]);
    scene.load("--existing keep").exits(1).says(&["duplicate key value", "(23505)"]);
}

#[test]
fn rows_whose_key_is_there_are_skipped_and_counted_and_undo_takes_the_others_back() {
    let scene = scene();
    for (options, batches) in [("--batch-rows 1", "2"), ("--commit window", "1")] {
        let output = scene.load(&format!("--on-conflict skip --json {options}")).exits(0);
        let finished = &output.events_named("finished")[0];
        assert_eq!((finished["rows"].as_u64(), finished["rows_skipped"].as_u64()), (Some(3), Some(3)));
        scene.holds(&SKIPPED);
        scene.counted(&["1|1|0"; 3]);
        assert_eq!(scene.database.one("select max(batches) from pgbackfill.windows"), batches);
        scene.run("verify j").exits(0).prints(&["3 rows: equal"]);
        scene.run("status j").exits(0).prints(&["3 rows inserted, 3 skipped and 0 updated"]);
        // The values of a row that was inserted are compared, and those of others are not.
        scene.database.sql("update t set v = 'other' where id = 99");
        scene.run("verify j").exits(0);
        scene.run("undo j").exits(0).prints(&["3 rows deleted"]);
        scene.database.sql("update t set v = 'theirs' where id = 99");
        scene.holds(&["2|theirs", "4|theirs", "6|theirs", "99|theirs"]);
    }
}

#[test]
fn rows_whose_key_is_there_are_updated_and_counted_and_such_a_job_is_not_undone() {
    let scene = scene();
    let summary = scene.load("--on-conflict update").exits(0);
    summary.says(&["rows of the job: 3 inserted, 3 put into rows of their key"]);
    scene.holds(&UPDATED);
    scene.counted(&["2|0|1"; 3]);
    assert_eq!(scene.database.one("select commit_mode from pgbackfill.jobs"), "window");
    scene.run("verify j").exits(0).prints(&["6 rows: equal"]);
    scene.run("undo j").exits(2).says(&["3 rows of others took values of the job"]);
    scene.holds(&UPDATED);
    // Columns that are not loaded stay as they were.
    assert_eq!(scene.database.count("t where note = 'n'"), 7);
    scene.run("status j --json").exits(0).prints(&["\"rows_updated\":3"]);
    // What is compared are the values that were stored.
    scene.database.sql("update pgbackfill.windows set row_hash = decode(repeat('00', 16), 'hex') where number = 1");
    scene.run("verify j").exits(5).prints(&["window [2024-01-02, 2024-01-03) differs: values differ"]);
}

#[test]
fn a_job_that_has_updated_nothing_is_undone_like_any_other() {
    let scene = scene();
    scene.database.sql("delete from t where id <> 99");
    scene.load("--on-conflict update").exits(0);
    scene.counted(&["2|0|0"; 3]);
    scene.run("undo j").exits(0).prints(&["6 rows deleted"]);
    scene.holds(&["99|theirs"]);
}

#[test]
fn a_resume_that_would_treat_conflicts_otherwise_is_refused() {
    let scene = scene();
    scene.load("--on-conflict skip").exits(0);
    for other in ["", "--on-conflict update", "--on-conflict skip --conflict-key id,ts"] {
        scene.load(other).exits(2).says(&["conflict"]);
    }
    scene.load("--on-conflict skip").exits(0);
    scene.holds(&SKIPPED);
}

#[test]
fn what_existing_says_of_a_window_comes_before_what_becomes_of_a_row() {
    let all: Vec<&str> = SKIPPED.to_vec();
    for (existing, code, rows) in [
        ("", 0, all.clone()),
        ("--existing keep", 0, all),
        ("--existing error", 1, vec!["2|theirs", "4|theirs", "6|theirs", "99|theirs"]),
        ("--existing skip", 0, vec!["2|theirs", "4|theirs", "6|theirs", "99|theirs"]),
        ("--existing replace", 0, vec!["1|ours", "2|ours", "3|ours", "4|ours", "5|ours", "6|ours"]),
    ] {
        let scene = scene();
        scene.load(&format!("--on-conflict skip {existing}")).exits(code);
        scene.holds(&rows);
        if code == 0 {
            scene.run("verify j").exits(0);
        }
    }
}

/// Tables of every kind that can decide conflicts, each with the key `(id, ts)`.
const KINDS: [(&str, &str); 4] = [
    ("unlogged", "create unlogged table t (id int, ts timestamptz not null, v text, primary key (id, ts))"),
    (
        "partitioned",
        "create table t (id int, ts timestamptz not null, v text, primary key (id, ts)) partition by range (ts);
         create table t1 partition of t for values from ('2024-01-01Z') to ('2024-01-02Z');
         create table t2 (v text, gone int, ts timestamptz not null, id int not null);
         alter table t2 drop gone;
         alter table t attach partition t2 for values from ('2024-01-02Z') to ('2024-01-03Z');
         create table t3 partition of t default",
    ),
    (
        "with generated and default columns, and more unique keys",
        "create table t (g text generated always as (v || '!') stored, id int, ts timestamptz not null, v text,
                         d timestamptz default now(), primary key (id, ts), unique (ts, id, v))",
    ),
    (
        "with triggers after each row",
        "create table t (id int, ts timestamptz not null, v text, primary key (id, ts));
         create table log (op text);
         create function note() returns trigger language plpgsql as $$ begin insert into log values (tg_op); return null; end $$;
         create trigger note after insert or update on t for each row execute function note()",
    ),
];

#[test]
fn every_kind_of_table_that_can_decide_counts_alike() {
    for (kind, table) in KINDS {
        for (on_conflict, rows, counts) in [("skip", SKIPPED, "1|1|0"), ("update", UPDATED, "2|0|1")] {
            eprintln!("{on_conflict}: a table {kind}");
            let scene = scene();
            scene.database.sql(&format!("drop table t; {table}"));
            scene.fill();
            scene.load(&format!("--on-conflict {on_conflict}")).exits(0);
            scene.holds(&rows);
            scene.counted(&[counts; 3]);
            scene.run("verify j").exits(0).prints(&["equal"]);
            assert_eq!(scene.database.count("pgbackfill.windows where row_hash is null"), 0);
        }
    }
}

/// The claim on which peers rest: of a plain table, a returned row with `xmax` was there before. A partitioned one does not
/// tell, which is why rows are counted otherwise.
#[test]
fn the_server_tells_updated_rows_by_xmax_only_of_plain_tables() {
    let scene = scene();
    let update = "insert into t (id, ts, v) values (99, '2024-01-02 12:00Z', 'x'), (98, '2024-01-02 12:00Z', 'x')
                  on conflict (id, ts) do update set v = excluded.v returning id, xmax = 0";
    assert_eq!(scene.database.rows(update), ["99|f", "98|t"]);
    scene.database.sql(&format!("drop table t; {}", KINDS[1].1));
    scene.fill();
    let refused = scene.database.try_sql(&update.replace("-02 12", "-01 12")).unwrap_err();
    assert!(format!("{refused:?}").contains("system column"), "{refused:?}");
}

#[test]
fn identity_columns_are_inserted_and_updated_as_they_can_be() {
    let scene = scene_of("id int generated always as identity primary key, ts timestamptz not null, v text");
    scene.database.sql("insert into t (id, ts, v) overriding system value select id, ts, v from others");
    scene.load("--on-conflict update").exits(0);
    scene.holds(&UPDATED);
    // One that is not the key takes no update, and is refused before anything is loaded.
    let scene = scene_of("n int generated always as identity, id int primary key, ts timestamptz not null, v text");
    let path = scene.folder.write("n.csv", "n,id,ts,v\n7,2,2024-01-01 07:00Z,ours\n");
    let load = |more: &str| scene.run(&format!("load {path} --table t --time-column ts --job j {more}"));
    load("--on-conflict update").exits(2).says(&["column n of public.t is generated always as identity"]);
    load("--on-conflict skip").exits(0);
    assert_eq!(scene.database.rows("select n, id from t"), ["7|2"]);
    // Without a value of the source it takes its next number.
    scene.run("undo j").exits(0);
    load("--on-conflict update --ignore n").exits(0);
    assert_eq!(scene.database.rows("select n, id from t"), ["1|2"]);
}

#[test]
fn the_key_that_decides_is_the_primary_key_or_the_only_one_or_is_asked_for() {
    let scene = scene_of("id int, ts timestamptz not null, v text, k int generated always as identity primary key");
    scene.load("--on-conflict update").exits(2).says(&["no unique index of public.t", "t_pkey (\"k\")"]);
    scene.database.sql("create unique index by_id on t (id); create unique index part on t (v) where id < 0");
    scene
        .run(&scene.line("--on-conflict update").replacen("load", "plan", 1))
        .exits(0)
        .prints(&["put into the row of their (\"id\")"]);
    scene.database.sql("create unique index by_ts on t (ts, v)");
    let refused = scene.load("--on-conflict update").exits(2);
    refused.says(&["more than one unique index", "--conflict-key", "by_id (\"id\"); by_ts (\"ts\", \"v\")"]);
    scene.load("--on-conflict update --conflict-key v").exits(2).says(&["no unique index"]);
    scene.fill();
    scene.load("--on-conflict update --conflict-key id").exits(0);
    scene.holds(&UPDATED);
    // Under skip a key that is asked for is the only one that decides.
    scene.database.sql("delete from t where id < 3");
    scene.database.sql("insert into t (id, ts, v) values (77, '2024-01-01 06:00Z', 'ours')");
    let other = scene.line("--on-conflict skip --conflict-key id").replace("--job j", "--job k");
    scene.run(&other).exits(1).says(&["by_ts", "(23505)"]);
}

#[test]
fn targets_that_cannot_decide_or_tell_are_refused_before_anything_is_loaded() {
    let cases = [
        (
            "create view w as select id, ts, v from t; alter table t rename to base; alter view w rename to t",
            "is a view",
        ),
        ("create rule r as on update to t do also select 1", "has rules for inserts or updates"),
        ("create rule r as on insert to t do also select 1", "has rules for inserts or updates"),
        (
            "create function f() returns trigger language plpgsql as $$ begin return null; end $$;
             create trigger f before insert on t for each row execute function f()",
            "a trigger may drop rows",
        ),
        ("alter table t add constraint late unique (ts) deferrable", "decide no conflict: late"),
    ];
    for (change, words) in cases {
        let scene = scene();
        scene.database.sql(change);
        scene.load("--on-conflict skip").exits(2).says(&[words]);
        assert_eq!(scene.database.count("t where v = 'ours'"), 0);
    }
}

#[test]
fn a_trigger_that_drops_rows_ends_an_update_and_one_that_changes_them_is_counted() {
    let scene = scene();
    scene.database.sql(
        "create function f() returns trigger language plpgsql as $$ begin
           if new.id = 4 and tg_op = 'UPDATE' then return null; end if; new.note := 'seen'; return new; end $$;
         create trigger f before insert or update on t for each row execute function f()",
    );
    scene.load("--on-conflict update").exits(1).says(&["the server stored 1 of 2 rows", "returns null drops rows"]);
    assert_eq!(scene.database.count("t where v = 'ours'"), 2);
    scene.database.sql("create or replace function f() returns trigger language plpgsql as $$ begin new.note := 'seen'; return new; end $$");
    scene.load("--on-conflict update").exits(0);
    scene.holds(&UPDATED);
    assert_eq!(scene.database.count("t where note = 'seen'"), 6);
    scene.run("verify j").exits(0).prints(&["6 rows: equal"]);
}

#[test]
fn what_is_refused_at_the_end_of_the_statement_is_told() {
    for on_conflict in ["skip", "update"] {
        let scene = scene();
        scene.database.sql(
            "create table parents (v text primary key); insert into parents values ('theirs');
             alter table t add foreign key (v) references parents",
        );
        scene
            .load(&format!("--on-conflict {on_conflict}"))
            .exits(1)
            .says(&["violates foreign key constraint", "(23503)"]);
        assert_eq!(scene.database.count("t where v = 'ours'"), 0);
    }
}

#[test]
fn a_trigger_that_changes_updated_rows_once_they_are_stored_is_noticed() {
    let scene = scene();
    scene.database.sql(
        "create function f() returns trigger language plpgsql as $$ begin
           if pg_trigger_depth() = 1 then update t set note = 'seen' where id = new.id; end if; return null; end $$;
         create trigger f after update on t for each row execute function f()",
    );
    scene.load("--on-conflict update").exits(0);
    scene.holds(&UPDATED);
    scene.run("verify j").exits(0).prints(&["only counted: the rows of 3 windows", "6 rows: equal"]);
}

#[test]
fn of_two_source_rows_of_one_key_none_wins_in_silence() {
    let rows = "id,ts,v\n7,2024-01-01 06:00Z,first\n7,2024-01-01 06:00Z,second\n7,2024-01-02 06:00Z,third\n";
    // In one window, and in two where the key does not hold the time.
    for (key, rows, words) in [
        ("id, ts", rows.to_owned(), "two source rows of the window have the same key"),
        (
            "id",
            rows.replace("7,2024-01-01 06:00Z,first\n", ""),
            "1 source row has the key of a row that this job has loaded",
        ),
    ] {
        let scene = scene_of(&format!("id int, ts timestamptz not null, v text, primary key ({key})"));
        let path = scene.folder.write("twice.csv", &rows);
        let load = format!("load {path} --table t --time-column ts --window 1d --job j");
        for workers in ["1", "4"] {
            let load = format!("{load} --workers {workers} --on-conflict update");
            scene.run(&load).exits(1).says(&[words, "leave all but one of each key out of the source"]);
        }
        assert_eq!(scene.database.count("t where v = 'first'"), 0);
        // Skipping takes the first that arrives: with one worker, the first of the source in order of windows.
        let skip = format!("{load} --workers 1 --on-conflict skip").replace("--job j", "--job k --existing keep");
        scene.run(&skip).exits(0);
        let kept = if key == "id" { vec!["7|second"] } else { vec!["7|first", "7|third"] };
        if scene.database.count("pgbackfill.windows where state = 'loaded' and job_id = 1") == 0 {
            scene.holds(&kept);
        }
        scene.run("verify k").exits(0);
    }
}

#[test]
fn rows_of_a_key_that_policies_hide_are_skipped_and_counted() {
    let (scene, role) = (scene(), "guarded_merger");
    scene.database.sql(&format!(
        "update t set v = 'hidden' where id = 2;
         alter table t enable row level security;
         create policy see on t for select using (v <> 'hidden');
         create policy put on t for insert with check (true);
         create role {role} login; grant select, insert, update on t to {role};
         grant create, temporary on database {0} to {role}",
        scene.database.name()
    ));
    crate::harness::run_as(&scene.database, role, &scene.line("--on-conflict skip")).exits(0);
    scene.holds(&["1|ours", "2|hidden", "3|ours", "4|theirs", "5|ours", "6|theirs", "99|theirs"]);
    scene.counted(&["1|1|0"; 3]);
    // The ledger is the role's, and others than it do not run what it may hold.
    crate::harness::run_as(&scene.database, role, "verify j").exits(0);
    scene.database.sql(&format!("drop owned by {role}; drop role {role}"));
}

#[test]
fn a_source_that_changed_is_not_accepted_where_rows_of_others_took_its_values() {
    let scene = scene();
    scene.load("--on-conflict update").exits(0);
    scene.folder.write("a.csv", format!("{OURS}7,2024-01-03 08:00Z,ours\n"));
    scene
        .load("--on-conflict update --accept-changed-source")
        .exits(1)
        .says(&["the change concerns rows that cannot be loaded anew", "of others took values of the job"]);
    scene.holds(&UPDATED);
    // Under skip the job's own rows are known, and loaded anew.
    let scene = self::scene();
    scene.load("--on-conflict skip").exits(0);
    scene.folder.write("a.csv", format!("{OURS}7,2024-01-03 08:00Z,ours\n"));
    scene.load("--on-conflict skip --accept-changed-source").exits(0);
    scene.holds(&["1|ours", "2|theirs", "3|ours", "4|theirs", "5|ours", "6|theirs", "7|ours", "99|theirs"]);
    scene.run("verify j").exits(0);
}

#[test]
fn no_row_is_skipped_for_one_of_another_window_that_may_go() {
    let (database, folder) =
        (Database::with("create table t (id int primary key, ts timestamptz not null)"), Folder::new());
    let load = format!(
        "load {}/s --table t --time-column ts --window 1d --workers 1 --job j --on-conflict skip",
        folder.path()
    );
    folder.write("s/a.csv", "id,ts\n1,2024-01-01Z\n2,2024-01-01Z\n");
    folder.write("s/b.csv", "id,ts\n1,2024-01-02Z\n3,2024-01-02Z\n");
    // The row of another would be deleted with its window, after a row of an earlier window was left out for it.
    let refused = run(&database, &format!("{load} --existing replace")).exits(2);
    refused.says(&["--existing replace empties window after window", "--conflict-key"]);
    run(&database, &load).exits(0);
    // Nor is a window ever half loaded, and cleared.
    assert_eq!(database.one("select commit_mode from pgbackfill.jobs"), "window");
    // The row for which the second window's was left out would be gone.
    folder.write("s/a.csv", "id,ts\n2,2024-01-01Z\n");
    let refused = run(&database, &format!("{load} --accept-changed-source")).exits(1);
    refused.says(&["may have been left out", "pgbackfill undo j"]);
    assert_eq!(database.rows("select id from t order by id"), ["1", "2", "3"]);
    run(&database, "undo j").exits(0);
    run(&database, &load).exits(0);
    assert_eq!(database.rows("select id from t order by id"), ["1", "2", "3"]);
    // Windows that hold no row of the job are no concern: nothing was left out for theirs.
    folder.write("s/c.csv", "id,ts\n4,2024-01-03Z\n");
    run(&database, &format!("{load} --accept-changed-source")).exits(0);
    assert_eq!(database.count("t"), 4);
}

#[test]
fn a_table_without_a_time_column_is_merged_too() {
    for (on_conflict, rows) in [("skip", SKIPPED), ("update", UPDATED)] {
        let scene = scene();
        let load = format!("load {} --table t --no-time-column --job j --on-conflict {on_conflict}", scene.path);
        scene.run(&load).exits(0);
        scene.holds(&rows);
        scene.run("verify j").exits(0);
    }
}

#[test]
fn types_without_a_binary_form_here_are_merged_as_text() {
    let scene = scene();
    scene.database.sql("alter table t add r int4range");
    let path = scene.folder.write("r.csv", OURS.replace("ours", "ours,\"[1,5)\"").replace("id,ts,v", "id,ts,v,r"));
    let load = format!("load {path} --table t --time-column ts --window 1d --job j --on-conflict update");
    scene.run(&load).exits(0);
    scene.holds(&UPDATED);
    assert_eq!(scene.database.count("t where r = '[1,5)'"), 6);
    scene.run("verify j").exits(0).prints(&["6 rows: equal"]);
}

#[test]
fn the_rights_that_merging_takes_are_asked_for_at_once() {
    let scene = scene();
    scene.database.sql("create role merging_loader login; grant insert, select on t to merging_loader");
    let name = scene.database.name().to_owned();
    scene.database.sql(&format!(
        "grant create on database {name} to merging_loader; revoke temporary on database {name} from public"
    ));
    let line = scene.line("--on-conflict update");
    let refused = crate::harness::run_as(&scene.database, "merging_loader", &line).exits(1);
    refused.says(&["lacks update on public.t; temporary on database"]);
    scene
        .database
        .sql(&format!("grant update (v) on t to merging_loader; grant temporary on database {name} to merging_loader"));
    crate::harness::run_as(&scene.database, "merging_loader", &line).exits(0);
    scene.holds(&UPDATED);
    scene.database.sql("drop owned by merging_loader; drop role merging_loader");
}

#[cfg(feature = "failpoints")]
mod struck {
    use super::{SKIPPED, Scene, UPDATED, scene};
    use crate::harness::{Output, run_with};

    impl Scene {
        fn struck(&self, failpoints: &str, options: &str) -> Output {
            run_with(&self.database, &[("FAILPOINTS", failpoints)], &self.line(options))
        }
    }

    /// Kills and fails a load at each step, and then lets the same command end it.
    #[track_caller]
    fn strike(options: &str, rows: &[&str], counts: &str) {
        for point in ["mid-copy", "before-merge", "after-copy", "after-record", "last-batch", "after-commit"] {
            for (action, passes) in [("return(kill)", 0), ("return(kill)", 2), ("return(error)", 1)] {
                eprintln!("{options}: {point} {action} after {passes}");
                let scene = scene();
                scene.struck(&format!("{point}={passes}*off->1*{action}"), options);
                scene.database.wait_until_alone();
                scene.load(options).exits(0);
                scene.holds(rows);
                scene.counted(&[counts; 3]);
                scene.run("verify j").exits(0);
            }
        }
    }

    #[test]
    fn a_killed_load_that_skips_loses_and_doubles_nothing_and_touches_no_row_of_others() {
        strike("--on-conflict skip --batch-rows 1", &SKIPPED, "1|1|0");
    }

    #[test]
    fn a_killed_load_that_updates_loses_and_doubles_nothing_and_deletes_no_row_of_others() {
        strike("--on-conflict update --batch-rows 1", &UPDATED, "2|0|1");
    }

    /// The row that another has put in the place of ours, while the window was half loaded, stays.
    #[test]
    fn a_half_loaded_window_that_skips_is_cleared_of_the_jobs_own_rows() {
        let scene = scene();
        let options = "--on-conflict skip --batch-rows 1";
        scene.struck("after-commit=1*return(kill)", options).exits(-6);
        scene.database.wait_until_alone();
        scene.database.sql("update t set v = 'changed' where id = 1; update t set v = 'mine' where id = 2");
        scene.load(options).exits(1).says(&["only 0 of the 1 rows that job j loaded"]);
        scene.load(&format!("{options} --reload-missing")).exits(0);
        scene.holds(&["1|changed", "2|mine", "3|ours", "4|theirs", "5|ours", "6|theirs", "99|theirs"]);
        scene.run("verify j").exits(0);
    }
}
