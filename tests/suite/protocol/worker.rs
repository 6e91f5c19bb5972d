//! The model's worker: which statement comes next, and what a reply, or none, makes of it.

use super::server::{BATCHES, Claim, Group, Reply, Rules, SessionId, Statement, Xid};

/// A worker of a run, over one connection at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worker {
    pub(super) run: usize,
    pub(super) session: SessionId,
    pub(super) doing: Doing,
    /// The rest of a group that failed: claimed again once the window before it is done.
    pub(super) rest: Option<Claim>,
}

/// Where a worker is: the statement that it sends next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// `load/worker.rs::claim`.
    Claiming,
    /// `load/group.rs::claim`: whether the next window can be loaded in the same transaction.
    Grouping(Claim),
    /// `load/group.rs::load_part`, statement by statement.
    CopyingGroup(Group),
    RecordingGroup(Group, Xid),
    CommittingGroup(Group),
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
            Doing::Grouping(claim) => Statement::ClaimNeighbour(claim),
            Doing::CopyingGroup(group) => Statement::CopyGroup(group),
            Doing::RecordingGroup(group, xid) => Statement::RecordGroup { group, xid },
            Doing::Fencing(claim) => Statement::Fence(claim),
            Doing::Clearing(claim) => Statement::Clear(claim),
            Doing::Resetting(claim) => Statement::Reset(claim),
            Doing::Copying(claim, batch) => Statement::Copy(claim, batch),
            Doing::Recording(claim, batch, xid) => Statement::Record { claim, xid, batch },
            Doing::Admitting(_) | Doing::CommittingRows(..) | Doing::Committing(..) | Doing::CommittingGroup(_) => {
                Statement::Commit
            }
            Doing::Reclaiming(claim) => Statement::Reclaim(claim),
            Doing::Releasing(claim) => Statement::Release(claim),
            Doing::Ended => return None,
        })
    }

    /// Takes a reply. The windows that it now reports as loaded.
    pub(super) fn receive(&mut self, reply: Reply, rules: Rules) -> Vec<usize> {
        let (doing, loaded) = match (self.doing, reply) {
            (doing, Reply::Waits) => (doing, vec![]),
            // A run does both: it groups some windows, and loads others alone.
            (Doing::Claiming, Reply::Claimed(claim)) if (claim.window + self.run).is_multiple_of(2) => {
                (Doing::Grouping(claim), vec![])
            }
            (Doing::Grouping(_), Reply::Grouped(group)) => (Doing::CopyingGroup(group), vec![]),
            (Doing::CopyingGroup(group), Reply::Copied(xid)) => (Doing::RecordingGroup(group, xid), vec![]),
            (Doing::RecordingGroup(group, _), Reply::Done) => (Doing::CommittingGroup(group), vec![]),
            (Doing::RecordingGroup(group, _), _) => (self.leave(group), vec![]),
            (Doing::CommittingGroup(group), _) => (Doing::Claiming, group.map(|claim| claim.window).to_vec()),
            (Doing::Grouping(claim), _) | (Doing::Claiming | Doing::Reclaiming(_), Reply::Claimed(claim)) => {
                (Doing::Fencing(claim), vec![])
            }
            (Doing::Reclaiming(claim), Reply::Loaded) => (self.next(), vec![claim.window]),
            (Doing::Fencing(claim), Reply::Done) => (Doing::Clearing(claim), vec![]),
            (Doing::Clearing(claim), _) => (Doing::Resetting(claim), vec![]),
            (Doing::Resetting(claim), _) => (Doing::Admitting(claim), vec![]),
            (Doing::Admitting(claim), _) => (Doing::Copying(claim, 0), vec![]),
            (Doing::Copying(claim, batch), Reply::Copied(xid)) if rules.records_with_rows => {
                (Doing::Recording(claim, batch, xid), vec![])
            }
            (Doing::Copying(claim, batch), Reply::Copied(xid)) => (Doing::CommittingRows(claim, batch, xid), vec![]),
            (Doing::CommittingRows(claim, batch, xid), _) => (Doing::Recording(claim, batch, xid), vec![]),
            (Doing::Recording(claim, batch, _), Reply::Done) => (Doing::Committing(claim, batch), vec![]),
            (Doing::Committing(claim, batch), _) if batch + 1 == BATCHES => (self.next(), vec![claim.window]),
            (Doing::Committing(claim, batch), _) => (Doing::Copying(claim, batch + 1), vec![]),
            // Nothing left to claim, released, or fenced off: another run has the window.
            _ => (Doing::Ended, vec![]),
        };
        self.doing = doing;
        loaded
    }

    /// What comes after a window: the rest of its group, or another claim.
    fn next(&mut self) -> Doing {
        self.rest.take().map_or(Doing::Claiming, Doing::Reclaiming)
    }

    /// A group failed: its windows are claimed again, one by one.
    fn leave(&mut self, [first, second]: Group) -> Doing {
        self.rest = Some(second);
        Doing::Reclaiming(first)
    }

    /// Its statement failed, or its connection is gone: it does not know what the server did, and tries again.
    pub(super) fn fail(&mut self) {
        self.doing = match self.doing {
            Doing::Claiming => Doing::Claiming,
            // The neighbour may be claimed all the same: the end of the run gives it back.
            Doing::Grouping(claim) => Doing::Fencing(claim),
            Doing::CopyingGroup(group) | Doing::RecordingGroup(group, _) | Doing::CommittingGroup(group) => {
                self.leave(group)
            }
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
            Doing::Claiming | Doing::CopyingGroup(_) => self.doing = Doing::Ended,
            Doing::Copying(claim, _) if release => self.doing = Doing::Releasing(claim),
            _ => {}
        }
    }
}
