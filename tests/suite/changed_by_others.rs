//! Rows of a job that somebody else changes, deletes or rewrites, in loaded windows and in half-loaded ones.

use crate::harness::{Database, Folder, METRICS, Output, metrics, run};

/// Two days of three rows, loaded a row a batch.
const CSV: &str = "ts,value\n2024-01-01 01:00Z,1\n2024-01-01 02:00Z,2\n2024-01-01 03:00Z,3\n\
                   2024-01-02 01:00Z,4\n2024-01-02 02:00Z,5\n2024-01-02 03:00Z,6\n";

struct Scene {
    database: Database,
    _folder: Folder,
    load: String,
}

fn scene() -> Scene {
    let database = Database::with(
        "create table t (ts timestamptz not null, value int, note text);
         create index t_ts on t (ts);
         insert into t values ('2024-01-01 12:00Z', 0, 'theirs')",
    );
    let folder = Folder::new();
    let path = folder.write("a.csv", CSV);
    let options = "--table t --time-column ts --window 1d --batch-rows 1 --workers 1 --job j --ignore note";
    Scene { database, _folder: folder, load: format!("load {path} {options}") }
}

/// With both windows loaded.
fn loaded() -> Scene {
    let scene = scene();
    scene.load("--existing keep").exits(0);
    scene
}

/// With the first window broken off after two of its three batches.
fn half_loaded() -> Scene {
    let scene = scene();
    // By what is no row's fault: where it is one's, the window is cleared to find it.
    scene.database.sql(
        "create function stop() returns trigger language plpgsql as $$ begin
           if new.value = 3 then raise exception 'stop here' using errcode = 'feature_not_supported'; end if;
           return null;
         end $$;
         create trigger stop after insert on t for each row execute function stop()",
    );
    scene.load("--existing keep").exits(1).says(&["stop here"]);
    scene.holds(&["0|theirs", "1|null", "2|null"]);
    scene.database.sql("drop trigger stop on t");
    scene
}

impl Scene {
    fn run(&self, line: &str) -> Output {
        run(&self.database, line)
    }

    fn load(&self, options: &str) -> Output {
        self.run(&format!("{} {options}", self.load))
    }

    #[track_caller]
    fn holds(&self, rows: &[&str]) {
        assert_eq!(self.database.rows("select value, note from t order by value, note"), rows);
    }
}

const ALL: [&str; 7] = ["0|theirs", "1|null", "2|null", "3|null", "4|null", "5|null", "6|null"];

#[test]
fn rows_updated_in_a_loaded_window_are_a_difference_and_stay_at_an_undo() {
    let scene = loaded();
    scene.database.sql("update t set note = 'mine now' where value in (2, 3)");
    scene.run("verify j").exits(5).prints(&["[2024-01-01, 2024-01-02) differs: 3 rows were loaded, 1 are there"]);
    // Done is done: a re-run loads nothing again.
    scene.load("--existing keep").exits(0);
    scene.run("undo j").exits(1).says(&["only 1 of the 3 rows", "[2024-01-01, 2024-01-02)", "undo j --missing-ok"]);
    scene.run("undo j --missing-ok").exits(0).prints(&["1 row deleted", "2 more were loaded"]);
    scene.holds(&["0|theirs", "2|mine now", "3|mine now"]);
}

#[test]
fn rows_deleted_from_a_loaded_window_are_a_difference() {
    let scene = loaded();
    scene.database.sql("delete from t where value = 5");
    scene.run("verify j").exits(5).prints(&["[2024-01-02, 2024-01-03) differs: 3 rows were loaded, 2 are there"]);
    scene.run("undo j").exits(1).says(&["only 2 of the 3 rows", "[2024-01-02, 2024-01-03)"]);
    scene.holds(&["0|theirs", "1|null", "2|null", "3|null", "4|null", "6|null"]);
    scene.run("undo j --missing-ok").exits(0).prints(&["5 rows deleted", "1 more were loaded"]);
    scene.holds(&["0|theirs"]);
    assert_eq!(scene.database.count("pgbackfill.jobs"), 0);
}

/// What moves every row and leaves its transaction id as it was.
const KEEP_IDS: [&str; 4] = ["vacuum (freeze) t", "vacuum full t", "cluster t using t_ts", "vacuum (full, freeze) t"];

