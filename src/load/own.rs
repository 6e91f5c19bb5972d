//! The job's own rows of a window: counted against the ledger as they are deleted, exact or an error.
//!
//! To the server a statement that deletes fewer rows than there are is no error. So every delete of own rows goes through
//! here: more rows than the ledger recorded roll the transaction back, and fewer are the caller's to refuse.

use super::clear::Cleared;
use super::clear::truncate::truncate;
use super::statements::Statements;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{JobRecord, Written};
use crate::model::Window;
use crate::report::counted;
use crate::target::{SearchPath, Session};

/// What the ledger says that a job has put into a window.
#[derive(Clone, Copy)]
pub(super) struct OwnRows<'a> {
    pub(super) session: &'a Session,
    pub(super) job: &'a JobRecord,
    pub(super) statements: &'a Statements,
    pub(super) window: &'a Window,
    pub(super) written: &'a Written,
}

impl OwnRows<'_> {
    /// Deletes them, within the caller's transaction. Fewer than the ledger recorded may be deleted: the rest is gone, or
    /// carries other transaction ids.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Changed`] if more rows carry the window's ids than the ledger recorded; [`ErrorKind::Target`] if some stay
    /// where they are; [`ErrorKind::Permission`] if policies may hide some.
    pub(super) async fn delete(self) -> Result<Cleared> {
        let Self { session, statements, window, written, .. } = self;
        if written.xids.is_empty() {
            return Ok(Cleared::default());
        }
        self.refuse_updated()?;
        let truncated = truncate(session, statements, window, written).await?;
        let mut deleted = session.execute_in(SearchPath::Own, &statements.delete(window, Some(&written.xids))).await?;
        if truncated + deleted < written.rows && self.may_have_moved() {
            deleted += session.execute_in(SearchPath::Own, &statements.delete_anywhere(&written.xids)).await?;
        }
        let cleared = Cleared { rows: truncated + deleted, dead: deleted };
        self.refuse_surplus(cleared.rows)?;
        if cleared.rows < written.rows {
            self.refuse_leftovers(cleared.rows).await?;
        }
        Ok(cleared)
    }

    /// Counts them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Changed`] if more rows carry the window's ids than the ledger recorded.
    pub(super) async fn count(self) -> Result<u64> {
        if self.written.xids.is_empty() {
            return Ok(0);
        }
        let found = self.count_written().await?;
        self.refuse_surplus(found)?;
        Ok(found)
    }

    /// The error where only `found` of them are left.
    pub(super) async fn missing(self, found: u64) -> Result<Error> {
        let Self { session, job, statements, window, written } = self;
        let (loaded, name) = (written.rows, &job.name);
        let hidden = session.is_filtered(&job.target).await?;
        let mut message =
            format!("only {found} of the {loaded} rows that job {name} loaded were found as they were loaded");
        let newest = written.xids.iter().max();
        // Policies are code of the table's owner, which this statement is not to run.
        if let Some(newest) = newest.filter(|_| !hidden) {
            let rewritten = session.query_one(&statements.rewritten(self.place(), *newest), &[&job.target]).await?;
            if rewritten.get(0) {
                message = format!("{message}: ALTER TABLE has rewritten the rows of {}", job.table);
            }
        }
        Ok(Error::new(ErrorKind::Changed, message).in_window(window.display(job.key_kind)))
    }

    /// A time column that is not hashed is one that triggers may rewrite, and so move rows out of their window.
    fn may_have_moved(self) -> bool {
        self.job.may_have_moved_rows()
    }

    /// Where the rows are; `None` is anywhere in the table.
    fn place(&self) -> Option<&Window> {
        (!self.may_have_moved()).then_some(self.window)
    }

    async fn count_written(self) -> Result<u64> {
        let sql = self.statements.count_written(self.place(), &self.written.xids);
        let found: i64 = self.session.query_one_in(SearchPath::Own, &sql, &[]).await?.get(0);
        Ok(u64::try_from(found).unwrap_or(0))
    }

    fn refuse_updated(self) -> Result<()> {
        match self.written.updated {
            0 => Ok(()),
            updated => Err(super::updated(updated)),
        }
    }

    fn refuse_surplus(self, found: u64) -> Result<()> {
        let Self { job, window, written, .. } = self;
        if found <= written.rows {
            return Ok(());
        }
        let rows = counted(found, "row");
        Err(Error::new(
            ErrorKind::Changed,
            format!("{rows} of {} carry transaction ids of job {}, which loaded {}", job.table, job.name, written.rows),
        )
        .in_window(window.display(job.key_kind))
        .with_hint(surplus_hint(&job.name)))
    }

    /// Refuses where rows of ours are still there after their delete, or where policies may hide some.
    async fn refuse_leftovers(self, found: u64) -> Result<()> {
        let Self { session, job, window, written, .. } = self;
        let left = self.count_written().await?;
        if left > 0 {
            return Err(Error::new(ErrorKind::Target, format!("{left} rows of the job stay in {}", job.table))
                .in_window(window.display(job.key_kind))
                .with_hint(
                    "a rule, a trigger or a policy keeps them from being deleted; disable it, and run this again",
                ));
        }
        if !session.is_filtered(&job.target).await? {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Permission,
            format!("this role sees {found} of the {} rows that the job loaded into {}", written.rows, job.table),
        )
        .in_window(window.display(job.key_kind))
        .with_hint(
            "row-level security may hide the rest; run this as a role that no policy binds: the table's owner unless they \
             are forced, or one with bypassrls",
        ))
    }
}

/// What to do where more rows carry a job's transaction ids than it has loaded.
pub(super) fn surplus_hint(job: &str) -> String {
    format!(
        "nothing was deleted: rows of others carry these ids, and cannot be told from those of the job. Look at the window's \
         rows. `pgbackfill forget {job} --leave-rows` removes the job and leaves all rows, to be sorted out by hand"
    )
}
