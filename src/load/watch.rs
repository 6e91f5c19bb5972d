//! What a run does when it finds no window to claim and the job is not complete: it waits for those who have the rest.
//!
//! Other live runs are waited for as long as they live. A session that holds a window's row although no live run has claimed
//! the window was left behind by a client that died or froze; the server ends it in time, and it is waited for as long as
//! anything else is that may pass.

use std::time::{Duration, Instant};

use super::context::Context;
use super::takeover::Takeover;
use super::worker::connect;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::ledger::{self, LeftBehind};
use crate::model::Event;
use crate::report::counted;
use crate::target::Session;

/// Between looks: soon enough to take over from a run that died, and little beside what loading asks of the server.
const PAUSE: Duration = Duration::from_secs(1);

/// Between two events that tell of one wait.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// So many windows can be claimed.
    Free(usize),
    /// Others have what is left.
    Wait,
    /// Nothing is left but what this run's own workers have.
    Nothing,
}

/// Looks at what others have.
#[derive(Default)]
pub(super) struct Watch {
    session: Option<Session>,
    last: Option<Instant>,
    runs: Wait,
    rows: Wait,
    failing: Wait,
    takeover: Takeover,
}

/// One reason to wait.
#[derive(Debug, Default)]
struct Wait {
    since: Option<Instant>,
    told: Option<Instant>,
}

impl Watch {
    /// Looks, not sooner than a pause after the last time. `at_work` is whether own workers still load.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`] if a row is held for longer than the time for retries; [`ErrorKind::Incomplete`] if nothing is left
    /// but windows that failed in other runs; [`ErrorKind::Fenced`] if the run was ended by another.
    pub(super) async fn look(&mut self, context: &Context, at_work: bool) -> Result<Look> {
        if let Some(last) = self.last {
            tokio::time::sleep_until((last + PAUSE).into()).await;
        }
        if self.session.is_none() {
            self.session = Some(connect(context).await?);
        }
        let session = self.session.take().expect("it was just opened");
        let look = self.look_with(context, &session, at_work).await;
        (self.session, self.last) = (Some(session), Some(Instant::now()));
        match look {
            Err(error)
                if error.retry() == Retry::Backoff && self.failing.lasts() < context.options.limits.retry_for =>
            {
                tracing::debug!(%error, "what other runs have could not be looked at");
                Ok(Look::Wait)
            }
            look => {
                self.failing = Wait::default();
                look
            }
        }
    }

    async fn look_with(&mut self, context: &Context, session: &Session, at_work: bool) -> Result<Look> {
        let (run, job) = (&context.run, &context.job);
        ledger::end_dead(session, job).await?;
        if !at_work {
            // A claim whose reply was lost leaves a window with this run that no worker knows of.
            run.give_back(session, job).await?;
        }
        let left = run.left(session, job).await?;
        let held = if at_work { left.held } else { left.held + left.own };
        if left.free + held + left.elsewhere == 0 {
            if !at_work {
                ledger::check_job(session, job).await?;
            }
            return if at_work || left.failed == 0 {
                Ok(Look::Nothing)
            } else {
                Err(failed(context, session, left.failed).await?)
            };
        }
        run.renew(session).await?;
        if left.free > 0 {
            (self.runs, self.rows) = (Wait::default(), Wait::default());
            return Ok(Look::Free(usize::try_from(left.free).unwrap_or(usize::MAX)));
        }
        if held > 0 && context.options.takeover {
            self.takeover.end_sessions(session, job, run, &*context.observer).await?;
        }
        match (at_work, held) {
            (true, _) => (self.runs, self.rows) = (Wait::default(), Wait::default()),
            (false, 0) => self.wait_for_runs(context, session, left.elsewhere).await?,
            (false, _) => self.wait_for_rows(context, session, held).await?,
        }
        Ok(Look::Wait)
    }

    async fn wait_for_runs(&mut self, context: &Context, session: &Session, windows: u64) -> Result<()> {
        self.rows = Wait::default();
        if self.runs.is_to_be_told() {
            let others = context.run.others(session, &context.job).await?;
            let others = others.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
            let reason = format!("{} that are being loaded by {others}", counted(windows, "window"));
            context.observe(&Event::Waiting { reason, seconds: self.runs.lasts().as_secs_f64() });
        }
        Ok(())
    }

    async fn wait_for_rows(&mut self, context: &Context, session: &Session, windows: u64) -> Result<()> {
        self.runs = Wait::default();
        // A claim holds its row for a moment: what is still held at the next look is more than that.
        if self.rows.lasts().is_zero() {
            return Ok(());
        }
        let holders = context.run.row_holders(session, &context.job).await?;
        if self.rows.lasts() > context.options.limits.retry_for {
            return Err(held(context, &holders, windows));
        }
        if self.rows.is_to_be_told() {
            let reason = format!("{}, which holds {}", names(&holders), counted(windows, "open window"));
            context.observe(&Event::Waiting { reason, seconds: self.rows.lasts().as_secs_f64() });
        }
        Ok(())
    }
}

impl Wait {
    /// How long it has lasted; the first call begins it.
    fn lasts(&mut self) -> Duration {
        let now = Instant::now();
        now - *self.since.get_or_insert(now)
    }

    fn is_to_be_told(&mut self) -> bool {
        self.lasts();
        let is_due = self.told.is_none_or(|told| told.elapsed() >= TELL_AGAIN);
        if is_due {
            self.told = Some(Instant::now());
        }
        is_due
    }
}

fn names(holders: &[LeftBehind]) -> String {
    if holders.is_empty() {
        return "a session that the server does not name".to_owned();
    }
    holders.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

fn held(context: &Context, holders: &[LeftBehind], windows: u64) -> Error {
    let by_hand = match holders {
        [] => "pg_prepared_xacts and pg_locks may show whose it is".to_owned(),
        [first, ..] => format!("`select pg_terminate_backend({})` ends one by hand", first.pid),
    };
    Error::new(
        ErrorKind::Busy,
        format!("{} of job {} held by {}", counted(windows, "open window"), context.job.name, names(holders)),
    )
    .with_hint(format!("--takeover ends sessions that earlier runs of the job left behind; {by_hand}"))
}

/// Nothing is left but windows that failed in other runs: those of this one have failed it already.
async fn failed(context: &Context, session: &Session, windows: u64) -> Result<Error> {
    let failures = context.job.failures(session).await?;
    let failures: Vec<String> = failures.iter().map(|(window, why)| format!("{window}: {why}")).collect();
    Ok(Error::new(
        ErrorKind::Incomplete,
        format!(
            "{} of job {} failed in another run: {}",
            counted(windows, "window"),
            context.job.name,
            failures.join("; ")
        ),
    )
    .with_hint("mend the cause; the same command again opens these windows anew"))
}
