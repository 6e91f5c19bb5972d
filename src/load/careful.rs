//! Windows in which the server refuses rows: each batch is held in memory until every row of it is taken, or known to be at
//! fault by being refused alone. Where no row may be rejected, the first is looked for all the same, to name its record.
//!
//! Where a transaction holds a batch, each part that is tried is a batch of its own, with its entry in the ledger, and no
//! savepoint is near. Where it holds a window, the parts are tried in a transaction that is rolled back in the end, whatever
//! came of it; the window is then loaded without the rows that were found.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::batch::{BatchSize, Batches, Feed, PATIENCE};
use super::bisection::Bisection;
use super::blocks::{Ahead, BLOCK_BYTES, SentBlock};
use super::clip::Keyed;
use super::context::Context;
use super::rejects;
use super::supply::Supply;
use super::window::Attempt;
use crate::encode::{BlockBuilder, Encoder};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::model::{Block, Event, Reject};
use crate::target::{Durability, shape};

/// How large a batch may grow that is held: it is sent again for each row of it that is at fault, and its rows wait in memory,
/// decoded, until it is settled.
pub(super) const HELD: BatchSize = BatchSize { rows: 10_000, bytes: 4 << 20 };

/// Rows that are encoded together.
const ROWS_AT_ONCE: usize = 1024;

/// Neighbouring rows of a decoded batch that were encoded into a block.
#[derive(Clone)]
pub(crate) struct Span {
    pub(crate) object: u32,
    pub(crate) rows: Arc<Keyed>,
    pub(crate) range: Range<usize>,
}

impl Span {
    /// The rows of `range` but those `left_out`, which are in order.
    pub(crate) fn between(object: u32, rows: &Arc<Keyed>, range: Range<usize>, left_out: &[usize]) -> Vec<Self> {
        let ends = left_out.iter().copied().chain([range.end]);
        let mut start = range.start;
        let mut spans = Vec::with_capacity(left_out.len() + 1);
        for end in ends {
            if start < end {
                spans.push(Self { object, rows: Arc::clone(rows), range: start..end });
            }
            start = end + 1;
        }
        spans
    }
}

/// Rows by object and record, with what becomes of them instead of being loaded.
pub(crate) type Found = HashMap<(u32, u64), Reject>;

/// A batch that waits until its rows are taken or found to be at fault.
#[derive(Default)]
struct Held {
    blocks: Vec<SentBlock>,
    /// How many rows stand before each span, and the span.
    spans: Vec<(usize, Span)>,
    rows: usize,
    bytes: u64,
}

/// What became of a held batch.
enum Settled {
    /// The window goes on.
    Open,
    /// It was the window's last, and the ledger says so.
    Loaded,
    /// The user asked to stop.
    Stopped,
}

impl Held {
    fn push(&mut self, mut sent: SentBlock) {
        self.bytes += sent.block.bytes.len() as u64; // usize has at most 64 bits
        for span in std::mem::take(&mut sent.spans) {
            let rows = span.range.len();
            self.spans.push((self.rows, span));
            self.rows += rows;
        }
        self.blocks.push(sent);
    }

    fn takes(&self, next: &SentBlock) -> bool {
        let next_bytes = next.block.bytes.len() as u64; // usize has at most 64 bits
        self.rows as u64 + next.block.rows <= HELD.rows && self.bytes + next_bytes <= HELD.bytes // likewise
    }

    /// The rows of `part` as blocks: those that were made already, or made anew.
    async fn blocks(&self, context: &Context, part: &Range<usize>) -> Result<Vec<Block>> {
        if *part == (0..self.rows) {
            return Ok(self.blocks.iter().map(|sent| sent.block.clone()).collect());
        }
        let (spans, supply) = (self.spans_of(part), Arc::clone(&context.supply));
        context.pool.run(move || encode(&supply, &spans)).await
    }

    fn spans_of(&self, part: &Range<usize>) -> Vec<Span> {
        let cut = |(before, span): &(usize, Span)| {
            let first = part.start.max(*before);
            let end = part.end.min(before + span.range.len());
            let place = |row: usize| span.range.start + (row - before);
            (first < end).then(|| Span { range: place(first)..place(end), ..span.clone() })
        };
        self.spans.iter().filter_map(cut).collect()
    }

