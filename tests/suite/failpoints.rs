//! Failpoints: a loader is killed, failed, made to panic or stopped at each step of the protocol, and the same command again
//! ends with exactly the source's rows.

use crate::harness::{Database, Folder, METRICS, Output, metrics, run, run_with};

/// A job of a few windows with a few batches each, and rows of others in the same windows.
struct Scene {
    database: Database,
    load: String,
    _folder: Folder,
}

/// Three windows of three batches or more, which are of several blocks each.
const STREAMED: &str = "--window 2h --batch-rows 1000 --batch-bytes 64KiB --workers 1";

impl Scene {
    fn new(options: &str) -> Self {
        let (database, folder) = (Database::with(METRICS), Folder::new());
        let csv = metrics(9000, 2400);
        let path = folder.write("metrics.csv", &csv);
        database.copy_csv("expected", "header true", csv.as_bytes());
        database.sql(
            "insert into foreign_rows
             select timestamptz '2024-01-01' + n * interval '1 min', 'other', n, 'not yours' from generate_series(1, 350) n;
             insert into metrics table foreign_rows",
        );
        let load =
            format!("load {path} --table metrics --time-column ts --existing keep --retry-for 60s --json {options}");
        Self { database, load, _folder: folder }
    }

    /// Loads, with `FAILPOINTS` as given.
    fn load(&self, failpoints: &str) -> Output {
        run_with(&self.database, &[("FAILPOINTS", failpoints)], &self.load)
    }

    /// Panics unless every row of the source is there once, and every row of others.
    #[track_caller]
    fn assert_loaded(&self) {
        self.database.assert_same("(select * from metrics where host <> 'other')", "expected");
        self.database.assert_same("(select * from metrics where host = 'other')", "foreign_rows");
        assert_eq!(self.database.count("pgbackfill.windows where state <> 'loaded'"), 0);
        run(&self.database, "verify").exits(0);
    }
}

/// The feature is on in the test command of the README; left out, these tests are missed rather than forgotten.
#[cfg(not(feature = "failpoints"))]
#[test]
fn without_their_feature_failpoints_have_no_effect_and_their_tests_are_left_out() {
    use std::io::Write as _;

    let scene = Scene::new(STREAMED);
    scene.load("after-claim=return(kill);encode=panic").exits(0);
    scene.assert_loaded();
    let told = "the tests of failpoints were left out: run `cargo test --features failpoints`";
    assert!(std::env::var_os("CI").is_none(), "{told}");
    // Past the test runner, which keeps to itself what passing tests print.
    writeln!(std::io::stderr(), "{told}").unwrap();
}

#[cfg(feature = "failpoints")]
mod struck {
    use super::{STREAMED, Scene};
    use crate::harness::{Output, Running, run, start_with};

    /// So many windows that the source is read once, into the spool.
    const SPOOLED: &str = "--window 20m --batch-rows 1000 --workers 1";

    const ABORTED: i32 = -6;
    const FENCED: i32 = 7;

    /// What a transient failure at a point comes to.
    #[derive(Debug, Clone, Copy)]
    enum Failure {
        /// The window is tried again by the same run, which says so.
        Retried,
        /// The run tries the step again, and no window with it.
        Passes,
    }

    impl Scene {
        /// Panics if a run is open in the ledger, or a window is with a run.
        #[track_caller]
        fn assert_given_back(&self) {
            assert_eq!(self.database.count("pgbackfill.runs where ended_at is null"), 0, "a run is open");
            self.assert_free();
        }

        /// Panics if a run is believed to be alive, or a window is with a run.
        #[track_caller]
        fn assert_free(&self) {
            assert_eq!(run(&self.database, "status --json").exits(0).json()["runs"].as_array().map(Vec::len), Some(0));
            assert_eq!(self.database.count("pgbackfill.windows where state = 'loading'"), 0, "a window is with a run");
        }

        /// Leaves a window half loaded: some batches of the first are committed when the loader is killed.
        fn half_loaded(self) -> Self {
            self.load("after-record=2*off->1*return(kill)").exits(ABORTED);
            self.database.wait_until_alone();
            assert_ne!(self.database.count("pgbackfill.batches"), 0);
            self
        }
    }

