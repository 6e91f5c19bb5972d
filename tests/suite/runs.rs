//! Several runs: they share a job with --join, are refused without, wait for each other, and take over from the dead, the
//! frozen and the stuck.

use serde_json::Value;

use crate::harness::{Database, Folder, Gate, METRICS, Output, Running, Session, metrics, run, start};

/// Measurements of six hours, their file, and a command that loads them as job `j`.
fn scene(database: &Database, options: &str) -> (Folder, String) {
    let (folder, csv) = (Folder::new(), metrics(60_000, 360));
    let path = folder.write("a.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    (folder, format!("load {path} --table metrics --time-column ts --workers 1 --json --job j {options}"))
}

/// Panics unless every row is there once, and the ledger says so and nothing else.
#[track_caller]
fn all_loaded(database: &Database) {
    database.assert_same("metrics", "expected");
    run(database, "verify j").exits(0);
    assert_eq!(database.count("pgbackfill.windows where state <> 'loaded'"), 0);
    assert_eq!(database.count("pgbackfill.runs where ended_at is null"), 0);
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

fn is_waiting_for(text: &str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == "waiting" && event["reason"].as_str().is_some_and(|reason| reason.contains(text))
}

/// Waits until the leases of all runs have run out.
#[track_caller]
fn wait_for_leases(database: &Database) {
    let live = "pgbackfill.runs where ended_at is null and lease_until > now()";
    database.wait_until("the lease has run out", || database.count(live) == 0);
}

/// A gate at the ledger: whoever enters the first batch of window `number` stands there, and holds the window's row. Others
/// pass. The gate opens with its keeper.
fn close_ledger_gate(database: &Database, number: u32) -> Session {
    database.sql(&format!(
        "create sequence public.gate_passed;
         create function wait_with_the_row() returns trigger language plpgsql as $$
         begin
           if new.number = {number} and nextval('public.gate_passed') = 1 then
             perform pg_advisory_xact_lock_shared(2);
           end if;
           return null;
         end $$;
         create trigger gate after insert on pgbackfill.batches for each row execute function wait_with_the_row()"
    ));
    let keeper = database.connect();
    keeper.sql("select pg_advisory_lock(2)");
    keeper
}

#[track_caller]
fn wait_at_ledger_gate(database: &Database) -> String {
    let waiting = "select pid from pg_locks where locktype = 'advisory' and objid = 2 and not granted
                      and database = (select oid from pg_database where datname = current_database())";
    database.wait_until("a loader stands at the gate", || database.rows(waiting).len() == 1);
    database.one(waiting)
}

/// A loader of job `j` that is frozen while one of its sessions holds the row of window 2, its lease run out; with the number
/// of the server process that holds the row.
fn stuck(database: &Database, load: &str) -> (Running, String) {
    run(database, "init").exits(0);
    let keeper = close_ledger_gate(database, 2);
    let frozen = start(database, &format!("{load} --lease 3s"));
    let pid = wait_at_ledger_gate(database);
    frozen.signal("STOP");
    keeper.sql("select pg_advisory_unlock(2)");
    wait_for_leases(database);
    (frozen, pid)
}

#[test]
fn four_joined_runs_load_every_row_once_between_them_and_each_ends_with_0() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 5min --batch-rows 300 --join");
    let runs: Vec<_> = (0..4).map(|_| start(&database, &load)).collect();
    let outputs: Vec<Output> = runs.into_iter().map(|run| run.finish().exits(0)).collect();
    let loaded: u64 = outputs.iter().filter_map(|output| output.summary()["windows"].as_u64()).sum();
    assert_eq!(loaded, 72);
    assert!(outputs.iter().all(|output| output.summary()["progress"]["loaded"] == 72));
    all_loaded(&database);
}

#[test]
fn a_run_that_finds_nothing_to_claim_waits_for_the_other_and_names_it() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 3h");
    let gate = Gate::close(&database, 20_000);
    let first = gate.wait_for(start(&database, &load));
    let second = start(&database, &format!("{load} --join"));
    // The second takes the other window, passes no gate either, and so both stand there.
    let standing = "select count(*) from pg_locks where locktype = 'advisory' and objid = 1 and not granted
                       and database = (select oid from pg_database where datname = current_database())";
    database.wait_until("both stand at the gate", || database.one(standing) == "2");
    let mut third = start(&database, &format!("{load} --join"));
    let named = format!("process {} on {}", first.pid(), host());
    assert!(third.event(is_waiting_for(&named)).is_some());
    assert!(!third.has_ended());
    gate.open();
    for run in [first, second, third] {
        run.finish().exits(0);
    }
    all_loaded(&database);
}

