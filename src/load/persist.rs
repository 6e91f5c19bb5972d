//! Steps of a run that no worker takes: tried again where what they met may pass.
//!
//! Only what the server itself refused is tried again, for that is rolled back. Whether a commit was made whose reply was lost
//! is not known here: `run` tries all again, and finds out.

use std::sync::Arc;
use std::time::Instant;

use super::backoff::Backoff;
use super::worker::chain;
use super::{Backfill, Stop};
use crate::error::{Error, ErrorKind, Result};
use crate::format::csv::Encoding;
use crate::model::{Event, Observer};
use crate::options::OnConflict;

/// Why a try to load ended.
pub(super) enum Failure {
    /// No worker has begun: where the failure may pass, all can be tried again.
    Early(Error),
    /// It was tried again for as long as it may be, or workers have begun.
    Late(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Early(error)
    }
}

/// Takes a step, again and again within the time for retries. `step` is to be one transaction, or one after reads.
pub(super) async fn persist<T, F: Future<Output = Result<T>>>(
    backfill: &Backfill,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
    step: impl Fn() -> F,
) -> Result<T, Failure> {
    let (begun, mut backoff) = (Instant::now(), Backoff::new(backfill.options.limits.retry_for));
    loop {
        let error = match Box::pin(step()).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let refused = error.kind() == ErrorKind::Target && !stop.is_requested();
        let Some(pause) = backoff.pause(&error).filter(|_| refused) else {
            return Err(if refused { Failure::Late(error) } else { Failure::Early(error) });
        };
        let reason = format!("another try; {}", chain(&error));
        observer.observe(&Event::Waiting { reason, seconds: begun.elapsed().as_secs_f64() });
        stop.sleep(pause).await;
    }
}

/// The option that allows rejects.
const ALLOW: &str = "--max-rejects";

/// Whether bytes of the source are no text in its encoding.
fn is_undecoded(error: &Error) -> bool {
    error.place().sqlstate.as_deref() == Some("22021") && error.reason().starts_with("invalid byte sequence for")
}

/// Whether a row was refused for a key that is there already.
fn is_conflict(error: &Error) -> bool {
    error.place().sqlstate.as_deref() == Some("23505")
}

const CONFLICT_HINT: &str = "a job begun with --on-conflict skip leaves out rows whose key is there, one with update stores their values instead";

/// What passes, or passed while the run had no more time for it, leaves a job that the same command resumes.
pub(super) fn with_next_step(error: Error, on_conflict: OnConflict) -> Error {
    match (error.kind(), error.hint()) {
        (ErrorKind::Connection | ErrorKind::Incomplete, None) => {
            error.with_hint("nothing is lost: the same command again resumes the job where it stands")
        }
        // Past a limit of rejects the error says so itself.
        (ErrorKind::Data, hint) if error.place().record.is_some() && !hint.unwrap_or_default().contains(ALLOW) => {
            let hint = hint.or_else(|| is_undecoded(&error).then_some(Encoding::HINT));
            let hint =
                hint.or_else(|| (is_conflict(&error) && on_conflict == OnConflict::Fail).then_some(CONFLICT_HINT));
            let hint = hint.map_or_else(String::new, |hint| format!("{hint}; or "));
            error.with_hint(format!(
                "{hint}`pgbackfill load … {ALLOW} 100` would set such rows aside; `pgbackfill rejects` prints them"
            ))
        }
        _ => error,
    }
}
