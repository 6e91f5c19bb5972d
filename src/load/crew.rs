//! The workers of a run: started together, waited for, and followed by the end of the run in the ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::clear::vacuum_advice;
use super::context::Context;
use super::frontier::Frontier;
use super::lease::renew;
use super::persist::Failure;
use super::prepare::{Prepared, preparing};
use super::rejects::{Allowance, Headers};
use super::shortage::{self, Start};
use super::spool::{Pass, Spool};
use super::team::Team;
use super::watch::{Look, Watch};
use super::worker::{Work, wait_or_fail, work};
use super::{Backfill, Stop};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{self, JobRecord, Run, WindowState};
use crate::model::{Event, Observer, Window};
use crate::target::Session;

/// Starts workers and waits for them.
pub(super) async fn run_windows(
    backfill: &Backfill,
    prepared: Prepared,
    job: JobRecord,
    run: Run,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<(Session, JobRecord, Work), Failure> {
    crate::failpoint::hit("after-enter")?;
    let open = open_windows(&prepared.session, &job).await?;
    let workers = prepared.workers(&backfill.options).await?.min(open.len().max(1));
    let spool = tokio::select! {
        spool = fill_spool(&prepared, backfill, &open, observer) => spool,
        lost = renew(&backfill.target, &run, observer) => Err(lost),
        () = stop.requested() => Err(interrupted()),
    }?;
    let (total, frontier) = (prepared.plan.windows.len(), Frontier::new(prepared.plan.kind, &open));
    let start = Start::of(&prepared.session, &job).await?;
    let Prepared { session, table, supply, statements, time, commit, plan, pool, memory, threads, .. } = prepared;
    let (allowance, rows) = (Allowance::of(&backfill.options), job.rows);
    let context = Arc::new(Context {
        settings: run.name_sessions(&backfill.target),
        options: backfill.options.clone(),
        job,
        run,
        statements,
        shape: table.shape,
        commit,
        allowance,
        rejects_max: allowance.limit(rows),
        headers: Headers::default(),
        rejecting: AtomicU64::new(0),
        plan,
        supply,
        time,
        spool,
        pool,
        memory,
        pieces_at_once: threads.div_ceil(workers),
        observer: Arc::clone(observer),
        stop: stop.clone(),
        frontier,
        team: Team::default(),
        start,
        halted: AtomicBool::new(false),
    });
    let rows = context.start.rows_to_go;
    let (windows, windows_before) = (open.len() as u64, (total - open.len()) as u64); // usize has at most 64 bits
    context.observe(&Event::Started { job: context.job.name.clone(), windows, windows_before, rows, workers });
    Box::pin(run_to_end(&context, session, workers)).await.map_err(Failure::Late)
}

/// Runs the workers, and ends the run in the ledger whatever came of them.
async fn run_to_end(context: &Arc<Context>, session: Session, workers: usize) -> Result<(Session, JobRecord, Work)> {
    let outcome = Box::pin(run_workers(context, workers)).await.map_err(|error| match error.kind() {
        ErrorKind::Connection => {
            error.with_hint("nothing is lost: the same command again resumes the job where it stands")
        }
        _ => error,
    });
    if let Some(message) = vacuum_advice(context.team.dead(), &context.job.table) {
        context.observe(&Event::Warning { message });
    }
    let ended = end(context, session).await;
    let work = match (outcome, &ended) {
        (Err(error), Ok(session)) => return Err(shortage::explain(context, session, error).await),
        (outcome, _) => outcome?,
    };
    let session = ended?;
    Ok((session, context.job.clone(), work))
}

pub(super) fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "stopped before any window was begun")
}

async fn open_windows(session: &Session, job: &JobRecord) -> Result<Vec<Window>> {
    let windows = ledger::windows(session, job).await?;
    let open = |state| matches!(state, WindowState::Pending | WindowState::Loading | WindowState::Failed);
    Ok(windows.into_iter().filter(|status| open(status.state)).map(|status| status.window).collect())
}