#[test]
fn a_first_run_waits_for_those_that_joined_it() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 3h");
    let first_gate = Gate::close(&database, 20_000);
    let mut first = first_gate.wait_for(start(&database, &load));
    let joined = start(&database, &format!("{load} --join"));
    let standing = "select count(*) from pg_locks where locktype = 'advisory' and objid = 1 and not granted
                       and database = (select oid from pg_database where datname = current_database())";
    database.wait_until("both stand at the gate", || database.one(standing) == "2");
    joined.signal("STOP");
    first_gate.open();
    assert!(first.event(is_waiting_for(&format!("process {}", joined.pid()))).is_some());
    joined.signal("CONT");
    joined.finish().exits(0);
    first.finish().exits(0);
    all_loaded(&database);
}

#[test]
fn windows_of_a_joined_run_that_is_killed_are_taken_over_at_once() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 3h --lease 1h");
    let gate = Gate::close(&database, 20_000);
    let first = gate.wait_for(start(&database, &load));
    let mut second = start(&database, &format!("{load} --join"));
    assert!(second.event_named("claimed").is_some());
    first.kill();
    gate.open();
    second.finish().exits(0);
    all_loaded(&database);
}

#[test]
fn a_joined_run_frozen_past_its_lease_goes_on_when_it_thaws_and_nothing_is_doubled() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 30min --lease 3s --join");
    let gate = Gate::close(&database, 20_000);
    let frozen = gate.wait_for(start(&database, &load));
    frozen.signal("STOP");
    gate.open();
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
    frozen.signal("CONT");
    frozen.finish().exits(0).prints(&["another run took over window"]);
    all_loaded(&database);
}

#[test]
fn a_window_that_failed_in_another_run_is_named_by_a_run_that_waited_for_it() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 3h");
    let gate = Gate::close(&database, 1);
    // Past the gate, the first window cannot be loaded, which only the first run tries.
    database.sql(
        "create function refuse() returns trigger language plpgsql as $$
         begin
           if exists (select from metrics where note = 'row 1') then raise 'no such row here'; end if;
           return null;
         end $$;
         create trigger past_the_gate after insert on metrics for each statement execute function refuse()",
    );
    let first = gate.wait_for(start(&database, &load));
    let mut second = start(&database, &format!("{load} --join"));
    assert!(second.event_named("claimed").is_some());
    gate.open();
    first.finish().exits(1);
    second.finish().exits(4).says(&[
        "1 window of job j failed in another run: [2024-01-01, 2024-01-01 03:00",
        "no such row here",
        "the same command again",
    ]);
    assert_eq!(database.count("pgbackfill.runs where ended_at is null"), 0);
    assert_eq!(database.count("metrics"), 30_000);
}

#[test]
fn a_run_refused_as_its_job_begins_has_deleted_and_entered_nothing() {
    let (database, folder) = (Database::with("create table t (n int); insert into t values (1)"), Folder::new());
    let path = folder.write("a.csv", "n\n2\n");
    run(&database, "init").exits(0);
    database.sql(&live_job("other", "public", "t", "null", &[(0, 1)]));
    let load = format!("load {path} --table t --no-time-column --existing replace --job j");
    run(&database, &load).exits(7).says(&["job other", "process 4711 on elsewhere since 20"]);
    assert_eq!(database.rows("table t"), ["1"]);
    assert_eq!(database.count("pgbackfill.jobs where name = 'j'"), 0);
    run(&database, &format!("{load} --join")).exits(0);
    assert_eq!(database.rows("table t"), ["2"]);
}

/// Statements that enter a job with a live run elsewhere, and its windows in hours from 2024-01-01 on.
fn live_job(name: &str, schema: &str, table: &str, time_column: &str, hours: &[(i64, i64)]) -> String {
    let windows: Vec<String> = (0..)
        .zip(hours)
        .map(|(number, (from, until))| {
            let micros = |hour: i64| (8766 * 24 + hour) * 3_600_000_000;
            format!("({number}, {}, {})", micros(*from), micros(*until))
        })
        .collect();
    format!(
        "with job as (
           insert into pgbackfill.jobs (name, table_name, target, time_column, commit_mode, hashed, unhashed, settings, shape,
                                        source_rows, rows_before, rows_after, rows_unkeyed, mended, rows_rejected)
           values ('{name}', 'x', '\"{schema}\".\"{table}\"', {time_column}, 'batch', '{{}}', '{{}}', '{{}}', '{{}}', 0, 0, 0, 0,
                   '{{}}', 0)
           returning id
         ), run as (
           insert into pgbackfill.runs (job_id, host, pid, process, lease_until)
           select id, 'elsewhere', 4711, 'boot/namespace/4711/1', now() + interval '1 hour' from job
         )
         insert into pgbackfill.windows (job_id, number, lower, upper, source)
         select id, w.number, w.lower, w.upper, '' from job, (values {}) w (number, lower, upper)",
        windows.join(", ")
    )
}

