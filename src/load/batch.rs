//! The batches of an attempt: each is one COPY and its entry in the ledger, in one transaction.
//!
//! No transaction waits for the source. Where the next block is not there within a short patience, the COPY is ended, what
//! was sent is committed as a batch of its own, and the source is waited for outside: a source that stalls for an hour holds
//! no lock, keeps no old row from being vacuumed, and meets no timeout. With one transaction for a whole window
//! (`--commit window`) there is no outside, and a slow source keeps it open.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use super::aftermath;
use super::blocks::{self, Ahead, Blocks, Wanted};
use super::context::Context;
use super::merge::{Stored, merge};
use super::probe::Pace;
use super::rejects;
use super::window::Attempt;
use crate::encode::{BINARY_HEADER, BINARY_TRAILER, CopyFormat};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::ledger::{self, Claim, Counters};
use crate::model::{Block, Conflicts, Event, Reject, RowHash};
use crate::options::{Commit, Limits};
use crate::report;
use crate::target::{CopyIn, Durability, SearchPath, Session, shape};

/// How long a COPY waits for the next block. A healthy source has blocks waiting, and one that is only slow for a moment
/// (an object opened, a page of a store fetched) takes less than this; whoever waits for a lock notices it hardly.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);

/// Batches with rejects that are told to people; after those they are counted.
const REJECTS_TOLD: u64 = 5;

/// How large a batch may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchSize {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// Below these a batch is not made smaller: its commit would cost more than its rows.
const FLOOR: BatchSize = BatchSize { rows: 250, bytes: 64 << 10 };

impl BatchSize {
    /// What the user chose.
    pub(crate) fn of(limits: &Limits) -> Self {
        Self { rows: limits.batch_rows, bytes: limits.batch_bytes }
    }

    /// No more than `other`.
    pub(crate) fn within(self, other: Self) -> Self {
        Self { rows: self.rows.min(other.rows), bytes: self.bytes.min(other.bytes) }
    }

    /// Half of it, if that is not too small.
    pub(crate) fn halved(self) -> Self {
        let half = |size: u64, floor: u64| (size / 2).max(floor.min(size));
        Self { rows: half(self.rows, FLOOR.rows), bytes: half(self.bytes, FLOOR.bytes) }
    }
}

/// What the tries of one window hand on.
#[derive(Debug)]
pub(crate) struct Tries {
    /// How large batches may grow.
    pub(crate) size: BatchSize,
    /// Rows that the latest try has committed.
    pub(crate) committed: u64,
    /// Whether the latest try has left its session in disorder. Where a COPY is refused before its first byte, the protocol
    /// library takes the server's answers to what comes after it for one another.
    pub(crate) disordered: bool,
    /// Whether rows that the server refuses are to be found.
    pub(crate) careful: bool,
    /// How often that was begun.
    pub(crate) searches: u32,
    /// What the server refused the rows with, when they were sent all together.
    pub(crate) answer: Option<Error>,
}

impl Tries {
    pub(crate) fn new(limits: &Limits) -> Self {
        let size = BatchSize::of(limits);
        Self { size, committed: 0, disordered: false, careful: false, searches: 0, answer: None }
    }
}

/// The batches of one attempt.
pub(super) struct Batches<'a> {
    pub(super) context: &'a Context,
    pub(super) session: &'a Session,
    pub(super) claim: &'a Claim,
    pub(super) blocks: Blocks,
    pub(super) total: Counters,
    /// Rejects that are not entered yet.
    pub(super) rejects: Vec<Reject>,
    /// How much of a batch is tried at once where rows are refused.
    pub(super) pace: Pace,
    pub(super) tries: &'a mut Tries,
}

pub(super) struct Batch {
    rows: u64,
    bytes: u64,
    conflicts: Conflicts,
    pub(super) last: bool,
    rejects: Vec<Reject>,
}

/// Where the rows of a transaction come from.
pub(super) enum Feed {
    /// There are none.
    Nothing,
    /// There are none now; rejects are entered, and more rows come.
    Rejects,
    /// The window's next blocks, as many as the batch takes.
    Stream,
    /// These. They end the window if they may and no more come.
    Held { blocks: Vec<Block>, may_end: bool },
}

/// What a COPY has sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    rows: u64,
    bytes: u64,
    hash: RowHash,
}

impl Sent {
    fn add(&mut self, block: &Block) {
        self.rows += block.rows;
        self.bytes += block.bytes.len() as u64; // usize has at most 64 bits
        self.hash += block.hash;
    }
}