    /// Strikes when `point` has been passed `passes` times, in each way; then all that can be wrong is looked at.
    #[track_caller]
    fn strike(point: &str, passes: u32, failure: Failure, scene: impl Fn() -> Scene) {
        strike_beside("", point, passes, failure, scene);
    }

    /// The same, with `others` as failpoints beside it.
    #[track_caller]
    fn strike_beside(others: &str, point: &str, passes: u32, failure: Failure, scene: impl Fn() -> Scene) {
        for action in ["return(kill)", "return(error)", "panic"] {
            let failpoints = format!("{others}{point}={passes}*off->1*{action}");
            eprintln!("FAILPOINTS='{failpoints}'");
            let scene = scene();
            let output = scene.load(&failpoints);
            match action {
                "return(kill)" => drop(output.exits(ABORTED).says(&[&format!("failpoint {point}: kill")])),
                "return(error)" => check_failure(output, point, failure),
                _ => drop(output.exits(1).says(&[&format!("failpoint {point} panic"), "error: "])),
            }
            if action != "return(kill)" {
                scene.assert_given_back();
            }
            scene.load("").exits(0);
            scene.assert_loaded();
            scene.assert_free();
        }
    }

    #[track_caller]
    fn check_failure(output: Output, point: &str, failure: Failure) {
        let output = output.exits(0).says(&[&format!("failpoint {point}: error")]);
        let retried = output.events_named("retrying");
        let expected = usize::from(matches!(failure, Failure::Retried));
        assert_eq!(retried.len(), expected, "{failure:?}: {retried:?}");
        for event in retried {
            let error = event["error"].as_str().unwrap();
            assert!(error.contains(&format!("failpoint {point}")), "{error}");
        }
    }

    fn streamed() -> Scene {
        Scene::new(STREAMED)
    }

    #[test]
    fn struck_when_its_job_is_entered_and_nothing_is_loaded() {
        strike("after-enter", 0, Failure::Passes, streamed);
    }

    #[test]
    fn struck_when_a_window_is_claimed_and_not_admitted() {
        strike("after-claim", 1, Failure::Passes, streamed);
    }

    #[test]
    fn struck_in_the_transaction_that_clears_a_half_loaded_window() {
        strike("during-clear", 0, Failure::Retried, || streamed().half_loaded());
    }

    #[test]
    fn struck_in_the_first_copy() {
        strike("mid-copy", 0, Failure::Retried, streamed);
    }

    #[test]
    fn struck_in_a_later_copy_of_a_window() {
        strike("mid-copy", 6, Failure::Retried, streamed);
    }

    #[test]
    fn struck_when_the_rows_are_copied_and_not_recorded() {
        strike("after-copy", 1, Failure::Retried, streamed);
    }

    #[test]
    fn struck_when_a_batch_is_recorded_and_not_committed() {
        strike("after-record", 1, Failure::Retried, streamed);
    }

    #[test]
    fn struck_when_a_batch_is_committed_and_nobody_knows() {
        strike("after-commit", 1, Failure::Retried, streamed);
    }

    #[test]
    fn struck_when_the_last_batch_of_a_window_is_recorded_and_not_committed() {
        strike("last-batch", 1, Failure::Retried, streamed);
    }

    #[test]
    fn struck_when_the_whole_window_is_committed_and_nobody_knows() {
        // With a transaction a window, each commit is a window's last.
        strike("after-commit", 1, Failure::Retried, || Scene::new("--window 2h --commit window --workers 1"));
    }

    /// So many windows of a few rows that they are loaded in groups.
    const GROUPED: &str = "--window 1m --workers 1";

    fn grouped() -> Scene {
        Scene::new(GROUPED)
    }

    #[test]
    fn struck_when_the_windows_of_a_group_are_claimed() {
        strike("group-claimed", 2, Failure::Passes, grouped);
    }

    #[test]
    fn struck_when_the_rows_of_a_group_are_copied_and_not_recorded() {
        strike("group-copied", 2, Failure::Retried, grouped);
    }

    #[test]
    fn struck_when_a_group_is_recorded_and_not_committed() {
        strike("group-recorded", 2, Failure::Retried, grouped);
    }

    #[test]
    fn struck_when_a_group_is_committed_and_nobody_knows() {
        strike("group-committed", 2, Failure::Retried, grouped);
    }

