//! The model's server: the ledger and the table, and transactions that lock rows and are seen when they commit.

/// The guards of the protocol. Each can be taken away, to show what it keeps from happening.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(super) struct Rules {
    /// `load/window.rs::admit`: an attempt first deletes the rows that earlier ones committed.
    pub(super) clears: bool,
    /// `load/statements.rs::delete`: only rows whose `xmin` is in the ledger, not whatever is in the window.
    pub(super) clears_by_transaction: bool,
    /// `load/window.rs::admit_first`: `--existing replace` deletes rows of others once, not at every attempt.
    pub(super) admits_once: bool,
    /// `ledger/batch/fence.sql`: `for update`, so that the window is this attempt's until its clear is committed.
    pub(super) admit_locks: bool,
    /// `ledger/batch/record.sql` in the transaction of the COPY: rows and their entry commit together.
    pub(super) records_with_rows: bool,
    /// `ledger/batch/reset.sql`: with the batches of earlier attempts go the rows that they rejected.
    pub(super) forgets_rejects: bool,
    /// `run_id = $3` in `ledger/batch/*.sql`.
    pub(super) fences_run: bool,
    /// `attempt = $4` in `ledger/batch/*.sql`.
    pub(super) fences_attempt: bool,
    /// `ledger/claim/claim.sql`: the attempt goes up.
    pub(super) claim_bumps: bool,
    /// `ledger/claim/reclaim.sql`: the attempt goes up here too.
    pub(super) reclaim_bumps: bool,
    /// `ledger/claim/reclaim.sql`: a window that was loaded by the commit in doubt is left alone.
    pub(super) reclaim_looks: bool,
    /// `ledger/claim/claim.sql`: `order by number limit 1`.
    pub(super) claims_oldest: bool,
    /// `ledger/claim/neighbours.sql`: `attempt = 0`, so that a group has nothing to clear.
    pub(super) groups_are_fresh: bool,
    /// `ledger/batch.rs::record_group`: every window of a group must still be its attempt's.
    pub(super) group_fences_all: bool,
    /// `ledger/claim/claim.sql`: a window of a live run is not claimed.
    pub(super) respects_leases: bool,
    /// `ledger/claim/claim.sql` and `ledger/claim/reclaim.sql`: a run that another has ended claims nothing more.
    pub(super) ended_runs_stop: bool,
}

impl Rules {
    /// The protocol as it is built.
    pub(super) const BUILT: Self = Self {
        clears: true,
        clears_by_transaction: true,
        admits_once: true,
        admit_locks: true,
        records_with_rows: true,
        forgets_rejects: true,
        fences_run: true,
        fences_attempt: true,
        claim_bumps: true,
        reclaim_bumps: true,
        reclaim_looks: true,
        claims_oldest: true,
        groups_are_fresh: true,
        group_fences_all: true,
        respects_leases: true,
        ended_runs_stop: true,
    };
}

pub(super) type Xid = u64;
pub(super) type SessionId = usize;

/// Rows that the source has for a window, a batch each; beside each stands one that is rejected.
pub(super) const BATCHES: u32 = 2;

/// How long a run that does not renew its lease is believed to be alive, in ticks.
const LEASE: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Loading,
    Loaded,
}

/// A row of `pgbackfill.windows`, with its rows of `pgbackfill.batches` and `pgbackfill.rejects`.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) state: State,
    run: usize,
    attempt: u32,
    pub(super) admitted: bool,
    batches: Vec<Xid>,
    /// The rejected rows, by the batch beside which they stood.
    pub(super) rejects: Vec<u32>,
}

/// A row of `pgbackfill.runs`.
#[derive(Debug, Clone, Copy)]
struct Run {
    lease_until: u32,
    ended: bool,
}

/// A row of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    id: u64,
    pub(super) window: usize,
    pub(super) origin: Origin,
    xmin: Xid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The source's row of this number in its window.
    Source(u32),
    /// Somebody else's.
    Foreign(u64),
}

/// A worker's hold on a window, for one attempt: what it knows, whatever the ledger says by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) window: usize,
    run: usize,
    attempt: u32,
}

/// Two neighbouring windows that are loaded in one transaction.
pub(super) type Group = [Claim; 2];

