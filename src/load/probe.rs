//! The search for rows of a held batch that the server refuses: its rows are tried in parts, in a transaction of which nothing
//! stays.
//!
//! The rows are copied into a temporary table once, and each part is one `insert … select` from it, behind a savepoint. So a
//! part costs the server a statement and no new object, and several parts take one round trip. The table and its sequence are
//! made once for each transaction. Where they cannot be made, each part is a COPY of its own.
//!
//! A row is refused where it was refused alone, after the rows before it. One that lacked its parent is tried again once the
//! rest of the batch is there.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::batch::{Batches, Feed};
use super::bisection::{Bisection, PART_ROWS};
use super::held::Held;
use super::merge;
use super::rejects;
use super::statements::Statements;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::model::{Block, Event};
use crate::target::Durability;

/// The savepoint before the next part.
const PROBE: &str = "pgbackfill_probe";

/// Parts that are sent in one round trip. The server passes over those that come after one that it refuses.
const PARTS_AT_ONCE: usize = 16;

/// How long the parts of one round trip should take: a request to stop is looked at between two of them.
const ROUND: Duration = Duration::from_millis(200);

/// Rows of the first round trip, before it is known how long a row takes.
const ROUND_ROWS: usize = 512;

/// Rows that are copied into the temporary table at once, where it does not take all of them.
const FILL_ROWS: usize = 1024;

/// How often rows that lacked a parent are tried once more.
const PASSES_MAX: usize = 4;

/// A foreign key's parent is not there.
const FOREIGN_KEY_VIOLATION: &str = "23503";

/// How parts are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Out of a temporary table.
    Stage,
    /// Each by a COPY.
    Table,
}

/// A row that is refused.
pub(super) struct Refused {
    /// Its place in the held batch.
    pub(super) row: usize,
    pub(super) error: Error,
}

/// How much is tried at once, as the batches of a window so far have shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    part_rows: usize,
    parts: usize,
    rows: usize,
    /// Whether the latest batch had rows that were refused.
    pub(super) is_refusing: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self { part_rows: PART_ROWS, parts: PARTS_AT_ONCE, rows: ROUND_ROWS, is_refusing: false }
    }
}

impl Pace {
    /// Notes a round trip of `tried` rows, in which `taken` parts were taken.
    fn note(&mut self, tried: usize, taken: usize, is_refused: bool, lasted: Duration) {
        self.parts = if is_refused { 2 * taken + 2 } else { 2 * self.parts }.min(PARTS_AT_ONCE);
        if lasted > ROUND {
            self.rows = (tried.min(self.rows) / 2).max(1);
        } else if lasted < ROUND / 4 {
            self.rows = (self.rows * 2).min(usize::MAX / 4);
        }
    }
}

/// The search for the one row to name, where none may be rejected.
pub(super) struct Naming {
    /// What the server said of all rows.
    words: Option<String>,
    /// Whether rows were left out that the server refuses alone in other words.
    pub(super) left_out: bool,
}

impl Naming {
    /// `answer` is what the server said of the rows when they were first sent.
    pub(super) fn new(answer: Option<&Error>) -> Self {
        Self { words: answer.and_then(words), left_out: false }
    }

    /// The row of `part` to be named: that which the server names where no row is missing, or one that it refuses alone as it
    /// refused all. Others that are refused alone would be taken with those that are not.
    fn row(&self, part: &Range<usize>, error: &Error) -> Option<usize> {
        let is_same = self.words.is_none() || self.words == words(error);
        let named = error.refusal().and_then(|refusal| usize::try_from(refusal.row?).ok()?.checked_sub(1));
        match named.filter(|row| *row < part.len()) {
            Some(row) => (is_same || !self.left_out).then_some(part.start + row),
            None => (part.len() == 1 && is_same).then_some(part.start),
        }
    }
}

fn words(error: &Error) -> Option<String> {
    error.refusal().map(|refusal| refusal.reason.clone())
}

