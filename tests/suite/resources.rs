//! A server that lacks disk, memory, time or connections, or takes a privilege away: runs go on with less, or end in good
//! order and are resumed by the same command.

use std::process::Command;

use crate::harness::server::Stop;
use crate::harness::{Database, Folder, Gate, METRICS, Output, metrics, run, run_as, start, start_server};

/// Twenty thousand measurements in two hours, and a command that loads them.
fn scene(database: &Database, options: &str) -> (Folder, String) {
    let (folder, csv) = (Folder::new(), metrics(20_000, 360));
    let path = folder.write("a.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    (folder, format!("load {path} --table metrics --time-column ts --json --job j {options}"))
}

/// Panics unless the same command ends what was begun.
#[track_caller]
fn resumes(database: &Database, load: &str) -> Output {
    let output = run(database, load).exits(0);
    database.assert_same("metrics", "expected");
    run(database, "verify j").exits(0);
    output
}

/// A trigger that does `what` after each batch, which sees the rows of the batch as `added`.
fn after_batch(database: &Database, what: &str) {
    database.sql(&format!(
        "create function after_batch() returns trigger language plpgsql as $$ begin {what} return null; end $$;
         create trigger after_batch after insert on metrics referencing new table as added
           for each statement execute function after_batch()"
    ));
}

#[test]
fn a_server_out_of_disk_or_memory_ends_the_run_with_4_and_with_what_is_left() {
    for (code, remedy) in [("53100", "make room"), ("53200", "more memory"), ("53400", "raise the limit")] {
        let database = Database::with(METRICS);
        let (_folder, load) = scene(&database, "--window 30m --workers 2");
        after_batch(
            &database,
            &format!(
                "if (select count(*) from metrics) > 10000 then
                   raise exception 'nothing left' using errcode = '{code}';
                 end if;"
            ),
        );
        let output = run(&database, &load).exits(4);
        let left = 20_000 - database.count("metrics");
        assert!((5_000..20_000).contains(&left), "{left} rows are left");
        let left = format!("{},{:03} rows still to be loaded (about", left / 1000, left % 1000);
        let output =
            output.says(&[code, &left, "of COPY data", "of table and indexes", remedy, "the same command again"]);
        assert!(output.events_named("retrying").is_empty(), "{output:?}");
        // Each worker met the shortage with its window, and began no other.
        let given_back =
            "select count(*) from pgbackfill.windows where state = 'pending' and error like '%nothing left%'";
        assert!(["1", "2"].contains(&&*database.one(given_back)), "{output:?}");
        assert_eq!(database.one("select count(*) from pgbackfill.windows where state in ('failed', 'loading')"), "0");
        database.sql("drop trigger after_batch on metrics");
        resumes(&database, &load);
    }
}

/// A small file system that goes with its test.
struct SmallDisk(Folder);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = Folder::new();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=12m,mode=0777", "small", folder.path()]).output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Best effort: a server that was just stopped may hold it for a moment, and it is detached all the same.
        let _ = Command::new("umount").args(["--lazy", self.0.path()]).status();
    }
}

#[test]
fn a_disk_that_is_really_full_ends_the_run_with_4_and_room_resumes_it() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: a file system of its own can be mounted by root alone");
        return;
    };
    let server = start_server();
    let database = Database::on(server);
    let space = format!("{}/space", disk.0.path());
    std::fs::create_dir(&space).unwrap();
    let owner = database.one("show data_directory");
    let owned = Command::new("chown").args([&format!("--reference={owner}"), &space]).status();
    assert!(owned.unwrap().success());
    database.sql(&format!("create tablespace small location '{space}'"));
    database.sql(METRICS);
    database.sql("alter table metrics set tablespace small");
    database
        .sql("create table filler (text text) tablespace small; alter table filler alter text set storage external");
    database.sql("insert into filler select repeat('x', 1000000) from generate_series(1, 11)");
    let (_folder, load) = scene(&database, "--window 30m --workers 2");
    run(&database, &load).exits(4).says(&["No space left on device", "53100", "make room", "the same command again"]);
    database.sql("drop table filler; checkpoint");
    resumes(&database, &load);
    server.stop(Stop::Immediate).unwrap();
}

#[test]
fn a_statement_that_is_cancelled_for_its_length_is_tried_again_with_smaller_batches() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h --batch-rows 4000 --workers 1");
    // What takes more than a thousand rows at once takes too long for somebody.
    after_batch(
        &database,
        "if (select count(*) from added) > 1000 then
           perform pg_cancel_backend(pg_backend_pid()), pg_sleep(60);
         end if;",
    );
    let output = resumes(&database, &load);
    let told: Vec<String> = output.events_named("retrying").iter().map(|event| event["error"].to_string()).collect();
    let told = |text: &str| told.iter().filter(|error| error.contains(text)).count();
    assert_eq!((told("57014"), told("at most 2000 rows"), told("at most 1000 rows")), (4, 2, 2), "{output:?}");
    assert_eq!(database.one("select max(rows) from pgbackfill.batches"), "1000");
}

#[test]
fn statements_that_are_cancelled_however_short_they_are_end_the_run_with_4() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h --batch-rows 4000 --workers 1 --retry-for 1s");
    after_batch(&database, "perform pg_cancel_backend(pg_backend_pid()), pg_sleep(60);");
    let output = run(&database, &load).exits(4).says(&["57014", "smaller --batch-rows", "the same command again"]);
    assert!(!output.events_named("retrying").is_empty(), "{output:?}");
    assert_eq!(
        database.one("select state, error like '%57014%' from pgbackfill.windows where number = 0"),
        "pending|t"
    );
    database.sql("drop trigger after_batch on metrics");
    resumes(&database, &load);
}

