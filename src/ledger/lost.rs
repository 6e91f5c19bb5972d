//! Why a run finds that a claim, or its own entry, is not its own any more.
//!
//! Another run may have taken over. Or the ledger is not the one that this run wrote: somebody deleted the job, or the
//! server fell back to an earlier state, as a standby does that is promoted without the last commits. Attempts only ever
//! grow, so a window with a smaller one shows that.

use super::{Claim, JobRecord, RunId};
use crate::error::{Error, ErrorKind, Result};
use crate::target::Session;

/// The error for a claim that did not hold.
pub(super) async fn claim(session: &Session, claim: &Claim) -> Error {
    look(session, claim.job, &claim.run, Some((claim.number, claim.attempt))).await
}

/// The error for a run whose entry is ended or gone.
pub(super) async fn run(session: &Session, job: i64, run: &RunId) -> Error {
    look(session, job, run, None).await
}

/// Refuses to go on with a job that the ledger does not have any more.
pub(crate) async fn check_job(session: &Session, job: &JobRecord) -> Result<()> {
    let known = session.query_opt("select from pgbackfill.jobs where id = $1", &[&job.id]).await?;
    known.map_or_else(|| Err(gone(JOB)), |_| Ok(()))
}

const JOB: &str =
    "the job is not in the ledger any more: somebody deleted it, or the server fell back to an earlier state";
const RUN: &str =
    "this run is not in the ledger any more: the server fell back to an earlier state, or somebody deleted it";
const CLAIM: &str = "this run's claim is not in the ledger any more: the server fell back to an earlier state";

async fn look(session: &Session, job: i64, run: &RunId, claim: Option<(i64, i32)>) -> Error {
    let (number, attempt) = claim.unzip();
    let row = match session.query_one(include_str!("lost.sql"), &[&job, run, &number]).await {
        Ok(row) => row,
        Err(error) => return error,
    };
    let fell_back = row.get::<_, Option<i32>>("attempt").is_none_or(|found| Some(found) < attempt);
    match (row.get::<_, bool>("has_job"), row.get::<_, Option<bool>>("has_ended")) {
        (false, _) => gone(JOB),
        (true, None) => gone(RUN),
        (true, Some(false)) if claim.is_some() && fell_back => gone(CLAIM),
        (true, Some(_)) => taken_over(),
    }
}

fn gone(what: &str) -> Error {
    Error::new(ErrorKind::Gone, what).with_hint(
        "a standby that was promoted without the last commits, or a restored backup, lost their rows and their entries \
         alike: the same command again loads what is missing. If the job was deleted, its rows may still be in the table: \
         look there first",
    )
}

fn taken_over() -> Error {
    Error::new(ErrorKind::Fenced, "this run's lease ran out, or it was ended, and another run took over")
        .with_hint("nothing is lost: the other run goes on; `pgbackfill status` shows it")
}