    #[test]
    fn struck_when_the_window_after_a_group_is_claimed_and_not_admitted() {
        strike("after-claim", 3, Failure::Passes, grouped);
    }

    #[test]
    fn a_group_that_wakes_up_after_its_copy_does_not_commit_rows_that_another_has_loaded() {
        let short_lease = || Scene::new(&format!("{GROUPED} --lease 3s"));
        for point in ["group-claimed", "group-copied", "group-committed"] {
            let (scene, other, sleeper) = stopped_at(point, 1, short_lease());
            drop(other.exits(0));
            // After its commit it has nothing in hand that it could have lost.
            assert!(sleeper.code == FENCED || point == "group-committed", "{sleeper:?}");
            scene.assert_loaded();
            scene.assert_given_back();
        }
    }

    #[test]
    fn a_group_that_has_lost_one_window_commits_none_and_loads_the_others_alone() {
        let scene = grouped();
        let mut loader =
            start_with(&scene.database, &[("FAILPOINTS", "group-copied=2*off->1*return(stop)")], &scene.load);
        wait_until_stopped(&scene, &mut loader);
        let of_group = "pgbackfill.windows where state = 'loading'";
        assert!(scene.database.count(of_group) > 2);
        // What a run that took it over leaves behind.
        scene.database.sql(
            "update pgbackfill.windows set attempt = attempt + 1, state = 'pending', run_id = null
              where number = (select max(number) from pgbackfill.windows where state = 'loading')",
        );
        loader.signal("CONT");
        let output = loader.finish().exits(0);
        assert_eq!(output.events_named("retrying").len(), 0, "{output:?}");
        scene.assert_loaded();
        scene.assert_given_back();
    }

    #[test]
    fn struck_when_the_lease_is_renewed() {
        // Batches are held up until the first renewal, a second from the start, is long past.
        let slow = "after-commit=sleep(300);";
        strike_beside(slow, "lease-renewal", 0, Failure::Passes, || Scene::new(&format!("{STREAMED} --lease 3s")));
    }

    #[test]
    fn struck_when_all_is_loaded_and_the_run_has_not_ended() {
        strike("before-end", 0, Failure::Passes, streamed);
    }

    #[test]
    fn struck_while_rows_are_encoded() {
        strike("encode", 3, Failure::Retried, streamed);
    }

    #[test]
    fn struck_before_a_piece_is_fetched() {
        strike("fetch", 1, Failure::Retried, streamed);
    }

    #[test]
    fn struck_while_the_spool_is_filled() {
        strike("spool", 0, Failure::Passes, || Scene::new(SPOOLED));
    }

    #[test]
    fn struck_while_rows_come_out_of_the_spool() {
        strike("mid-copy", 3, Failure::Retried, || Scene::new(SPOOLED));
    }

    /// Two workers lose their connections over and over, at every step.
    #[test]
    fn struck_everywhere_again_and_again_the_run_still_loads_each_row_once() {
        let scene = Scene::new("--window 2h --batch-rows 1000 --batch-bytes 64KiB --workers 2");
        let failpoints = "after-claim=1*return(error)->1*off->1*return(error);\
                          mid-copy=2*off->1*return(error)->5*off->1*return(error);\
                          after-copy=1*off->1*return(error);\
                          after-record=2*off->1*return(error);\
                          after-commit=1*off->1*return(error)->2*off->1*return(error);\
                          last-batch=1*return(error)->1*off->1*return(error);\
                          during-clear=1*return(error);\
                          encode=7*off->1*return(error)";
        let output = scene.load(failpoints).exits(0);
        assert!(output.events_named("retrying").len() >= 6, "{output:?}");
        scene.assert_loaded();
        scene.assert_given_back();
    }

    /// Stops a loader at `point` until its lease has run out and another has done what it could; then lets it go on.
    fn stopped_at(point: &str, passes: u32, scene: Scene) -> (Scene, Output, Output) {
        let failpoints = format!("{point}={passes}*off->1*return(stop)");
        let mut sleeper = start_with(&scene.database, &[("FAILPOINTS", &failpoints)], &scene.load);
        wait_until_stopped(&scene, &mut sleeper);
        let live = "pgbackfill.runs where ended_at is null and lease_until > now()";
        scene.database.wait_until("the lease has run out", || scene.database.count(live) == 0);
        let other = scene.load("");
        sleeper.signal("CONT");
        let sleeper = sleeper.finish().says(&[&format!("failpoint {point}: stop")]);
        (scene, other, sleeper)
    }