impl<'a> Batches<'a> {
    pub(super) fn new(
        context: &'a Arc<Context>,
        session: &'a Session,
        claim: &'a Claim,
        wanted: &Wanted,
        tries: &'a mut Tries,
    ) -> Self {
        let blocks = blocks::of_window(context, claim.window, wanted);
        Self {
            context,
            session,
            claim,
            blocks,
            total: Counters::default(),
            rejects: Vec::new(),
            pace: Pace::default(),
            tries,
        }
    }
}

impl Batches<'_> {
    /// Loads them all.
    pub(super) async fn load(mut self) -> Result<Attempt> {
        loop {
            // No transaction is open while the first block of a batch is waited for.
            let Some(has_rows) = self.wait_for_rows_or_stop().await? else { return self.release().await };
            let batch = self.load_one(if has_rows { Feed::Stream } else { Feed::Nothing }).await?;
            self.tries.committed = self.total.rows;
            self.tell(has_rows, &batch);
            if batch.last {
                return Ok(Attempt::Loaded(self.total));
            }
        }
    }

    /// Waits for the next block with rows; `None` where the user asked to stop.
    pub(super) async fn wait_for_rows_or_stop(&mut self) -> Result<Option<bool>> {
        let stop = self.context.stop.clone();
        tokio::select! {
            biased;
            () = stop.requested() => Ok(None),
            has_rows = self.wait_for_rows() => has_rows.map(Some),
        }
    }

    /// Waits for the next block with rows, and takes the rejects that come before it: a batch may consist of those alone.
    async fn wait_for_rows(&mut self) -> Result<bool> {
        let whole = self.context.commit == Commit::Window;
        loop {
            match self.blocks.peek().await? {
                None => return Ok(false),
                Some(next) if next.block.rows > 0 => return Ok(true),
                Some(_) => {}
            }
            let taken = self.blocks.next().await?;
            self.take_rejects(taken.map(|sent| sent.rejects).unwrap_or_default())?;
            if !whole && rejects::memory_bytes(&self.rejects) >= rejects::BATCH_BYTES {
                return Ok(false);
            }
        }
    }

    /// Keeps rejects for the batch's entry. A window that has too many by itself need not be read to its end.
    pub(super) fn take_rejects(&mut self, more: Vec<Reject>) -> Result<()> {
        if more.is_empty() {
            return Ok(());
        }
        self.rejects.extend(more);
        let found = self.total.rejected + self.rejects.len() as u64; // usize has at most 64 bits
        self.context.allowance.check(found, self.context.rejects_max, &self.rejects[0])?;
        if rejects::memory_bytes(&self.rejects) > rejects::BYTES_MAX {
            let message = format!("the rejects of one transaction take more than {} bytes", rejects::BYTES_MAX);
            return Err(Error::new(ErrorKind::Limit, message)
                .with_hint("keep less of each (--reject-bytes), or make windows smaller (--window)"));
        }
        Ok(())
    }

    pub(super) fn tell(&self, has_rows: bool, batch: &Batch) {
        let window = self.context.name(&self.claim.window);
        if let Some(first) = batch.rejects.first() {
            let (rows, first) = (batch.rejects.len() as u64, first.to_string()); // usize has at most 64 bits
            self.context.tell_rejects(Some(window.clone()), rows, first);
        }
        if has_rows {
            let Batch { rows, bytes, conflicts, .. } = *batch;
            self.context.observe(&Event::Batch { window, rows, bytes, conflicts });
        }
    }

    pub(super) async fn release(&self) -> Result<Attempt> {
        self.claim.release(self.session).await?;
        Ok(Attempt::Released)
    }

    /// One transaction: a COPY and its entry in the ledger. A window without rows has the entry alone, and so has the end
    /// of a window that was not known when its last rows were committed.
    ///
    /// Where it fails, what was counted is as it was before, and the rejects are still to be entered.
    pub(super) async fn load_one(&mut self, feed: Feed) -> Result<Batch> {
        let before = self.total;
        let loaded = self.load_transaction(feed).await;
        if loaded.is_err() {
            self.total = before;
        }
        loaded
    }

    async fn load_transaction(&mut self, feed: Feed) -> Result<Batch> {
        let (before, mut conflicts) = (self.total, Conflicts::default());
        let has_rows = !matches!(feed, Feed::Nothing | Feed::Rejects);
        let may_end = !matches!(feed, Feed::Rejects | Feed::Held { may_end: false, .. });
        self.session.begin(Durability::WithTheLedger).await?;
        if has_rows {
            let activity = aftermath::before(self.context, self.session).await?;
            conflicts = self.copy(feed).await.map_err(|error| match error.kind() {
                ErrorKind::Target => error.context(format!("copy into {}", self.context.job.table)),
                _ => error,
            })?;
            failpoint::hit("after-copy")?;
            self.context.refuse_changes(self.session).await?;
            if self.tries.careful {
                // What is put off to the commit would be refused with its entry.
                self.session.run("set constraints all immediate").await?;
            }
            let rows = aftermath::Rows { stored: self.total.rows - before.rows, updated: conflicts.updated };
            let rewritten = aftermath::after(self.context, self.session, &self.claim.window, rows, activity).await?;
            self.total.rewritten |= rewritten;
        }
        let last = may_end && self.blocks.is_at_end();
        let rejects = std::mem::take(&mut self.rejects);
        self.total.rejected += rejects.len() as u64; // usize has at most 64 bits
        // Entries of an attempt are numbered; the only one of a window without rows is number 0.
        self.total.batches += i32::from(has_rows || !rejects.is_empty() || before.batches > 0);
        let (rows, bytes) = (self.total.rows - before.rows, self.total.bytes - before.bytes);
        let batch = Batch { rows, bytes, conflicts, last, rejects };
        match self.enter(&batch).await {
            Ok(()) => Ok(batch),
            Err(error) => {
                self.rejects = batch.rejects;
                Err(error)
            }
        }
    }

    /// Enters the batch and commits.
    async fn enter(&self, batch: &Batch) -> Result<()> {
        // What the ledger's own tables refuse says nothing of the rows.
        let headers = self.record(batch).await.map_err(Error::of_no_row)?;
        failpoint::hit(if batch.last { "last-batch" } else { "after-record" })?;
        self.session.commit().await?;
        failpoint::hit("after-commit")?;
        self.context.headers.entered(headers);
        Ok(())
    }

    /// Enters the batch and its rejects in the ledger, unless the job has too many; gives the headers that were entered too.
    async fn record(&self, batch: &Batch) -> Result<Vec<(String, Vec<u8>)>> {
        let (context, session) = (self.context, self.session);
        let entry = Counters { rows: batch.rows, bytes: batch.bytes, conflicts: batch.conflicts, ..self.total };
        let Some(first) = batch.rejects.first() else {
            self.claim.record(session, entry, self.total, batch.last).await?;
            return Ok(Vec::new());
        };
        // Before the window's row, as whoever takes both takes them.
        ledger::lock_rejects(session, self.claim.job).await?;
        self.claim.record(session, entry, self.total, batch.last).await?;
        let rejected = ledger::total_rejects(session, self.claim.job).await?;
        context.allowance.check(rejected, context.rejects_max, first)?;
        self.claim.reject(session, self.total.batches, &batch.rejects).await?;
        let headers = context.headers.of(&batch.rejects);
        ledger::enter_headers(session, self.claim.job, &headers).await?;
        failpoint::hit("after-rejects")?;
        Ok(headers)
    }

    /// Sends rows and has them stored; what became of those that met a row of their key.
    pub(super) async fn copy(&mut self, feed: Feed) -> Result<Conflicts> {
        let (session, statements) = (self.session, &self.context.statements);
        if let Some(sql) = statements.before_copy() {
            session.run(&sql).await?;
        }
        let sent = self.copy_by(&statements.copy_in(), feed).await?;
        let stored = match statements.merge() {
            Some(how) => merge(self.context, session, how, sent.rows).await?,
            None => self.move_in(sent).await?,
        };
        self.total.rows += stored.rows;
        self.total.bytes += sent.bytes;
        self.total.hash += stored.hash;
        self.total.conflicts += stored.conflicts;
        Ok(stored.conflicts)
    }

    /// Sends rows by the COPY `sql`.
    pub(super) async fn copy_by(&mut self, sql: &str, feed: Feed) -> Result<Sent> {
        let begun = self.session.copy_in(sql).await;
        self.tries.disordered = begun.is_err();
        let mut copy = begun?;
        self.context.send_header(&mut copy).await?;
        let sent = self.send(&mut copy, feed).await?;
        self.context.send_trailer(&mut copy).await?;
        copy.finish(sent.rows).await?;
        Ok(sent)
    }

    /// Moves all that was sent from the stage to the table, if rows go through one.
    async fn move_in(&self, sent: Sent) -> Result<Stored> {
        if let Some(sql) = self.context.statements.after_copy() {
            let (rows, stored) = (sent.rows, self.session.execute_in(SearchPath::Own, &sql).await?);
            if stored != rows {
                return Err(Error::new(ErrorKind::Target, format!("the server stored {stored} of {rows} rows"))
                    .with_hint("a rule, a trigger or a policy drops rows; load into a table that takes them all"));
            }
        }
        Ok(Stored { rows: sent.rows, hash: sent.hash, conflicts: Conflicts::default() })
    }

    async fn send(&mut self, copy: &mut CopyIn, feed: Feed) -> Result<Sent> {
        let Feed::Held { blocks, .. } = feed else { return self.send_blocks(copy).await };
        let mut all = Sent::default();
        for block in blocks {
            all.add(&block);
            copy.send(block.bytes).await?;
            failpoint::hit("mid-copy")?;
        }
        Ok(all)
    }

    /// Sends blocks until the batch is full, the window is at its end, or the source keeps it waiting.
    async fn send_blocks(&mut self, copy: &mut CopyIn) -> Result<Sent> {
        let (size, whole) = (self.tries.size, self.context.commit == Commit::Window);
        let mut all = Sent::default();
        while let Some(sent) = self.blocks.next().await? {
            self.take_rejects(sent.rejects)?;
            let block = sent.block;
            all.add(&block);
            if block.rows > 0 {
                copy.send(block.bytes).await?;
            }
            failpoint::hit("mid-copy")?;
            if whole {
                continue;
            }
            if rejects::memory_bytes(&self.rejects) >= rejects::BATCH_BYTES {
                break;
            }
            let Ahead::Block(next) = self.blocks.peek_within(PATIENCE).await? else { break };
            let next_bytes = next.block.bytes.len() as u64; // usize has at most 64 bits
            if all.rows + next.block.rows > size.rows || all.bytes + next_bytes > size.bytes {
                break;
            }
        }
        Ok(all)
    }
}