#[test]
fn vacuum_freeze_vacuum_full_and_cluster_keep_what_tells_rows_apart() {
    for rewrite in KEEP_IDS {
        let scene = loaded();
        let ids = "select xmin::text from t order by ts";
        let before = scene.database.rows(ids);
        scene.database.sql(rewrite);
        assert_eq!(scene.database.rows(ids), before, "{rewrite}");
        scene.run("verify j").exits(0).prints(&["6 rows: equal"]);
        scene.run("undo j").exits(0).prints(&["6 rows deleted"]);
        scene.holds(&["0|theirs"]);
    }
}

#[test]
fn a_half_loaded_window_is_cleared_after_vacuum_freeze_vacuum_full_and_cluster() {
    for rewrite in KEEP_IDS {
        let scene = half_loaded();
        scene.database.sql(rewrite);
        scene.load("--existing keep").exits(0);
        scene.holds(&ALL);
        scene.run("verify j").exits(0).prints(&["6 rows: equal"]);
    }
}

#[test]
fn a_rewrite_by_alter_table_makes_every_row_somebody_elses_and_is_named() {
    for rewrite in [
        "alter table t alter value type bigint",
        "alter table t add drawn float8 default random()",
        "alter table t add other int generated always as (1) stored",
    ] {
        let scene = loaded();
        scene.database.sql(rewrite);
        let verified = scene.run("verify j").exits(5);
        verified.prints(&[
            "3 rows were loaded, 0 are there",
            "ALTER TABLE has rewritten rows",
            "forget j --leave-rows",
        ]);
        scene.run("undo j").exits(1).says(&["only 0 of the 3 rows", "ALTER TABLE has rewritten the rows of public.t"]);
        assert_eq!(scene.database.count("pgbackfill.jobs"), 1, "{rewrite}");
        // The way out that both name.
        scene.run("forget j --leave-rows").exits(0).prints(&["the 6 rows that it loaded stay in public.t"]);
        scene.holds(&ALL);
        scene.database.sql("delete from t where note is null");
        if !rewrite.contains("type") {
            scene.database.sql("alter table t drop column if exists drawn, drop column if exists other");
        }
        scene.load("--existing keep").exits(0);
        scene.holds(&ALL);
        scene.run("undo j").exits(0).prints(&["6 rows deleted"]);
    }
}

#[test]
fn a_rewrite_under_a_half_loaded_window_is_named_and_nothing_is_doubled() {
    let scene = half_loaded();
    scene.database.sql("alter table t add drawn float8 default random()");
    let refused = scene.load("--existing keep").exits(1);
    refused.says(&["only 0 of the 2 rows", "ALTER TABLE has rewritten the rows of public.t"]);
    scene.holds(&["0|theirs", "1|null", "2|null"]);
}

#[test]
fn a_change_of_the_table_that_rewrites_no_row_is_not_taken_for_one() {
    let scene = loaded();
    scene.database.sql("alter table t add fixed int default 7; delete from t where value = 2");
    let verified = scene.run("verify j").exits(5).prints(&["3 rows were loaded, 2 are there", "--reload-missing"]);
    assert!(!verified.stdout.contains("ALTER TABLE"), "{verified:?}");
    scene.load("--existing keep --reload-missing").exits(0);
    scene.holds(&ALL);
    scene.run("verify j").exits(0);
}

#[test]
fn rows_restored_from_a_dump_are_somebody_elses() {
    let scene = loaded();
    // What a dump and its restore do: all rows out, and in again by another transaction.
    scene.database.sql(
        "create temporary table dump as table t;
         truncate t;
         insert into t table dump",
    );
    scene.run("verify j").exits(5).prints(&["3 rows were loaded, 0 are there"]);
    scene.run("undo j").exits(1).says(&["only 0 of the 3 rows"]);
    scene.run("undo j --missing-ok").exits(0).prints(&["0 rows deleted", "6 more were loaded"]);
    scene.holds(&ALL);
}

#[test]
fn transaction_ids_of_another_cluster_are_nobodys() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let path = folder.write("a.csv", metrics(100, 360));
    run(&database, &format!("load {path} --table metrics --time-column ts --job j")).exits(0);
    // What a dump restored elsewhere looks like: the ids there are those of others.
    database.sql("update pgbackfill.jobs set cluster = cluster + 1");
    for command in ["verify j", "undo j"] {
        run(&database, command).exits(1).says(&["were loaded in another cluster", "forget j --leave-rows"]);
    }
    assert_eq!(database.count("metrics"), 100);
    // The way out.
    run(&database, "forget j --leave-rows").exits(0).prints(&["the 100 rows that it loaded stay"]);
    database.sql("delete from metrics");
    run(&database, &format!("load {path} --table metrics --time-column ts --job j")).exits(0);
    assert_eq!(database.count("metrics"), 100);
    run(&database, "undo j").exits(0);
}
