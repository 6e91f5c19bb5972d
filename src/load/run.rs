//! A run, from its first look at the ledger to its summary; what happens between is in the files it calls.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures_util::FutureExt as _;
use tracing::Instrument as _;

use super::backoff::Backoff;
use super::crew::{interrupted, run_windows};
use super::emptied;
use super::enter::{self, Standing, check_resume, check_target, enter};
use super::finish::{end, finish};
use super::lease::{abandon, renew};
use super::nothing;
use super::persist::{Failure, persist, with_next_step};
use super::prepare::{self, Opening, Prepared, Purpose};
use super::redo;
use super::rejects::Allowance;
use super::takeover::Takeover;
use super::tally;
use super::worker::{Work, chain, resumable};
use super::{Backfill, Stop};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{self, JobRecord, Run, RunId, RunRequest};
use crate::model::{Event, Observer, Summary};
use crate::options::Options;
use crate::report::counted;
use crate::target::Session;

/// What a run leaves for its summary.
type Done = (Session, JobRecord, Work);

/// Loads what is not loaded yet.
pub(super) async fn load(backfill: &Backfill, observer: Arc<dyn Observer>, stop: Stop) -> Result<Summary> {
    let loaded = Box::pin(load_job(backfill, &observer, &stop)).await;
    loaded.map_err(|error| with_next_step(resumable(error), backfill.options.on_conflict))
}

/// What the tries of one load have in common.
#[derive(Debug, Default)]
struct Tries {
    /// The identity of the run: where a try does not know whether it was entered, the next one replaces it.
    run: OnceLock<RunId>,
    /// Whether the server has answered.
    has_connected: AtomicBool,
    /// Whether `--redo` has taken back what the job had loaded.
    has_redone: AtomicBool,
}

async fn load_job(backfill: &Backfill, observer: &Arc<dyn Observer>, stop: &Stop) -> Result<Summary> {
    let (begun, tries) = (Instant::now(), Tries::default());
    let mut backoff = Backoff::new(backfill.options.limits.retry_for);
    loop {
        let done = match Box::pin(try_to_load(backfill, &tries, observer, stop)).await {
            Ok(done) => done,
            Err(Failure::Late(error)) => return Err(error),
            Err(Failure::Early(error)) => {
                wait_or_fail(error, &tries, &mut backoff, begun, observer, stop).await?;
                continue;
            }
        };
        let Some((session, job, work)) = done else { continue };
        let worked = work.windows > 0 && !stop.is_requested();
        let (status, change) =
            after_work(backfill, &tries, begun, observer, stop, || end(&session, &job, backfill, worked)).await?;
        change.into_iter().for_each(|message| observer.observe(&Event::Warning { message }));
        nothing::check_job(&job, &status.progress, &backfill.options)?;
        if status.progress.is_complete() {
            let counted =
                after_work(backfill, &tries, begun, observer, stop, || tally::check(&session, &job, observer));
            tokio::select! {
                counted = Box::pin(counted) => counted?,
                () = stop.requested() => return Err(uncounted(&job)),
            }
        }
        return finish(&job, status, work, begun, observer, stop.is_requested());
    }
}

/// Takes a step when all workers have ended, as often as the time for retries allows.
async fn after_work<T, F: Future<Output = Result<T>>>(
    backfill: &Backfill,
    tries: &Tries,
    begun: Instant,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
    step: impl Fn() -> F,
) -> Result<T> {
    let mut backoff = Backoff::new(backfill.options.limits.retry_for);
    loop {
        match persist(backfill, observer, stop, &step).await {
            Ok(done) => return Ok(done),
            Err(Failure::Late(error)) => return Err(error),
            Err(Failure::Early(error)) => wait_or_fail(error, tries, &mut backoff, begun, observer, stop).await?,
        }
    }
}

fn uncounted(job: &JobRecord) -> Error {
    Error::new(ErrorKind::Interrupted, format!("stopped before the rows in {} were counted", job.table))
}