#[test]
fn a_job_whose_range_another_job_is_loading_is_refused_naming_it_and_may_join_it() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h");
    let gate = Gate::close(&database, 20_000);
    let first = gate.wait_for(start(&database, &load));
    let other = load.replace("--job j", "--job other --existing keep");
    let held = format!("is being loaded as job j by process {} on {} since 20", first.pid(), host());
    run(&database, &other).exits(7).says(&["the range of job other in public.metrics", &held, "--join"]);
    // Side by side where that is asked for.
    let joined = start(&database, &format!("{other} --join"));
    gate.open();
    first.finish().exits(0);
    joined.finish().exits(0);
    assert_eq!(database.count("metrics"), 120_000);
    run(&database, "undo other").exits(0);
    all_loaded(&database);
}

#[test]
fn jobs_overlap_by_their_windows_range_on_one_column() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h");
    run(&database, "init").exits(0);
    let (hours, time) = ([(7, 8), (9, 10)], "'ts'");
    let holds = [
        ("j1", "metrics", time, &hours[..], 0),
        ("j2", "metrics", time, &[(5, 6)], 7),
        ("j3", "metrics", time, &[(-2, -1), (8, 9)], 7),
        ("j4", "metrics", time, &[(-2, 0)], 0),
        // A job that has not a window asks for none.
        ("j5", "metrics", "'other'", &[(8, 9)], 7),
        ("j6", "metrics", "null", &[(0, 1)], 7),
        ("j7", "expected", time, &[(0, 6)], 0),
        ("j8", "nonesuch", time, &[(0, 6)], 0),
    ];
    for (name, table, column, hours, code) in holds {
        database.sql(&live_job(name, "public", table, column, hours));
        let output = run(&database, &load);
        assert_eq!(output.code, code, "{name}: {output:?}");
        database.sql(&format!("delete from pgbackfill.jobs where name = '{name}'"));
        if code == 0 {
            run(&database, "undo j").exits(0);
        }
    }
}

#[test]
fn a_partition_or_a_child_and_its_parent_are_one_table_and_its_siblings_are_not() {
    let database = Database::with(
        "create table parent (ts timestamptz not null, note text) partition by range (ts);
         create schema parts;
         create table parts.one partition of parent for values from ('2024-01-01Z') to ('2024-02-01Z');
         create table parts.two partition of parent for values from ('2024-02-01Z') to ('2024-03-01Z');
         create table base (ts timestamptz not null, note text);
         create table child () inherits (base);
         create table grandchild () inherits (child);",
    );
    let folder = Folder::new();
    let path = folder.write("a.csv", "ts,note\n2024-01-01T00:30Z,a\n");
    run(&database, "init").exits(0);
    let pairs = [
        (("parts", "one"), "parent", 7),
        (("public", "parent"), "parts.one", 7),
        (("parts", "two"), "parts.one", 0),
        (("public", "base"), "grandchild", 7),
        (("public", "grandchild"), "base", 7),
        (("public", "parent"), "base", 0),
    ];
    for ((schema, held), table, code) in pairs {
        database.sql(&live_job("held", schema, held, "'ts'", &[(0, 24)]));
        let load = format!("load {path} --table {table} --time-column ts --window 1h --job j");
        let output = run(&database, &load);
        assert_eq!(output.code, code, "{schema}.{held} and {table}: {output:?}");
        database.sql("delete from pgbackfill.jobs where name = 'held'");
        if code == 0 {
            run(&database, "undo j").exits(0);
        }
    }
}

#[test]
fn a_table_dropped_and_made_anew_is_the_one_that_its_name_means_now() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h");
    run(&database, "init").exits(0);
    database.sql(&live_job("held", "public", "metrics", "'ts'", &[(0, 1)]));
    run(&database, &load).exits(7);
    database.sql("alter table metrics rename to former; create table metrics (like former)");
    run(&database, &load).exits(7);
    run(&database, &load.replace("--table metrics", "--table former").replace("--job j", "--job k")).exits(0);
}

#[test]
fn two_overlapping_jobs_that_begin_together_do_not_both_begin() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h");
    let gate = Gate::close(&database, 1);
    let other = load.replace("--job j", "--job other");
    let runs = [start(&database, &load), start(&database, &other)];
    database.wait_until("one is refused", || runs.iter().any(Running::has_ended));
    gate.open();
    let mut codes = runs.map(|run| run.finish().code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 7]);
    database.assert_same("metrics", "expected");
}

