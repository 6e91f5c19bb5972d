//! The batches of an attempt: each is one COPY and its entry in the ledger, in one transaction.
//!
//! No transaction waits for the source. Where the next block is not there within a short patience, the COPY is ended, what
//! was sent is committed as a batch of its own, and the source is waited for outside: a source that stalls for an hour holds
//! no lock, keeps no old row from being vacuumed, and meets no timeout. With one transaction for a whole window
//! (`--commit window`) there is no outside, and a slow source keeps it open.

use std::time::Duration;

use super::aftermath;
use super::blocks::{Ahead, Blocks};
use super::context::Context;
use super::merge::{Stored, merge};
use super::window::Attempt;
use crate::encode::{BINARY_HEADER, BINARY_TRAILER, CopyFormat};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::ledger::{Claim, Counters};
use crate::model::{Conflicts, Event, RowHash};
use crate::options::{Commit, Limits};
use crate::target::{CopyIn, Durability, Session, shape};

/// How long a COPY waits for the next block. A healthy source has blocks waiting, and one that is only slow for a moment
/// (an object opened, a page of a store fetched) takes less than this; whoever waits for a lock notices it hardly.
const PATIENCE: Duration = Duration::from_millis(250);

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

    /// Half of it, if that is not too small.
    pub(crate) fn halved(self) -> Self {
        let half = |size: u64, floor: u64| (size / 2).max(floor.min(size));
        Self { rows: half(self.rows, FLOOR.rows), bytes: half(self.bytes, FLOOR.bytes) }
    }
}

/// What the tries of one window hand on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tries {
    /// How large batches may grow.
    pub(crate) size: BatchSize,
    /// Rows that the latest try has committed.
    pub(crate) committed: u64,
    /// Whether the latest try has left its session in disorder. Where a COPY is refused before its first byte, the protocol
    /// library takes the server's answers to what comes after it for one another.
    pub(crate) disordered: bool,
}

impl Tries {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { size: BatchSize::of(limits), committed: 0, disordered: false }
    }
}

/// The batches of one attempt.
pub(super) struct Batches<'a> {
    pub(super) context: &'a Context,
    pub(super) session: &'a Session,
    pub(super) claim: &'a Claim,
    pub(super) blocks: Blocks,
    pub(super) total: Counters,
    pub(super) tries: &'a mut Tries,
}

struct Batch {
    rows: u64,
    bytes: u64,
    conflicts: Conflicts,
    last: bool,
}

/// What a COPY has sent.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    rows: u64,
    bytes: u64,
    hash: RowHash,
}

