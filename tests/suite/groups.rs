//! Groups: neighbouring small windows are loaded in one transaction, and each keeps what is its own.

use std::fmt::Write as _;

use crate::harness::{Database, Folder, Output, run, start};

const WINDOWS: u64 = 300;
const EACH: u64 = 3;

/// A table, and 300 windows of three rows for it.
struct Scene {
    database: Database,
    path: String,
    _folder: Folder,
}

/// Key and value of each row; `value` decides from the row's number.
fn csv(value: impl Fn(u64) -> String) -> String {
    (0..WINDOWS * EACH).fold("n,v\n".to_owned(), |mut csv, row| {
        writeln!(csv, "{row},{}", value(row)).unwrap();
        csv
    })
}

impl Scene {
    fn new(csv: &str) -> Self {
        let (database, folder) = (
            Database::with(
                "create table t (n bigint not null, v text check (v <> 'refused'));
                 create index on t (n);
                 create table expected (n bigint, v text)",
            ),
            Folder::new(),
        );
        let path = folder.write("a.csv", csv);
        database.copy_csv("expected", "header true", csv.as_bytes());
        Self { database, path, _folder: folder }
    }

    fn command(&self, options: &str) -> String {
        let options = if options.contains("--workers") { options.to_owned() } else { format!("--workers 1 {options}") };
        format!("load {} --table t --time-column n --window {EACH} --job j --json {options}", self.path)
    }

    fn load(&self, options: &str) -> Output {
        run(&self.database, &self.command(options))
    }

    /// Transactions that loaded rows.
    fn transactions(&self) -> u64 {
        self.database.one("select count(distinct xid) from pgbackfill.batches").parse().unwrap()
    }

    /// Panics unless each window has its own rows and the entry of one batch, and the table holds the source's rows that
    /// `loaded` selects.
    #[track_caller]
    fn holds(&self, loaded: &str) {
        self.database.assert_same("t", &format!("(select * from expected where {loaded})"));
        let lies = self.database.rows(
            "select w.number, w.rows, w.batches, w.admitted, count(b.xid), sum(b.rows)
               from pgbackfill.windows w left join pgbackfill.batches b using (job_id, number)
              where w.state = 'loaded' and w.rejected = 0
              group by w.job_id, w.number
             having not w.admitted or count(b.xid) <> 1 or sum(b.rows) <> w.rows or w.batches <> (w.rows > 0)::int
                 or w.rows <> (select count(*) from t where n >= w.lower and n < w.upper)",
        );
        assert!(lies.is_empty(), "{lies:?}");
        let open = self.database.count("pgbackfill.windows where state not in ('loaded', 'skipped')");
        run(&self.database, "verify j").exits(if open > 0 { 4 } else { 0 });
    }
}

fn plain(row: u64) -> String {
    format!("row {row}")
}

#[test]
fn small_windows_share_transactions_and_keep_their_own_entries() {
    let scene = Scene::new(&csv(plain));
    let output = scene.load("").exits(0);
    scene.holds("true");
    assert!(scene.transactions() <= 20, "{} transactions", scene.transactions());
    for name in ["claimed", "batch", "loaded", "frontier"] {
        assert_eq!(output.count_of(name), 300, "{name}");
    }
    let rows: u64 = output.events_named("loaded").iter().map(|event| event["rows"].as_u64().unwrap()).sum();
    assert_eq!(rows, WINDOWS * EACH);
    scene.load("").exits(0);
    run(&scene.database, "undo j").exits(0);
    assert_eq!(scene.database.count("t"), 0);
}

#[test]
fn a_window_that_holds_more_than_was_planned_is_loaded_alone() {
    // One key holds nearly all rows, which the plan takes to be spread over all windows.
    let mut csv = csv(plain);
    (0..30_000).for_each(|row| writeln!(csv, "450,more {row}").unwrap());
    let scene = Scene::new(&csv);
    scene.load("").exits(0);
    scene.holds("true");
}

#[test]
fn windows_are_not_grouped_where_each_is_to_be_a_transaction() {
    for options in ["--commit window", "--existing replace"] {
        let scene = Scene::new(&csv(plain));
        scene.load(options).exits(0);
        scene.holds("true");
        assert_eq!(scene.transactions(), WINDOWS, "{options}");
    }
}

#[test]
fn windows_with_rejects_are_loaded_beside_groups() {
    let value = |row: u64| match row {
        400 => "refused".to_owned(),
        500 => "no\0text".to_owned(),
        _ => plain(row),
    };
    let scene = Scene::new(&csv(plain));
    std::fs::write(&scene.path, csv(value)).unwrap();
    scene.load("--max-rejects 2").exits(3);
    scene.holds("n not in (400, 500)");
    assert_eq!(scene.database.rows("select record from pgbackfill.rejects order by 1"), ["401", "501"]);
    let windows = "select lower from pgbackfill.windows where rejected = 1 order by 1";
    assert_eq!(scene.database.rows(windows), ["399", "498"]);
    assert!(scene.transactions() <= 100, "{} transactions", scene.transactions());
}