#[test]
fn takeover_takes_the_job_from_a_live_run_which_finds_itself_fenced() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h");
    let gate = Gate::close(&database, 20_000);
    let first = gate.wait_for(start(&database, &format!("{load} --lease 9s")));
    run(&database, &load).exits(7).says(&["--takeover"]);
    let mut second = start(&database, &format!("{load} --takeover"));
    let ended = second.event(|event| {
        event["event"] == "warning" && event["message"].to_string().contains("--takeover ended server process")
    });
    assert!(ended.is_some());
    gate.open();
    second.finish().exits(0);
    first.finish().exits(7).says(&["another run took over"]);
    all_loaded(&database);
}

#[test]
fn a_run_elsewhere_is_taken_over_in_the_ledger() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h");
    run(&database, &load).exits(0);
    database.sql(
        "insert into pgbackfill.runs (job_id, host, pid, process, lease_until)
         select id, 'elsewhere', 4711, 'boot/namespace/4711/1', now() + interval '1 hour' from pgbackfill.jobs;
         update pgbackfill.windows set state = 'loading', run_id = (select id from pgbackfill.runs where host = 'elsewhere')
          where number = 3",
    );
    run(&database, &load).exits(7).says(&["process 4711 on elsewhere since 20"]);
    run(&database, &format!("{load} --takeover")).exits(0);
    all_loaded(&database);
}

#[test]
fn a_row_that_a_frozen_loaders_session_holds_is_waited_for_and_named() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h");
    let (frozen, pid) = stuck(&database, &load);
    run(&database, &format!("{load} --retry-for 2s"))
        .exits(7)
        .says(&[&format!("1 open window of job j held by server process {pid} (pgbackfill/"), "--takeover"]);
    assert_eq!(database.count("pgbackfill.runs where ended_at is null"), 0);
    let mut second = start(&database, &load);
    assert!(second.event(is_waiting_for(&format!("server process {pid} (pgbackfill/"))).is_some());
    frozen.kill();
    second.finish().exits(0);
    all_loaded(&database);
}

#[test]
fn takeover_ends_a_session_that_holds_a_row_and_completes() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h");
    let (frozen, pid) = stuck(&database, &load);
    let output = run(&database, &format!("{load} --takeover")).exits(0);
    output.prints(&[&format!("--takeover ended server process {pid} (pgbackfill/")]);
    frozen.signal("CONT");
    frozen.finish().exits(7).says(&["another run took over"]);
    all_loaded(&database);
}

#[test]
fn a_role_that_may_not_end_a_session_says_so_and_waits() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h");
    let (frozen, pid) = stuck(&database, &load);
    let role = format!("loader_{}", database.name());
    database.sql(&format!(
        "create role {role} login;
         grant usage on schema pgbackfill to {role};
         grant select, insert, update, delete on all tables in schema pgbackfill, public to {role};
         grant usage on sequence gate_passed to {role}"
    ));
    let mut second = crate::harness::start_as(&database, &role, &format!("{load} --takeover"));
    let refused = format!("--takeover may not end server process {pid}");
    let is_refusal = |event: &Value| event["event"] == "warning" && event["message"].to_string().contains(&refused);
    assert!(second.event(is_refusal).is_some());
    assert!(second.event(is_waiting_for(&format!("server process {pid}"))).is_some());
    frozen.kill();
    second.finish().exits(0);
    all_loaded(&database);
    database.sql(&format!("drop owned by {role} cascade; drop role {role}"));
}

#[test]
fn a_lease_that_cannot_be_renewed_is_a_warning() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 3h --lease 3s");
    let gate = Gate::close(&database, 20_000);
    let mut loader = gate.wait_for(start(&database, &load));
    let keeper = database.connect();
    keeper.sql("begin; lock table pgbackfill.runs in share mode");
    let told =
        |event: &Value| event["event"] == "warning" && event["message"].to_string().contains("could not be renewed");
    assert!(loader.event(told).is_some());
    keeper.sql("commit");
    gate.open();
    loader.finish().exits(0);
    all_loaded(&database);
}

#[test]
fn a_window_opened_again_behind_the_claims_is_loaded_all_the_same() {
    let database = Database::with(METRICS);
    let (_folder, load) = scene(&database, "--window 1h");
    run(&database, &load).exits(0);
    database.sql("update pgbackfill.windows set state = 'pending' where number >= 4");
    let gate = Gate::close(&database, 40_000);
    let loader = gate.wait_for(start(&database, &load));
    database.sql("update pgbackfill.windows set state = 'pending' where number = 1");
    gate.open();
    assert_eq!(loader.finish().exits(0).summary()["windows"], 3);
    all_loaded(&database);
}
