//! The ledger: the tables in the target database that record jobs, runs, windows and batches.
//!
//! It is what makes a load exactly once: a batch of rows and its entry here commit in one transaction, under a row lock
//! that a run which has lost its claim cannot get past.

mod batch;
mod claim;
mod job;
mod process;
mod run;
mod status;

pub(crate) use batch::{Claim, Counters};
pub(crate) use claim::Reclaimed;
pub(crate) use job::{JobRecord, NewJob, NewWindow, forget};
pub(crate) use run::{Run, RunId};
pub use status::{JobStatus, WindowState, WindowStatus};
pub(crate) use status::{find, job_names, progress, transactions, windows};

use crate::error::{Error, ErrorKind, Result};
use crate::target::Session;

/// The statements that make the ledger's tables, for an administrator to read and run.
pub const SCHEMA: &str = include_str!("schema.sql");

/// Makes the ledger's tables where they are missing.
///
/// # Errors
///
/// [`ErrorKind::Permission`] if the role may not create them.
pub async fn init(session: &Session) -> Result<()> {
    if exists(session).await? {
        return Ok(());
    }
    // Two loaders may start at once: the lock, held to the end of the transaction, lets one create and the other find.
    let statements = format!("begin; select pg_advisory_xact_lock({LOCK}); {SCHEMA} commit");
    if let Err(error) = session.run(&statements).await {
        session.rollback().await?;
        return Err(explain(error));
    }
    Ok(())
}

/// Names the ledger among advisory locks: the first eight bytes of "pgbackfill" as a number.
const LOCK: i64 = 0x7067_6261_636b_6669;

fn explain(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Permission => error
            .context("create the ledger's tables in schema pgbackfill")
            .with_hint("have an administrator run the output of `pgbackfill init --print`, once, in this database"),
        _ => error.context("create the ledger's tables in schema pgbackfill"),
    }
}

/// Whether the ledger's tables are there.
///
/// # Errors
///
/// If the server cannot be asked.
pub async fn exists(session: &Session) -> Result<bool> {
    let row = session.query_one("select to_regclass('pgbackfill.batches') is not null", &[]).await?;
    Ok(row.get(0))
}
