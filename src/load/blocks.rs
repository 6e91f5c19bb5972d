//! The blocks of a window: its pieces fetched, decoded, clipped and encoded, ahead of the COPY that sends them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::batch::BatchSize;
use super::careful::Found;
use super::clip::Keyed;
use super::context::Context;
use super::held::Span;
use super::rejects::{self, Sieve};
use super::supply::bytes_in_memory;
use crate::encode::{BlockBuilder, Encoder};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Decode, Step};
use crate::model::{Block, Reject, Rows, Window};
use crate::options::Limits;
use crate::pool::BytePermit;

/// COPY bytes that a block aims at: large enough that its cost per message is lost, small enough to hold several.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

/// Rows of a block that are encoded before its rows' width is known.
const FIRST_ROWS: usize = 64;

/// How large a block may grow. A batch is made of whole blocks, so none may be larger than a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockLimits {
    rows: usize,
    bytes: usize,
}

impl BlockLimits {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self::within(BatchSize::of(limits))
    }

    /// Those of an attempt whose batches are `size`.
    fn within(size: BatchSize) -> Self {
        let fit = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX).max(1);
        // Rows differ in width, so that a block may miss its aim: a quarter of a batch leaves room for that.
        Self { rows: fit(size.rows), bytes: fit(size.bytes / 4).min(BLOCK_BYTES) }
    }

    /// Rows that `builder` still takes, at least one: by their width so far, which the first few of a block tell.
    pub(crate) fn room(self, builder: &BlockBuilder) -> usize {
        let (rows, bytes) = (usize::try_from(builder.rows()).unwrap_or(usize::MAX), builder.bytes());
        let by_bytes = match bytes.checked_div(rows) {
            None => FIRST_ROWS,
            Some(width) => self.bytes.saturating_sub(bytes) / width.max(1),
        };
        self.rows.saturating_sub(rows).min(by_bytes).max(1)
    }

    /// Whether `builder` is to be finished before another row goes in.
    pub(crate) fn is_full(self, builder: &BlockBuilder) -> bool {
        builder.bytes() >= self.bytes || builder.rows() >= self.rows as u64 // usize has at most 64 bits
    }
}

/// Blocks that wait for the COPY; each is covered by its piece's permit.
const BLOCKS_AHEAD: usize = 4;

/// A block on its way, with the permit for the memory that it and its piece take.
pub(crate) struct SentBlock {
    /// Of no rows, where there are rejects alone.
    pub(crate) block: Block,
    /// Rows of the window that stood among those of the block and cannot be loaded.
    pub(crate) rejects: Vec<Reject>,
    /// Where its rows stood, in their order, if that is to be known.
    pub(crate) spans: Vec<Span>,
    pub(crate) permit: Option<BytePermit>,
}

/// The blocks of a window, one by one. Dropping it ends the work behind it.
pub(crate) struct Blocks {
    receiver: mpsc::Receiver<Result<SentBlock>>,
    peeked: Option<SentBlock>,
    ended: bool,
    tasks: JoinSet<()>,
}

/// What is known of the next block.
pub(crate) enum Ahead<'a> {
    /// It is there.
    Block(&'a SentBlock),
    /// There is none: the window is at its end.
    End,
    /// It is not made yet.
    NotYet,
}

impl Blocks {
    /// The next block without taking it; `None` at the end of the window.
    pub(crate) async fn peek(&mut self) -> Result<Option<&SentBlock>> {
        self.receive().await?;
        Ok(self.peeked.as_ref())
    }