/// What a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statement {
    /// `claim/claim.sql`, a transaction of its own.
    Claim {
        run: usize,
    },
    /// `claim/neighbours.sql`, a transaction of its own.
    ClaimNeighbour(Claim),
    /// `claim/reclaim.sql`, a transaction of its own.
    Reclaim(Claim),
    /// `batch/set_state.sql` to `pending`, a transaction of its own.
    Release(Claim),
    /// `run/give_back.sql` and the end of the run, a transaction of its own.
    End {
        run: usize,
    },
    /// `batch/fence.sql`, after `begin`.
    Fence(Claim),
    /// The deletes of `load/window.rs::admit`.
    Clear(Claim),
    /// `batch/reset.sql`, and the delete of the window's batches.
    Reset(Claim),
    /// `begin`, and the COPY of a batch.
    Copy(Claim, u32),
    /// `batch/record.sql`, for rows that the transaction `xid` wrote.
    Record {
        claim: Claim,
        xid: Xid,
        batch: u32,
    },
    /// `begin`, and the COPY of all rows of a group.
    CopyGroup(Group),
    /// `batch/record_group.sql`, for rows that the transaction `xid` wrote.
    RecordGroup {
        group: Group,
        xid: Xid,
    },
    Commit,
    Rollback,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// Another transaction holds the lock.
    Waits,
    Done,
    Copied(Xid),
    Claimed(Claim),
    /// The neighbour is this run's too.
    Grouped(Group),
    /// The window was loaded by the commit that was in doubt.
    Loaded,
    /// There is nothing to claim, or to give back.
    Nothing,
    /// No row is that of the claim.
    Fenced,
}

/// An open transaction: what it will have changed when it commits, and until then only it sees.
#[derive(Debug, Clone, Default)]
struct Transaction {
    xid: Xid,
    /// The windows whose rows it has locked, as they will be.
    windows: Vec<(usize, Window)>,
    copied: Vec<Row>,
    deleted: Vec<u64>,
}

pub(super) struct Server {
    rules: Rules,
    /// `--existing replace`; else `keep`.
    replace: bool,
    clock: u32,
    runs: Vec<Run>,
    pub(super) windows: Vec<Window>,
    pub(super) table: Vec<Row>,
    /// By session.
    open: Vec<Option<Transaction>>,
    numbers: u64,
    /// Claims that passed over an older window which was free.
    pub(super) out_of_order: u32,
}

impl Server {
    pub(super) fn new(rules: Rules, replace: bool, windows: usize) -> Self {
        let (state, batches, rejects) = (State::Pending, Vec::new(), Vec::new());
        let window = Window { state, run: usize::MAX, attempt: 0, admitted: false, batches, rejects };
        Self {
            rules,
            replace,
            clock: 0,
            runs: Vec::new(),
            windows: vec![window; windows],
            table: Vec::new(),
            open: Vec::new(),
            numbers: 0,
            out_of_order: 0,
        }
    }

    pub(super) fn connect(&mut self) -> SessionId {
        self.open.push(None);
        self.open.len() - 1
    }

    /// `run/start.sql`.
    pub(super) fn start_run(&mut self) -> usize {
        self.runs.push(Run { lease_until: self.clock + LEASE, ended: false });
        self.runs.len() - 1
    }

    /// `run/renew.sql`. Whether the run had not been ended by another.
    pub(super) fn renew(&mut self, run: usize) -> bool {
        let run = &mut self.runs[run];
        if !run.ended {
            run.lease_until = self.clock + LEASE;
        }
        !run.ended
    }

    /// Another run ends this one, which is believed to be dead.
    pub(super) fn take_over(&mut self, run: usize) {
        self.runs[run].ended = true;
    }

    pub(super) fn tick(&mut self) {
        self.clock += 1;
    }

    /// Somebody else inserts a row, or updates one of their own: its number, if from now on nobody may delete it.
    pub(super) fn write_foreign(&mut self, window: usize, update: bool) -> Option<u64> {
        let (id, xmin) = (self.number(), self.number());
        let foreign = |row: &Row| match row.origin {
            Origin::Foreign(number) if row.window == window => Some(number),
            _ => None,
        };
        let number = self.table.iter().find_map(foreign).filter(|_| update).unwrap_or(id);
        let origin = Origin::Foreign(number);
        self.table.retain(|row| row.origin != origin);
        self.table.push(Row { id, window, origin, xmin });
        (!self.replace || self.windows[window].admitted).then_some(number)
    }