#[test]
fn a_row_that_the_server_refuses_is_named_and_no_later_window_is_loaded() {
    let scene = Scene::new(&csv(|row| if row == 400 { "refused".to_owned() } else { plain(row) }));
    scene.load("").exits(1).says(&["window [399, 402)", "record 401"]);
    scene.holds("n < 399");
    assert_eq!(scene.database.one("select number from pgbackfill.windows where state = 'failed'"), "133");
    assert_eq!(scene.database.count("pgbackfill.windows where state = 'loading'"), 0);
    scene.database.sql("alter table t drop constraint t_v_check");
    scene.load("").exits(0);
    scene.holds("true");
}

#[test]
fn windows_of_files_of_their_own_are_grouped_up_to_one_that_cannot_be_read() {
    let (scene, files) = (Scene::new(&csv(plain)), Folder::new());
    let text = csv(plain);
    let rows: Vec<&str> = text.lines().skip(1).collect();
    for (number, rows) in rows.chunks(3).enumerate() {
        files.write(&format!("{number:03}.csv"), format!("n,v\n{}\n", rows.join("\n")));
    }
    let scene = Scene { path: files.path().to_owned(), ..scene };
    let whole = std::fs::read(format!("{}/133.csv", scene.path)).unwrap();
    files.write("133.csv", "n,v\n399,row 399\n400,no\0text\n401,row 401\n");
    scene.load("").exits(1).says(&["window [399, 402)", "133.csv record 2"]);
    scene.holds("n < 399");
    assert!(scene.transactions() <= 20, "{} transactions", scene.transactions());
    files.write("133.csv", whole);
    scene.load("--accept-changed-source").exits(0);
    scene.holds("true");
}

#[test]
fn a_window_that_holds_rows_is_an_error_and_no_later_window_is_loaded() {
    let scene = Scene::new(&csv(plain));
    scene.database.sql("insert into t values (400, 'theirs')");
    scene.load("").exits(1).says(&["window [399, 402)", "already holds rows"]);
    assert_eq!(scene.database.one("select max(n), count(*) from t where v <> 'theirs'"), "398|399");
    scene.database.sql("delete from t where v = 'theirs'");
    scene.load("").exits(0);
    scene.holds("true");
}

#[test]
fn only_windows_that_hold_rows_are_skipped() {
    let scene = Scene::new(&csv(plain));
    scene.database.sql("insert into t values (400, 'theirs'), (410, 'theirs'), (411, 'theirs')");
    scene.load("--existing skip").exits(0);
    let skipped = scene.database.rows("select lower from pgbackfill.windows where state = 'skipped' order by 1");
    assert_eq!(skipped, ["399", "408", "411"]);
    scene.database.sql("delete from t where v = 'theirs'");
    scene.holds("n not between 399 and 401 and n not between 408 and 413");
}

#[test]
fn rows_of_others_stay_beside_groups() {
    let scene = Scene::new(&csv(plain));
    scene.database.sql("insert into t values (400, 'theirs')");
    scene.load("--existing keep").exits(0);
    run(&scene.database, "verify j").exits(0);
    run(&scene.database, "undo j").exits(0);
    assert_eq!(scene.database.rows("table t"), ["400|theirs"]);
}

#[test]
fn windows_whose_rows_a_trigger_changes_are_loaded_one_by_one() {
    let scene = Scene::new(&csv(plain));
    scene.database.sql(
        "create function mark() returns trigger language plpgsql as
           $$ begin update t set v = 'marked' where n = new.n; return null; end $$;
         create trigger mark after insert on t for each row when (new.n = 400) execute function mark();
         update expected set v = 'marked' where n = 400",
    );
    scene.load("").exits(0);
    scene.holds("true");
    assert_eq!(scene.database.rows("select lower from pgbackfill.windows where row_hash is null"), ["399"]);
}

#[test]
fn several_workers_load_each_window_once() {
    let scene = Scene::new(&csv(plain));
    scene.load("--workers 4").exits(0);
    scene.holds("true");
}

#[test]
fn a_stop_between_groups_leaves_a_job_that_is_resumed() {
    let scene = Scene::new(&csv(plain));
    scene.database.sql(
        "create function hold() returns trigger language plpgsql as
           $$ begin perform pg_advisory_xact_lock_shared(1); return null; end $$;
         create trigger hold after insert on t for each statement execute function hold()",
    );
    let holder = scene.database.connect();
    holder.sql("select pg_advisory_lock(1)");
    let mut loader = start(&scene.database, &scene.command(""));
    scene.database.wait_until("the loader waits", || {
        scene.database.count("pg_locks where locktype = 'advisory' and not granted") == 1
    });
    loader.signal("TERM");
    loader.event_named("stopping");
    holder.sql("select pg_advisory_unlock(1)");
    loader.finish().exits(143);
    let open = scene.database.count("pgbackfill.windows where state = 'pending'");
    assert!(open > 0 && open < 300, "{open} windows are open");
    assert_eq!(scene.database.count("pgbackfill.windows where state = 'loading'"), 0);
    scene.load("").exits(0);
    scene.holds("true");
}