    fn wait_until_stopped(scene: &Scene, sleeper: &mut Running) {
        let pid = sleeper.pid().to_string();
        scene.database.wait_until("the loader stands still", || {
            assert!(!sleeper.has_ended(), "the loader ended, and was to be stopped");
            let state = std::process::Command::new("ps").args(["-o", "state=", "-p", &pid]).output().unwrap();
            state.stdout.starts_with(b"T")
        });
    }

    /// Leases only spare work: a run that could not renew its own is not to be stopped by that alone.
    #[test]
    fn a_run_that_cannot_renew_its_lease_does_not_take_its_windows_from_itself() {
        let scene = Scene::new("--window 1h --batch-rows 500 --workers 2 --lease 3s");
        // One worker stands still after its claim until the other has claimed again, past the end of the lease.
        let slow = "lease-renewal=return(error);after-claim=1*sleep(7000);after-commit=sleep(400)";
        scene.load(slow).exits(0).says(&["failpoint lease-renewal: error"]);
        scene.assert_loaded();
        scene.assert_given_back();
    }

    fn short_lease() -> Scene {
        Scene::new(&format!("{STREAMED} --lease 3s"))
    }

    #[test]
    fn a_loader_that_wakes_up_after_its_claim_does_not_clear_what_another_has_loaded() {
        let (scene, other, sleeper) = stopped_at("after-claim", 1, short_lease());
        drop((other.exits(0), sleeper.exits(FENCED)));
        scene.assert_loaded();
        scene.assert_given_back();
    }

    #[test]
    fn a_loader_that_wakes_up_after_its_copy_does_not_commit_rows_that_another_has_loaded() {
        let (scene, other, sleeper) = stopped_at("after-copy", 1, short_lease());
        drop((other.exits(0), sleeper.exits(FENCED)));
        scene.assert_loaded();
        scene.assert_given_back();
    }

    #[test]
    fn a_loader_that_wakes_up_after_a_commit_does_not_add_to_what_another_has_loaded() {
        let (scene, other, sleeper) = stopped_at("after-commit", 1, short_lease());
        drop((other.exits(0), sleeper.exits(FENCED)));
        scene.assert_loaded();
        scene.assert_given_back();
    }

    /// Where the sleeper holds the window's row, the other may find no way past it: then the two together load all.
    #[test]
    fn a_loader_that_wakes_up_in_its_clear_or_before_its_commit_ends_with_each_row_once() {
        let half_loaded = || short_lease().half_loaded();
        for (point, scene) in
            [("after-fence", half_loaded()), ("during-clear", half_loaded()), ("last-batch", short_lease())]
        {
            eprintln!("stopped at {point}");
            let (scene, ..) = stopped_at(point, 0, scene);
            scene.load("").exits(0);
            scene.assert_loaded();
            scene.assert_free();
        }
    }

    #[test]
    fn each_try_is_an_attempt_of_its_own() {
        let scene = streamed();
        let output = scene.load("mid-copy=1*return(error)->1*off->1*return(error)").exits(0);
        let attempts: Vec<_> = output.events_named("claimed").iter().map(|event| event["attempt"].as_u64()).collect();
        assert_eq!(attempts, [1, 2, 3, 1, 1].map(Some));
    }

    #[test]
    fn an_attempt_that_is_no_longer_the_windows_last_does_not_commit() {
        let scene = streamed();
        let mut loader = start_with(&scene.database, &[("FAILPOINTS", "after-copy=1*return(stop)")], &scene.load);
        wait_until_stopped(&scene, &mut loader);
        // What a further claim by the same run does.
        scene.database.sql("update pgbackfill.windows set attempt = attempt + 1 where state = 'loading'");
        loader.signal("CONT");
        loader.finish().exits(FENCED);
        assert_eq!(scene.database.count("metrics where host <> 'other'"), 0);
        scene.load("").exits(0);
        scene.assert_loaded();
        scene.assert_given_back();
    }
}
