//! A worker: claims the oldest open window, loads it, tries again what can be tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::Context;
use super::window::{Attempt, attempt};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::ledger::{Claim, Counters, Reclaimed};
use crate::model::Event;
use crate::target::Session;

/// What a worker did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Work {
    pub(crate) windows: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) retries: u64,
}

/// The pauses between tries: doubled each time up to the cap, with jitter so that workers do not knock in step.
struct Backoff {
    next: Duration,
    until: Instant,
}

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Works until no window is left for this run, or the run is to stop.
pub(crate) async fn work(context: Arc<Context>) -> Result<Work> {
    let mut work = Work::default();
    let mut session = connect(&context).await?;
    while !context.is_stopping() {
        let Some(claim) = claim(&context, &mut session).await? else { break };
        if let Err(error) = load_window(&context, &mut session, claim, &mut work).await {
            context.halt();
            return Err(error);
        }
    }
    Ok(work)
}

/// Loads a claimed window, over and over while trying again can help.
async fn load_window(context: &Arc<Context>, session: &mut Session, mut claim: Claim, work: &mut Work) -> Result<()> {
    let (begun, mut backoff) = (Instant::now(), Backoff::new(context));
    loop {
        let error = match attempt(context, session, &claim).await {
            Ok(done) => {
                note(context, &claim, done, begun, work);
                return Ok(());
            }
            Err(error) => error,
        };
        let Some(pause) = backoff.pause(&error).filter(|_| !context.stop.is_requested()) else {
            return Err(give_up(context, session, &claim, error).await);
        };
        work.retries += 1;
        context.observe(&Event::Retrying {
            window: context.name(&claim.window),
            attempt: u32::try_from(claim.attempt).unwrap_or(0),
            delay_seconds: pause.as_secs_f64(),
            error: chain(&error),
        });
        context.stop.sleep(pause).await;
        match reclaim(context, session, &claim).await? {
            Reclaimed::Again(again) => claim = again,
            // The commit whose reply was lost had done it.
            Reclaimed::Loaded { rows, bytes } => {
                note(context, &claim, Attempt::Loaded(Counters { rows, bytes, ..Counters::default() }), begun, work);
                return Ok(());
            }
        }
    }
}

fn note(context: &Context, claim: &Claim, done: Attempt, begun: Instant, work: &mut Work) {
    let window = context.name(&claim.window);
    match done {
        Attempt::Loaded(counters) => {
            work.windows += 1;
            work.rows += counters.rows;
            work.bytes += counters.bytes;
            let seconds = begun.elapsed().as_secs_f64();
            context.observe(&Event::Loaded { window, rows: counters.rows, bytes: counters.bytes, seconds });
        }
        Attempt::Skipped => context.observe(&Event::Skipped { window }),
        Attempt::Released => return,
    }
    if let Some(frontier) = context.frontier.pass(&claim.window) {
        context.observe(&Event::Frontier { frontier });
    }
}

/// Notes the failure in the ledger, and says which window it was.
async fn give_up(context: &Context, session: &Session, claim: &Claim, error: Error) -> Error {
    let interrupted = context.stop.is_requested();
    let noted = match (interrupted, error.kind()) {
        (true, _) => claim.release(session).await,
        (false, ErrorKind::Fenced) => Ok(()),
        (false, _) => claim.fail(session, &chain(&error)).await,
    };
    if let Err(second) = noted {
        // The window stays with this run, and is open again as soon as the run has ended.
        tracing::debug!(error = %second, "the failure could not be noted in the ledger");
    }
    let attempts = if claim.attempt == 1 { "1 attempt".to_owned() } else { format!("{} attempts", claim.attempt) };
    let window = context.name(&claim.window);
    if !interrupted {
        let attempts = u32::try_from(claim.attempt).unwrap_or(0);
        context.observe(&Event::Failed { window: window.clone(), attempts, error: chain(&error) });
    }
    error.context(format!("window {window} of job {} failed after {attempts}", context.job.name))
}

async fn claim(context: &Context, session: &mut Session) -> Result<Option<Claim>> {
    let mut backoff = Backoff::new(context);
    loop {
        match context.run.claim(session, &context.job).await {
            Ok(claim) => return Ok(claim),
            Err(error) => backoff.wait_or_fail(context, session, error).await?,
        }
    }
}

async fn reclaim(context: &Context, session: &mut Session, claim: &Claim) -> Result<Reclaimed> {
    let mut backoff = Backoff::new(context);
    loop {
        if session.is_closed() {
            *session = connect(context).await?;
        }
        match context.run.reclaim(session, &context.job, claim).await {
            Ok(claim) => return Ok(claim),
            Err(error) => backoff.wait_or_fail(context, session, error).await?,
        }
    }
}

/// Opens a connection, as often as it takes within the time for retries.
pub(crate) async fn connect(context: &Context) -> Result<Session> {
    let mut backoff = Backoff::new(context);
    loop {
        let error = match Session::open(&context.settings).await {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        match backoff.pause(&error).filter(|_| !context.is_stopping()) {
            Some(pause) => context.stop.sleep(pause).await,
            None => return Err(error),
        }
    }
}

impl Backoff {
    fn new(context: &Context) -> Self {
        Self { next: FIRST_PAUSE, until: Instant::now() + context.options.limits.retry_for }
    }

    /// How long to wait before the next try; `None` where it cannot help, or the time for tries is over.
    fn pause(&mut self, error: &Error) -> Option<Duration> {
        let helps = matches!(error.retry(), Retry::Backoff | Retry::FewerWorkers);
        if !helps || Instant::now() + self.next > self.until {
            return None;
        }
        let pause = self.next.mul_f64(0.5 + jitter() / 2.0);
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        Some(pause)
    }

    async fn wait_or_fail(&mut self, context: &Context, session: &mut Session, error: Error) -> Result<()> {
        let Some(pause) = self.pause(&error).filter(|_| !context.is_stopping()) else { return Err(error) };
        context.stop.sleep(pause).await;
        if session.is_closed() {
            *session = connect(context).await?;
        }
        Ok(())
    }
}

/// A number in `[0, 1)` that differs from worker to worker; its quality does not matter.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    f64::from(u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

/// An error with its causes in one line, for the ledger and for events.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
