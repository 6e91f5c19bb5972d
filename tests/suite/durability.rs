//! What a run has called loaded is there after a crash of the server, although commits of batches do not wait for the disk.

use crate::harness::server::{Server, Stop};
use crate::harness::{Database, Folder, METRICS, metrics, run, run_as, start, start_server};

/// A server of the test's own that writes the commits which nobody waits for hardly ever, a table and a command that loads
/// it. A crash loses what the server has not written, as `torture` explains.
struct Scene {
    server: &'static Server,
    database: Database,
    load: String,
    _folder: Folder,
}

impl Scene {
    fn new() -> Self {
        let (server, folder) = (start_server(), Folder::new());
        let database = Database::on(server);
        database.sql("alter system set wal_writer_delay = '10s'");
        database.rows("select pg_reload_conf()");
        database.sql(METRICS);
        let csv = metrics(2000, 360);
        let path = folder.write("a.csv", &csv);
        database.copy_csv("expected", "header true", csv.as_bytes());
        let load = format!("load {path} --table metrics --time-column ts --window 6h --workers 1 --json");
        run(&database, "init").exits(0);
        Self { server, database, load, _folder: folder }
    }

    /// Panics unless every row is there after a crash.
    #[track_caller]
    fn outlives_a_crash(self) {
        self.server.restart(Stop::Immediate).unwrap_or_else(|fault| panic!("{fault}"));
        let database = Database::attach(self.server, self.database.name());
        assert_eq!(database.count("pgbackfill.windows where state <> 'loaded'"), 0);
        database.assert_same("metrics", "expected");
        self.server.stop(Stop::Immediate).unwrap();
    }

    /// Kills a loader that has loaded all and stands before the end of its run.
    fn kill_before_its_end(&self) {
        self.database.sql(
            "create function hold() returns trigger language plpgsql as 'begin perform pg_sleep(300); return new; end';
             create trigger hold before update on pgbackfill.runs for each row when (new.ended_at is not null)
               execute function hold()",
        );
        let loader = start(&self.database, &self.load);
        let at_its_end = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
        self.database.wait_until("the run is to end", || self.database.one(at_its_end) == "1");
        drop(loader.kill());
        assert_eq!(self.database.count("pgbackfill.windows where state <> 'loaded'"), 0);
        assert_eq!(self.database.count("pgbackfill.runs where ended_at is null"), 1);
    }
}

#[test]
fn a_job_found_complete_whose_run_was_killed_before_its_end_outlives_a_crash() {
    let scene = Scene::new();
    scene.kill_before_its_end();
    let summary = run(&scene.database, &scene.load).exits(0).summary();
    assert_eq!(summary["windows"], 0, "all was loaded before: {summary}");
    scene.outlives_a_crash();
}

#[test]
fn a_run_that_is_found_open_with_nothing_left_to_load_is_ended_and_a_re_run_writes_nothing() {
    let scene = Scene::new();
    let (database, role) = (&scene.database, format!("reader_{}", scene.database.name()));
    database.sql(&format!(
        "create role {role} login; grant usage on schema pgbackfill to {role};
         grant select on all tables in schema pgbackfill to {role}; grant select on metrics to {role}"
    ));
    scene.kill_before_its_end();
    database.rows("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'");
    database.sql("drop trigger hold on pgbackfill.runs");
    database.wait_until_alone();
    database.sql(
        "insert into pgbackfill.runs (job_id, host, pid, process, lease_until)
         select id, 'elsewhere', 4711, 'boot/namespace/4711/1', now() - interval '2 hours' from pgbackfill.jobs",
    );
    run_as(database, &role, &scene.load).exits(1).says(&["on the server's disk", "permission denied"]);
    run(database, &scene.load).exits(0);
    assert_eq!(database.count("pgbackfill.runs where ended_at is null"), 0);
    run_as(database, &role, &scene.load).exits(0);
    scene.server.stop(Stop::Immediate).unwrap();
}

#[test]
fn a_load_outlives_a_crash_where_no_commit_waits_for_the_disk_by_default() {
    let scene = Scene::new();
    scene.database.sql(&format!("alter database {} set synchronous_commit = off", scene.database.name()));
    run(&scene.database, &scene.load).exits(0);
    scene.outlives_a_crash();
}

#[test]
fn a_run_that_another_has_ended_waits_for_the_disk_all_the_same() {
    let scene = Scene::new();
    scene.database.sql(
        "create function end_run() returns trigger language plpgsql as $$
         begin
           if not exists (select from pgbackfill.windows where state <> 'loaded') then
             update pgbackfill.runs set ended_at = clock_timestamp() where id = new.run_id;
           end if;
           return null;
         end $$;
         create trigger end_run after update on pgbackfill.windows for each row execute function end_run()",
    );
    run(&scene.database, &scene.load).exits(0);
    scene.outlives_a_crash();
}
