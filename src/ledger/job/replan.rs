//! A job whose source changed: its windows and objects become those of another plan, in the caller's transaction.

use super::{JobRecord, NewWindow, Windowless, enter_objects, enter_windows};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::run::{Run, live};
use crate::model::Object;
use crate::target::Session;

/// What becomes of a window of the former plan that the new one has too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its number in the former plan.
    pub(crate) from: i64,
    /// Its number in the new one.
    pub(crate) to: i64,
}

/// A window that may hold other rows now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reopened {
    /// Its number in the former plan.
    pub(crate) number: i64,
    /// Fingerprint of the objects that may hold its rows.
    pub(crate) source: [u8; 16],
    /// Whether rows of others are to be dealt with once more.
    pub(crate) admit: bool,
}

/// The ledger of one job, held until the end of the transaction.
pub(crate) struct Replan<'a> {
    session: &'a Session,
    job: i64,
}

/// Rows of one statement's parameters.
const ROWS_PER_STATEMENT: usize = 10_000;

impl<'a> Replan<'a> {
    /// Locks the job and its windows until the end of the transaction, and takes its windows from runs that are over: what
    /// such a run may still commit is committed by now, and it can commit nothing more. All other runs are ended: one that
    /// thaws has the former plan, and must not load the windows of this one by it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`] if a run beside `own` is alive: its plan is the former one. [`ErrorKind::Fenced`] if `own` was
    /// ended by another: its source may be the former one.
    pub(crate) async fn begin(session: &'a Session, job: &JobRecord, own: &Run) -> Result<Self> {
        session.query("select from pgbackfill.jobs where id = $1 for update", &[&job.id]).await?;
        if let Some(other) = live(session, job).await?.iter().find(|run| !run.is(own)) {
            return Err(Error::new(
                ErrorKind::Busy,
                format!("job {} is being loaded from its former source by {other}", job.name),
            )
            .with_hint("wait for that run, or end it: a source that changed is accepted by one run alone"));
        }
        let sql = "update pgbackfill.runs set ended_at = clock_timestamp()
                    where job_id = $1 and id <> $2::text::uuid and ended_at is null";
        session.execute(sql, &[&job.id, &own.id]).await?;
        // A run that froze in the midst of a batch holds its window's row, for as long as it is frozen. The row of the own
        // run is left free meanwhile, for its lease to be renewed.
        session
            .query("select from pgbackfill.windows where job_id = $1 order by number for update", &[&job.id])
            .await?;
        let sql = "select from pgbackfill.runs where id = $1::text::uuid and ended_at is null for update";
        if session.query(sql, &[&own.id]).await?.is_empty() {
            return Err(crate::ledger::lost::run(session, job.id, &own.id).await);
        }
        // Without their run, claims are nobody's: a run that thaws finds none of its own, whatever number they have now.
        let sql =
            "update pgbackfill.windows set state = 'pending', run_id = null where job_id = $1 and state = 'loading'";
        session.execute(sql, &[&job.id]).await?;
        Ok(Self { session, job: job.id })
    }

    /// Forgets windows that the new plan does not have. Their rows are deleted in the same transaction.
    pub(crate) async fn remove(&self, numbers: Vec<i64>) -> Result<()> {
        let sql = "delete from pgbackfill.windows where job_id = $1 and number = any ($2)";
        self.session.execute(sql, &[&self.job, &numbers]).await.map(|_| ())
    }

    /// Opens windows again: whoever claims them deletes what was loaded and loads them anew.
    pub(crate) async fn reopen(&self, windows: &[Reopened]) -> Result<()> {
        for windows in windows.chunks(ROWS_PER_STATEMENT) {
            let numbers: Vec<i64> = windows.iter().map(|window| window.number).collect();
            let sources: Vec<&[u8]> = windows.iter().map(|window| window.source.as_slice()).collect();
            crate::ledger::reject::forget_of(self.session, self.job, numbers.clone()).await?;
            let admits: Vec<bool> = windows.iter().map(|window| window.admit).collect();
            self.session.execute(include_str!("reopen.sql"), &[&self.job, &numbers, &sources, &admits]).await?;
        }
        Ok(())
    }

    /// Gives windows their places in the new plan, and their bounds.
    pub(crate) async fn renumber(&self, steps: &[(Step, &NewWindow)]) -> Result<()> {
        for steps in steps.chunks(ROWS_PER_STATEMENT) {
            let from: Vec<i64> = steps.iter().map(|(step, _)| step.from).collect();
            let to: Vec<i64> = steps.iter().map(|(step, _)| step.to).collect();
            let (lower, upper): (Vec<i64>, Vec<i64>) = steps.iter().map(|(_, new)| new.window.bounds()).unzip();
            let sql = include_str!("renumber.sql");
            self.session.execute(sql, &[&self.job, &from, &to, &lower, &upper]).await?;
        }
        let sql = "update pgbackfill.windows set number = -1 - number where job_id = $1 and number < 0";
        self.session.execute(sql, &[&self.job]).await.map(|_| ())
    }

    /// Enters windows that the former plan did not have.
    pub(crate) async fn enter(&self, windows: impl Iterator<Item = (i64, &NewWindow)> + Send) -> Result<()> {
        enter_windows(self.session, self.job, windows).await
    }

    /// Enters the objects of the new plan in place of the former.
    pub(crate) async fn replace_objects(&self, objects: &[Object]) -> Result<()> {
        // What stands before the records of an object that stays is known where some of its rows were rejected.
        let uris: Vec<&str> = objects.iter().map(|object| object.uri.as_str()).collect();
        let versions: Vec<&str> = objects.iter().map(|object| object.version.as_str()).collect();
        self.session.execute(include_str!("leave_objects.sql"), &[&self.job, &uris, &versions]).await?;
        enter_objects(self.session, self.job, objects).await
    }

    /// Enters what the new plan counted, and the rows that belong to none of its windows because they cannot be read.
    pub(crate) async fn end(self, job: &JobRecord, rejects: &Windowless) -> Result<()> {
        job.enter_counts(self.session, rejects).await
    }
}

impl JobRecord {
    /// Enters what a profile counted, and the rows that belong to no window because they cannot be read.
    pub(crate) async fn enter_counts(&self, session: &Session, rejects: &Windowless) -> Result<()> {
        let count = |n: u64| i64::try_from(n).expect("a source has fewer rows than i64 counts");
        let rows = self.rows;
        let [all, before, after, unkeyed, rejected] =
            [rows.all, rows.before, rows.after, rows.unkeyed, rows.rejected].map(count);
        let sql = "update pgbackfill.jobs
                      set source_rows = $2, rows_before = $3, rows_after = $4, rows_unkeyed = $5, rows_rejected = $6,
                          mended = $7::text::jsonb
                    where id = $1";
        let mended = super::mended(self.mended);
        session.execute(sql, &[&self.id, &all, &before, &after, &unkeyed, &rejected, &mended]).await?;
        rejects.enter(session, self.id).await
    }
}