    /// Row `row` of the batch as a reject, for what the server said of it.
    fn reject(&self, context: &Context, row: usize, error: &Error) -> ((u32, u64), Reject) {
        let (before, span) = &self.spans[self.spans.partition_point(|(before, _)| *before <= row) - 1];
        let place = span.rows.place(span.range.start + (row - before));
        let (origin, kept) = (&span.rows.origin, context.allowance.record_bytes);
        let said = error.refusal().map_or_else(|| error.to_string(), |refusal| refusal.reason.clone());
        let reject = Reject {
            object: Arc::clone(&origin.object),
            record: origin.record(place),
            byte: origin.byte(place),
            column: error.place().column.clone(),
            reason: said,
            sqlstate: error.place().sqlstate.clone(),
            raw: context.supply.raw_record(span.object, origin, place, span.rows.decoded(), kept),
        };
        ((span.object, reject.record), reject)
    }
}

fn encode(supply: &Supply, spans: &[Span]) -> Result<Vec<Block>> {
    let (mut blocks, mut builder) = (Vec::new(), BlockBuilder::new(0));
    let mut encoder: Option<(u32, Encoder)> = None;
    for span in spans {
        let (_, encoder) = match encoder.take().filter(|(object, _)| *object == span.object) {
            Some(known) => encoder.insert(known),
            None => encoder.insert((span.object, supply.encoder(span.object)?)),
        };
        for start in span.range.clone().step_by(ROWS_AT_ONCE) {
            let count = ROWS_AT_ONCE.min(span.range.end - start);
            span.rows.encode(start, count, encoder, &mut builder, |column| supply.column_name(column))?;
            if builder.bytes() >= BLOCK_BYTES {
                blocks.push(builder.finish());
            }
        }
    }
    if builder.rows() > 0 {
        blocks.push(builder.finish());
    }
    Ok(blocks)
}

