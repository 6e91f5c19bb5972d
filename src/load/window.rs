//! One attempt at one window: admit or clear, then its batches.

use std::sync::Arc;

use super::batch::{Batches, Tries};
use super::blocks::Wanted;
use super::clear::{Admission, admit};
use super::context::Context;
use super::held::HELD;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::ledger::{Claim, Counters};
use crate::model::Event;
use crate::options::Commit;
use crate::target::{Session, shape};

/// How an attempt ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Every row of the window is in the target, and the ledger says so.
    Loaded(Counters),
    /// The window held rows and was left as it was.
    Skipped,
    /// The user asked to stop; the window was given back.
    Released,
}

/// Loads one window.
pub(crate) async fn attempt(
    context: &Arc<Context>,
    session: &mut Session,
    claim: &Claim,
    tries: &mut Tries,
) -> Result<Attempt> {
    (tries.committed, tries.disordered) = (0, false);
    match admit_and_load(context, session, claim, tries).await {
        Ok(done) => Ok(done),
        Err(error) => {
            leave_transaction(context, session, tries).await;
            Err(explain(context, session, error).await)
        }
    }
}

/// The transaction is the attempt's own: it must not stay open on a connection that is used again.
async fn leave_transaction(context: &Context, session: &mut Session, tries: &mut Tries) {
    let left = match tries.disordered {
        true => Session::open(&context.settings).await.map(|new| (*session, tries.disordered) = (new, false)),
        false => session.rollback().await,
    };
    if let Err(second) = left {
        tracing::debug!(error = %second, "a failed transaction could not be rolled back");
    }
}

async fn admit_and_load(
    context: &Arc<Context>,
    session: &Session,
    claim: &Claim,
    tries: &mut Tries,
) -> Result<Attempt> {
    let cleared = match admit(context, session, claim).await? {
        Admission::Cleared(cleared) => cleared,
        Admission::Occupied => {
            claim.skip(session).await?;
            return Ok(Attempt::Skipped);
        }
    };
    context.team.note_dead(cleared.dead);
    let (window, attempt) = (context.name(&claim.window), u32::try_from(claim.attempt).unwrap_or(0));
    context.observe(&Event::Claimed { window, attempt, cleared: cleared.rows });
    let careful = tries.careful;
    let size = if careful { tries.size.within(HELD) } else { tries.size };
    let wanted = Wanted { size, traced: careful, found: Arc::default() };
    let batches = Batches::new(context, session, claim, &wanted, tries);
    // Where no row may be rejected, nothing is to stay of a window that cannot be loaded.
    let in_batches = context.commit == Commit::Batch && context.allowance.max.allows_any();
    match (careful, in_batches) {
        (false, _) => batches.load().await,
        (true, true) => batches.load_carefully().await,
        (true, false) => {
            let found = Arc::new(batches.search().await?);
            Batches::new(context, session, claim, &Wanted { found, ..wanted }, tries).load().await
        }
    }
}

/// What a statement met whose table has changed since the run began is a consequence: a column that is missing, bytes that
/// have no meaning for its type. The change is what is told.
async fn explain(context: &Context, session: &Session, error: Error) -> Error {
    let refused = matches!(error.kind(), ErrorKind::Target | ErrorKind::Permission) && error.retry() == Retry::Never;
    if !refused || session.is_closed() {
        return error;
    }
    match shape(session, context.shape.oid).await.map(|now| context.changes(&now)) {
        Ok(Some(changed)) => changed.with_source(error),
        Ok(None) => error,
        Err(second) => {
            tracing::debug!(error = %second, "the table could not be looked at");
            error
        }
    }
}
