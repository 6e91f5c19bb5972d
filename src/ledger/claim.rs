//! Claims: the oldest window that nobody works on becomes this run's.

use std::sync::atomic::Ordering;

use super::batch::Claim;
use super::job::unsigned;
use super::{JobRecord, Run};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Conflicts, Window};
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
        /// Source rows that met a row of their key.
        conflicts: Conflicts,
    },
    /// The commit was made, and had skipped the window.
    Skipped,
}

impl Run {
    /// Claims the oldest window that is pending, or whose last claim was a run that has ended. `None` where no window is
    /// left for this run.
    ///
    /// Windows below the oldest that was open at the last claim are not looked at again: as long as some old transaction
    /// keeps the server from forgetting that they were open, looking past them takes longer from window to window.
    pub(crate) async fn claim(&self, session: &Session, job: &JobRecord) -> Result<Option<Claim>> {
        let floor = self.known.floor.load(Ordering::SeqCst);
        let row = session.query_opt(include_str!("claim/claim.sql"), &[&job.id, &self.id, &floor]).await?;
        crate::failpoint::hit("after-claim")?;
        let Some(row) = row else {
            self.known.found_none.store(true, Ordering::SeqCst);
            return Ok(None);
        };
        self.known.floor.fetch_max(row.get("floor"), Ordering::SeqCst);
        self.read(job, &row).map(Some)
    }

    /// Claims up to `windows` windows that follow `first` and that nobody has ever begun; in order.
    pub(crate) async fn claim_neighbours(
        &self,
        session: &Session,
        job: &JobRecord,
        first: &Claim,
        windows: usize,
    ) -> Result<Vec<Claim>> {
        let windows = i64::try_from(windows).unwrap_or(i64::MAX);
        let sql = include_str!("claim/neighbours.sql");
        let rows = session.query(sql, &[&job.id, &self.id, &first.number, &windows]).await?;
        crate::failpoint::hit("group-claimed")?;
        let mut claims = rows.iter().map(|row| self.read(job, row)).collect::<Result<Vec<_>>>()?;
        claims.sort_unstable_by_key(|claim| claim.number);
        Ok(claims)
    }

    /// Whether a window that this run had claimed is another run's by now, while this one goes on.
    pub(crate) async fn gave_way(&self, session: &Session, claim: &Claim) -> Result<bool> {
        let sql =
            "select run_id is distinct from $3::text::uuid from pgbackfill.windows where job_id = $1 and number = $2";
        let taken = session.query_one(sql, &[&claim.job, &claim.number, &self.id]).await?.get(0);
        Ok(taken && self.renew(session).await.is_ok())
    }

    /// Whether a claim found no window since the last call of [`Self::look_again`].
    pub(crate) fn found_none(&self) -> bool {
        self.known.found_none.load(Ordering::SeqCst)
    }

    /// Claims look at all windows again, whatever was known of them.
    pub(crate) fn look_again(&self) {
        self.known.floor.store(0, Ordering::SeqCst);
        self.known.found_none.store(false, Ordering::SeqCst);
    }

    /// Claims a window again that this run failed to load: a new attempt, past whose fence the old one cannot get. Waits
    /// for a commit of the old attempt that is still under way, so that what it did is known.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Fenced`] if another run has it by now, [`ErrorKind::Gone`] if the ledger does not know the claim.
    pub(crate) async fn reclaim(&self, session: &Session, job: &JobRecord, claim: &Claim) -> Result<Reclaimed> {
        let row = session.query_opt(include_str!("claim/reclaim.sql"), &[&job.id, &claim.number, &self.id]).await?;
        let Some(row) = row else { return Err(super::lost::claim(session, claim).await) };
        match row.get("former_state") {
            "loaded" => Ok(Reclaimed::Loaded {
                rows: unsigned(row.get("rows")),
                bytes: unsigned(row.get("bytes")),
                conflicts: super::status::conflicts(&row),
            }),
            "skipped" => Ok(Reclaimed::Skipped),
            _ => self.read(job, &row).map(Reclaimed::Again),
        }
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