impl Batches<'_> {
    /// Loads them all, with a transaction for each batch, or for each part of one that the server refuses.
    pub(super) async fn load_carefully(mut self) -> Result<Attempt> {
        loop {
            if self.context.stop.is_requested() {
                return self.release().await;
            }
            let stop = self.context.stop.clone();
            let has_rows = tokio::select! {
                has_rows = self.wait_for_rows() => has_rows?,
                () = stop.requested() => return self.release().await,
            };
            let settled = if has_rows {
                let held = self.hold().await?;
                self.settle(&held).await?
            } else {
                let batch = self.load_one(Feed::Nothing).await?;
                self.tell(false, &batch);
                if batch.last { Settled::Loaded } else { Settled::Open }
            };
            match settled {
                Settled::Open => {}
                Settled::Loaded => return Ok(Attempt::Loaded(self.total)),
                Settled::Stopped => return self.release().await,
            }
        }
    }

    /// Takes blocks until the batch is full, the window is at its end, or the source keeps it waiting: what is held here, a
    /// piece that is waited for may need.
    async fn hold(&mut self) -> Result<Held> {
        let mut held = Held::default();
        while let Some(mut sent) = self.blocks.next().await? {
            self.take_rejects(std::mem::take(&mut sent.rejects))?;
            held.push(sent);
            match self.blocks.peek_within(PATIENCE).await? {
                Ahead::Block(next) if held.takes(next) => {}
                _ => break,
            }
        }
        Ok(held)
    }

    /// Commits the rows of a held batch, in parts where some are refused, and rejects those that are refused alone.
    async fn settle(&mut self, held: &Held) -> Result<Settled> {
        let mut parts = Bisection::new(held.rows);
        while let Some(part) = parts.next() {
            if self.context.stop.is_requested() {
                return Ok(Settled::Stopped);
            }
            failpoint::hit("probe")?;
            let blocks = held.blocks(self.context, &part).await?;
            let is_whole = part.len() == held.rows;
            match self.load_one(Feed::Held { blocks, is_whole }).await {
                Ok(batch) => {
                    self.tries.committed = self.total.rows;
                    self.tell(true, &batch);
                    if batch.last {
                        return Ok(Settled::Loaded);
                    }
                }
                Err(error) => {
                    let error = self.refused(error, None).await?;
                    self.divide(held, &mut parts, part, &error).await?;
                    if rejects::memory_bytes(&self.rejects) >= rejects::BATCH_BYTES {
                        let batch = self.load_one(Feed::Rejects).await?;
                        self.tell(false, &batch);
                    }
                }
            }
        }
        Ok(Settled::Open)
    }

    /// Looks for rows of the window that the server refuses, in a transaction of which nothing stays.
    pub(super) async fn search(mut self) -> Result<Found> {
        self.session.begin(Durability::WithTheLedger).await?;
        let mut found = Found::new();
        while !self.context.stop.is_requested() && self.wait_for_rows().await? {
            let held = self.hold().await?;
            let (mut parts, mut whole) = (Bisection::new(held.rows), None);
            while let Some(part) = parts.next() {
                failpoint::hit("probe")?;
                let blocks = held.blocks(self.context, &part).await?;
                self.session.run(&format!("savepoint {PROBE}")).await?;
                if let Err(error) = self.probe(blocks).await {
                    let error = self.refused(error, Some(PROBE)).await?;
                    if self.is_strict() {
                        self.name(&held, &mut parts, part, error, &mut whole)?;
                    } else {
                        found.extend(self.divide(&held, &mut parts, part, &error).await?);
                    }
                }
            }
            if let Some(error) = whole.filter(|_| self.is_strict()) {
                return Err(error);
            }
        }
        self.session.rollback().await?;
        Ok(found)
    }

    async fn probe(&mut self, blocks: Vec<Block>) -> Result<()> {
        self.copy(Feed::Held { blocks, is_whole: false }).await?;
        self.session.run("set constraints all immediate").await?;
        if let Some(sql) = self.context.statements.drop_stage() {
            self.session.run(&sql).await?;
        }
        self.session.run(&format!("release savepoint {PROBE}")).await
    }

    /// Leaves the transaction of rows that were refused, or what it did since `savepoint`. Every other failure is the
    /// attempt's, and so is a table that has changed: what it refuses says nothing of the row.
    async fn refused(&self, error: Error, savepoint: Option<&str>) -> Result<Error> {
        if self.tries.disordered || !error.is_of_row() {
            return Err(error);
        }
        match savepoint {
            Some(savepoint) => self.session.rollback_to(savepoint).await?,
            None => self.session.rollback().await?,
        }
        let now = shape(self.session, self.context.shape.oid).await?;
        match self.context.changes(&now) {
            Some(changed) => Err(changed.with_source(error)),
            None => Ok(error),
        }
    }

    /// Has a part that was refused tried in smaller ones, or rejects its only row.
    async fn divide(
        &mut self,
        held: &Held,
        parts: &mut Bisection,
        part: Range<usize>,
        error: &Error,
    ) -> Result<Option<((u32, u64), Reject)>> {
        if part.len() == held.rows {
            let window = self.context.name(&self.claim.window);
            let (rows, error) = (held.rows as u64, super::worker::chain(error)); // usize has at most 64 bits
            self.context.observe(&Event::Bisecting { window, rows, error });
        }
        let row = error.refusal().and_then(|refusal| refusal.row);
        let Some(row) = parts.refused(part, row) else { return Ok(None) };
        let (key, reject) = held.reject(self.context, row, error);
        self.context.headers.know(&self.context.supply, std::slice::from_ref(&reject)).await?;
        self.take_rejects(vec![reject.clone()])?;
        Ok(Some((key, reject)))
    }

    /// Whether no row may be rejected, and the first at fault is only looked for to be named.
    fn is_strict(&self) -> bool {
        !self.context.allowance.max.allows_any()
    }

    /// The error of the row that the server names, or refuses alone as it refused all. Others that are refused alone would be
    /// taken with those that are not. `whole` keeps what the server said of all rows that are held.
    fn name(
        &self,
        held: &Held,
        parts: &mut Bisection,
        part: Range<usize>,
        error: Error,
        whole: &mut Option<Error>,
    ) -> Result<()> {
        let said = |error: &Error| error.refusal().map(|refusal| refusal.reason.clone());
        let is_same = whole.as_ref().is_none_or(|first| said(first) == said(&error));
        let named = error.refusal().and_then(|refusal| usize::try_from(refusal.row?).ok()?.checked_sub(1));
        let found = match named.filter(|row| is_same && *row < part.len()) {
            Some(row) => Some(part.start + row),
            None => parts.refused(part, None).filter(|_| is_same),
        };
        if let Some(row) = found {
            return Err(rejects::error_of(&held.reject(self.context, row, &error).1));
        }
        whole.get_or_insert(error);
        Ok(())
    }
}

/// The savepoint of a part that is tried in a transaction which is rolled back.
const PROBE: &str = "pgbackfill_probe";
