//! Runs: which process works on a job, and until when it is believed to be alive.
//!
//! A lease on the run stands for the leases of all its windows: one row is renewed, however many windows there are. A lease
//! only spares work; that nothing is doubled rests on the fence in `batch`.

use std::time::Duration;

use super::{JobRecord, process};
use crate::error::{Error, ErrorKind, Result};
use crate::target::{Durability, Session};

/// A run's identity, as text.
pub(crate) type RunId = String;

/// This process's entry in the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) lease: Duration,
}

impl Run {
    /// Enters this process as the one that works on `job`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`] if another live run holds the job.
    pub(crate) async fn start(session: &Session, job: &JobRecord, lease: Duration) -> Result<Self> {
        session.transact(Durability::Synchronous, start(session, job, lease)).await
    }

    /// Renews the lease.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Fenced`] if the run was ended by another.
    pub(crate) async fn renew(&self, session: &Session) -> Result<()> {
        let renewed = session.execute(include_str!("run/renew.sql"), &[&self.id, &self.lease.as_secs_f64()]).await?;
        if renewed == 1 { Ok(()) } else { Err(fenced()) }
    }

    /// Gives back windows that this run claimed and does not work on. Only for when none of its workers is at work.
    pub(crate) async fn give_back(&self, session: &Session, job: &JobRecord) -> Result<u64> {
        session.execute(include_str!("run/give_back.sql"), &[&job.id, &self.id]).await
    }

    /// Ends the run, and waits until this and every earlier commit of the server is on disk.
    pub(crate) async fn end(&self, session: &Session) -> Result<()> {
        session
            .transact(Durability::Synchronous, async {
                session
                    .execute("update pgbackfill.runs set ended_at = now() where id = $1::text::uuid", &[&self.id])
                    .await
            })
            .await?;
        Ok(())
    }
}

/// This run's claim was taken over by another.
pub(crate) fn fenced() -> Error {
    Error::new(ErrorKind::Fenced, "this run's lease ran out and another run took over")
        .with_hint("nothing is lost: the other run goes on; `pgbackfill status` shows it")
}

/// Runs of a job whose lease is live and whose process, as far as this machine can know, is too; as `host:pid`.
pub(super) async fn live(session: &Session, job: &JobRecord) -> Result<Vec<String>> {
    let rows = session.query(include_str!("run/live.sql"), &[&job.id]).await?;
    let alive = rows.iter().filter(|row| !process::is_dead(row.get("process")));
    Ok(alive.map(|row| format!("{}:{}", row.get::<_, &str>("host"), row.get::<_, i32>("pid"))).collect())
}

async fn start(session: &Session, job: &JobRecord, lease: Duration) -> Result<Run> {
    // The job's row is locked until the end, so that of two runs that start at once one waits and then sees the other.
    session.query("select from pgbackfill.jobs where id = $1 for update", &[&job.id]).await?;
    for other in session.query(include_str!("run/live.sql"), &[&job.id]).await? {
        let (id, process): (String, String) = (other.get("id"), other.get("process"));
        if !process::is_dead(&process) {
            let (host, pid, since): (String, i32, String) = (other.get("host"), other.get("pid"), other.get("since"));
            let free: i64 = other.get("lease_seconds");
            return Err(Error::new(
                ErrorKind::Busy,
                format!("job {} is being loaded by process {pid} on {host} since {since}", job.name),
            )
            .with_hint(format!("wait for it; if it has died, its lease runs out within {free} s")));
        }
        session.execute("update pgbackfill.runs set ended_at = now() where id = $1::text::uuid", &[&id]).await?;
    }
    let pid = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&job.id, &process::host(), &pid, &process::identity(), &lease.as_secs_f64()];
    let row = session.query_one(include_str!("run/start.sql"), &parameters).await?;
    Ok(Run { id: row.get(0), lease })
}