impl Batches<'_> {
    /// Loads them all.
    pub(super) async fn load(mut self) -> Result<Attempt> {
        loop {
            if self.context.stop.is_requested() {
                return self.release().await;
            }
            // No transaction is open while the first block of a batch is waited for.
            let has_rows = tokio::select! {
                block = self.blocks.peek() => block?.is_some(),
                () = self.context.stop.requested() => return self.release().await,
            };
            let batch = self.load_one(has_rows).await?;
            self.tries.committed = self.total.rows;
            if has_rows {
                let window = self.context.name(&self.claim.window);
                let Batch { rows, bytes, conflicts, .. } = batch;
                self.context.observe(&Event::Batch { window, rows, bytes, conflicts });
            }
            if batch.last {
                return Ok(Attempt::Loaded(self.total));
            }
        }
    }

    async fn release(&self) -> Result<Attempt> {
        self.claim.release(self.session).await?;
        Ok(Attempt::Released)
    }

    /// One transaction: a COPY and its entry in the ledger. A window without rows has the entry alone, and so has the end
    /// of a window that was not known when its last rows were committed.
    async fn load_one(&mut self, has_rows: bool) -> Result<Batch> {
        let (before, mut conflicts) = (self.total, Conflicts::default());
        self.session.begin(Durability::WithTheLedger).await?;
        if has_rows {
            let activity = aftermath::before(self.context, self.session).await?;
            conflicts = self.copy().await.map_err(|error| match error.kind() {
                ErrorKind::Target => error.context(format!("copy into {}", self.context.job.table)),
                _ => error,
            })?;
            failpoint::hit("after-copy")?;
            self.refuse_changes().await?;
            let rows = aftermath::Rows { stored: self.total.rows - before.rows, updated: conflicts.updated };
            let rewritten = aftermath::after(self.context, self.session, &self.claim.window, rows, activity).await?;
            self.total.rewritten |= rewritten;
        }
        let last = self.blocks.is_at_end();
        // Entries of an attempt are numbered; the only one of a window without rows is number 0.
        self.total.batches += i32::from(has_rows || before.batches > 0);
        let batch =
            Batch { rows: self.total.rows - before.rows, bytes: self.total.bytes - before.bytes, conflicts, last };
        let entry = Counters { rows: batch.rows, bytes: batch.bytes, conflicts, ..self.total };
        self.claim.record(self.session, entry, self.total, last).await?;
        failpoint::hit(if last { "last-batch" } else { "after-record" })?;
        self.session.commit().await?;
        failpoint::hit("after-commit")?;
        Ok(batch)
    }

    /// Sends rows and has them stored; what became of those that met a row of their key.
    async fn copy(&mut self) -> Result<Conflicts> {
        let (session, statements) = (self.session, &self.context.statements);
        if let Some(sql) = statements.before_copy() {
            session.run(&sql).await?;
        }
        let begun = session.copy_in(&statements.copy_in()).await;
        self.tries.disordered = begun.is_err();
        let mut copy = begun?;
        let binary = self.context.supply.format() == CopyFormat::Binary;
        if binary {
            copy.send(bytes::Bytes::from_static(&BINARY_HEADER)).await?;
        }
        let sent = self.send_blocks(&mut copy).await?;
        if binary {
            copy.send(bytes::Bytes::from_static(&BINARY_TRAILER)).await?;
        }
        copy.finish(sent.rows).await?;
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

    /// Moves all that was sent from the stage to the table, if rows go through one.
    async fn move_in(&self, sent: Sent) -> Result<Stored> {
        if let Some(sql) = self.context.statements.after_copy() {
            let (rows, stored) = (sent.rows, self.session.execute(&sql, &[]).await?);
            if stored != rows {
                return Err(Error::new(ErrorKind::Target, format!("the server stored {stored} of {rows} rows"))
                    .with_hint("a rule, a trigger or a policy drops rows; load into a table that takes them all"));
            }
        }
        Ok(Stored { rows: sent.rows, hash: sent.hash, conflicts: Conflicts::default() })
    }

    /// Sends blocks until the batch is full, the window is at its end, or the source keeps it waiting.
    async fn send_blocks(&mut self, copy: &mut CopyIn) -> Result<Sent> {
        let (size, whole) = (self.tries.size, self.context.commit == Commit::Window);
        let mut all = Sent::default();
        while let Some(sent) = self.blocks.next().await? {
            let block = sent.block;
            all.rows += block.rows;
            all.bytes += block.bytes.len() as u64; // usize has at most 64 bits
            all.hash += block.hash;
            copy.send(block.bytes).await?;
            failpoint::hit("mid-copy")?;
            if whole {
                continue;
            }
            let Ahead::Block(next) = self.blocks.peek_within(PATIENCE).await? else { break };
            let next_bytes = next.block.bytes.len() as u64; // usize has at most 64 bits
            if all.rows + next.block.rows > size.rows || all.bytes + next_bytes > size.bytes {
                break;
            }
        }
        Ok(all)
    }

    /// Refuses what was sent if the table is not what the run began with. By now the transaction holds the locks of its COPY,
    /// so that nothing can change between this and its commit.
    async fn refuse_changes(&self) -> Result<()> {
        let now = shape(self.session, self.context.shape.oid).await?;
        self.context.changes(&now).map_or(Ok(()), Err)
    }
}

impl Context {
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