impl Batches<'_> {
    /// Begins a transaction for a search.
    pub(super) async fn begin_search(&self) -> Result<Way> {
        self.session.begin(Durability::WithTheLedger).await?;
        let way = self.make_stage().await?;
        if let Some(how) = self.context.statements.merge() {
            merge::wait_for_others(self.context, self.session, how).await?;
        }
        // What would be put off to the commit is refused with its part.
        self.session.run("set constraints all immediate").await?;
        Ok(way)
    }

    async fn make_stage(&self) -> Result<Way> {
        let statements = &self.context.statements;
        // Where a row is to be named, it is the COPY that names it.
        if self.is_strict() && !statements.is_staged() {
            return Ok(Way::Table);
        }
        let Some(sql) = statements.make_probe_stage() else { return Ok(Way::Table) };
        let made = self.session.run(&format!("savepoint {PROBE}; {sql}; release savepoint {PROBE}")).await;
        match made {
            Ok(()) => Ok(Way::Stage),
            // The role may make no temporary table, or not read the columns that it is made like.
            Err(error) if error.kind() == ErrorKind::Permission => {
                self.session.rollback_to(PROBE).await?;
                Ok(Way::Table)
            }
            Err(error) => Err(error.of_no_row()),
        }
    }

    /// Ends the search: the table must be what the run began with, for what another table refuses says nothing of a row.
    pub(super) async fn end_search(&self, refused: usize) -> Result<()> {
        if refused > 0 {
            self.context.refuse_changes(self.session).await?;
        }
        self.session.rollback().await
    }

    /// Rows of `held` that the server refuses, in order; `None` where the user asked to stop. Where a row is to be named, it is
    /// the error.
    pub(super) async fn find(
        &mut self,
        held: &Held,
        way: Way,
        naming: Option<&Naming>,
    ) -> Result<Option<Vec<Refused>>> {
        let mut search = Search::new(held, way, naming);
        if !self.fill(&mut search).await? {
            return Ok(None);
        }
        // Without a stage the server names rows, and in the largest part it names the first of all.
        let part_rows = if naming.is_some() && way == Way::Table { held.rows() } else { self.pace.part_rows };
        let mut parts = Bisection::new(search.rows.len(), part_rows);
        self.session.run(&format!("savepoint {PROBE}")).await?;
        loop {
            if self.context.stop.is_requested() {
                return Ok(None);
            }
            failpoint::hit("probe")?;
            let at_once = if way == Way::Stage { self.pace.parts } else { 1 };
            let round = parts.next_within(at_once, self.pace.rows);
            if round.is_empty() {
                break;
            }
            self.try_round(&mut search, &mut parts, &round).await?;
        }
        self.pace.part_rows = parts.part_rows();
        if !self.try_again(&mut search).await? {
            return Ok(None);
        }
        self.session.run(&format!("release savepoint {PROBE}")).await?;
        search.found.sort_by_key(|refused| refused.row);
        Ok(Some(search.found))
    }

    /// Tries parts in order, up to the first that is refused.
    async fn try_round(
        &mut self,
        search: &mut Search<'_>,
        parts: &mut Bisection,
        round: &[Range<usize>],
    ) -> Result<()> {
        let begun = Instant::now();
        let (taken, refusal) = match search.way {
            Way::Stage => self.try_staged(search, round).await?,
            Way::Table => self.try_copied(search.held, &round[0]).await?,
        };
        let tried = round.iter().take(taken + 1).map(Range::len).sum();
        self.pace.note(tried, taken, refusal.is_some(), begun.elapsed());
        round[..taken].iter().for_each(|part| parts.taken(part));
        let Some(error) = refusal else { return Ok(()) };
        let (part, rest) = (round[taken].clone(), &round[taken + 1..]);
        parts.put_back(rest);
        self.judge(search, &part, &error).await?;
        if let Some(row) = parts.refused(part, error.refusal().and_then(|refusal| refusal.row)) {
            search.refuse(row, error);
        }
        Ok(())
    }

    /// Looks at a refusal: one that is no row's ends the search, and so does that of the row to be named.
    async fn judge(&mut self, search: &mut Search<'_>, part: &Range<usize>, error: &Error) -> Result<()> {
        if let Some(naming) = search.naming {
            let Some(row) = naming.row(part, error) else { return Ok(()) };
            self.context.refuse_changes(self.session).await?;
            return Err(rejects::error_of(&search.held.reject(self.context, search.rows[row], error).1));
        }
        if !std::mem::replace(&mut search.is_told, true) {
            self.tell_bisecting(search.held, error);
        }
        Ok(())
    }

    /// Tries parts out of the stage, all in one round trip: how many were taken before the first that was refused, and why it
    /// was.
    async fn try_staged(&mut self, search: &Search<'_>, round: &[Range<usize>]) -> Result<(usize, Option<Error>)> {
        let mut messages: Vec<String> = round.iter().map(|part| self.insert(search, part)).collect();
        // After a part that is refused it undoes that part, and after the last one nothing.
        messages.push(format!("rollback to savepoint {PROBE}"));
        let answers = self.session.run_all(&messages).await?;
        for (at, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(()) => {}
                Err(error) if error.is_of_row() => return Ok((at, Some(error))),
                Err(error) => return Err(error),
            }
        }
        Ok((round.len(), None))
    }

    fn insert(&self, search: &Search<'_>, part: &Range<usize>) -> String {
        let insert = self.context.statements.probe(search.numbers[part.start], search.numbers[part.end - 1]);
        format!("{insert}; release savepoint {PROBE}; savepoint {PROBE}")
    }

    /// Tries a part by a COPY of its own.
    async fn try_copied(&mut self, held: &Held, part: &Range<usize>) -> Result<(usize, Option<Error>)> {
        let blocks = held.blocks(self.context, part).await?;
        let before = self.total;
        let tried = self.try_blocks(blocks).await;
        self.total = before;
        match tried {
            Ok(()) => Ok((1, None)),
            Err(error) if !self.tries.disordered && error.is_of_row() => {
                self.session.rollback_to(PROBE).await?;
                Ok((0, Some(error)))
            }
            Err(error) => Err(error),
        }
    }

    async fn try_blocks(&mut self, blocks: Vec<Block>) -> Result<()> {
        self.copy(Feed::Held { blocks, may_end: false }).await?;
        if let Some(sql) = self.context.statements.drop_stage() {
            self.session.run(&sql).await?;
        }
        self.session.run(&format!("release savepoint {PROBE}; savepoint {PROBE}")).await
    }

    /// Copies the rows into the stage. Those that it does not take have a value that is none of its type, and are found by that.
    /// `false` where the user asked to stop.
    async fn fill(&mut self, search: &mut Search<'_>) -> Result<bool> {
        let held = search.held;
        if search.way == Way::Table {
            search.rows = (0..held.rows()).collect();
            return Ok(true);
        }
        self.session.run(&Statements::empty_probe_stage()).await?;
        let mut parts = Bisection::new(held.rows(), held.rows());
        while let Some(part) = parts.next() {
            if self.context.stop.is_requested() {
                return Ok(false);
            }
            let blocks = held.blocks(self.context, &part).await?;
            self.session.run(&format!("savepoint {PROBE}")).await?;
            match self.copy_by(&self.context.statements.fill_probe_stage(), Feed::Held { blocks, may_end: false }).await
            {
                Ok(_) => {
                    self.session.run(&format!("release savepoint {PROBE}")).await?;
                    search.rows.extend(part);
                }
                Err(error) if !self.tries.disordered && error.is_of_row() => {
                    self.session.rollback_to(PROBE).await?;
                    self.judge(search, &part, &error).await?;
                    if part.len() > FILL_ROWS {
                        // Nothing was copied so far, and a smaller part is sent again at less cost.
                        parts = Bisection::new(held.rows(), FILL_ROWS);
                    } else if let Some(row) = parts.refused(part, error.refusal().and_then(|refusal| refusal.row)) {
                        search.found.push(Refused { row, error });
                    }
                }
                Err(error) => return Err(error),
            }
        }
        search.numbers = self.session.query_one(&Statements::probe_numbers(), &[]).await?.get(0);
        Ok(true)
    }

    /// Tries rows once more that lacked a parent, in reverse order, for it is a later row that they may have lacked; again for
    /// as long as one of them is taken, but not for ever. `false` where the user asked to stop.
    async fn try_again(&mut self, search: &mut Search<'_>) -> Result<bool> {
        let mut lacking = std::mem::take(&mut search.lacking);
        lacking.reverse();
        for _ in 0..PASSES_MAX {
            let before = lacking.len();
            let mut still = Vec::with_capacity(before);
            for round in lacking.chunks(PARTS_AT_ONCE - 2) {
                if self.context.stop.is_requested() {
                    return Ok(false);
                }
                still.extend(self.try_each(search, round).await?);
            }
            lacking = still;
            if lacking.len() == before || lacking.is_empty() {
                break;
            }
        }
        let refused = lacking.into_iter().map(|(row, error)| Refused { row: search.rows[row], error });
        search.found.extend(refused);
        Ok(true)
    }

    /// Tries rows one by one, each whatever became of those before; gives back those that are refused.
    async fn try_each(&self, search: &Search<'_>, rows: &[(usize, Error)]) -> Result<Vec<(usize, Error)>> {
        let back = format!("rollback to savepoint {PROBE}");
        let each = |(row, _): &(usize, Error)| [self.insert(search, &(*row..*row + 1)), back.clone()];
        let messages: Vec<String> = rows.iter().flat_map(each).collect();
        let answers = self.session.run_all(&messages).await?;
        let mut still = Vec::new();
        for ((row, _), answer) in rows.iter().zip(answers.into_iter().step_by(2)) {
            match answer {
                Ok(()) => {}
                Err(error) if error.is_of_row() => still.push((*row, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(still)
    }

    fn tell_bisecting(&self, held: &Held, error: &Error) {
        let window = self.context.name(&self.claim.window);
        let (rows, error) = (held.rows() as u64, super::worker::chain(error)); // usize has at most 64 bits
        self.context.observe(&Event::Bisecting { window, rows, error });
    }
}

/// Rows that are tried, and what is known of them.
struct Search<'a> {
    held: &'a Held,
    way: Way,
    naming: Option<&'a Naming>,
    /// Places of the rows in the held batch.
    rows: Vec<usize>,
    /// Numbers of the rows in the stage.
    numbers: Vec<i64>,
    found: Vec<Refused>,
    /// Rows that lacked a parent, by their places in `rows`.
    lacking: Vec<(usize, Error)>,
    /// Whether people were told of it.
    is_told: bool,
}

impl<'a> Search<'a> {
    fn new(held: &'a Held, way: Way, naming: Option<&'a Naming>) -> Self {
        let (rows, numbers, found, lacking) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { held, way, naming, rows, numbers, found, lacking, is_told: false }
    }

    /// Notes that row `row` of `rows` was refused alone.
    fn refuse(&mut self, row: usize, error: Error) {
        let lacks_parent = error.place().sqlstate.as_deref() == Some(FOREIGN_KEY_VIOLATION);
        if lacks_parent && self.way == Way::Stage && self.naming.is_none() {
            self.lacking.push((row, error));
        } else {
            self.found.push(Refused { row: self.rows[row], error });
        }
    }
}
