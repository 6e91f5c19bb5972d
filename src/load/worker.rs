//! A worker: claims the oldest open window, loads it, tries again what can be tried again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tracing::Instrument as _;

use super::backoff::Backoff;
use super::batch::Tries;
use super::context::Context;
use super::group::{self, Pace};
use super::team::Member;
use super::window::{Attempt, attempt};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::ledger::{Claim, Counters, Reclaimed};
use crate::model::{Conflicts, Event};
use crate::options::Commit;
use crate::target::Session;

/// What a worker did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Work {
    pub(crate) windows: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) conflicts: Conflicts,
    pub(crate) retries: u64,
}

/// Connections that are refused before a worker leaves its place to the others: the server may count the session that
/// this worker has just lost for a moment longer.
const REFUSALS_BEFORE_LEAVING: u32 = 3;

/// A window to be loaded.
pub(super) struct Taken {
    pub(super) claim: Claim,
    /// Whether a worker that left had it, or a group that failed: it is claimed again before it is loaded.
    left_behind: bool,
    /// Whether it is no part of a group.
    alone: bool,
}

impl Taken {
    pub(super) fn new(claim: Claim) -> Self {
        Self { claim, left_behind: false, alone: false }
    }

    pub(super) fn alone(claim: Claim) -> Self {
        Self { claim, left_behind: false, alone: true }
    }

    pub(super) fn left_behind(claim: Claim) -> Self {
        Self { claim, left_behind: true, alone: true }
    }

    /// Whether it may be loaded in one transaction with others: nobody has begun it.
    pub(super) fn may_be_grouped(&self) -> bool {
        !self.alone && self.claim.is_first()
    }
}

/// What became of a window that a worker took.
enum Done {
    Loaded,
    /// It was left to the others, and so is the rest.
    Left,
}

/// Works until no window is left for this run, the run is to stop, or the server has no connection for this worker.
pub(crate) async fn work(context: Arc<Context>) -> Result<Work> {
    let mut work = Work::default();
    let done = Box::pin(take_windows(&context, &mut work)).await;
    match done.map_err(resumable) {
        Ok(()) => Ok(work),
        Err(error) => {
            context.halt();
            Err(error)
        }
    }
}

