//! Windows in which the server refuses rows: each batch is held in memory until every row of it is taken, or known to be at
//! fault by being refused alone. Where no row may be rejected, the first is looked for all the same, to name its record.
//!
//! Where a transaction holds a batch, a held batch that is refused is searched in a transaction of its own, of which nothing
//! stays, and the rows that were not found are loaded as one batch: no savepoint is near. Where it holds a window, all batches of
//! the window are searched so first; the window is then loaded without the rows that were found.

use std::collections::HashMap;

use super::batch::{Batches, Feed, PATIENCE};
use super::blocks::Ahead;
use super::held::Held;
use super::probe::{Naming, Refused};
use super::rejects;
use super::window::Attempt;
use crate::error::{Error, Result};
use crate::model::Reject;

/// Rows by object and record, with what becomes of them instead of being loaded.
pub(crate) type Found = HashMap<(u32, u64), Reject>;

/// What became of a held batch.
enum Settled {
    /// The window goes on.
    Open,
    /// It was the window's last, and the ledger says so.
    Loaded,
    /// The user asked to stop.
    Stopped,
}

/// What became of rows that were sent together.
enum Tried {
    /// They are committed; `last` where they were the window's last.
    Loaded { last: bool },
    /// Some may be at fault.
    Refused(Error),
}