/// Waits for the next try after what the server or the connection met before any worker began, or after all have ended.
/// A server that was never there is not waited for: its address may be wrong.
async fn wait_or_fail(
    error: Error,
    tries: &Tries,
    backoff: &mut Backoff,
    begun: Instant,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<()> {
    let was_there = tries.has_connected.load(Ordering::Relaxed) || error.place().sqlstate.is_some();
    let of_server = matches!(error.kind(), ErrorKind::Connection | ErrorKind::Target);
    let may_pass = of_server && was_there && !stop.is_requested();
    let Some(pause) = backoff.pause(&error).filter(|_| may_pass) else { return Err(error) };
    let reason = format!("another try; {}", chain(&error));
    observer.observe(&Event::Waiting { reason, seconds: begun.elapsed().as_secs_f64() });
    stop.sleep(pause).await;
    Ok(())
}

/// Begins or resumes the job, and loads it. `None` where it is to be planned again.
async fn try_to_load(
    backfill: &Backfill,
    tries: &Tries,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<Option<Done>, Failure> {
    let (opening, job) = tokio::select! {
        opened = persist(backfill, observer, stop, || open(backfill, tries, observer)) => opened?,
        () = stop.requested() => return Err(interrupted().into()),
    };
    if tries.run.get().is_none() {
        let id: RunId = opening.session.query_one("select gen_random_uuid()::text", &[]).await?.get(0);
        tries.run.get_or_init(|| id);
    }
    let request = request(&backfill.options, tries);
    match job {
        Some(job) if backfill.options.redo && !tries.has_redone.load(Ordering::Relaxed) => {
            redo::check(&job, &opening.settings)?;
            let prepared = prepare_or_stop(backfill, opening, observer, stop).await?;
            redo::take_back(&prepared.session, &job, &backfill.options, observer).await?;
            tries.has_redone.store(true, Ordering::Relaxed);
            Box::pin(begin(backfill, prepared, &request, observer, stop)).await
        }
        Some(job) => Box::pin(resume(backfill, opening, job, &request, observer, stop)).await.map(Some),
        None => {
            let prepared = prepare_or_stop(backfill, opening, observer, stop).await?;
            Box::pin(begin(backfill, prepared, &request, observer, stop)).await
        }
    }
}

/// Target and source as they are, and the job if it is in the ledger.
async fn open(
    backfill: &Backfill,
    tries: &Tries,
    observer: &Arc<dyn Observer>,
) -> Result<(Opening, Option<JobRecord>)> {
    let session = prepare::connect(backfill, observer).await?;
    tries.has_connected.store(true, Ordering::Relaxed);
    let opening = prepare::open(backfill, session, observer).await?;
    opening.session.require_writable().await?;
    let job = enter::find(&opening).await?;
    Ok((opening, job))
}

/// How the run of these options is to begin.
fn request(options: &Options, tries: &Tries) -> RunRequest {
    RunRequest {
        id: tries.run.get().cloned(),
        lease: options.limits.lease,
        beside_runs: options.join && !options.takeover,
        beside_jobs: options.join,
        takeover: options.takeover,
    }
}

/// Goes on with a job that is in the ledger. One that another run holds is refused before the source is read.
async fn resume(
    backfill: &Backfill,
    opening: Opening,
    job: JobRecord,
    request: &RunRequest,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<Done, Failure> {
    let started = persist(backfill, observer, stop, || start(&opening, &job, request, &backfill.options)).await?;
    let Some((run, missing)) = started else { return Ok((opening.session, job, Work::default())) };
    let loaded = async {
        if !missing.is_empty() {
            tally::reopen(&opening.session, &job, &run, &missing, observer).await?;
        }
        if backfill.options.takeover {
            Takeover::default().end_sessions(&opening.session, &job, &run, &**observer).await?;
        }
        let prepared = tokio::select! {
            prepared = prepare(backfill, opening, Purpose::Resumption(&job), observer) => prepared?,
            lost = renew(&backfill.target, &run, observer) => return Err(lost.into()),
            () = stop.requested() => return Err(interrupted().into()),
        };
        let job = take_up(backfill, &prepared, &job, &run, observer, stop).await?;
        load_windows(backfill, prepared, job, &run, observer, stop).await
    };
    Box::pin(or_abandon(backfill, &job, &run, loaded)).await
}

/// Enters a run of a job that may go on, with the windows that lack rows where these are to be loaded again; `None` where
/// nothing is left to load.
async fn start(
    opening: &Opening,
    job: &JobRecord,
    request: &RunRequest,
    options: &Options,
) -> Result<Option<(Run, Vec<tally::Difference>)>> {
    let (session, objects) = (&opening.session, &opening.listing.objects);
    let standing = check_resume(session, job, &opening.settings, objects, options).await?;
    if standing != Standing::Complete {
        check_target(session, &opening.table, job, options).await?;
    }
    emptied::check(session, &opening.table, job, options).await?;
    let missing = if options.reload_missing { tally::missing(session, job).await? } else { Vec::new() };
    if standing == Standing::Complete {
        if missing.is_empty() {
            return Ok(None);
        }
        check_target(session, &opening.table, job, options).await?;
    }
    let run = request.start(session, job).await?;
    Ok(Some((run, missing)))
}

/// Takes the job up where it stands, under the lease of a run that was entered before.
async fn take_up(
    backfill: &Backfill,
    prepared: &Prepared,
    job: &JobRecord,
    run: &Run,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<JobRecord, Failure> {
    let resume = || enter::resume(job.clone(), prepared, run, &backfill.options, observer);
    tokio::select! {
        resumed = persist(backfill, observer, stop, resume) => resumed,
        lost = renew(&backfill.target, run, observer) => Err(lost.into()),
    }
}

/// Begins a job that was not in the ledger. `None` where another run has entered it meanwhile, with bounds such as `30 days
/// ago` taken at another moment: it is to be planned again.
async fn begin(
    backfill: &Backfill,
    prepared: Prepared,
    request: &RunRequest,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<Option<Done>, Failure> {
    let entered = persist(backfill, observer, stop, || enter(&prepared, request, &backfill.options)).await?;
    if let Some((job, run)) = entered {
        let loaded = load_windows(backfill, prepared, job.clone(), &run, observer, stop);
        return Box::pin(or_abandon(backfill, &job, &run, loaded)).await.map(Some);
    }
    let joined = persist(backfill, observer, stop, || join(&prepared, request, &backfill.options)).await?;
    let Some((job, run)) = joined else { return Ok(None) };
    let loaded = async {
        let job = take_up(backfill, &prepared, &job, &run, observer, stop).await?;
        load_windows(backfill, prepared, job, &run, observer, stop).await
    };
    Box::pin(or_abandon(backfill, &job, &run, loaded)).await.map(Some)
}

/// Enters a run of the job that another run has entered meanwhile, if that is as it was prepared here.
async fn join(prepared: &Prepared, request: &RunRequest, options: &Options) -> Result<Option<(JobRecord, Run)>> {
    let (session, objects) = (&prepared.session, &prepared.supply.objects);
    let Some(job) = JobRecord::find(session, &prepared.job).await? else { return Ok(None) };
    let standing = check_resume(session, &job, &prepared.settings, objects, options).await?;
    let range = (prepared.range.from.map(|key| key.0), prepared.range.until.map(|key| key.0));
    if standing == Standing::Changed || job.range != range {
        return Ok(None);
    }
    let run = request.start(session, &job).await?;
    Ok(Some((job, run)))
}

/// Plans a job that is to begin, unless the user stops that.
async fn prepare_or_stop(
    backfill: &Backfill,
    opening: Opening,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<Prepared> {
    tokio::select! {
        prepared = Box::pin(prepare(backfill, opening, Purpose::Beginning, observer)) => prepared,
        () = stop.requested() => Err(interrupted()),
    }
}

/// Plans, and says what a person should know before loading.
async fn prepare(
    backfill: &Backfill,
    opening: Opening,
    purpose: Purpose<'_>,
    observer: &Arc<dyn Observer>,
) -> Result<Prepared> {
    let prepared = prepare::plan(backfill, opening, purpose, observer).await?;
    nothing::check_plan(&prepared, &backfill.options)?;
    prepared.warnings().into_iter().for_each(|message| observer.observe(&Event::Warning { message }));
    Ok(prepared)
}

async fn load_windows(
    backfill: &Backfill,
    prepared: Prepared,
    job: JobRecord,
    run: &Run,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<Done, Failure> {
    check_rejected(&prepared, &job, &backfill.options).await?;
    observer.observe(&planned(&job, &prepared));
    rejected(&prepared).iter().for_each(|event| observer.observe(event));
    let span = tracing::info_span!("run", job = job.name, run = run.id);
    Box::pin(run_windows(backfill, prepared, job, run.clone(), observer, stop)).instrument(span).await
}

/// Refuses to go on where more rows are rejected than are allowed now.
async fn check_rejected(prepared: &Prepared, job: &JobRecord, options: &Options) -> Result<()> {
    let allowance = Allowance::of(options);
    let rejected = ledger::total_rejects(&prepared.session, job.id).await?;
    if rejected <= allowance.limit(job.rows) {
        return Ok(());
    }
    let (rows, max, name) = (counted(rejected, "row"), allowance.max, &job.name);
    Err(Error::new(ErrorKind::Data, format!("job {name} has {rows} rejected, and --max-rejects {max} allows fewer"))
        .with_hint(format!(
            "run it with --max-rejects {rejected} or more; `pgbackfill rejects {name}` prints those rows"
        )))
}

/// However a run fails, by a defect of this program too, the ledger does not go on saying that it loads.
async fn or_abandon<T>(
    backfill: &Backfill,
    job: &JobRecord,
    run: &Run,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let outcome =
        AssertUnwindSafe(Box::pin(work)).catch_unwind().await.unwrap_or_else(|_| {
            // What it was is on stderr, or wherever the program's panic hook has put it.
            Err(Failure::Late(Error::new(ErrorKind::Internal, "the run panicked").with_hint(
                "this is a defect of pgbackfill; nothing is lost, and the same command again resumes the job",
            )))
        });
    if outcome.is_err() {
        abandon(backfill, job, run).await;
    }
    outcome
}

/// Rows that belong to no window, if there are any.
fn rejected(prepared: &Prepared) -> Option<Event> {
    let rejects = &prepared.windowless.rejects;
    let first = rejects.first()?.to_string();
    Some(Event::Rejected { window: None, rows: rejects.len() as u64, first }) // usize has at most 64 bits
}

fn planned(job: &JobRecord, prepared: &Prepared) -> Event {
    Event::Planned {
        job: job.name.clone(),
        windows: prepared.plan.windows.len() as u64, // usize has at most 64 bits
        rows: job.rows.inside(),
        bytes: prepared.plan.source_bytes(),
    }
}
