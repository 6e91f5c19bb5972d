//! The protocol as a model: an in-memory ledger and table, workers that follow the same rules as `load/` and `ledger/`, and
//! whatever can happen to them, in any order that a search can think of.
//!
//! Read `protocol/worker.rs` for what a worker sends and `protocol/server.rs` for what the server makes of it; each rule
//! names the file that it mirrors. The model knows statements, not bytes: a batch is one row, a lease a few ticks. It leaves
//! out what the protocol does not rely on: plans, pieces, limits, pauses.
//!
//! After every step three things hold, and in the end, when nothing fails any more, everything is loaded:
//!
//! - **G1**: a window that the ledger, or a worker, calls loaded holds each row of the source exactly once, in the table or
//!   among the rejects.
//! - **G2**: no row of others is gone, but those that `--existing replace` found at the first attempt.
//! - **G4**: claims are made oldest first, and what was loaded stays loaded.
//!
//! That the search finds what it is for is proved the same way: with one guard taken away, it must find a violation.

#[path = "protocol/server.rs"]
mod server;
#[path = "protocol/worker.rs"]
mod worker;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::harness::{Random, seed};
use server::{BATCHES, Origin, Rules, Server, SessionId, State, Statement};
use worker::{Doing, Worker};

const WINDOWS: usize = 3;
const RUNS_MAX: usize = 4;
const WORKERS_OF_RUN: usize = 2;

/// What happens next. Numbers choose among those that are there.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A worker sends its next statement and has the reply. A worker that is never chosen is frozen.
    Act(usize),
    /// The same worker does so a few times.
    Go(usize, u8),
    /// A worker's connection breaks at its next statement: the server has done it, or it is still on the way.
    Cut {
        worker: usize,
        done: bool,
    },
    /// A worker's statement fails, and the worker is told.
    Fail(usize),
    /// What was on the way when a connection broke comes to the server after all.
    Arrive(usize),
    /// The server notices that a connection is broken, and rolls back.
    Notice(usize),
    /// Time passes.
    Tick,
    Renew(usize),
    /// The process is gone; its last statements may be on the way.
    Kill {
        run: usize,
        sent: bool,
    },
    /// Another run begins: a resume, or one that joins.
    Start,
    /// Another run ends this one, rightly or wrongly.
    TakeOver(usize),
    /// The user asks the run to stop.
    Stop(usize),
    /// The run's workers have ended: it gives back what none of them knows of, and ends.
    End(usize),
    /// Somebody else writes into a window.
    Foreign {
        window: usize,
        update: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let one = 0..16_usize;
    prop_oneof![
        12 => one.clone().prop_map(Step::Act),
        12 => (one.clone(), 2..12_u8).prop_map(|(worker, times)| Step::Go(worker, times)),
        4 => (one.clone(), any::<bool>()).prop_map(|(worker, done)| Step::Cut { worker, done }),
        2 => one.clone().prop_map(Step::Fail),
        3 => one.clone().prop_map(Step::Arrive),
        3 => one.clone().prop_map(Step::Notice),
        3 => Just(Step::Tick),
        2 => one.clone().prop_map(Step::Renew),
        1 => (one.clone(), any::<bool>()).prop_map(|(run, sent)| Step::Kill { run, sent }),
        2 => Just(Step::Start),
        1 => one.clone().prop_map(Step::TakeOver),
        1 => one.clone().prop_map(Step::Stop),
        2 => one.clone().prop_map(Step::End),
        2 => (one, any::<bool>()).prop_map(|(window, update)| Step::Foreign { window, update }),
    ]
}

/// A broken connection that the server takes for a good one, and what is still on the way to it.
struct Ghost {
    session: SessionId,
    statement: Option<Statement>,
}

/// How a run's workers are to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Working,
    /// One of them failed for good: no more claims.
    Halted,
    /// The user asked to stop.
    Stopping,
}

struct World {
    rules: Rules,
    server: Server,
    workers: Vec<Worker>,
    moods: Vec<Mood>,
    ghosts: Vec<Ghost>,
    /// Rows of others that nobody may delete.
    foreign: Vec<u64>,
    /// Windows that were once loaded.
    loaded: [bool; WINDOWS],
}

