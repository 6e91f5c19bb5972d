//! A run: enter or resume the job, let workers load its windows, check that nothing is missing, sum up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::task::JoinSet;

use super::context::Context;
use super::frontier::Frontier;
use super::prepare::{self, Opening, Prepared, preparing};
use super::spool::{Pass, Spool};
use super::worker::{Work, connect, work};
use super::{Backfill, Stop, occupied, settings};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{self, JobRecord, JobStatus, NewJob, NewWindow, Run, WindowState};
use crate::model::{Event, Observer, Summary, TimeKey, Window};
use crate::options::{Commit, Existing, Options};
use crate::plan::Range;
use crate::target::{ConnectSettings, Session};

/// Loads what is not loaded yet.
pub(super) async fn load(backfill: &Backfill, observer: Arc<dyn Observer>, stop: Stop) -> Result<Summary> {
    let begun = Instant::now();
    let opening = prepare::open(backfill, &observer).await?;
    ledger::init(&opening.session).await?;
    let known = JobRecord::find(&opening.session, &opening.job).await?;
    let mut run = None;
    if let Some(job) = &known {
        check_resume(job, &opening).await?;
        if ledger::progress(&opening.session, job).await?.is_complete() {
            return finish(&opening.session, job, Work::default(), begun, &observer, false).await;
        }
        // A job that another run holds is refused before the source is read.
        run = Some(Run::start(&opening.session, job, backfill.options.limits.lease).await?);
    }
    match Box::pin(prepare_and_run(backfill, opening, known, run.as_ref(), &observer, &stop)).await {
        Ok((session, job, work)) => finish(&session, &job, work, begun, &observer, stop.is_requested()).await,
        Err(error) => {
            if let Some(run) = &run {
                abandon(&backfill.target, run).await;
            }
            Err(error)
        }
    }
}

/// Ends a run that failed before its workers did, so that the next need not wait for its lease.
async fn abandon(target: &ConnectSettings, run: &Run) {
    let ended = async { run.end(&Session::open(target).await?).await };
    if let Err(error) = ended.await {
        tracing::debug!(%error, "the run could not be ended in the ledger");
    }
}