async fn fill_spool(
    prepared: &Prepared,
    backfill: &Backfill,
    open: &[Window],
    observer: &Arc<dyn Observer>,
) -> Result<Option<Spool>> {
    let Some(time) = prepared.time.as_ref().filter(|_| prepared.spools()) else { return Ok(None) };
    observer.observe(&preparing("reading the source once, into a temporary file"));
    let pass = Pass {
        plan: &prepared.plan,
        open,
        supply: &prepared.supply,
        time,
        pool: &prepared.pool,
        memory: &prepared.memory,
        limits: &backfill.options.limits,
        allowance: Allowance::of(&backfill.options),
        lanes: prepared.threads,
    };
    Spool::fill(pass).await.map(Some)
}

/// Runs the workers beside the lease's renewal, and starts workers again for windows that other runs leave. The first failure
/// is the one to tell.
async fn run_workers(context: &Arc<Context>, workers: usize) -> Result<Work> {
    let renewal = renew(&context.settings, &context.run, &context.observer);
    tokio::pin!(renewal);
    let (mut tasks, mut watch, mut total, mut failure) = (JoinSet::new(), Watch::default(), Work::default(), None);
    start(&mut tasks, context, workers);
    loop {
        let at_work = tasks.len();
        let is_ending = failure.is_some() || context.is_stopping();
        if at_work == 0 && is_ending {
            break;
        }
        let looks = at_work == 0 || at_work < workers && context.run.found_none();
        let outcome = tokio::select! {
            Some(done) = tasks.join_next() => done.unwrap_or_else(|error| Err(broken(error))).map(|work| total += work),
            lost = &mut renewal => return Err(lost),
            () = context.stop.requested(), if !is_ending => Ok(()),
            look = watch.look(context, at_work > 0), if looks && !is_ending => match look {
                Ok(Look::Free(windows)) => {
                    context.run.look_again();
                    start(&mut tasks, context, windows.min(workers - at_work));
                    Ok(())
                }
                Ok(Look::Nothing) if at_work == 0 => break,
                Ok(Look::Nothing | Look::Wait) => Ok(()),
                // The job is another run's, or is gone: what the workers are at is no longer theirs.
                Err(error) if error.is_of_lost_claim() => return Err(error),
                Err(error) => Err(error),
            },
        };
        if let Err(error) = outcome {
            context.halt();
            failure.get_or_insert(error);
        }
    }
    failure.map_or(Ok(total), Err)
}

fn start(tasks: &mut JoinSet<Result<Work>>, context: &Arc<Context>, workers: usize) {
    for _ in 0..workers {
        tasks.spawn(work(Arc::clone(context)).in_current_span());
    }
}

fn broken(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "a worker ended by itself").with_source(error)
}

/// Ends the run in the ledger, over a new connection where the old one is gone. All may be loaded by now: it is tried for as
/// long as a window is.
async fn end(context: &Context, mut session: Session) -> Result<Session> {
    let mut backoff = context.backoff();
    loop {
        match end_once(context, &mut session).await {
            Ok(()) => return Ok(session),
            Err(error) => wait_or_fail(context, error, &mut backoff).await?,
        }
    }
}

async fn end_once(context: &Context, session: &mut Session) -> Result<()> {
    crate::failpoint::hit("before-end")?;
    if session.is_closed() {
        *session = Session::open(&context.settings).await?;
    }
    context.run.end(session, &context.job).await
}

impl Context {
    /// No worker claims another window.
    pub(crate) fn halt(&self) {
        self.halted.store(true, Ordering::SeqCst);
    }

    /// Whether workers are to end after what they have begun.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_requested() || self.halted.load(Ordering::SeqCst)
    }
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.windows += other.windows;
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.conflicts += other.conflicts;
        self.retries += other.retries;
    }
}