impl Batches<'_> {
    /// Loads them all, with a transaction for each batch, less the rows of it that the server refuses.
    pub(super) async fn load_carefully(mut self) -> Result<Attempt> {
        loop {
            let Some(has_rows) = self.wait_for_rows_or_stop().await? else { return self.release().await };
            let settled = if has_rows {
                let held = self.hold().await?;
                self.settle(held).await?
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

    /// Takes blocks until the batch is full, the window is at its end, the source keeps it waiting, or the user asked to stop:
    /// what is held here, a piece that is waited for may need.
    async fn hold(&mut self) -> Result<Held> {
        let mut held = Held::default();
        while let Some(mut sent) = self.blocks.next().await? {
            self.take_rejects(std::mem::take(&mut sent.rejects))?;
            held.push(sent);
            if self.context.stop.is_requested() {
                break;
            }
            match self.blocks.peek_within(PATIENCE).await? {
                Ahead::Block(next) if held.takes(next) => {}
                _ => break,
            }
        }
        Ok(held)
    }

    /// Commits the rows of a held batch, but those that are refused alone: they are rejected. What is refused though none of its
    /// rows is, is loaded in halves.
    async fn settle(&mut self, held: Held) -> Result<Settled> {
        let mut parts = vec![held];
        // A batch after one with rows at fault is likely to have some too.
        let mut is_suspect = self.pace.is_refusing;
        while let Some(part) = parts.pop() {
            if self.context.stop.is_requested() {
                return Ok(Settled::Stopped);
            }
            let mut refusal = None;
            if !is_suspect {
                match self.load_held(&part, parts.is_empty()).await? {
                    Tried::Loaded { last: true } => return Ok(Settled::Loaded),
                    Tried::Loaded { last: false } => continue,
                    Tried::Refused(error) => refusal = Some(error),
                }
            }
            is_suspect = false;
            let Some(mut found) = self.search_held(&part).await? else { return Ok(Settled::Stopped) };
            self.pace.is_refusing = !found.is_empty();
            match refusal {
                Some(error) if found.is_empty() && part.rows() == 1 => found.push(Refused { row: 0, error }),
                Some(_) if found.is_empty() => {
                    let middle = part.rows() / 2;
                    parts.extend([middle..part.rows(), 0..middle].map(|half| part.part(&half)));
                    continue;
                }
                _ => {}
            }
            self.reject(&part, &found).await?;
            let rest = part.without(&found.iter().map(|refused| refused.row).collect::<Vec<_>>());
            parts.extend(Some(rest).filter(|rest| rest.rows() > 0));
        }
        Ok(Settled::Open)
    }

    /// Loads rows that are held, in a transaction of their own.
    async fn load_held(&mut self, held: &Held, may_end: bool) -> Result<Tried> {
        let blocks = held.blocks(self.context, &(0..held.rows())).await?;
        match self.load_one(Feed::Held { blocks, may_end }).await {
            Ok(batch) => {
                self.tries.committed = self.total.rows;
                self.tell(true, &batch);
                Ok(Tried::Loaded { last: batch.last })
            }
            Err(error) if self.tries.disordered || !error.is_of_row() => Err(error),
            Err(error) => {
                self.session.rollback().await?;
                self.context
                    .refuse_changes(self.session)
                    .await
                    .map_err(|changed| changed.with_source(error.to_string()))?;
                Ok(Tried::Refused(error))
            }
        }
    }

    /// Rows of a held batch that the server refuses, found in a transaction of their own; `None` where the user asked to stop.
    async fn search_held(&mut self, held: &Held) -> Result<Option<Vec<Refused>>> {
        let (stop, session) = (self.context.stop.clone(), self.session);
        let search = async {
            let way = self.begin_search().await?;
            let found = self.find(held, way, None).await?;
            self.end_search(found.as_ref().map_or(0, Vec::len)).await?;
            Ok(found)
        };
        tokio::select! {
            biased;
            () = stop.requested() => {
                session.abandon();
                Ok(None)
            }
            found = search => found,
        }
    }

    /// Rejects rows of a held batch. Where they take much memory, they are entered at once.
    async fn reject(&mut self, held: &Held, found: &[Refused]) -> Result<()> {
        for refused in found {
            self.reject_row(held, refused).await?;
            if rejects::memory_bytes(&self.rejects) >= rejects::BATCH_BYTES {
                let batch = self.load_one(Feed::Rejects).await?;
                self.tell(false, &batch);
            }
        }
        Ok(())
    }

    async fn reject_row(&mut self, held: &Held, refused: &Refused) -> Result<((u32, u64), Reject)> {
        let (key, reject) = held.reject(self.context, refused.row, &refused.error);
        self.context.headers.know(&self.context.supply, std::slice::from_ref(&reject)).await?;
        self.take_rejects(vec![reject.clone()])?;
        Ok((key, reject))
    }

    /// Looks for rows of the window that the server refuses, in a transaction of which nothing stays. Where the user asks to
    /// stop, it ends at once with what the server is at.
    pub(super) async fn search(self) -> Result<Found> {
        let (stop, session) = (self.context.stop.clone(), self.session);
        tokio::select! {
            biased;
            () = stop.requested() => {
                session.abandon();
                Ok(Found::new())
            }
            found = self.search_window() => found,
        }
    }

    async fn search_window(mut self) -> Result<Found> {
        let mut naming = self.is_strict().then(|| Naming::new(self.tries.answer.as_ref()));
        let way = self.begin_search().await?;
        let (mut found, mut refusals) = (Found::new(), 0);
        while self.wait_for_rows_or_stop().await? == Some(true) {
            let held = self.hold().await?;
            let Some(refused) = self.find(&held, way, naming.as_ref()).await? else { break };
            refusals += refused.len();
            match &mut naming {
                Some(naming) => naming.left_out |= !refused.is_empty(),
                None => {
                    for refused in &refused {
                        found.extend([self.reject_row(&held, refused).await?]);
                    }
                }
            }
        }
        if naming.is_some() && refusals > 0 && !self.context.stop.is_requested() {
            // No row is refused as all of them were: which one it is cannot be said.
            return self.tries.answer.take().map_or(Ok(found), Err);
        }
        self.end_search(refusals).await?;
        Ok(found)
    }

    /// Whether no row may be rejected, and the first at fault is only looked for to be named.
    pub(super) fn is_strict(&self) -> bool {
        !self.context.allowance.max.allows_any()
    }
}