/// A role that may load into `metrics`, and its name.
fn loader(database: &Database) -> String {
    let role = format!("loader_{}", database.name());
    database.sql(&format!(
        "create role {role} login;
         grant create on database {} to {role};
         grant select, insert, delete on metrics to {role}",
        database.name()
    ));
    role
}

#[test]
fn a_worker_that_gets_no_connection_leaves_its_window_to_the_others() {
    let database = Database::with(METRICS);
    let role = loader(&database);
    let (_folder, load) =
        scene(&database, &format!("--window 10m --batch-rows 500 --workers 3 --target {}", database.url_of(&role)));
    let gate = Gate::close(&database, 6_000);
    let mut running = start(&database, &load);
    let at_the_gate = "from pg_stat_activity a where usename ~ '^loader_' and datname = current_database()
                          and exists (select from pg_locks l where l.pid = a.pid and not granted and locktype = 'advisory')";
    let count = |what: &str| database.one(&format!("select count(*) {what}"));
    database.wait_until("all workers stand at the gate", || count(at_the_gate) == "3");
    // Of those that lose their connection, one gets another.
    let sessions: u32 =
        count("from pg_stat_activity where usename ~ '^loader_' and datname = current_database()").parse().unwrap();
    database.sql(&format!("alter role {role} connection limit {}", sessions - 2));
    database.rows(&format!("select pg_terminate_backend(pid) {at_the_gate}"));
    let warned = |event: &serde_json::Value| {
        event["event"] == "warning"
            && event["message"].as_str().is_some_and(|it| it.contains("leaves its part") && it.contains("53300"))
    };
    assert!(running.event(warned).is_some() && running.event(warned).is_some());
    gate.open();
    running.finish().exits(0);
    database.assert_same("metrics", "expected");
    run_as(&database, &role, "verify j").exits(0);
    database.sql(&format!("drop owned by {role} cascade; drop role {role}"));
}

#[test]
fn a_privilege_that_is_taken_away_ends_the_run_at_once_and_given_again_lets_it_resume() {
    let database = Database::with(METRICS);
    let role = loader(&database);
    let (_folder, load) =
        scene(&database, &format!("--window 1h --batch-rows 1000 --workers 1 --target {}", database.url_of(&role)));
    let gate = Gate::close(&database, 3_000);
    let running = gate.wait_for(start(&database, &load));
    database.sql(&format!("revoke insert on metrics from {role}"));
    gate.open();
    let output = running.finish().exits(1).says(&["permission denied for table metrics", "42501"]);
    assert!(output.events_named("retrying").is_empty(), "{output:?}");
    let load_again = load.replace("--workers 1", "--workers 2");
    run_as(&database, &role, &load_again).exits(1);
    database.sql(&format!("grant insert on metrics to {role}"));
    run(&database, &load_again).exits(0);
    database.assert_same("metrics", "expected");
    run_as(&database, &role, "verify j").exits(0);
    database.sql(&format!("drop owned by {role} cascade; drop role {role}"));
}

#[test]
fn a_serialization_failure_is_tried_again() {
    for code in ["40001", "40P01", "55P03"] {
        let database = Database::with(METRICS);
        let (_folder, load) = scene(&database, "--window 1h --workers 1");
        // What a sequence has given out stays given out when the transaction is rolled back.
        database.sql("create sequence tries");
        after_batch(
            &database,
            &format!("if nextval('public.tries') < 3 then raise exception 'not now' using errcode = '{code}'; end if;"),
        );
        let output = resumes(&database, &load);
        assert_eq!(output.events_named("retrying").len(), 2, "{output:?}");
    }
}

#[test]
fn a_real_deadlock_with_somebody_else_is_tried_again() {
    let database = Database::with(METRICS);
    database.sql("create table side (); ");
    // The other session is patient: when a deadlock is found, the loader finds it.
    database.sql(&format!("alter database {} set deadlock_timeout = '2s'", database.name()));
    let (_folder, load) = scene(&database, "--window 1h --workers 1");
    after_batch(&database, "lock table side in exclusive mode;");
    let other = database.connect();
    other.sql("set deadlock_timeout = '60s'; begin; lock table side in share mode");
    let mut running = start(&database, &load);
    let waiting = "select count(*) from pg_locks where relation = 'side'::regclass and not granted";
    database.wait_until("the loader waits", || database.one(waiting) != "0");
    other.sql("lock table metrics in share mode");
    let retried = running.event_named("retrying").expect("one of the two is given up");
    assert!(retried["error"].as_str().is_some_and(|error| error.contains("40P01")), "{retried}");
    other.sql("commit");
    running.finish().exits(0);
    database.assert_same("metrics", "expected");
}

#[test]
fn a_late_failure_is_tried_again_however_long_the_window_has_taken() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h --batch-rows 1000 --workers 1 --retry-for 1s");
    database.sql("create sequence tries");
    // The first batch alone takes longer than all tries may take, and fails at its end.
    after_batch(
        &database,
        "if nextval('public.tries') = 1 then
           perform pg_sleep(1.5);
           raise exception 'not now' using errcode = '40001';
         end if;",
    );
    let output = resumes(&database, &load);
    assert_eq!(output.events_named("retrying").len(), 1, "{output:?}");
}