async fn take_windows(context: &Arc<Context>, work: &mut Work) -> Result<()> {
    let mut member = context.team.join();
    let mut backoff = context.backoff();
    let Some(mut session) = reconnect(context, &mut member, None, &mut backoff).await? else { return Ok(()) };
    let (mut pace, mut queue) = (Pace::default(), VecDeque::new());
    // Where it ends with windows in the queue, the end of the run gives them back.
    while !context.is_stopping() {
        let begun = Instant::now();
        if queue.is_empty() {
            let Some(taken) = take(context, &mut session, &mut member).await? else { break };
            let more = group::claim_more(context, &session, &taken, &pace).await;
            queue.push_back(taken);
            queue.extend(more);
        }
        let group = group::at_front(&mut queue, &pace);
        if !group.is_empty() {
            let span = tracing::info_span!("group", windows = group.len());
            let left = Box::pin(group::load(context, &session, group, &mut pace, work)).instrument(span).await;
            left.into_iter().rev().for_each(|taken| queue.push_front(taken));
            continue;
        }
        let Some(taken) = queue.pop_front() else { continue };
        let claim = taken.claim.clone();
        let span = tracing::info_span!("window", window = context.name(&claim.window), attempt = claim.attempt);
        match load_window(context, &mut session, &mut member, taken, work).instrument(span).await {
            Ok(Done::Loaded) => pace.note(1, begun.elapsed()),
            Ok(Done::Left) => {
                context.team.leave_behind(queue.into_iter().map(|taken: Taken| taken.claim));
                break;
            }
            Err(error) if was_taken_over(context, &session, &claim, &error).await => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a window is another run's by now while this run goes on: it was late to renew its lease. What it had begun is
/// rolled back, and the other clears and loads the window.
async fn was_taken_over(context: &Context, session: &Session, claim: &Claim, error: &Error) -> bool {
    // Where the ledger cannot be asked, the error that there is ends the run.
    let lives_on = error.kind() == ErrorKind::Fenced && context.run.gave_way(session, claim).await.unwrap_or(false);
    if lives_on {
        let window = context.name(&claim.window);
        let message = format!("the lease of this run had run out, and another run took over window {window}");
        context.observe(&Event::Warning { message });
    }
    lives_on
}

/// The next window: one that a worker left behind, for it is older than those that nobody has begun, or the oldest open one.
async fn take(context: &Context, session: &mut Session, member: &mut Member<'_>) -> Result<Option<Taken>> {
    if let Some(claim) = context.team.take_over() {
        return Ok(Some(Taken::left_behind(claim)));
    }
    match claim(context, session, member).await? {
        Some(claim) => Ok(Some(Taken::new(claim))),
        None => Ok(member.leave().map(Taken::left_behind)),
    }
}

/// Loads a window, over and over while trying again can help.
async fn load_window(
    context: &Arc<Context>,
    session: &mut Session,
    member: &mut Member<'_>,
    taken: Taken,
    work: &mut Work,
) -> Result<Done> {
    let Taken { mut claim, mut left_behind, .. } = taken;
    let (begun, mut backoff) = (Instant::now(), context.backoff());
    let mut tries = Tries::new(&context.options.limits);
    loop {
        if tries.disordered {
            let Some(new) = reconnect(context, member, Some(&claim), &mut backoff).await? else {
                return Ok(Done::Left);
            };
            *session = new;
        }
        if left_behind {
            match reclaim(context, session, member, &claim, &mut backoff).await? {
                Some(Reclaimed::Again(again)) => claim = again,
                // The commit whose reply was lost had done it.
                Some(Reclaimed::Loaded { rows, bytes, conflicts }) => {
                    let counters = Counters { rows, bytes, conflicts, ..Counters::default() };
                    note(context, &claim, Attempt::Loaded(counters), begun, work);
                    return Ok(Done::Loaded);
                }
                Some(Reclaimed::Skipped) => {
                    note(context, &claim, Attempt::Skipped, begun, work);
                    return Ok(Done::Loaded);
                }
                None => return Ok(Done::Left),
            }
        }
        left_behind = true;
        let error = match attempt(context, session, &claim, &mut tries).await {
            Ok(done) => {
                note(context, &claim, done, begun, work);
                return Ok(Done::Loaded);
            }
            Err(error) => error,
        };
        if turn_careful(context, &error, &mut tries) {
            observe_search(context, &claim, &error);
            tries.answer = Some(error);
            work.retries += 1;
            continue;
        }
        let pause = backoff.pause_after(&error, tries.committed).filter(|_| !context.stop.is_requested());
        let Some(pause) = pause else { return give_up(context, session, &claim, error).await };
        work.retries += 1;
        context.observe(&Event::Retrying {
            window: context.name(&claim.window),
            attempt: u32::try_from(claim.attempt).unwrap_or(0),
            delay_seconds: pause.as_secs_f64(),
            error: adapt(&error, &mut tries),
        });
        context.stop.sleep(pause).await;
    }
}

/// Searches for rows that the server refuses before the run gives up: a window of one transaction that others change meanwhile
/// may need more than one.
const SEARCHES: u32 = 3;

/// Has the next try find the rows that the server refuses, where some may be at fault.
fn turn_careful(context: &Context, error: &Error, tries: &mut Tries) -> bool {
    // A transaction that holds a batch finds them all by itself: what is refused then is no row.
    let searches = if context.commit == Commit::Window { SEARCHES } else { 1 };
    if !error.is_of_row() || tries.searches >= searches || context.stop.is_requested() {
        return false;
    }
    if tries.careful && context.commit == Commit::Batch {
        return false;
    }
    (tries.careful, tries.searches) = (true, tries.searches + 1);
    true
}

fn observe_search(context: &Context, claim: &Claim, error: &Error) {
    context.observe(&Event::Retrying {
        window: context.name(&claim.window),
        attempt: u32::try_from(claim.attempt).unwrap_or(0),
        delay_seconds: 0.0,
        error: format!("{}; rows that the server refuses are looked for", chain(error)),
    });
}

/// Makes the next try differ from the one that failed, where that can help; the failure and the difference as a text.
fn adapt(error: &Error, tries: &mut Tries) -> String {
    let smaller = tries.size.halved();
    if error.retry() != Retry::SmallerBatches || smaller == tries.size {
        return chain(error);
    }
    tries.size = smaller;
    format!("{}; batches are at most {} rows and {} bytes now", chain(error), smaller.rows, smaller.bytes)
}

pub(super) fn note(context: &Context, claim: &Claim, done: Attempt, begun: Instant, work: &mut Work) {
    let window = context.name(&claim.window);
    match done {
        Attempt::Loaded(counters) => {
            work.windows += 1;
            work.rows += counters.rows;
            work.bytes += counters.bytes;
            work.conflicts += counters.conflicts;
            let (seconds, Counters { rows, bytes, conflicts, .. }) = (begun.elapsed().as_secs_f64(), counters);
            context.observe(&Event::Loaded { window, rows, bytes, seconds, conflicts });
        }
        Attempt::Skipped => context.observe(&Event::Skipped { window }),
        Attempt::Released => return,
    }
    if let Some(frontier) = context.frontier.pass(&claim.window) {
        context.observe(&Event::Frontier { frontier });
    }
}

/// Notes the failure in the ledger, and says which window it was. A window that failed for no fault of its rows is given
/// back; where the run is to stop anyway, that is all.
async fn give_up(context: &Context, session: &Session, claim: &Claim, error: Error) -> Result<Done> {
    let (interrupted, retry) = (context.stop.is_requested(), error.retry());
    let noted = match (error.kind(), retry) {
        _ if error.is_of_lost_claim() => Ok(()),
        (_, Retry::Never) if !interrupted => claim.fail(session, &chain(&error)).await,
        _ => claim.postpone(session, &chain(&error)).await,
    };
    if let Err(second) = noted {
        // The window stays with this run, and is open again as soon as the run has ended.
        tracing::debug!(error = %second, "the failure could not be noted in the ledger");
    }
    if interrupted && retry != Retry::Never {
        return Ok(Done::Left);
    }
    let attempts = if claim.attempt == 1 { "1 attempt".to_owned() } else { format!("{} attempts", claim.attempt) };
    let window = context.name(&claim.window);
    if !interrupted && !error.is_of_lost_claim() {
        let attempts = u32::try_from(claim.attempt).unwrap_or(0);
        context.observe(&Event::Failed { window: window.clone(), attempts, error: chain(&error) });
    }
    Err(error.context(format!("window {window} of job {} failed after {attempts}", context.job.name)))
}

/// What trying again could have mended, later or with more of what the server lacks, leaves the job to be resumed.
pub(super) fn resumable(error: Error) -> Error {
    match (error.kind(), error.retry()) {
        // A connection that is gone means the same, and says it itself.
        (ErrorKind::Connection, _) | (_, Retry::Never) => error,
        _ => error.with_kind(ErrorKind::Incomplete),
    }
}

/// The oldest open window; `None` where there is none for this run, or this worker has left.
async fn claim(context: &Context, session: &mut Session, member: &mut Member<'_>) -> Result<Option<Claim>> {
    let mut backoff = context.backoff();
    loop {
        let error = match context.run.claim(session, &context.job).await {
            Ok(claim) => return Ok(claim),
            Err(error) => error,
        };
        wait_or_fail(context, error, &mut backoff).await?;
        if session.is_closed() {
            match reconnect(context, member, None, &mut backoff).await? {
                Some(new) => *session = new,
                None => return Ok(None),
            }
        }
    }
}

/// Claims a window again; `None` where this worker has left it to the others.
async fn reclaim(
    context: &Context,
    session: &mut Session,
    member: &mut Member<'_>,
    claim: &Claim,
    backoff: &mut Backoff,
) -> Result<Option<Reclaimed>> {
    loop {
        if session.is_closed() {
            match reconnect(context, member, Some(claim), backoff).await? {
                Some(new) => *session = new,
                None => return Ok(None),
            }
        }
        match context.run.reclaim(session, &context.job, claim).await {
            Ok(claim) => return Ok(Some(claim)),
            Err(error) => wait_or_fail(context, error, backoff).await?,
        }
    }
}

pub(super) async fn wait_or_fail(context: &Context, error: Error, backoff: &mut Backoff) -> Result<()> {
    let Some(pause) = backoff.pause(&error).filter(|_| !context.is_stopping()) else { return Err(error) };
    context.stop.sleep(pause).await;
    Ok(())
}

/// Opens a connection, as often as it takes within the time for retries. A worker for whom the server has none leaves
/// its window to the others, if there are others: `None`.
async fn reconnect(
    context: &Context,
    member: &mut Member<'_>,
    claim: Option<&Claim>,
    backoff: &mut Backoff,
) -> Result<Option<Session>> {
    let mut refusals = 0;
    loop {
        let error = match Session::open(&context.settings).await {
            Ok(session) => return Ok(Some(session)),
            Err(error) => error,
        };
        refusals += u32::from(error.retry() == Retry::FewerWorkers);
        if refusals >= REFUSALS_BEFORE_LEAVING && member.hand_over(claim) {
            let message = format!("a worker leaves its part to the others: {}", chain(&error));
            context.observe(&Event::Warning { message });
            return Ok(None);
        }
        wait_or_fail(context, error, backoff).await?;
    }
}

/// Opens a connection for the run as a whole, as often as it takes within the time for retries.
pub(crate) async fn connect(context: &Context) -> Result<Session> {
    let mut backoff = context.backoff();
    loop {
        match Session::open(&context.settings).await {
            Ok(session) => return Ok(session),
            Err(error) => wait_or_fail(context, error, &mut backoff).await?,
        }
    }
}

impl Context {
    pub(super) fn backoff(&self) -> Backoff {
        Backoff::new(self.options.limits.retry_for)
    }
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
