//! The lease of a run: renewed beside whatever the run does, and given up with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Backfill;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::ledger::{JobRecord, Run};
use crate::model::{Event, Observer};
use crate::target::{CANCEL_TIMEOUT, ConnectSettings, Session};

/// A ledger that cannot be reached when a run fails is tried again this often; after the lease it needs no more.
const PAUSE_BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// Renews the lease until that fails for good: only then does it end.
pub(super) async fn renew(target: &ConnectSettings, run: &Run, observer: &Arc<dyn Observer>) -> Error {
    let pause = run.lease / 3;
    // A renewal that waits for a lock is cancelled on the server too, or each would leave a session there.
    let target = run.name_sessions(target).with_statements_within(pause);
    let mut session = None;
    loop {
        tokio::time::sleep(pause).await;
        // A server that does not answer is asked over a new connection when the next renewal is due.
        let renewed = tokio::time::timeout(pause + CANCEL_TIMEOUT, renew_once(&target, run, &mut session)).await;
        let renewed = renewed.unwrap_or_else(|_| Err(Error::new(ErrorKind::Connection, "the server does not answer")));
        match renewed {
            Ok(()) => {}
            Err(error) if error.is_of_lost_claim() => return error,
            // The lease only spares work; the workers find out for themselves whether the server is gone for good.
            Err(error) => {
                session = None;
                let lease = run.lease.as_secs_f64();
                let message = format!(
                    "the lease of this run could not be renewed; {lease} s after it last was, other runs may take its windows: {}",
                    super::worker::chain(&error)
                );
                observer.observe(&Event::Warning { message });
            }
        }
    }
}

async fn renew_once(target: &ConnectSettings, run: &Run, session: &mut Option<Session>) -> Result<()> {
    let open = match session.take().filter(|session| !session.is_closed()) {
        Some(open) => open,
        None => Session::open(target).await?,
    };
    crate::failpoint::hit("lease-renewal")?;
    run.renew(session.insert(open)).await
}

fn passes(error: &Error) -> bool {
    error.kind() == ErrorKind::Connection || error.retry() == Retry::Backoff
}

/// Ends a run that failed, so that the next need not wait for its lease.
pub(super) async fn abandon(backfill: &Backfill, job: &JobRecord, run: &Run) {
    if run.has_ended() {
        return;
    }
    let until = Instant::now() + run.lease.min(backfill.options.limits.retry_for);
    loop {
        let ended = async { run.end(&Session::open(&run.name_sessions(&backfill.target)).await?, job).await };
        match ended.await {
            Err(error) if passes(&error) && Instant::now() < until => {
                tokio::time::sleep(PAUSE_BETWEEN_TRIES).await;
            }
            Err(error) => return tracing::debug!(%error, "the run could not be ended in the ledger"),
            Ok(()) => return,
        }
    }
}
