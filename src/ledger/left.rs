//! What is left of a job for a run that found no window to claim, and who has it.

use super::job::unsigned;
use super::{JobRecord, LiveRun, Run};
use crate::error::Result;
use crate::model::Window;
use crate::target::Session;

/// The windows of a job that are not loaded, by who has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// Nobody has them.
    pub(crate) free: u64,
    /// No live run has them, but a session holds their rows.
    pub(crate) held: u64,
    /// This run has them.
    pub(crate) own: u64,
    /// Other live runs have them.
    pub(crate) elsewhere: u64,
    /// They failed.
    pub(crate) failed: u64,
}

impl Run {
    /// Counts what is left.
    pub(crate) async fn left(&self, session: &Session, job: &JobRecord) -> Result<Left> {
        let row = session.query_one(include_str!("left/count.sql"), &[&job.id, &self.id]).await?;
        let count = |name: &str| unsigned(row.get(name));
        let open = count("open");
        let free = match open {
            0 => 0,
            _ => unsigned(session.query_one(include_str!("left/free.sql"), &[&job.id, &self.id]).await?.get(0)),
        };
        Ok(Left {
            free,
            held: open.saturating_sub(free),
            own: count("own"),
            elsewhere: count("elsewhere"),
            failed: count("failed"),
        })
    }

    /// Other live runs of the job.
    pub(crate) async fn others(&self, session: &Session, job: &JobRecord) -> Result<Vec<LiveRun>> {
        let mut runs = super::live(session, job).await?;
        runs.retain(|run| !run.is(self));
        Ok(runs)
    }
}

impl JobRecord {
    /// Windows that failed, oldest first, with the reason; no more than people read.
    pub(crate) async fn failures(&self, session: &Session) -> Result<Vec<(String, String)>> {
        let rows = session.query(include_str!("status/failures.sql"), &[&self.id]).await?;
        let failure = |row: &tokio_postgres::Row| {
            let window = Window::from_bounds(self.key_kind, row.get("lower"), row.get("upper"));
            let name = window.map(|window| window.display(self.key_kind)).unwrap_or_default();
            (name, row.get::<_, Option<String>>("error").unwrap_or_default())
        };
        Ok(rows.iter().map(failure).collect())
    }
}
