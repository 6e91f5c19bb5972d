//! Claims: the oldest window that nobody works on becomes this run's.

use super::batch::Claim;
use super::job::unsigned;
use super::{JobRecord, Run};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Window;
use crate::target::Session;

/// What became of a window whose last commit may or may not have been made.
#[derive(Debug)]
pub(crate) enum Reclaimed {
    /// It is this run's again, for a new attempt.
    Again(Claim),
    /// The commit was made, and had loaded the window.
    Loaded {
        /// Rows in it.
        rows: u64,
        /// COPY bytes sent for it.
        bytes: u64,
    },
}

impl Run {
    /// Claims the oldest window that is pending, or whose last claim was a run that has ended. `None` where no window is
    /// left for this run.
    pub(crate) async fn claim(&self, session: &Session, job: &JobRecord) -> Result<Option<Claim>> {
        let row = session.query_opt(include_str!("claim/claim.sql"), &[&job.id, &self.id]).await?;
        row.map(|row| self.read(job, &row)).transpose()
    }

    /// Claims a window again that this run failed to load: a new attempt, past whose fence the old one cannot get. Waits
    /// for a commit of the old attempt that is still under way, so that what it did is known.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Fenced`] if another run has it by now.
    pub(crate) async fn reclaim(&self, session: &Session, job: &JobRecord, claim: &Claim) -> Result<Reclaimed> {
        let row = session
            .query_opt(include_str!("claim/reclaim.sql"), &[&job.id, &claim.number, &self.id])
            .await?
            .ok_or_else(super::run::fenced)?;
        if row.get::<_, &str>("former_state") == "loaded" {
            return Ok(Reclaimed::Loaded { rows: unsigned(row.get("rows")), bytes: unsigned(row.get("bytes")) });
        }
        self.read(job, &row).map(Reclaimed::Again)
    }

    fn read(&self, job: &JobRecord, row: &tokio_postgres::Row) -> Result<Claim> {
        let (lower, upper) = (row.get("lower"), row.get("upper"));
        Ok(Claim {
            job: job.id,
            number: row.get("number"),
            run: self.id.clone(),
            attempt: row.get("attempt"),
            admitted: row.get("admitted"),
            window: Window::from_bounds(job.key_kind, lower, upper).ok_or_else(|| {
                Error::new(ErrorKind::Internal, format!("the ledger holds an empty window {lower}..{upper}"))
            })?,
        })
    }
}
