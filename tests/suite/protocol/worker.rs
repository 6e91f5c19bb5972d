//! The model's worker: which statement comes next, and what a reply, or none, makes of it.

use super::server::{BATCHES, Claim, Reply, Rules, SessionId, Statement, Xid};

/// A worker of a run, over one connection at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worker {
    pub(super) run: usize,
    pub(super) session: SessionId,
    pub(super) doing: Doing,
}

/// Where a worker is: the statement that it sends next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// `load/worker.rs::claim`.
    Claiming,
    /// `load/window.rs::admit`, statement by statement.
    Fencing(Claim),
    Clearing(Claim),
    Resetting(Claim),
    Admitting(Claim),
    /// `load/window.rs::load_batch`, statement by statement.
    Copying(Claim, u32),
    /// Only where the entry is not in the transaction of the rows.
    CommittingRows(Claim, u32, Xid),
    Recording(Claim, u32, Xid),
    Committing(Claim, u32),
    /// `load/worker.rs::reclaim`: the outcome is not known, or it is known to have failed.
    Reclaiming(Claim),
    /// `load/window.rs::load_batches`, where the user has asked to stop.
    Releasing(Claim),
    /// It is done, or has failed for good.
    Ended,
}

impl Worker {
    /// What it sends next; `None` if it has ended.
    pub(super) fn statement(&self) -> Option<Statement> {
        Some(match self.doing {
            Doing::Claiming => Statement::Claim { run: self.run },
            Doing::Fencing(claim) => Statement::Fence(claim),
            Doing::Clearing(claim) => Statement::Clear(claim),
            Doing::Resetting(claim) => Statement::Reset(claim),
            Doing::Copying(claim, batch) => Statement::Copy(claim, batch),
            Doing::Recording(claim, batch, xid) => Statement::Record { claim, xid, batch },
            Doing::Admitting(_) | Doing::CommittingRows(..) | Doing::Committing(..) => Statement::Commit,
            Doing::Reclaiming(claim) => Statement::Reclaim(claim),
            Doing::Releasing(claim) => Statement::Release(claim),
            Doing::Ended => return None,
        })
    }

    /// Takes a reply. The window that it now reports as loaded, if it does.
    pub(super) fn receive(&mut self, reply: Reply, rules: Rules) -> Option<usize> {
        let (doing, loaded) = match (self.doing, reply) {
            (doing, Reply::Waits) => (doing, None),
            (Doing::Claiming | Doing::Reclaiming(_), Reply::Claimed(claim)) => (Doing::Fencing(claim), None),
            (Doing::Reclaiming(claim), Reply::Loaded) => (Doing::Claiming, Some(claim.window)),
            (Doing::Fencing(claim), Reply::Done) => (Doing::Clearing(claim), None),
            (Doing::Clearing(claim), _) => (Doing::Resetting(claim), None),
            (Doing::Resetting(claim), _) => (Doing::Admitting(claim), None),
            (Doing::Admitting(claim), _) => (Doing::Copying(claim, 0), None),
            (Doing::Copying(claim, batch), Reply::Copied(xid)) if rules.records_with_rows => {
                (Doing::Recording(claim, batch, xid), None)
            }
            (Doing::Copying(claim, batch), Reply::Copied(xid)) => (Doing::CommittingRows(claim, batch, xid), None),
            (Doing::CommittingRows(claim, batch, xid), _) => (Doing::Recording(claim, batch, xid), None),
            (Doing::Recording(claim, batch, _), Reply::Done) => (Doing::Committing(claim, batch), None),
            (Doing::Committing(claim, batch), _) if batch + 1 == BATCHES => (Doing::Claiming, Some(claim.window)),
            (Doing::Committing(claim, batch), _) => (Doing::Copying(claim, batch + 1), None),
            // Nothing left to claim, released, or fenced off: another run has the window.
            _ => (Doing::Ended, None),
        };
        self.doing = doing;
        loaded
    }

    /// Its statement failed, or its connection is gone: it does not know what the server did, and tries again.
    pub(super) fn fail(&mut self) {
        self.doing = match self.doing {
            Doing::Claiming => Doing::Claiming,
            Doing::Releasing(_) | Doing::Ended => Doing::Ended,
            Doing::Fencing(claim)
            | Doing::Clearing(claim)
            | Doing::Resetting(claim)
            | Doing::Admitting(claim)
            | Doing::Copying(claim, _)
            | Doing::CommittingRows(claim, ..)
            | Doing::Recording(claim, ..)
            | Doing::Committing(claim, _)
            | Doing::Reclaiming(claim) => Doing::Reclaiming(claim),
        };
    }

    /// Its run claims no more windows, and where the user asked for that, gives back those it has, between batches.
    pub(super) fn wind_down(&mut self, release: bool) {
        match self.doing {
            Doing::Claiming => self.doing = Doing::Ended,
            Doing::Copying(claim, _) if release => self.doing = Doing::Releasing(claim),
            _ => {}
        }
    }
}
