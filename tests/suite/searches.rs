//! The search for rows that the server refuses: what it costs the server, how it ends, and which rows it finds.

use std::fmt::Write as _;

use crate::harness::{Database, Folder, run};

/// A table of ten thousand rows and more in one window, of which every `each`-th is refused by a foreign key.
fn orphans(rows: u64, each: u64, options: &str) -> (Database, Folder, String) {
    let (database, folder) = (Database::new(), Folder::new());
    database.sql(
        "create table parents (id int primary key); insert into parents values (1);
         create table t (ts timestamptz not null, id int primary key, v int references parents)",
    );
    let mut csv = String::from("ts,id,v\n");
    for row in 0..rows {
        let v = if row % each == 3 { 2 } else { 1 };
        writeln!(csv, "2024-01-01 {:02}:{:02}:{:02}Z,{row},{v}", row / 3600, row / 60 % 60, row % 60).unwrap();
    }
    let path = folder.write("many.csv", &csv);
    let load = format!("load {path} --table t --time-column ts --window 1d --workers 1 --job j {options} --json");
    (database, folder, load)
}

#[test]
fn a_search_makes_no_object_for_each_part_and_ends_within_few_locks() {
    for options in ["--on-conflict skip", "--on-conflict update", "--commit window", ""] {
        let (database, _folder, load) = orphans(12_000, 20, &format!("--max-rejects 100% {options}"));
        // Each object that is made takes an oid of its own, and leaves its rows in the catalog.
        let made = |database: &Database| {
            database.sql("create table marker ()");
            let oid = database.one("select 'marker'::regclass::oid");
            database.sql("drop table marker");
            oid.parse::<u64>().unwrap()
        };
        let before = made(&database);
        run(&database, &load).exits(3);
        let after = made(&database);
        assert!(after - before < 1_000, "{options}: {} objects", after - before);
        assert_eq!(database.count("t"), 11_400);
        assert_eq!(database.count("pgbackfill.rejects"), 600);
        run(&database, "verify j").exits(0);
    }
}

#[test]
fn good_rows_of_a_refused_batch_are_loaded_together() {
    let (database, _folder, load) = orphans(20_000, 20, "--max-rejects 100%");
    run(&database, &load).exits(3);
    assert_eq!(database.count("t"), 19_000);
    let batches = database.count("pgbackfill.batches");
    assert!(batches <= 10, "{batches} batches");
}

#[test]
fn a_search_ends_at_once_when_it_is_told_to_stop() {
    let probed = "current_query() like '%pgbackfill_probe%'";
    for (options, is_slow) in [
        ("--max-rejects 100%", probed),
        ("--max-rejects 100% --commit window", probed),
        ("--max-rejects 100% --on-conflict skip", probed),
        ("", "exists (select from pgbackfill.windows where attempt > 1)"),
    ] {
        let (database, _folder, load) = orphans(2_000, 200, options);
        // Only the search comes to a row that takes ten minutes.
        database.sql(&format!(
            "create function slow() returns trigger language plpgsql as $$ begin
               if {is_slow} then perform pg_sleep(600); end if;
               return null; end $$;
             create trigger slow after insert on t for each row execute function slow()"
        ));
        let loader = crate::harness::start(&database, &load);
        let sleeping = "pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()";
        database.wait_until("the search has begun", || database.count(sleeping) > 0);
        loader.signal("TERM");
        loader.finish().exits(143);
        assert_eq!(database.count("pgbackfill.windows where state = 'pending'"), 1, "{options}");
        database.sql(&format!("select pg_terminate_backend(pid) from {sleeping}"));
    }
}

#[test]
fn a_role_that_may_make_no_temporary_table_has_its_rows_searched_too() {
    let (database, _folder, load) = orphans(600, 60, "--max-rejects 100%");
    let (role, name) = ("untemporary", database.name().to_owned());
    database.sql(&format!(
        "revoke temporary on database {name} from public; create role {role} login;
         grant create on database {name} to {role}; grant select, insert, delete on t to {role}"
    ));
    crate::harness::run_as(&database, role, &load).exits(3);
    assert_eq!((database.count("t"), database.count("pgbackfill.rejects")), (590, 10));
    database.sql(&format!("drop owned by {role}; drop role {role}"));
}

#[test]
fn a_row_whose_parent_comes_later_in_its_batch_is_loaded() {
    for options in ["", "--commit window"] {
        let (database, folder) = (Database::new(), Folder::new());
        database.sql("create table t (id int primary key, ts timestamptz not null, n int check (n <> 7), parent int references t)");
        let mut csv = "id,ts,n,parent\n".to_owned();
        for id in 0..2_000 {
            let parent = if id < 1_999 { (id + 1).to_string() } else { String::new() };
            writeln!(csv, "{id},2024-01-01Z,{},{}", if id == 10 { 7 } else { 1 }, if id == 9 { "" } else { &parent })
                .unwrap();
        }
        let path = folder.write("a.csv", csv);
        let load = format!("load {path} --table t --time-column ts --window 1d --job j --max-rejects 9 {options}");
        run(&database, &load).exits(3);
        assert_eq!(database.rows("select record, sqlstate from pgbackfill.rejects"), ["11|23514"], "{options}");
        assert_eq!(database.count("t"), 1_999);
    }
}

#[test]
fn the_row_that_is_named_is_the_one_that_the_whole_load_was_refused_for() {
    // The first row needs the last one, which is more than a held batch away, and lacks it when its batch is tried alone.
    for options in ["", "--commit window"] {
        let (database, folder) = (Database::new(), Folder::new());
        database.sql(
            "create table t (id int primary key, ts timestamptz not null,
                             parent int references t deferrable initially deferred)",
        );
        let mut csv = "id,ts,parent\n".to_owned();
        for id in 1..=25_000 {
            let parent = match id {
                1 => "25000",
                12_345 => "99999",
                _ => "",
            };
            writeln!(csv, "{id},2024-01-01Z,{parent}").unwrap();
        }
        let path = folder.write("a.csv", csv);
        let load = format!("load {path} --table t --time-column ts --window 1d --workers 1 --job j {options}");
        run(&database, &load).exits(1).says(&["(99999)", "a.csv record 12345"]);
        assert_eq!(database.count("t"), 0);
    }
}