    /// The same, if it comes in time.
    pub(crate) async fn peek_within(&mut self, patience: Duration) -> Result<Ahead<'_>> {
        // Whatever is received by the end of the time is kept: both waits in there can be given up without a loss.
        if let Ok(received) = tokio::time::timeout(patience, self.receive()).await {
            received?;
        }
        Ok(match &self.peeked {
            Some(block) => Ahead::Block(block),
            None if self.ended => Ahead::End,
            None => Ahead::NotYet,
        })
    }

    /// The next block; `None` at the end of the window.
    pub(crate) async fn next(&mut self) -> Result<Option<SentBlock>> {
        self.receive().await?;
        Ok(self.peeked.take())
    }

    /// Whether it is known that no block is left.
    pub(crate) fn is_at_end(&self) -> bool {
        self.ended
    }

    /// Sees to it that the next block or the end is known.
    async fn receive(&mut self) -> Result<()> {
        if self.peeked.is_some() || self.ended {
            return Ok(());
        }
        self.peeked = self.receiver.recv().await.transpose()?;
        if self.peeked.is_none() {
            // A task that panicked has sent nothing, and its silence must not pass for the end of its pieces.
            while let Some(done) = self.tasks.join_next().await {
                done.map_err(|error| {
                    Error::new(ErrorKind::Internal, "the blocks of a window could not be made").with_source(error)
                })?;
            }
            self.ended = true;
        }
        Ok(())
    }
}

/// What an attempt wants of its blocks.
#[derive(Clone)]
pub(crate) struct Wanted {
    /// Batches that are to be made of them.
    pub(crate) size: BatchSize,
    /// Whether it is to be known where their rows stood.
    pub(crate) traced: bool,
    /// Rows that are rejected, for the server has refused them.
    pub(crate) found: Arc<Found>,
}

/// Begins to make the blocks of `window`.
pub(crate) fn of_window(context: &Arc<Context>, window: Window, wanted: &Wanted) -> Blocks {
    let (sender, receiver) = mpsc::channel(BLOCKS_AHEAD);
    let mut tasks = JoinSet::new();
    // In the spool no row has a place any more.
    let spool = context.spool.as_ref().filter(|spool| !wanted.traced && spool.holds(&window));
    if spool.is_some() {
        let context = Arc::clone(context);
        tasks.spawn(async move { super::spool::send(&context, window, sender).await });
    } else {
        // Each task takes every n-th piece, so that the pieces of a window are begun in their order.
        let pieces = Arc::new(context.plan.pieces_of(&window));
        for lane in 0..context.pieces_at_once {
            let (context, pieces, sender) = (Arc::clone(context), Arc::clone(&pieces), sender.clone());
            let wanted = wanted.clone();
            tasks.spawn(async move {
                for piece in pieces.iter().skip(lane).step_by(context.pieces_at_once) {
                    if let Err(error) = send_piece(&context, window, &wanted, *piece, &sender).await {
                        // Where the receiver is gone, the window has failed for another reason.
                        let _ = sender.send(Err(error)).await;
                        return;
                    }
                }
            });
        }
    }
    Blocks { receiver, peeked: None, ended: false, tasks }
}

async fn send_piece(
    context: &Arc<Context>,
    window: Window,
    wanted: &Wanted,
    piece: usize,
    sender: &mpsc::Sender<Result<SentBlock>>,
) -> Result<()> {
    let object = context.plan.pieces[piece].object;
    crate::failpoint::hit("fetch")?;
    let permit = context.memory.take(bytes_in_memory(&context.plan.pieces[piece])).await;
    let mut work = PieceWork {
        decoder: context.supply.decoder(&context.plan.pieces[piece], context.allowance.max.allows_any())?,
        encoder: context.encoder(object)?,
        builder: BlockBuilder::new(BLOCK_BYTES),
        limits: BlockLimits::within(wanted.size),
        rest: None,
        rejects: Vec::new(),
        spans: Vec::new(),
        wanted: wanted.clone(),
        object,
        window,
        context: Arc::clone(context),
    };
    loop {
        let (returned, made) = context.pool.run(move || work.advance()).await?;
        work = returned;
        let (block, last) = match made {
            Made::Need(ranges) => {
                let data = context.supply.fetch(object, &ranges).await?;
                work.decoder.supply(ranges, data)?;
                continue;
            }
            Made::Block(block) => (block, false),
            Made::Last(block) => (block, true),
        };
        let rejects = std::mem::take(&mut work.rejects);
        context.headers.know(&context.supply, &rejects).await?;
        let holds_any = block.rows > 0 || !rejects.is_empty();
        let spans = std::mem::take(&mut work.spans);
        let sent = SentBlock { block, rejects, spans, permit: Some(Arc::clone(&permit)) };
        let unwanted = holds_any && sender.send(Ok(sent)).await.is_err();
        if last || unwanted {
            return Ok(());
        }
    }
}