    /// Does what a session asks.
    pub(super) fn execute(&mut self, session: SessionId, statement: Statement) -> Reply {
        match statement {
            Statement::Claim { run } => self.claim(run),
            Statement::ClaimNeighbour(claim) => self.claim_neighbour(claim),
            Statement::Reclaim(claim) => self.reclaim(claim),
            Statement::Release(claim) if self.is_locked(claim.window, session) => Reply::Waits,
            Statement::Release(claim) => self.release(claim),
            Statement::End { run } => self.end(run),
            Statement::Fence(claim) => self.fence(session, claim),
            Statement::Clear(claim) => self.clear(session, claim.window),
            Statement::Reset(claim) if self.is_locked(claim.window, session) => Reply::Waits,
            Statement::Reset(claim) => {
                let forgets_rejects = self.rules.forgets_rejects;
                let window = self.lock(session, claim.window);
                window.batches.clear();
                if forgets_rejects {
                    window.rejects.clear();
                }
                window.admitted = true;
                Reply::Done
            }
            Statement::Copy(claim, batch) => self.copy(session, claim.window, batch),
            Statement::CopyGroup(group) => {
                let rows = group.iter().flat_map(|claim| (0..BATCHES).map(|batch| (claim.window, batch)));
                rows.map(|(window, batch)| self.copy(session, window, batch)).last().expect("a group has rows")
            }
            Statement::RecordGroup { group, xid } => self.record_group(session, group, xid),
            Statement::Record { claim, xid, batch } => self.record(session, claim, xid, batch),
            Statement::Commit => self.commit(session),
            Statement::Rollback => {
                self.open[session] = None;
                Reply::Done
            }
        }
    }

    fn claim(&mut self, run: usize) -> Reply {
        if self.runs[run].ended && self.rules.ended_runs_stop {
            return Reply::Nothing;
        }
        let free = |(number, window): &(usize, &Window)| {
            let claimable = match window.state {
                State::Pending => true,
                State::Loading => !self.rules.respects_leases || !self.is_live(window.run),
                State::Loaded => false,
            };
            claimable && !self.is_locked(*number, usize::MAX)
        };
        let mut windows = self.windows.iter().enumerate().filter(free);
        let oldest = windows.next().map(|(number, _)| number);
        let taken =
            if self.rules.claims_oldest { oldest } else { windows.next_back().map(|(number, _)| number).or(oldest) };
        let Some(number) = taken else { return Reply::Nothing };
        self.out_of_order += u32::from(taken != oldest);
        let window = &mut self.windows[number];
        (window.state, window.run) = (State::Loading, run);
        window.attempt += u32::from(self.rules.claim_bumps);
        Reply::Claimed(Claim { window: number, run, attempt: window.attempt })
    }

    /// With `--existing replace` there are no groups, and without the run's life no claims.
    fn claim_neighbour(&mut self, claim: Claim) -> Reply {
        let number = claim.window + 1;
        let is_stopped = self.runs[claim.run].ended && self.rules.ended_runs_stop;
        let Some(next) = self.windows.get(number).filter(|_| !self.replace && !is_stopped) else {
            return Reply::Nothing;
        };
        let is_fresh = |window: &Window| window.attempt == 0 || !self.rules.groups_are_fresh;
        let first = &self.windows[claim.window];
        let first_is_fresh = claim.attempt == 1 && first.batches.is_empty() || !self.rules.groups_are_fresh;
        let is_free = next.state == State::Pending && !self.is_locked(number, usize::MAX);
        if !first_is_fresh || !is_free || !is_fresh(next) {
            return Reply::Nothing;
        }
        let window = &mut self.windows[number];
        (window.state, window.run) = (State::Loading, claim.run);
        window.attempt += u32::from(self.rules.claim_bumps);
        Reply::Grouped([claim, Claim { window: number, run: claim.run, attempt: window.attempt }])
    }

    fn reclaim(&mut self, claim: Claim) -> Reply {
        // `for update` waits for a commit of the old attempt that is still under way.
        if self.is_locked(claim.window, usize::MAX) {
            return Reply::Waits;
        }
        let window = &mut self.windows[claim.window];
        if window.run != claim.run || self.runs[claim.run].ended && self.rules.ended_runs_stop {
            return Reply::Fenced;
        }
        if window.state == State::Loaded && self.rules.reclaim_looks {
            return Reply::Loaded;
        }
        window.state = State::Loading;
        window.attempt += u32::from(self.rules.reclaim_bumps);
        Reply::Claimed(Claim { attempt: window.attempt, ..claim })
    }

    fn release(&mut self, claim: Claim) -> Reply {
        if self.holds(&self.windows[claim.window], claim) {
            self.windows[claim.window].state = State::Pending;
        }
        Reply::Done
    }

    /// Gives back windows that no worker of the run knows of; where there are none, the run has ended. One that is locked is
    /// left to the next run.
    fn end(&mut self, run: usize) -> Reply {
        let own = |number: &usize| {
            let window = &self.windows[*number];
            window.state == State::Loading && window.run == run && !self.is_locked(*number, usize::MAX)
        };
        let given_back: Vec<usize> = (0..self.windows.len()).filter(own).collect();
        if given_back.is_empty() {
            self.runs[run].ended = true;
            return Reply::Nothing;
        }
        given_back.into_iter().for_each(|number| self.windows[number].state = State::Pending);
        Reply::Done
    }