impl World {
    fn new(rules: Rules, replace: bool) -> Self {
        let server = Server::new(rules, replace, WINDOWS);
        let (workers, moods, ghosts, foreign) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut world = Self { rules, server, workers, moods, ghosts, foreign, loaded: [false; WINDOWS] };
        world.start();
        world
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Act(worker) => self.act(worker)?,
            Step::Go(worker, times) => (0..times).try_for_each(|_| self.act(worker))?,
            Step::Cut { worker, done } => self.cut(worker, done),
            Step::Fail(worker) => self.fail(worker),
            Step::Arrive(ghost) => self.arrive(ghost),
            Step::Notice(ghost) => self.notice(ghost),
            Step::Tick => self.server.tick(),
            Step::Renew(run) => self.renew(run % self.moods.len()),
            Step::Kill { run, sent } => self.kill(run % self.moods.len(), sent),
            Step::Start if self.moods.len() < RUNS_MAX => self.start(),
            Step::Start => {}
            Step::TakeOver(run) => self.server.take_over(run % self.moods.len()),
            Step::Stop(run) => self.wind_down(run % self.moods.len(), Mood::Stopping),
            Step::End(run) => self.end(run % self.moods.len()),
            Step::Foreign { window, update } => {
                self.foreign.extend(self.server.write_foreign(window % WINDOWS, update));
            }
        }
        self.check()
    }

    /// The worker that a number chooses, if there are any.
    fn chosen(&self, number: usize) -> Option<usize> {
        number.checked_rem(self.workers.len())
    }

    fn act(&mut self, number: usize) -> Result<(), TestCaseError> {
        let Some(at) = self.chosen(number) else { return Ok(()) };
        let worker = self.workers[at];
        let Some(statement) = worker.statement() else { return Ok(()) };
        let reply = self.server.execute(worker.session, statement);
        let reported = self.workers[at].receive(reply, self.rules);
        if reply == server::Reply::Fenced {
            self.server.execute(worker.session, Statement::Rollback);
            // Windows of a group are claimed again first, one by one.
            if self.workers[at].doing == Doing::Ended {
                self.wind_down(worker.run, Mood::Halted);
            }
        }
        self.wind_down(worker.run, self.moods[worker.run]);
        reported.into_iter().try_for_each(|window| self.check_loaded(window))
    }

    fn cut(&mut self, number: usize, done: bool) {
        let Some(at) = self.chosen(number) else { return };
        let worker = self.workers[at];
        let mut statement = worker.statement();
        if let Some(sent) = statement.filter(|_| done)
            && self.server.execute(worker.session, sent) != server::Reply::Waits
        {
            statement = None;
        }
        self.ghosts.push(Ghost { session: worker.session, statement });
        self.workers[at].session = self.server.connect();
        self.workers[at].fail();
        self.wind_down(worker.run, self.moods[worker.run]);
    }

    fn fail(&mut self, number: usize) {
        let Some(at) = self.chosen(number) else { return };
        self.server.execute(self.workers[at].session, Statement::Rollback);
        self.workers[at].fail();
    }

    fn arrive(&mut self, ghost: usize) {
        if self.ghosts.is_empty() {
            return;
        }
        let at = ghost % self.ghosts.len();
        let Ghost { session, statement } = self.ghosts[at];
        if let Some(statement) = statement
            && self.server.execute(session, statement) != server::Reply::Waits
        {
            self.ghosts[at].statement = None;
        }
    }

    fn notice(&mut self, ghost: usize) {
        if !self.ghosts.is_empty() {
            let ghost = self.ghosts.remove(ghost % self.ghosts.len());
            self.server.execute(ghost.session, Statement::Rollback);
        }
    }

    /// A run that finds itself ended by another gives up at once.
    fn renew(&mut self, run: usize) {
        if !self.server.renew(run) {
            self.kill(run, true);
        }
    }

    fn kill(&mut self, run: usize, sent: bool) {
        for worker in self.workers.iter().filter(|worker| worker.run == run) {
            let statement = worker.statement().filter(|_| sent);
            self.ghosts.push(Ghost { session: worker.session, statement });
        }
        self.workers.retain(|worker| worker.run != run);
    }

    fn start(&mut self) {
        let run = self.server.start_run();
        self.moods.push(Mood::Working);
        for _ in 0..WORKERS_OF_RUN {
            let session = self.server.connect();
            self.workers.push(Worker { run, session, doing: Doing::Claiming, rest: None });
        }
    }

    fn wind_down(&mut self, run: usize, mood: Mood) {
        self.moods[run] = mood;
        if mood != Mood::Working {
            let own = self.workers.iter_mut().filter(|worker| worker.run == run);
            own.for_each(|worker| worker.wind_down(mood == Mood::Stopping));
        }
    }

    /// `load/crew.rs::run_workers`: windows that nobody knows of are given back, and claimed in another round.
    fn end(&mut self, run: usize) {
        let own = |worker: &&mut Worker| worker.run == run;
        if self.workers.iter_mut().filter(own).any(|worker| worker.doing != Doing::Ended)
            || !self.workers.iter().any(|worker| worker.run == run)
        {
            return;
        }
        let session = self.server.connect();
        match self.server.execute(session, Statement::End { run }) {
            server::Reply::Done if self.moods[run] == Mood::Working => {
                let own = self.workers.iter_mut().filter(own);
                own.for_each(|worker| (worker.doing, worker.rest) = (Doing::Claiming, None));
            }
            server::Reply::Nothing => self.workers.retain(|worker| worker.run != run),
            _ => {}
        }
    }

    /// Nothing fails any more: whoever is at work ends, and one more run does what is left.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        while !self.ghosts.is_empty() {
            self.notice(0);
        }
        self.run_to_the_end()?;
        for run in 0..self.moods.len() {
            self.kill(run, false);
            self.server.take_over(run);
        }
        while !self.ghosts.is_empty() {
            self.notice(0);
        }
        self.start();
        // One worker: where leases are not looked at, two of a run take windows from each other.
        self.workers.truncate(1);
        self.run_to_the_end()?;
        for window in 0..WINDOWS {
            prop_assert!(self.server.windows[window].state == State::Loaded, "G1: window {window} is never loaded");
        }
        self.check()
    }

    fn run_to_the_end(&mut self) -> Result<(), TestCaseError> {
        const ENOUGH: usize = 100 * WINDOWS * BATCHES as usize;
        for round in 0..ENOUGH {
            if self.workers.is_empty() {
                return Ok(());
            }
            for at in 0..self.workers.len() {
                self.act(at)?;
            }
            self.end(round % self.moods.len());
            self.check()?;
        }
        Err(TestCaseError::fail("G1: workers wait for each other for ever"))
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        prop_assert!(self.server.out_of_order == 0, "G4: a claim passed over an older window");
        for window in 0..WINDOWS {
            let loaded = self.server.windows[window].state == State::Loaded;
            prop_assert!(loaded || !self.loaded[window], "G4: window {window} is no longer loaded");
            self.loaded[window] = loaded;
            if loaded {
                self.check_loaded(window)?;
            }
        }
        for number in &self.foreign {
            let there = self.server.table.iter().any(|row| row.origin == Origin::Foreign(*number));
            prop_assert!(there, "G2: a row of others is gone");
        }
        Ok(())
    }

    fn check_loaded(&self, window: usize) -> Result<(), TestCaseError> {
        let state = self.server.windows[window].state;
        prop_assert!(state == State::Loaded, "G1: window {window} is reported loaded, and is {state:?}");
        for number in 0..BATCHES {
            let same = |row: &&server::Row| row.window == window && row.origin == Origin::Source(number);
            let times = self.server.table.iter().filter(same).count();
            prop_assert!(times == 1, "G1: row {number} of window {window} is there {times} times");
            let times = self.server.windows[window].rejects.iter().filter(|reject| **reject == number).count();
            prop_assert!(times == 1, "G1: reject {number} of window {window} is there {times} times");
        }
        Ok(())
    }
}

