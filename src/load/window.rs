//! One attempt at one window: admit or clear, then batches of rows, each with its entry in the ledger.

use super::blocks::{self, Blocks};
use super::context::Context;
use crate::encode::{BINARY_HEADER, BINARY_TRAILER, CopyFormat};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{Claim, Counters};
use crate::model::{Event, Window};
use crate::options::{Commit, Existing};
use crate::target::{CopyIn, Durability, Session};

/// How an attempt ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Every row of the window is in the target, and the ledger says so.
    Loaded(Counters),
    /// The window held rows and was left as it was.
    Skipped,
    /// The user asked to stop; the window was given back.
    Released,
}

/// What the window held when it was claimed.
enum Admission {
    /// Rows may be loaded; so many of earlier attempts, or of others on request, were deleted.
    Cleared(u64),
    /// It holds rows and `--existing skip` leaves it.
    Occupied,
}

/// Loads one window.
pub(crate) async fn attempt(context: &std::sync::Arc<Context>, session: &Session, claim: &Claim) -> Result<Attempt> {
    let cleared = match admit(context, session, claim).await? {
        Admission::Cleared(rows) => rows,
        Admission::Occupied => {
            claim.skip(session).await?;
            return Ok(Attempt::Skipped);
        }
    };
    let (window, attempt) = (context.name(&claim.window), u32::try_from(claim.attempt).unwrap_or(0));
    context.observe(&Event::Claimed { window, attempt, cleared });
    let mut blocks = blocks::of_window(context, claim.window);
    match load_batches(context, session, claim, &mut blocks).await {
        Ok(done) => Ok(done),
        Err(error) => {
            // The transaction is the attempt's own: it must not stay open on a connection that is used again.
            if let Err(second) = session.rollback().await {
                tracing::debug!(error = %second, "rollback failed");
            }
            Err(error)
        }
    }
}

/// Deletes what earlier attempts left, and at the first attempt deals with rows that are not the job's.
async fn admit(context: &Context, session: &Session, claim: &Claim) -> Result<Admission> {
    let admission = session
        .transact(Durability::Synchronous, async {
            claim.fence(session).await?;
            let ours = claim.earlier_transactions(session).await?;
            let mut cleared = 0;
            if !ours.is_empty() && context.job.has_own_rows() {
                cleared += session.execute(&context.statements.delete(&claim.window, Some(&ours)), &[]).await?;
            }
            if !claim.admitted {
                match admit_first(context, session, &claim.window).await? {
                    Admission::Cleared(rows) => cleared += rows,
                    Admission::Occupied => return Ok(Admission::Occupied),
                }
            }
            claim.reset(session).await?;
            Ok(Admission::Cleared(cleared))
        })
        .await;
    admission.map_err(|error| error.context(format!("clear window {}", context.name(&claim.window))))
}

/// Rows that were there before the job, as `--existing` says.
async fn admit_first(context: &Context, session: &Session, window: &Window) -> Result<Admission> {
    // Without a time column no window can be told from another: the table as a whole was checked when the job began.
    if context.time.is_none() {
        return Ok(Admission::Cleared(0));
    }
    match context.existing() {
        Existing::Keep => Ok(Admission::Cleared(0)),
        Existing::Replace => {
            session.execute(&context.statements.delete(window, None), &[]).await.map(Admission::Cleared)
        }
        Existing::Error | Existing::Skip => {
            let occupied: bool = session.query_one(&context.statements.occupied(window), &[]).await?.get(0);
            match (occupied, context.existing()) {
                (false, _) => Ok(Admission::Cleared(0)),
                (true, Existing::Skip) => Ok(Admission::Occupied),
                (true, _) => Err(super::occupied(&context.job.table, &context.name(window))),
            }
        }
    }
}

async fn load_batches(context: &Context, session: &Session, claim: &Claim, blocks: &mut Blocks) -> Result<Attempt> {
    let mut total = Counters::default();
    loop {
        if context.stop.is_requested() {
            claim.release(session).await?;
            return Ok(Attempt::Released);
        }
        // No transaction is open while the first block of a batch is waited for.
        let has_rows = blocks.peek().await?.is_some();
        let batch = load_batch(context, session, claim, blocks, &mut total, has_rows).await?;
        if has_rows {
            let window = context.name(&claim.window);
            context.observe(&Event::Batch { window, rows: batch.rows, bytes: batch.bytes });
        }
        if batch.last {
            return Ok(Attempt::Loaded(total));
        }
    }
}

struct Batch {
    rows: u64,
    bytes: u64,
    last: bool,
}

/// One transaction: a COPY and its entry in the ledger. A window without rows has the entry alone.
async fn load_batch(
    context: &Context,
    session: &Session,
    claim: &Claim,
    blocks: &mut Blocks,
    total: &mut Counters,
    has_rows: bool,
) -> Result<Batch> {
    session.begin(Durability::WithTheLedger).await?;
    let before = *total;
    if has_rows {
        copy_batch(context, session, blocks, total).await.map_err(|error| match error.kind() {
            ErrorKind::Target => explain_copy(error, context),
            _ => error,
        })?;
    }
    let last = blocks.peek().await?.is_none();
    total.batches += i32::from(has_rows);
    let batch = Batch { rows: total.rows - before.rows, bytes: total.bytes - before.bytes, last };
    let entry = Counters { rows: batch.rows, bytes: batch.bytes, ..*total };
    claim.record(session, entry, *total, last).await?;
    session.commit().await?;
    Ok(batch)
}

async fn copy_batch(context: &Context, session: &Session, blocks: &mut Blocks, total: &mut Counters) -> Result<()> {
    if let Some(sql) = context.statements.before_copy() {
        session.run(&sql).await?;
    }
    let mut copy = session.copy_in(&context.statements.copy_in()).await?;
    let binary = context.supply.format() == CopyFormat::Binary;
    if binary {
        copy.send(bytes::Bytes::from_static(&BINARY_HEADER)).await?;
    }
    let rows = send_blocks(context, &mut copy, blocks, total).await?;
    if binary {
        copy.send(bytes::Bytes::from_static(&BINARY_TRAILER)).await?;
    }
    copy.finish(rows).await?;
    if let Some(sql) = context.statements.after_copy() {
        let stored = session.execute(&sql, &[]).await?;
        if stored != rows {
            return Err(Error::new(ErrorKind::Target, format!("the server stored {stored} of {rows} rows"))
                .with_hint("a rule, a trigger or a policy drops rows; load into a table that takes them all"));
        }
    }
    Ok(())
}

/// Sends blocks until the batch is full or the window is at its end.
async fn send_blocks(context: &Context, copy: &mut CopyIn, blocks: &mut Blocks, total: &mut Counters) -> Result<u64> {
    let limits = &context.options.limits;
    let (mut rows, mut bytes) = (0, 0);
    while let Some(sent) = blocks.next().await? {
        let block = sent.block;
        rows += block.rows;
        bytes += block.bytes.len() as u64; // usize has at most 64 bits
        total.hash += block.hash;
        copy.send(block.bytes).await?;
        if context.commit == Commit::Window {
            continue;
        }
        let Some(next) = blocks.peek().await? else { break };
        let next_bytes = next.block.bytes.len() as u64; // usize has at most 64 bits
        if rows + next.block.rows > limits.batch_rows || bytes + next_bytes > limits.batch_bytes {
            break;
        }
    }
    (total.rows, total.bytes) = (total.rows + rows, total.bytes + bytes);
    Ok(rows)
}

fn explain_copy(error: Error, context: &Context) -> Error {
    error.context(format!("copy into {}", context.job.table))
}
