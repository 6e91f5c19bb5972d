//! Runs: which process works on a job, and until when it is believed to be alive.
//!
//! A lease on the run stands for the leases of all its windows: one row is renewed, however many windows there are. A lease
//! only spares work; that nothing is doubled rests on the fence in `batch`. Every lease is set and read by the server's
//! clock, so no clock of a client decides anything.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio_postgres::Row;

use super::{JobRecord, lost, process};
use crate::error::{Error, ErrorKind, Result};
use crate::target::{ConnectSettings, Durability, Parameter, Session};

/// A run's identity, as text.
pub(crate) type RunId = String;

/// This process's entry in the ledger. Clones share what it has come to know.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    job: i64,
    pub(crate) lease: Duration,
    pub(super) known: Arc<Known>,
}

/// What a run has come to know of its job's windows and of itself.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Every window with a lower number is loaded or skipped.
    pub(super) floor: AtomicI64,
    /// Whether a claim found no window.
    pub(super) found_none: AtomicBool,
    ended: AtomicBool,
}

/// How a run is to begin.
#[derive(Debug, Clone)]
pub(crate) struct RunRequest {
    /// The run's identity; `None` lets the server choose. One that is entered already is of an earlier try whose outcome was
    /// not known, and which has claimed nothing.
    pub(crate) id: Option<RunId>,
    pub(crate) lease: Duration,
    /// Whether other live runs of the job may go on.
    pub(crate) beside_runs: bool,
    /// Whether live runs of other jobs over the same range of the table may.
    pub(crate) beside_jobs: bool,
    /// Whether live runs of the job are ended rather than left the job.
    pub(crate) takeover: bool,
}

/// A run that has not ended and whose lease has not run out, as people need it named.
#[derive(Debug, Clone)]
pub(crate) struct LiveRun {
    id: RunId,
    job: String,
    host: String,
    pid: i32,
    process: String,
    since: String,
    lease_seconds: i64,
}

/// How long a run waits at its end for rows that its own dying sessions hold.
const GIVE_BACK_TRIES: u32 = 20;
const GIVE_BACK_PAUSE: Duration = Duration::from_millis(100);

/// Holds off others that begin on the same table, or on its parents or parts, until the end of the transaction: whether jobs
/// overlap is decided by one at a time. The lock is the transaction's, not the session's, which a pooler may hand on.
pub(crate) async fn lock_table(session: &Session, target: &str) -> Result<()> {
    session.query(include_str!("run/lock_table.sql"), &[&target]).await?;
    Ok(())
}

/// Live runs of a job, those of dead processes of this machine left out.
pub(crate) async fn live(session: &Session, job: &JobRecord) -> Result<Vec<LiveRun>> {
    let runs = read_live(session, job).await?;
    Ok(runs.into_iter().filter(|run| !run.is_dead()).collect())
}

async fn read_live(session: &Session, job: &JobRecord) -> Result<Vec<LiveRun>> {
    let rows = session.query(include_str!("run/live.sql"), &[&job.id]).await?;
    Ok(rows.iter().map(LiveRun::read).collect())
}

impl RunRequest {
    /// Enters this process as one that works on `job`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`] as [`Self::check`].
    pub(crate) async fn start(&self, session: &Session, job: &JobRecord) -> Result<Run> {
        let start = async {
            if !self.beside_jobs {
                lock_table(session, &job.target).await?;
            }
            self.check(session, job).await?;
            self.enter(session, job).await
        };
        session.transact(Durability::Synchronous, start).await
    }

    /// Whether a run may begin now, within the caller's transaction, which holds the table's lock. Ends the job's runs that
    /// are over, and those that it is taken from.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`] if a live run holds the job, or one of another job the range.
    pub(crate) async fn check(&self, session: &Session, job: &JobRecord) -> Result<()> {
        // The job's row is locked until the end, so that of two runs that start at once one waits and then sees the other.
        session.query("select from pgbackfill.jobs where id = $1 for update", &[&job.id]).await?;
        if let Some(own) = &self.id {
            let sql = "delete from pgbackfill.runs where id = $1::text::uuid and job_id = $2";
            session.execute(sql, &[own, &job.id]).await?;
        }
        if self.beside_runs {
            end_dead(session, job).await?;
        } else {
            let holder = live(session, job).await?.into_iter().next();
            if let Some(holder) = holder.filter(|_| !self.takeover) {
                return Err(holder
                    .holds(&format!("job {} is being loaded", job.name), "or take the job from it with --takeover"));
            }
            // A run that is taken for dead but is not finds itself ended, and stops.
            let sql = "update pgbackfill.runs set ended_at = clock_timestamp() where job_id = $1 and ended_at is null";
            session.execute(sql, &[&job.id]).await?;
        }
        if self.beside_jobs { Ok(()) } else { check_range(session, job).await }
    }

    /// Enters this process, after [`Self::check`] and in its transaction.
    pub(crate) async fn enter(&self, session: &Session, job: &JobRecord) -> Result<Run> {
        let pid = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
        let parameters: [&dyn Parameter; 6] =
            [&job.id, &process::host(), &pid, &process::identity(), &self.lease.as_secs_f64(), &self.id];
        let row = session.query_one(include_str!("run/start.sql"), &parameters).await?;
        Ok(Run { id: row.get(0), job: job.id, lease: self.lease, known: Arc::default() })
    }
}

