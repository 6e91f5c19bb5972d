//! The ledger: the tables in the target database that record jobs, runs, windows, batches and rejects.
//!
//! It is what makes a load exactly once: a batch of rows and its entry here commit in one transaction, under a row lock
//! that a run which has lost its claim cannot get past.

mod batch;
mod claim;
mod count;
mod guard;
mod job;
mod left;
mod lost;
mod process;
mod reject;
mod removal;
mod run;
mod sessions;
mod status;

pub(crate) use batch::{Claim, Counters, record_group};
pub(crate) use claim::Reclaimed;
pub(crate) use job::{
    JobRecord, NewJob, NewWindow, Reopened, Replan, Step, Windowless, forget, forget_job, lock_window,
};
pub(crate) use lost::check_job;
pub use reject::{RejectedObject, RejectedRow};
pub(crate) use reject::{enter_headers, lock as lock_rejects, total as total_rejects};
pub(crate) use removal::remove_job;
pub(crate) use run::{LiveRun, Run, RunId, RunRequest, check_range, end_dead, live, lock_table, settle};
pub(crate) use sessions::LeftBehind;
pub use status::{JobStatus, WindowState, WindowStatus};
pub(crate) use status::{Written, find, job_names, loaded, progress, transactions, windows, written};

use tokio_postgres::Row;

use crate::error::{Error, ErrorKind, Result};
use crate::target::{Durability, Session};

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
    // Two loaders may start at once: the lock, held to the end of the transaction, lets one create and the other find. One
    // that finds runs none of the statements: `if not exists` locks what is there all the same, in the way of those who
    // load already.
    let make = async {
        session.query("select pg_advisory_xact_lock($1)", &[&LOCK]).await?;
        if exists(session).await? {
            return Ok(());
        }
        // What is there already may be somebody else's, and stays as it is: `if not exists`.
        guard::check(session).await?;
        session.run(SCHEMA).await?;
        guard::check(session).await
    };
    session.transact(Durability::Synchronous, make).await.map_err(explain)
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
/// [`ErrorKind::Settings`] if another version of pgbackfill made them.
pub async fn exists(session: &Session) -> Result<bool> {
    Ok(look(session).await? != Found::Missing)
}

/// How the ledger is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// It is not made yet.
    Missing,
    /// The role may not read it.
    Closed,
    /// It is there, and of this version.
    Open,
}

/// Looks for the ledger, whatever the role may do.
///
/// # Errors
///
/// [`ErrorKind::Settings`] if another version of pgbackfill made it, or using it could run code of others.
pub(crate) async fn look(session: &Session) -> Result<Found> {
    let row = session.query_one(include_str!("found.sql"), &[]).await?;
    if !row.get::<_, bool>("is_made") {
        return Ok(Found::Missing);
    }
    guard::check(session).await?;
    of_this_version(session, &row).await
}

async fn of_this_version(session: &Session, row: &Row) -> Result<Found> {
    match ["has_version", "is_readable"].map(|name| row.get(name)) {
        [false, _] => Err(of_another_version("an older version")),
        [true, false] => Ok(Found::Closed),
        [true, true] => {
            let version: i32 = session.query_one("select max(version) from pgbackfill.version", &[]).await?.get(0);
            if version == VERSION { Ok(Found::Open) } else { Err(of_another_version(&format!("version {version}"))) }
        }
    }
}

/// Counted up with every change of the ledger's tables; `schema.sql` writes the same number.
const VERSION: i32 = 4;

fn of_another_version(which: &str) -> Error {
    Error::new(
        ErrorKind::Settings,
        format!("the ledger in this database is of {which}, and this pgbackfill writes version {VERSION}"),
    )
    .with_hint(
        "finish or undo its jobs with the pgbackfill that made it; after that `drop schema pgbackfill cascade` forgets \
         what was loaded, and lets this one make its own",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_writes_the_version_that_is_looked_for() {
        assert!(SCHEMA.contains(&format!("insert into pgbackfill.version select {VERSION} where")));
    }
}
