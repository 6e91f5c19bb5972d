//! A claimed window's entries: what earlier attempts left, and what each batch of this one adds.

use super::{RunId, Written, lost};
use crate::error::Result;
use crate::model::{Conflicts, RowHash, Window};
use crate::target::{Parameter, Session};

/// This run's hold on one window, for one attempt.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) job: i64,
    pub(crate) number: i64,
    pub(crate) window: Window,
    pub(crate) run: RunId,
    pub(crate) attempt: i32,
    /// Whether rows that were in the window before the job have been dealt with.
    pub(crate) admitted: bool,
}

/// What an attempt has loaded so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) batches: i32,
    /// Rows of the job that are in the table.
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) conflicts: Conflicts,
    /// Rows that were rejected.
    pub(crate) rejected: u64,
    pub(crate) hash: RowHash,
    /// Whether triggers changed rows once they were stored: their hash says nothing then.
    pub(crate) rewritten: bool,
}

/// Enters whole windows that one transaction of their run has loaded, each with its counters, and marks them as loaded.
///
/// # Errors
///
/// As [`Claim::fence`], if one of them is no longer its attempt's: the transaction must be rolled back.
pub(crate) async fn record_group(session: &Session, windows: &[(&Claim, Counters)]) -> Result<()> {
    let Some((first, _)) = windows.first() else { return Ok(()) };
    let numbers: Vec<i64> = windows.iter().map(|(claim, _)| claim.number).collect();
    let attempts: Vec<i32> = windows.iter().map(|(claim, _)| claim.attempt).collect();
    let rows: Vec<i64> = windows.iter().map(|(_, total)| count(total.rows)).collect();
    let bytes: Vec<i64> = windows.iter().map(|(_, total)| count(total.bytes)).collect();
    let hashes: Vec<Vec<u8>> = windows.iter().map(|(_, total)| total.hash.to_bytes().to_vec()).collect();
    let sql = include_str!("batch/record_group.sql");
    let parameters: [&dyn Parameter; 7] = [&first.job, &first.run, &numbers, &attempts, &rows, &bytes, &hashes];
    let entered = session.execute(sql, &parameters).await?;
    if entered == windows.len() as u64 { Ok(()) } else { Err(lost::claim(session, first).await) } // usize has at most 64 bits
}

fn count(number: u64) -> i64 {
    i64::try_from(number).expect("a window has fewer rows and bytes than i64 counts")
}

impl Claim {
    /// Whether no earlier attempt can have left anything in the window.
    pub(crate) fn is_first(&self) -> bool {
        self.attempt == 1 && !self.admitted
    }

    /// Locks the window's row until the end of the transaction.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Fenced`] if the window is no longer this attempt's, [`crate::ErrorKind::Gone`] if the ledger
    /// does not know the attempt.
    pub(crate) async fn fence(&self, session: &Session) -> Result<()> {
        let held = session
            .query(include_str!("batch/fence.sql"), &[&self.job, &self.number, &self.run, &self.attempt])
            .await?;
        if held.is_empty() { Err(lost::claim(session, self).await) } else { Ok(()) }
    }

    /// What earlier attempts left in the window.
    pub(crate) async fn written(&self, session: &Session) -> Result<Written> {
        super::status::written(session, self.job, self.number).await
    }

    /// Forgets what earlier attempts loaded and rejected, once their rows are deleted in the same transaction.
    pub(crate) async fn reset(&self, session: &Session) -> Result<()> {
        session
            .execute("delete from pgbackfill.batches where job_id = $1 and number = $2", &[&self.job, &self.number])
            .await?;
        super::reject::forget_of(session, self.job, vec![self.number]).await?;
        session.execute(include_str!("batch/reset.sql"), &[&self.job, &self.number]).await?;
        Ok(())
    }

    /// Enters a batch, in the transaction that wrote its rows. `last` marks the window as loaded.
    ///
    /// # Errors
    ///
    /// As [`Self::fence`]: the transaction must be rolled back.
    pub(crate) async fn record(&self, session: &Session, batch: Counters, total: Counters, last: bool) -> Result<()> {
        let hash = (!total.rewritten).then(|| total.hash.to_bytes().to_vec());
        let entered = session
            .execute(
                include_str!("batch/record.sql"),
                &[
                    &self.job,
                    &self.number,
                    &self.run,
                    &self.attempt,
                    &last,
                    &total.batches,
                    &count(total.rows),
                    &count(total.bytes),
                    &hash,
                    &count(batch.rows),
                    &count(batch.bytes),
                    &count(total.conflicts.skipped),
                    &count(total.conflicts.updated),
                    &count(batch.conflicts.skipped),
                    &count(batch.conflicts.updated),
                    &count(total.rejected),
                ],
            )
            .await?;
        if entered == 1 { Ok(()) } else { Err(lost::claim(session, self).await) }
    }

    /// Leaves the window as it is, because it held rows.
    pub(crate) async fn skip(&self, session: &Session) -> Result<()> {
        self.set_state(session, "skipped", None).await
    }

    /// Gives the window back, to be cleared and loaded by whoever claims it next.
    pub(crate) async fn release(&self, session: &Session) -> Result<()> {
        self.set_state(session, "pending", None).await
    }

    /// Gives the window back, and notes what was in the way.
    pub(crate) async fn postpone(&self, session: &Session, why: &str) -> Result<()> {
        self.set_state(session, "pending", Some(why)).await
    }

    /// Notes why the window could not be loaded.
    pub(crate) async fn fail(&self, session: &Session, why: &str) -> Result<()> {
        self.set_state(session, "failed", Some(why)).await
    }

    async fn set_state(&self, session: &Session, state: &str, error: Option<&str>) -> Result<()> {
        let (sql, error) = (include_str!("batch/set_state.sql"), error.map(|error| session.storable(error)));
        session.execute(sql, &[&self.job, &self.number, &self.run, &self.attempt, &state, &error]).await?;
        Ok(())
    }
}
