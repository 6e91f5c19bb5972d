//! Loaders that freeze while others change their job or take it back, and thaw: each row is there once, or the job is not
//! forgotten.
#![cfg(feature = "failpoints")]

use std::fmt::Write as _;

use crate::harness::{Database, Folder, METRICS, Running, run, run_with, start, start_with};

/// A job over the files of a folder, in windows of a day.
struct Scene {
    database: Database,
    folder: Folder,
    load: String,
}

/// Rows an hour apart from the first day of January on.
fn csv(name: &str, days: std::ops::Range<u32>) -> String {
    let mut csv = String::from("ts,host,value,note\n");
    for (day, hour) in days.flat_map(|day| (0..24).map(move |hour| (day, hour))) {
        writeln!(csv, "2024-01-{:02}T{hour:02}:00:00Z,{name},{hour}.0000,x", day + 1).unwrap();
    }
    csv
}

impl Scene {
    fn new() -> Self {
        let (database, folder) = (Database::with(METRICS), Folder::new());
        folder.write("s/a.csv", csv("a", 0..6));
        let load = format!(
            "load {}/s --table metrics --time-column ts --window 1d --batch-rows 5 --workers 1 --lease 3s --job j --json",
            folder.path()
        );
        Self { database, folder, load }
    }

    /// Starts a loader that stops itself at a failpoint, and waits until its lease has run out.
    fn freeze(&self, failpoints: &str) -> Running {
        let loader = start_with(&self.database, &[("FAILPOINTS", failpoints)], &self.load);
        let stat = format!("/proc/{}/stat", loader.pid());
        self.database.wait_until("the loader stands still", || {
            assert!(!loader.has_ended(), "the loader was to stop");
            std::fs::read_to_string(&stat).unwrap().contains(") T ")
        });
        let live = "select count(*) from pgbackfill.runs where lease_until > clock_timestamp()";
        self.database.wait_until("its lease has run out", || self.database.one(live) == "0");
        loader
    }
}

#[test]
fn a_run_that_thaws_after_a_change_was_accepted_does_not_load_by_its_former_plan() {
    // At a window's end it would claim the next; within a window it finds that its claim is nobody's.
    for point in ["after-commit=1*return(stop)", "mid-copy=1*return(stop)"] {
        let scene = Scene::new();
        let frozen = scene.freeze(point);
        scene.folder.write("s/b.csv", csv("b", 0..6));
        let accept = format!("{} --join --accept-changed-source", scene.load);
        run_with(&scene.database, &[("FAILPOINTS", "after-enter=return(kill)")], &accept);
        frozen.signal("CONT");
        frozen.finish().exits(7);
        run(&scene.database, &accept).exits(0);
        assert_eq!(scene.database.count("metrics"), 2 * 6 * 24, "{point}");
        assert_eq!(scene.database.one("select count(distinct (ts, host)) from metrics"), (2 * 6 * 24).to_string());
        run(&scene.database, "verify j").exits(0);
    }
}

/// Sessions of loaders that wait for a lock.
const WAITING: &str =
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and application_name like 'pgbackfill%'
                      and datname = current_database()";

#[test]
fn a_change_waits_for_a_batch_that_is_about_to_commit_and_keeps_its_lease_meanwhile() {
    let scene = Scene::new();
    let frozen = scene.freeze("after-record=1*off->1*return(stop)");
    scene.folder.write("s/b.csv", csv("b", 0..6));
    let accepting = start(&scene.database, &format!("{} --accept-changed-source", scene.load));
    scene.database.wait_until("the change waits for the window's row", || scene.database.one(WAITING) != "0");
    // Longer than its lease of 3 seconds: that is renewed, and nothing gathers on the server.
    let renewed = "select count(*) from pgbackfill.runs where lease_until > clock_timestamp()
                      and started_at < clock_timestamp() - interval '5 s'";
    scene.database.wait_until("the lease has been renewed past its first end", || scene.database.one(renewed) == "1");
    assert_eq!(scene.database.one(WAITING), "1");
    frozen.signal("CONT");
    frozen.finish().exits(7);
    accepting.finish().exits(0);
    assert_eq!(scene.database.count("metrics"), 2 * 6 * 24);
    run(&scene.database, "verify j").exits(0);
}

#[test]
fn a_change_that_takes_the_job_over_waits_for_no_frozen_run() {
    let scene = Scene::new();
    let frozen = scene.freeze("after-record=1*off->1*return(stop)");
    scene.folder.write("s/b.csv", csv("b", 0..6));
    run(&scene.database, &format!("{} --accept-changed-source --takeover", scene.load)).exits(0);
    frozen.signal("CONT");
    frozen.finish().exits(7);
    assert_eq!(scene.database.count("metrics"), 2 * 6 * 24);
    run(&scene.database, "verify j").exits(0);
}

#[test]
fn an_undo_waits_for_a_batch_that_is_about_to_commit_and_takes_it_back_too() {
    let scene = Scene::new();
    let frozen = scene.freeze("after-record=1*off->1*return(stop)");
    let undo = start(&scene.database, "undo j");
    scene.database.wait_until("the undo waits for the window's row", || scene.database.one(WAITING) != "0");
    frozen.signal("CONT");
    // It finds its window taken, or its job forgotten where the undo was faster.
    let loader = frozen.finish();
    assert!(matches!(loader.code, 4 | 7), "{loader:?}");
    undo.finish().exits(0);
    assert_eq!(scene.database.count("metrics"), 0);
}

#[test]
fn a_job_that_is_loaded_again_while_it_is_undone_is_not_forgotten() {
    let scene = Scene::new();
    run(&scene.database, &scene.load).exits(0);
    let keeper = scene.database.connect();
    keeper.sql("begin; select from pgbackfill.windows where number = 1 for update");
    let undo = start(&scene.database, "undo j");
    let pending = "select count(*) from pgbackfill.windows where state = 'pending'";
    scene.database.wait_until("the newest windows are undone", || scene.database.one(pending) == "4");
    run(&scene.database, &format!("{} --join", scene.load)).exits(0);
    keeper.sql("commit");
    undo.finish().exits(7).says(&["job j was loaded again while it was undone"]);
    run(&scene.database, "undo j").exits(0);
    assert_eq!(scene.database.count("metrics"), 0);
}
