//! Faults between loader and server: connections that end, stall or lose a reply at exact points of a load.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Action, Database, Folder, METRICS, Output, Point, Proxy, metrics, run, start_at};

/// A window of 5,000 rows in three batches, and one of 1,000 in a batch.
const ROWS: u32 = 6_000;
const BATCHES: usize = 4;

/// After a fault, the command says within so many runs that all is loaded.
const RUNS_AGAIN_MAX: u32 = 8;

/// Loads side by side.
const AT_ONCE: u32 = 4;

/// A table, its source, and a proxy to its server.
struct Scene {
    database: Database,
    proxy: Proxy,
    load: String,
    _folder: Folder,
}

impl Scene {
    fn new() -> Self {
        let (database, folder) = (Database::with(METRICS), Folder::new());
        let csv = metrics(ROWS, 360);
        let path = folder.write("a.csv", &csv);
        database.copy_csv("expected", "header true", csv.as_bytes());
        let load = format!(
            "load {path} --table metrics --time-column ts --window 30m --batch-rows 2000 --workers 1 --retry-for 20s --json"
        );
        let proxy = Proxy::start(&database);
        Self { database, proxy, load, _folder: folder }
    }

    fn load(&self) -> Output {
        start_at(&self.proxy.url(&self.database), &self.load).finish()
    }