    fn fence(&mut self, session: SessionId, claim: Claim) -> Reply {
        if self.rules.admit_locks && self.is_locked(claim.window, session) {
            return Reply::Waits;
        }
        self.begin(session);
        if !self.holds(&self.windows[claim.window], claim) {
            return Reply::Fenced;
        }
        if self.rules.admit_locks {
            self.lock(session, claim.window);
        }
        Reply::Done
    }

    fn clear(&mut self, session: SessionId, number: usize) -> Reply {
        let (rules, window) = (self.rules, &self.windows[number]);
        let everything = self.replace && !(window.admitted && rules.admits_once);
        let ours = |row: &Row| window.batches.contains(&row.xmin) || !rules.clears_by_transaction;
        let earlier = rules.clears && !window.batches.is_empty();
        let gone = |row: &&Row| row.window == number && (everything || earlier && ours(row));
        let deleted = self.table.iter().filter(gone).map(|row| row.id).collect();
        self.begin(session).deleted = deleted;
        Reply::Done
    }

    fn copy(&mut self, session: SessionId, window: usize, batch: u32) -> Reply {
        let id = self.number();
        let transaction = self.begin(session);
        let xmin = transaction.xid;
        transaction.copied.push(Row { id, window, origin: Origin::Source(batch), xmin });
        Reply::Copied(xmin)
    }

    fn record(&mut self, session: SessionId, claim: Claim, xid: Xid, batch: u32) -> Reply {
        if self.is_locked(claim.window, session) {
            return Reply::Waits;
        }
        if !self.holds(&self.windows[claim.window], claim) {
            return Reply::Fenced;
        }
        let window = self.lock(session, claim.window);
        window.batches.push(xid);
        window.rejects.push(batch);
        window.state = if batch + 1 == BATCHES { State::Loaded } else { State::Loading };
        Reply::Done
    }

    /// One statement for all windows of the group. Where one is no longer its attempt's, the client rolls back.
    fn record_group(&mut self, session: SessionId, group: Group, xid: Xid) -> Reply {
        if group.iter().any(|claim| self.is_locked(claim.window, session)) {
            return Reply::Waits;
        }
        let held = |claim: &&Claim| self.holds(&self.windows[claim.window], **claim);
        let held: Vec<Claim> = group.iter().filter(held).copied().collect();
        if held.len() < group.len() && self.rules.group_fences_all {
            return Reply::Fenced;
        }
        for claim in held {
            let window = self.lock(session, claim.window);
            window.batches.push(xid);
            window.rejects.extend(0..BATCHES);
            (window.state, window.admitted) = (State::Loaded, true);
        }
        Reply::Done
    }

    fn commit(&mut self, session: SessionId) -> Reply {
        let Some(transaction) = self.open[session].take() else { return Reply::Done };
        self.table.retain(|row| !transaction.deleted.contains(&row.id));
        self.table.extend(transaction.copied);
        for (number, window) in transaction.windows {
            self.windows[number] = window;
        }
        Reply::Done
    }

    /// What `batch/*.sql` ask of a window before they change it.
    fn holds(&self, window: &Window, claim: Claim) -> bool {
        window.state == State::Loading
            && (window.run == claim.run || !self.rules.fences_run)
            && (window.attempt == claim.attempt || !self.rules.fences_attempt)
    }

    fn is_live(&self, run: usize) -> bool {
        !self.runs[run].ended && self.runs[run].lease_until > self.clock
    }

    /// Whether a transaction other than this session's has locked the window's row.
    fn is_locked(&self, number: usize, session: SessionId) -> bool {
        let locks = |open: &Option<Transaction>| {
            open.as_ref().is_some_and(|open| open.windows.iter().any(|(locked, _)| *locked == number))
        };
        self.open.iter().enumerate().any(|(other, open)| other != session && locks(open))
    }

    /// The window's row as this session's transaction changes it, locked.
    fn lock(&mut self, session: SessionId, number: usize) -> &mut Window {
        let now = self.windows[number].clone();
        let windows = &mut self.begin(session).windows;
        let place = windows.iter().position(|(locked, _)| *locked == number).unwrap_or_else(|| {
            windows.push((number, now));
            windows.len() - 1
        });
        &mut windows[place].1
    }

    fn begin(&mut self, session: SessionId) -> &mut Transaction {
        let xid = self.number();
        self.open[session].get_or_insert_with(|| Transaction { xid, ..Transaction::default() })
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}
