//! A batch that is held in memory until its rows are taken by the server or found to be at fault: its rows as they were
//! decoded, with where each of them stood.

use std::ops::Range;
use std::sync::Arc;

use super::batch::BatchSize;
use super::blocks::{BLOCK_BYTES, SentBlock};
use super::clip::Keyed;
use super::context::Context;
use super::supply::Supply;
use crate::encode::{BlockBuilder, Encoder};
use crate::error::{Error, Result};
use crate::model::{Block, Reject};
use crate::pool::BytePermit;

/// How large a batch may grow that is held: its rows wait in memory, decoded, until it is settled.
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

/// A batch that waits until its rows are taken or found to be at fault.
#[derive(Default)]
pub(super) struct Held {
    /// All rows as they were encoded first; none where some have been left out since.
    blocks: Vec<Block>,
    /// For the memory that the rows take.
    permits: Vec<BytePermit>,
    /// How many rows stand before each span, and the span.
    spans: Vec<(usize, Span)>,
    rows: usize,
    bytes: u64,
}

impl Held {
    pub(super) fn push(&mut self, mut sent: SentBlock) {
        self.bytes += sent.block.bytes.len() as u64; // usize has at most 64 bits
        std::mem::take(&mut sent.spans).into_iter().for_each(|span| self.push_span(span));
        self.permits.extend(sent.permit);
        self.blocks.push(sent.block);
    }

    fn push_span(&mut self, span: Span) {
        let rows = span.range.len();
        self.spans.push((self.rows, span));
        self.rows += rows;
    }

    pub(super) fn takes(&self, next: &SentBlock) -> bool {
        let next_bytes = next.block.bytes.len() as u64; // usize has at most 64 bits
        self.rows as u64 + next.block.rows <= HELD.rows && self.bytes + next_bytes <= HELD.bytes // likewise
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The rows of `part` as blocks: those that were made already, or made again.
    pub(super) async fn blocks(&self, context: &Context, part: &Range<usize>) -> Result<Vec<Block>> {
        if *part == (0..self.rows) && !self.blocks.is_empty() {
            return Ok(self.blocks.clone());
        }
        let (spans, supply) = (self.spans_of(part), Arc::clone(&context.supply));
        context.pool.run(move || encode(&supply, &spans)).await
    }

    /// The rows of `part` as a batch of their own.
    pub(super) fn part(&self, part: &Range<usize>) -> Self {
        let mut held = Self { permits: self.permits.clone(), ..Self::default() };
        self.spans_of(part).into_iter().for_each(|span| held.push_span(span));
        held
    }

    /// The rows but those `left_out`, which are in order.
    pub(super) fn without(&self, left_out: &[usize]) -> Self {
        let (mut held, mut start) = (Self { permits: self.permits.clone(), ..Self::default() }, 0);
        for end in left_out.iter().copied().chain([self.rows]) {
            self.spans_of(&(start..end)).into_iter().for_each(|span| held.push_span(span));
            start = end + 1;
        }
        held
    }

    fn spans_of(&self, part: &Range<usize>) -> Vec<Span> {
        let begin = self.spans.partition_point(|(before, span)| before + span.range.len() <= part.start);
        let cut = |(before, span): &(usize, Span)| {
            let first = part.start.max(*before);
            let end = part.end.min(before + span.range.len());
            let place = |row: usize| span.range.start + (row - before);
            (first < end).then(|| Span { range: place(first)..place(end), ..span.clone() })
        };
        self.spans[begin..].iter().map_while(cut).collect()
    }

    /// Row `row` of the batch as a reject, for what the server said of it.
    pub(super) fn reject(&self, context: &Context, row: usize, error: &Error) -> ((u32, u64), Reject) {
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