/// A piece under way, moved to the CPU pool and back.
struct PieceWork {
    decoder: Box<dyn Decode>,
    encoder: Encoder,
    builder: BlockBuilder,
    limits: BlockLimits,
    /// Decoded rows that are not encoded yet, and the first of them.
    rest: Option<(Arc<Keyed>, usize)>,
    /// Rows that cannot be loaded, since the last block.
    rejects: Vec<Reject>,
    /// Where the rows of the block stood, if that is to be known.
    spans: Vec<Span>,
    wanted: Wanted,
    object: u32,
    window: Window,
    context: Arc<Context>,
}

enum Made {
    Need(Vec<std::ops::Range<u64>>),
    Block(Block),
    Last(Block),
}

impl PieceWork {
    /// Decodes and encodes until a block is full, bytes are needed, or the piece is at its end.
    fn advance(mut self) -> Result<(Self, Made)> {
        loop {
            if let Some((rows, start)) = self.rest.take() {
                self.encode(rows, start)?;
                if self.limits.is_full(&self.builder) || rejects::memory_bytes(&self.rejects) >= BLOCK_BYTES {
                    let block = self.builder.finish();
                    return Ok((self, Made::Block(block)));
                }
                if self.rest.is_some() {
                    continue;
                }
            }
            match self.decoder.step()? {
                Step::Need(ranges) => return Ok((self, Made::Need(ranges))),
                Step::Rows(rows) => {
                    let rows = self.clip(rows)?;
                    let sieve = sieve(&self.context, self.object);
                    let rows = sieve.pass(rows, &mut self.rejects)?;
                    let rows = sieve.without(rows, &self.wanted.found, &mut self.rejects)?;
                    self.rest = Some((Arc::new(rows), 0));
                }
                Step::Done => {
                    let block = self.builder.finish();
                    return Ok((self, Made::Last(block)));
                }
            }
        }
    }

    fn clip(&self, rows: Rows) -> Result<Keyed> {
        match (&self.context.time, self.window) {
            (Some(time), Window::Time { start, end }) => time.clip(rows, start, end),
            (None, Window::Pieces { .. }) => Ok(Keyed::all(rows)),
            _ => Err(Error::new(ErrorKind::Internal, "a window of another kind than its job's")),
        }
    }

    /// Encodes rows from `start` on, as many as the block takes, and keeps the rest.
    fn encode(&mut self, rows: Arc<Keyed>, start: usize) -> Result<()> {
        crate::failpoint::hit("encode")?;
        let count = self.limits.room(&self.builder).min(rows.batch.num_rows() - start);
        let sieve = sieve(&self.context, self.object);
        let left_out = sieve.encode(&rows, (start, count), &mut self.encoder, &mut self.builder, &mut self.rejects)?;
        if self.wanted.traced {
            self.spans.extend(Span::between(self.object, &rows, start..start + count, &left_out));
        }
        if start + count < rows.batch.num_rows() {
            self.rest = Some((rows, start + count));
        }
        Ok(())
    }
}

fn sieve(context: &Context, object: u32) -> Sieve<'_> {
    Sieve { supply: &context.supply, object, allowance: context.allowance }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_not_the_end_of_a_window() {
        let (sender, receiver) = mpsc::channel(BLOCKS_AHEAD);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _sender = sender;
            panic!("a defect");
        });
        let mut blocks = Blocks { receiver, peeked: None, ended: false, tasks };
        assert_eq!(blocks.peek().await.err().map(|error| error.kind()), Some(ErrorKind::Internal));
        assert!(!blocks.is_at_end());
    }
}