impl Context {
    /// Tells of rejects: each batch's as an event, and the first few as warnings, which people read.
    pub(super) fn tell_rejects(&self, window: Option<String>, rows: u64, first: String) {
        let told = self.rejecting.fetch_add(1, Ordering::Relaxed);
        if told < REJECTS_TOLD {
            let more = if told + 1 == REJECTS_TOLD { "; more are only counted" } else { "" };
            let (rows, job) = (report::counted(rows, "row"), &self.job.name);
            let message = format!("{rows} rejected, the first: {first}; `pgbackfill rejects {job}` prints them{more}");
            self.observe(&Event::Warning { message });
        }
        self.observe(&Event::Rejected { window, rows, first });
    }

    /// Sends what a COPY opens with, in the form of the rows.
    pub(super) async fn send_header(&self, copy: &mut CopyIn) -> Result<()> {
        match self.supply.format() {
            CopyFormat::Binary => copy.send(Bytes::from_static(&BINARY_HEADER)).await,
            CopyFormat::Text => Ok(()),
        }
    }

    /// Sends what a COPY closes with.
    pub(super) async fn send_trailer(&self, copy: &mut CopyIn) -> Result<()> {
        match self.supply.format() {
            CopyFormat::Binary => copy.send(Bytes::from_static(&BINARY_TRAILER)).await,
            CopyFormat::Text => Ok(()),
        }
    }