/// Ends runs of processes that died on this machine, so that their windows are free before their leases run out. One whose
/// row is held, by another that ends it or by what the dead process has left on the server, is left.
pub(crate) async fn end_dead(session: &Session, job: &JobRecord) -> Result<()> {
    for dead in read_live(session, job).await?.iter().filter(|run| run.is_dead()) {
        session.execute(include_str!("run/end_dead.sql"), &[&dead.id]).await?;
    }
    Ok(())
}

/// Waits until all that runs of the job have committed is on disk: the commits of their batches do not. A run that ended in
/// order has waited itself, and where all have, nothing is written.
pub(crate) async fn settle(session: &Session, job: &JobRecord) -> Result<()> {
    let sql = "select exists (select from pgbackfill.runs where job_id = $1 and ended_at is null)";
    if !session.query_one(sql, &[&job.id]).await?.get::<_, bool>(0) {
        return Ok(());
    }
    let settle = async {
        // The server's log is written in order, so a commit that waits for the disk waits for all before it; one that has
        // written nothing would not wait. The job's row is nobody's for long, which a run's may be.
        session.execute("update pgbackfill.jobs set settings = settings where id = $1", &[&job.id]).await?;
        end_dead(session, job).await?;
        session.execute(include_str!("run/end_expired.sql"), &[&job.id]).await
    };
    session.transact(Durability::Synchronous, settle).await.map(|_| ())
}

/// Refuses a job whose range on its table a live run of another job is loading.
pub(crate) async fn check_range(session: &Session, job: &JobRecord) -> Result<()> {
    let rows = session.query(include_str!("run/overlapping.sql"), &[&job.id]).await?;
    match rows.iter().map(LiveRun::read).find(|run| !run.is_dead()) {
        None => Ok(()),
        Some(other) => Err(other.holds(
            &format!("the range of job {} in {} is being loaded as job {}", job.name, job.table, other.job),
            "which is right where no row belongs to both jobs",
        )),
    }
}

impl Run {
    /// Renews the lease.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Fenced`] if the run was ended by another, [`ErrorKind::Gone`] if the ledger does not have it.
    pub(crate) async fn renew(&self, session: &Session) -> Result<()> {
        let renewed = session.execute(include_str!("run/renew.sql"), &[&self.id, &self.lease.as_secs_f64()]).await?;
        if renewed == 1 { Ok(()) } else { Err(lost::run(session, self.job, &self.id).await) }
    }

    /// Gives back windows that this run claimed and does not work on. Only for when none of its workers is at work. One whose
    /// row a dying session still holds is left; it is free all the same once the run has ended.
    pub(crate) async fn give_back(&self, session: &Session, job: &JobRecord) -> Result<u64> {
        session.execute(include_str!("run/give_back.sql"), &[&job.id, &self.id]).await
    }

    /// Ends the run with all its claims, and waits until this and every earlier commit of the server is on disk. Running it
    /// again does no harm.
    pub(crate) async fn end(&self, session: &Session, job: &JobRecord) -> Result<()> {
        // A worker that broke off leaves its transaction to the server, which takes a moment to roll it back.
        for _ in 0..GIVE_BACK_TRIES {
            self.give_back(session, job).await?;
            let sql = "select exists (select from pgbackfill.windows
                                       where job_id = $1 and run_id = $2::text::uuid and state = 'loading')";
            if !session.query_one(sql, &[&job.id, &self.id]).await?.get::<_, bool>(0) {
                break;
            }
            tokio::time::sleep(GIVE_BACK_PAUSE).await;
        }
        let end = async {
            // Written even where another run has ended this one: a commit that has written nothing waits for no disk.
            let sql =
                "update pgbackfill.runs set ended_at = coalesce(ended_at, clock_timestamp()) where id = $1::text::uuid";
            session.execute(sql, &[&self.id]).await
        };
        session.transact(Durability::Synchronous, end).await?;
        self.known.ended.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Whether it was ended here.
    pub(crate) fn has_ended(&self) -> bool {
        self.known.ended.load(Ordering::SeqCst)
    }

    /// The same settings for this run's own sessions, which the server then shows under its name: whoever finds one left
    /// behind can tell whose it was.
    pub(crate) fn name_sessions(&self, target: &ConnectSettings) -> ConnectSettings {
        target.clone().with_run_name(format!("pgbackfill/{}", self.id))
    }
}

impl LiveRun {
    fn read(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            job: row.get("job"),
            host: row.get("host"),
            pid: row.get("pid"),
            process: row.get("process"),
            since: row.get("since"),
            lease_seconds: row.get("lease_seconds"),
        }
    }

    fn is_dead(&self) -> bool {
        process::is_dead(&self.process)
    }

    /// Its process, as `host:pid`.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host, self.pid)
    }

    pub(super) fn is(&self, run: &Run) -> bool {
        self.id == run.id
    }

    fn holds(&self, what: &str, besides: &str) -> Error {
        Error::new(ErrorKind::Busy, format!("{what} by {self}")).with_hint(format!(
            "wait for it, work beside it with --join, {besides}; if it has died, its lease runs out within {} s",
            self.lease_seconds
        ))
    }
}

impl fmt::Display for LiveRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {} since {}", self.pid, self.host, self.since)
    }
}