    /// Loads again. While a commit of the first run is still under way, a run may have to leave its window alone, or to
    /// take it for another's.
    #[track_caller]
    fn resume(&self) {
        for _ in 0..RUNS_AGAIN_MAX {
            let again = self.load();
            if again.code == 0 {
                return;
            }
            assert!([4, 7].contains(&again.code), "{again:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("the command does not come to an end, though nothing is in its way");
    }

    /// Loads, again where the run says that it is not done, and compares what is there. What the first run said is returned.
    #[track_caller]
    fn survives(&self) -> Output {
        let first = self.load();
        assert!([0, 4].contains(&first.code), "{first:?}");
        if first.code == 4 {
            self.resume();
        }
        self.database.assert_same("metrics", "expected");
        run(&self.database, "verify").exits(0);
        first
    }
}

/// A load with one fault at the `nth` message of its kind. The fault must strike.
#[track_caller]
fn survived(point: Point, nth: u32, action: Action) -> Output {
    survived_if_struck(point, nth, action).expect("a message is struck")
}

/// Loads with one fault each: at the first message of its kind, the second, and so on until a load has no more of them.
fn survived_at_each(point: Point, action: Action) -> Vec<Output> {
    let mut outputs = Vec::new();
    let mut first = 1;
    // Side by side, for they wait more than they work.
    loop {
        let loads =
            (first..first + AT_ONCE).map(|nth| std::thread::spawn(move || survived_if_struck(point, nth, action)));
        let ends: Vec<_> =
            loads.collect::<Vec<_>>().into_iter().map(|load| load.join().expect("it survives")).collect();
        let struck = ends.iter().flatten().count();
        outputs.extend(ends.into_iter().flatten());
        if struck < AT_ONCE as usize {
            return outputs;
        }
        first += AT_ONCE;
    }
}

/// A load with one fault; `None` if it had too few messages for it to strike.
fn survived_if_struck(point: Point, nth: u32, action: Action) -> Option<Output> {
    let scene = Scene::new();
    let fault = scene.proxy.arm(point, nth, action);
    let output = scene.survives();
    if fault.has_struck() {
        return Some(output);
    }
    output.exits(0);
    None
}

/// Whether a window was tried again, and turned out to be loaded: nothing of it was cleared or loaded anew.
fn found_loaded(output: &Output) -> bool {
    let is_of = |event: &Value, window: &Value| event["window"] == *window;
    let found = |failed: &Value| {
        let window = &failed["window"];
        let claimed = output.events_named("claimed").into_iter().filter(|claimed| is_of(claimed, window));
        let again = claimed.filter(|claimed| claimed["attempt"].as_u64() > failed["attempt"].as_u64()).count();
        again == 0 && output.events_named("loaded").iter().any(|loaded| is_of(loaded, window))
    };
    output.events_named("retrying").iter().any(found)
}

/// Whether a window was tried again and first cleared of what its batches had left.
fn found_half_loaded(output: &Output) -> bool {
    output.events_named("claimed").iter().any(|claimed| claimed["cleared"].as_u64() > Some(0))
}

/// Panics unless each run found out by itself what had become of its commit, before and after its windows too.
#[track_caller]
fn assert_all_end_with_0(outputs: &[Output]) {
    let given_up: Vec<_> = outputs.iter().filter(|output| output.code != 0).collect();
    assert!(given_up.is_empty(), "{given_up:#?}");
}

#[test]
fn when_the_reply_to_any_commit_is_lost_no_row_is_doubled_and_a_window_that_was_done_is_not_loaded_again() {
    let outputs = survived_at_each(Point::CommitReply, Action::Lose);
    assert!(outputs.iter().any(found_loaded), "no window's last commit was struck");
    assert!(outputs.iter().any(found_half_loaded), "no commit in the midst of a window was struck");
    assert_all_end_with_0(&outputs);
}

#[test]
fn when_any_commit_is_lost_on_its_way_no_row_is_lost_or_doubled() {
    let outputs = survived_at_each(Point::Commit, Action::Lose);
    assert!(!outputs.iter().any(found_loaded), "a window was taken for loaded that was not");
    assert!(outputs.iter().any(found_half_loaded), "no commit in the midst of a window was struck");
    assert_all_end_with_0(&outputs);
}

#[test]
fn when_any_commit_comes_after_its_connection_was_lost_it_is_waited_for_or_fenced_off() {
    let outputs = survived_at_each(Point::Commit, Action::Late(Duration::from_millis(700)));
    assert!(outputs.iter().any(found_loaded), "no window's last commit was struck");
    assert!(outputs.iter().any(found_half_loaded), "no commit in the midst of a window was struck");
}

#[test]
fn when_the_reply_to_any_copy_is_lost_no_row_is_doubled() {
    assert_eq!(survived_at_each(Point::CopyReply, Action::Lose).len(), BATCHES);
}

#[test]
fn a_connection_that_is_cut_while_rows_are_sent_is_opened_anew() {
    survived(Point::CopyData, 3, Action::Cut);
}

#[test]
fn a_connection_that_is_cut_between_statements_is_opened_anew() {
    survived(Point::Ready, 25, Action::Cut);
}

#[test]
fn a_connection_that_ends_within_a_message_of_rows_is_opened_anew() {
    survived(Point::CopyData, 3, Action::Tear);
}

#[test]
fn a_connection_that_ends_within_a_reply_is_opened_anew() {
    survived(Point::CopyReply, 2, Action::Tear);
}

#[test]
fn a_connection_that_is_reset_while_rows_are_sent_is_opened_anew() {
    survived(Point::CopyData, 3, Action::Reset);
}

#[test]
fn a_connection_that_is_reset_when_its_commit_was_answered_is_opened_anew() {
    survived(Point::CommitReply, 3, Action::Reset);
}

#[test]
fn a_loader_that_the_server_no_longer_hears_opens_another_connection() {
    survived(Point::CopyDone, 2, Action::HalfClose);
}

#[test]
fn a_server_that_the_loader_no_longer_hears_is_connected_to_anew() {
    survived(Point::CopyReply, 2, Action::HalfClose);
}

#[test]
fn a_connection_that_falls_silent_and_then_ends_is_opened_anew() {
    for point in [Point::CopyData, Point::Commit, Point::CommitReply] {
        survived(point, 3, Action::BlackHole(Duration::from_millis(700)));
    }
}

#[test]
fn a_slow_connection_loads_all_the_same() {
    survived(Point::Copy, 2, Action::Throttle(200_000)).exits(0);
}

#[test]
fn replies_that_come_late_are_waited_for() {
    for point in [Point::CopyReply, Point::CommitReply, Point::Ready] {
        let output = survived(point, 2, Action::Delay(Duration::from_millis(300))).exits(0);
        assert!(output.events_named("retrying").is_empty(), "{output:?}");
    }
}