    /// Refuses what was sent if the table is not what the run began with. By now the transaction holds the locks of its COPY,
    /// so that nothing can change between this and its commit.
    pub(super) async fn refuse_changes(&self, session: &Session) -> Result<()> {
        let now = shape(session, self.shape.oid).await?;
        self.changes(&now).map_or(Ok(()), Err)
    }

    /// The error that says how the table differs from what the run began with, if it does.
    pub(super) fn changes(&self, now: &crate::schema::Shape) -> Option<Error> {
        let differences = self.shape.differences(now);
        if differences.is_empty() {
            return None;
        }
        let error = Error::new(ErrorKind::Changed, differences.join("; ")).with_hint(format!(
            "the table was changed while rows went into it, and what does not fit it any more was rolled back; change it back \
             and run the same command again, or take back what the job loaded (`pgbackfill undo {}`) and load it anew",
            self.job.name
        ));
        Some(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_halved_down_to_a_floor_that_no_choice_of_the_user_is_raised_to() {
        let size = |rows, bytes| BatchSize { rows, bytes };
        assert_eq!(size(250_000, 64 << 20).halved(), size(125_000, 32 << 20));
        let mut smallest = size(250_000, 64 << 20);
        (0..20).for_each(|_| smallest = smallest.halved());
        assert_eq!(smallest, FLOOR);
        assert_eq!(size(10, 100).halved(), size(10, 100));
    }
}