/// Plans, enters a job that is new, and loads what is not loaded.
async fn prepare_and_run(
    backfill: &Backfill,
    opening: Opening,
    known: Option<JobRecord>,
    run: Option<&Run>,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<(Session, JobRecord, Work)> {
    let range = known.as_ref().map(|job| Range { from: job.range.0.map(TimeKey), until: job.range.1.map(TimeKey) });
    let prepared = tokio::select! {
        prepared = prepare::plan(backfill, opening, range, observer) => prepared?,
        lost = renew(&backfill.target, run) => return Err(lost),
        () = stop.requested() => return Err(interrupted()),
    };
    prepared.warnings().into_iter().for_each(|message| observer.observe(&Event::Warning { message }));
    let job = match known {
        Some(job) => check_plan(job, &prepared).await?,
        None => enter(&prepared, &backfill.options).await?,
    };
    observer.observe(&planned(&job, &prepared));
    let run = match run {
        Some(run) => run.clone(),
        None => Run::start(&prepared.session, &job, backfill.options.limits.lease).await?,
    };
    Box::pin(run_windows(backfill, prepared, job, run, observer, stop)).await
}

fn planned(job: &JobRecord, prepared: &Prepared) -> Event {
    Event::Planned {
        job: job.name.clone(),
        windows: prepared.plan.windows.len() as u64, // usize has at most 64 bits
        rows: job.rows.inside(),
        bytes: prepared.plan.source_bytes(),
    }
}

async fn check_resume(job: &JobRecord, opening: &Opening) -> Result<()> {
    settings::check(&job.name, &job.settings, &opening.settings)?;
    settings::check_objects(&job.name, &job.objects(&opening.session).await?, &opening.listing.objects)
}

/// The same source and settings always give the same plan; the ledger's windows are checked against it all the same.
async fn check_plan(job: JobRecord, prepared: &Prepared) -> Result<JobRecord> {
    let recorded = ledger::windows(&prepared.session, &job).await?;
    let planned = new_windows(prepared);
    let same = recorded.len() == planned.len()
        && recorded.iter().zip(&planned).all(|(old, new)| old.window == new.window && old.source == new.source);
    if !same || job.hashed != prepared.route.hashed_columns() || job.rows != prepared.profile.rows {
        return Err(Error::new(ErrorKind::Changed, format!("job {} would now be planned otherwise than when it was begun", job.name))
            .with_hint(format!(
                "the table or its partitions have changed, or this is another version of pgbackfill; take back what the job \
                 loaded (`pgbackfill undo {}`) and load it anew",
                job.name
            )));
    }
    job.resume(&prepared.session, &prepared.settings).await?;
    Ok(job)
}

fn new_windows(prepared: &Prepared) -> Vec<NewWindow> {
    let plan = &prepared.plan;
    let window = |planned: &crate::plan::PlannedWindow| {
        let mut objects: Vec<u32> =
            plan.pieces_of(&planned.window).into_iter().map(|piece| plan.pieces[piece].object).collect();
        objects.sort_unstable();
        objects.dedup();
        let objects = objects.into_iter().map(|object| &prepared.supply.objects[object as usize]); // fits usize
        NewWindow { window: planned.window, source: settings::fingerprint(objects) }
    };
    plan.windows.iter().map(window).collect()
}

/// Enters a new job.
async fn enter(prepared: &Prepared, options: &Options) -> Result<JobRecord> {
    if prepared.plan.kind.is_none() {
        admit_whole(prepared, options).await?;
    }
    let record = JobRecord {
        id: 0,
        name: prepared.job.clone(),
        table: prepared.table.name.to_string(),
        target: prepared.table.name.sql(),
        time_column: options.time_column.clone(),
        key_kind: prepared.plan.kind,
        scope: options.scope.clone(),
        commit_mode: match (prepared.table.has_xmin(), prepared.commit) {
            (false, _) => "whole",
            (true, Commit::Window) => "window",
            (true, Commit::Batch) => "batch",
        }
        .to_owned(),
        hashed: prepared.route.hashed_columns().to_vec(),
        unhashed: prepared.route.unhashed_columns().to_vec(),
        settings: prepared.settings.clone(),
        range: (prepared.range.from.map(|key| key.0), prepared.range.until.map(|key| key.0)),
        rows: prepared.profile.rows,
    };
    let windows = new_windows(prepared);
    NewJob { record, objects: &prepared.supply.objects, windows: &windows }.enter(&prepared.session).await
}

/// Without a time column, `--existing` speaks of the table as a whole, once, when the job begins.
async fn admit_whole(prepared: &Prepared, options: &Options) -> Result<()> {
    let whole = Window::pieces(0, u64::MAX).expect("the run is not empty");
    let session = &prepared.session;
    match options.existing {
        Existing::Keep => Ok(()),
        Existing::Replace => session.execute(&prepared.statements.delete(&whole, None), &[]).await.map(|_| ()),
        Existing::Skip => Err(Error::new(ErrorKind::Settings, "--existing skip needs a time column").with_hint(
            "without one there are no windows to skip; --existing keep loads beside the rows that are there",
        )),
        Existing::Error => {
            let held: bool = session.query_one(&prepared.statements.occupied(&whole), &[]).await?.get(0);
            if held { Err(occupied(&prepared.table.name.to_string(), "the whole table")) } else { Ok(()) }
        }
    }
}

/// Starts workers and waits for them.
async fn run_windows(
    backfill: &Backfill,
    prepared: Prepared,
    job: JobRecord,
    run: Run,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<(Session, JobRecord, Work)> {
    let open = open_windows(&prepared.session, &job).await?;
    let workers = prepared.workers(&backfill.options).await?.min(open.len().max(1));
    let spool = tokio::select! {
        spool = fill_spool(&prepared, backfill, &open, observer) => spool,
        lost = renew(&backfill.target, Some(&run)) => Err(lost),
        () = stop.requested() => Err(interrupted()),
    };
    let spool = match spool {
        Ok(spool) => spool,
        Err(error) => {
            run.end(&prepared.session).await?;
            return Err(error);
        }
    };
    let (total, frontier) = (prepared.plan.windows.len(), Frontier::new(prepared.plan.kind, &open));
    let Prepared { session, supply, statements, time, commit, plan, pool, memory, threads, .. } = prepared;
    let context = Arc::new(Context {
        settings: backfill.target.clone(),
        options: backfill.options.clone(),
        job,
        run,
        statements,
        commit,
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
        halted: AtomicBool::new(false),
    });
    let rows = context.job.rows.inside().saturating_sub(ledger::progress(&session, &context.job).await?.rows);
    let (windows, windows_before) = (open.len() as u64, (total - open.len()) as u64); // usize has at most 64 bits
    context.observe(&Event::Started { job: context.job.name.clone(), windows, windows_before, rows, workers });
    let outcome = Box::pin(run_workers(&context, workers)).await.map_err(|error| match error.kind() {
        ErrorKind::Connection => {
            error.with_hint("nothing is lost: the same command again resumes the job where it stands")
        }
        _ => error,
    });
    let ended = end(&context, session).await;
    let work = outcome?;
    let session = ended?;
    Ok((session, context.job.clone(), work))
}

fn interrupted() -> Error {
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
        lanes: prepared.threads,
    };
    Spool::fill(pass).await.map(Some)
}

/// Runs the workers beside the lease's renewal. The first failure is the one to tell.
async fn run_workers(context: &Arc<Context>, workers: usize) -> Result<Work> {
    let mut total = Work::default();
    let renewal = renew(&context.settings, Some(&context.run));
    tokio::pin!(renewal);
    // A claim whose reply was lost leaves a window with this run that no worker knows of: it is given back and claimed anew.
    loop {
        let mut tasks = JoinSet::new();
        (0..workers).for_each(|_| drop(tasks.spawn(work(Arc::clone(context)))));
        let mut failure = None;
        while !tasks.is_empty() {
            let done = tokio::select! {
                done = tasks.join_next() => done.expect("a task is left").unwrap_or_else(|error| Err(broken(error))),
                lost = &mut renewal => return Err(lost),
            };
            match done {
                Ok(work) => total += work,
                Err(error) => {
                    context.halt();
                    failure.get_or_insert(error);
                }
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        // Claims cannot be lost while they are made over connections that answer; so one round is the rule.
        if context.is_stopping() || give_back(context).await? == 0 {
            return Ok(total);
        }
    }
}

async fn give_back(context: &Context) -> Result<u64> {
    context.run.give_back(&connect(context).await?, &context.job).await
}

fn broken(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "a worker ended by itself").with_source(error)
}

/// Renews the lease until that fails for good: only then does it end. Where there is no run yet, it never does.
async fn renew(target: &ConnectSettings, run: Option<&Run>) -> Error {
    let Some(run) = run else { return std::future::pending().await };
    let pause = run.lease / 3;
    let mut session = None;
    loop {
        tokio::time::sleep(pause).await;
        let renewed = async {
            if session.as_ref().is_none_or(Session::is_closed) {
                session = Some(Session::open(target).await?);
            }
            run.renew(session.as_ref().expect("it was just opened")).await
        };
        match renewed.await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Fenced => return error,
            // The lease only spares work; the workers find out for themselves whether the server is gone for good.
            Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
        }
    }
}

/// Ends the run in the ledger, over a new connection where the old one is gone.
async fn end(context: &Context, session: Session) -> Result<Session> {
    let session = if session.is_closed() { connect(context).await? } else { session };
    context.run.give_back(&session, &context.job).await?;
    context.run.end(&session).await?;
    Ok(session)
}

/// Sums up, after checking that the windows hold every row of the source that belongs to them.
async fn finish(
    session: &Session,
    job: &JobRecord,
    work: Work,
    begun: Instant,
    observer: &Arc<dyn Observer>,
    interrupted: bool,
) -> Result<Summary> {
    let status = JobStatus::of(session, job).await?;
    let summary = Summary {
        job: job.name.clone(),
        table: job.table.clone(),
        progress: status.progress,
        windows: work.windows,
        rows: work.rows,
        bytes: work.bytes,
        seconds: begun.elapsed().as_secs_f64(),
        retries: work.retries,
        rows_before_range: job.rows.before,
        rows_after_range: job.rows.after,
        rows_unkeyed: job.rows.unkeyed,
        frontier: status.frontier,
        interrupted: interrupted && !status.progress.is_complete(),
    };
    if summary.is_complete() && summary.progress.skipped == 0 && summary.progress.rows != job.rows.inside() {
        let (rows, expected) = (summary.progress.rows, job.rows.inside());
        return Err(Error::new(
            ErrorKind::Internal,
            format!("{rows} rows were loaded of {expected} that the profile counted"),
        )
        .with_hint(format!(
            "the source changed while it was read, or this is a defect; `pgbackfill undo {}` takes back the job",
            job.name
        )));
    }
    observer.observe(&Event::Finished(summary.clone()));
    Ok(summary)
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
        self.retries += other.retries;
    }
}
