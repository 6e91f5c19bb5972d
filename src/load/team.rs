//! What the workers of a run have in common: how many are at work, and the windows of those that had to leave.
//!
//! A worker that gets no connection any more, because the server has too few, hands its window to the others and leaves. The
//! last one stays. Leaving and taking over go under one lock, so that no window is handed to nobody.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ledger::Claim;

/// The workers of a run.
#[derive(Debug, Default)]
pub(crate) struct Team {
    state: Mutex<State>,
    /// Rows that were deleted one by one.
    dead: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    at_work: usize,
    /// Windows of workers that left, each to be claimed again before it is loaded.
    left_behind: VecDeque<Claim>,
}

/// A worker's place in the team; given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    team: &'a Team,
    at_work: bool,
}

impl Team {
    /// A worker begins.
    pub(crate) fn join(&self) -> Member<'_> {
        self.state().at_work += 1;
        Member { team: self, at_work: true }
    }

    /// A window that a worker left behind, the first to be left first.
    pub(crate) fn take_over(&self) -> Option<Claim> {
        self.state().left_behind.pop_front()
    }

    /// Hands windows to those at work. Where nobody is, they are given back with all that the run has.
    pub(crate) fn leave_behind(&self, claims: impl IntoIterator<Item = Claim>) {
        let mut state = self.state();
        if state.at_work > 0 {
            state.left_behind.extend(claims);
        }
    }

    /// Notes rows that were deleted one by one.
    pub(crate) fn note_dead(&self, rows: u64) {
        self.dead.fetch_add(rows, Ordering::Relaxed);
    }

    /// Rows that were deleted one by one so far.
    pub(crate) fn dead(&self) -> u64 {
        self.dead.load(Ordering::Relaxed)
    }

    /// The state is whole between any two statements: a worker that panicked has not broken it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member<'_> {
    /// Leaves and hands its window, if it has one, to the others; false where there are none.
    pub(crate) fn hand_over(&mut self, claim: Option<&Claim>) -> bool {
        let mut state = self.team.state();
        if !self.at_work || state.at_work < 2 {
            return false;
        }
        state.left_behind.extend(claim.cloned());
        state.at_work -= 1;
        self.at_work = false;
        true
    }

    /// Leaves because there is nothing to do, unless somebody has left a window behind meanwhile.
    pub(crate) fn leave(&mut self) -> Option<Claim> {
        if !self.at_work {
            return None;
        }
        let mut state = self.team.state();
        let left_behind = state.left_behind.pop_front();
        if left_behind.is_none() {
            state.at_work -= 1;
            self.at_work = false;
        }
        left_behind
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if self.at_work {
            self.team.state().at_work -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Window;

    fn claim() -> Claim {
        let window = Window::pieces(0, 1).unwrap();
        Claim { job: 1, number: 7, window, run: String::new(), attempt: 1, admitted: true }
    }

    #[test]
    fn the_last_worker_stays_and_a_window_is_never_handed_to_nobody() {
        let team = Team::default();
        let (mut one, mut two) = (team.join(), team.join());
        assert!(one.hand_over(Some(&claim())));
        // The other finds the window where it would have left, and cannot leave it to anybody.
        assert_eq!(two.leave().map(|claim| claim.number), Some(7));
        assert!(!two.hand_over(Some(&claim())));
        assert!(two.leave().is_none() && one.leave().is_none());
        assert_eq!(team.state().at_work, 0);
    }

    #[test]
    fn a_worker_that_fails_is_no_longer_counted_on() {
        let team = Team::default();
        let mut one = team.join();
        drop(team.join());
        assert!(!one.hand_over(Some(&claim())));
    }
}