/// Whatever happens, in order, and then nothing any more.
fn play(rules: Rules, replace: bool, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut world = World::new(rules, replace);
    steps.iter().try_for_each(|step| world.take(*step))?;
    world.settle()
}

/// Searches for a run of events that breaks a guarantee under these rules: the shortest that was found, and what it breaks.
fn search(rules: Rules, cases: u32, seed: u64) -> Option<String> {
    let mut random = Random(seed);
    let bytes: Vec<u8> = (0..4).flat_map(|_| random.next().to_le_bytes()).collect();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let events = (any::<bool>(), prop::collection::vec(step(), 1..80));
    match runner.run(&events, |(replace, steps)| play(rules, replace, &steps)) {
        Ok(()) => None,
        Err(TestError::Fail(why, (replace, steps))) => Some(format!("{why}\nreplace: {replace}\n{steps:#?}")),
        Err(TestError::Abort(why)) => panic!("the search was given up: {why}"),
    }
}

/// The search that must find nothing: long enough that each of those below would have been found many times over.
const CASES: u32 = 10_000;

/// A guard's absence is to be found by this many cases, from a seed that stays the same.
const CASES_WITHOUT: u32 = 5_000;

#[test]
fn whatever_happens_in_whatever_order_each_row_is_loaded_once_and_no_other_is_touched() {
    let found = search(Rules::BUILT, CASES, seed("protocol"));
    assert!(found.is_none(), "{}", found.unwrap_or_default());
}

/// Panics unless the search finds that `guarantee` breaks under `rules`.
#[track_caller]
fn breaks(guarantee: &str, rules: Rules) {
    let found = search(rules, CASES_WITHOUT, 1).expect("a guard that nothing needs is no guard");
    eprintln!("{found}");
    assert!(found.contains(guarantee), "{found}");
}

#[test]
fn without_the_clear_rows_are_doubled() {
    breaks("G1", Rules { clears: false, ..Rules::BUILT });
}

#[test]
fn with_a_clear_that_does_not_look_at_transactions_rows_of_others_are_lost() {
    breaks("G2", Rules { clears_by_transaction: false, ..Rules::BUILT });
}

#[test]
fn with_replace_at_every_attempt_rows_written_meanwhile_are_lost() {
    breaks("G2", Rules { admits_once: false, ..Rules::BUILT });
}

#[test]
fn without_the_lock_of_admit_a_late_clear_takes_away_what_another_has_loaded() {
    breaks("G1", Rules { admit_locks: false, ..Rules::BUILT });
}

#[test]
fn with_an_entry_that_commits_after_its_rows_rows_are_doubled() {
    breaks("G1", Rules { records_with_rows: false, ..Rules::BUILT });
}

#[test]
fn with_rejects_that_outlive_their_batches_a_window_that_is_tried_again_doubles_them() {
    breaks("G1: reject", Rules { forgets_rejects: false, ..Rules::BUILT });
}

#[test]
fn without_the_attempt_in_the_fence_an_old_attempt_of_the_same_run_gets_past() {
    breaks("G1", Rules { fences_attempt: false, ..Rules::BUILT });
}

#[test]
fn without_a_fence_an_old_attempt_gets_past() {
    breaks("G1", Rules { fences_attempt: false, fences_run: false, ..Rules::BUILT });
}

#[test]
fn with_claims_that_keep_the_attempt_two_workers_of_a_run_load_the_same_window() {
    breaks("G1", Rules { claim_bumps: false, ..Rules::BUILT });
}

#[test]
fn with_reclaims_that_keep_the_attempt_two_workers_of_a_run_load_the_same_window() {
    breaks("G1", Rules { reclaim_bumps: false, ..Rules::BUILT });
}

#[test]
fn with_reclaims_that_do_not_look_a_loaded_window_is_loaded_again() {
    breaks("G4", Rules { reclaim_looks: false, ..Rules::BUILT });
}

#[test]
fn with_claims_in_another_order_progress_has_holes() {
    breaks("G4", Rules { claims_oldest: false, ..Rules::BUILT });
}

#[test]
fn with_groups_of_windows_that_were_begun_before_rows_are_doubled() {
    breaks("G1", Rules { groups_are_fresh: false, ..Rules::BUILT });
}

#[test]
fn with_a_group_that_commits_without_one_of_its_claims_rows_are_doubled() {
    breaks("G1", Rules { group_fences_all: false, ..Rules::BUILT });
}

/// What only spares work is no guard: nothing rests on it.
#[track_caller]
fn holds_all_the_same(rules: Rules) {
    let found = search(rules, CASES_WITHOUT, seed("protocol"));
    assert!(found.is_none(), "{}", found.unwrap_or_default());
}

#[test]
fn leases_and_the_end_of_a_run_only_spare_work() {
    holds_all_the_same(Rules { respects_leases: false, ..Rules::BUILT });
    holds_all_the_same(Rules { ended_runs_stop: false, ..Rules::BUILT });
    holds_all_the_same(Rules { respects_leases: false, ended_runs_stop: false, ..Rules::BUILT });
}

#[test]
fn the_attempt_alone_tells_claims_apart_and_the_run_in_the_fence_is_a_second_bolt() {
    holds_all_the_same(Rules { fences_run: false, ..Rules::BUILT });
    breaks("G1", Rules { fences_run: false, claim_bumps: false, ..Rules::BUILT });
}
