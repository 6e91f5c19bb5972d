//! From settings to a plan: target described, source opened and mapped, pieces profiled, windows drawn.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;

use super::Backfill;
use super::clip::TimeColumn;
use super::layout::{Layout, Route};
use super::nothing;
use super::profile::{Profile, Profiler};
use super::published;
use super::rejects::Allowance;
use super::rights::{self, Fed};
use super::settings;
use super::statements::Statements;
use super::supply::{Listing, Supply};
use crate::encode::CopyFormat;
use crate::error::{Error, ErrorKind, Result, escaped, listed};
use crate::ledger::{JobRecord, Windowless};
use crate::model::datetime::MICROS_PER_DAY;
use crate::model::{Event, KeyKind, KeySpan, Mended, Observer, Piece, TimeKey, Zone};
use crate::options::{Bound, Commit, OnConflict, Options, WindowSize};
use crate::plan::{Grid, Plan, Range};
use crate::pool::{ByteLimit, CpuPool};
use crate::schema::{Mapping, Merge, ObjectColumns, PgKind, Reading, Table};
use crate::target::{Lacking, Session, describe, major_version, uniqueness, zone_of_server};

/// Target and source as they were found, before any object is opened.
pub(crate) struct Opening {
    pub(crate) session: Session,
    pub(crate) table: Table,
    pub(crate) kind: Option<KeyKind>,
    pub(crate) job: String,
    pub(crate) settings: Value,
    pub(crate) listing: Listing,
}

/// Everything that a run needs but its workers.
pub(crate) struct Prepared {
    pub(crate) session: Session,
    pub(crate) table: Table,
    pub(crate) job: String,
    pub(crate) settings: Value,
    pub(crate) supply: Arc<Supply>,
    pub(crate) route: Arc<Route>,
    pub(crate) statements: Statements,
    pub(crate) time: Option<TimeColumn>,
    pub(crate) commit: Commit,
    pub(crate) range: Range,
    pub(crate) profile: ProfileFacts,
    pub(crate) plan: Plan,
    /// Rows that belong to no window because they, or their time, cannot be read.
    pub(crate) windowless: Windowless,
    /// What the windows were drawn on; `None` without a time column.
    pub(crate) grid: Option<Grid>,
    /// Rights that the role lacks; only a proposal gets so far without them.
    pub(crate) lacking: Option<Lacking>,
    /// Why publications would keep the server from deleting or updating rows; only a proposal gets so far with that.
    pub(crate) unpublished: Option<Error>,
    pub(crate) pool: CpuPool,
    pub(crate) memory: ByteLimit,
    pub(crate) threads: usize,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// To be looked at.
    Proposal,
    /// A job that is not in the ledger yet.
    Beginning,
    /// A job that was begun: it keeps its range, and the grid of its windows.
    Resumption(&'a JobRecord),
}

/// What remains of a profile once its pieces are planned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProfileFacts {
    pub(crate) rows: crate::model::SourceRows,
    pub(crate) mended: Mended,
    pub(crate) ascending: bool,
    pub(crate) span: Option<KeySpan>,
}

/// Where every window would read pieces more than this many times over, they are read once, into a spool.
const READS_BEFORE_SPOOL: u64 = 3;

/// Opens the session of the run.
pub(crate) async fn connect(backfill: &Backfill, observer: &Arc<dyn Observer>) -> Result<Session> {
    observer.observe(&preparing("connecting"));
    Session::open_when_ready(&backfill.target, backfill.options.limits.retry_for).await
}

/// Describes the target and lists the source. Reads no data.
pub(crate) async fn open(backfill: &Backfill, session: Session, observer: &Arc<dyn Observer>) -> Result<Opening> {
    let options = &backfill.options;
    session.require_version().await?;
    session.require_connections().await?;
    session.require_encoding().await?;
    let table = match describe(&session, &options.table).await {
        Ok(table) => table,
        Err(error) => return Err(rights::explain(&session, &options.table, error).await),
    };
    let kind = options.time_column.as_deref().map(|name| key_kind(&table, name)).transpose()?;
    if let Some(scope) = &options.scope {
        session.check_scope(&table.name, scope).await?;
    }
    observer.observe(&preparing("listing the source"));
    let listing = Listing::of(&backfill.input, options).await?;
    let settings = settings::of(options, &backfill.input, &table.name);
    let job = options.job.clone().unwrap_or_else(|| settings::job_name(&settings, &table.name));
    Ok(Opening { session, table, kind, job, settings, listing })
}

pub(crate) fn preparing(step: &str) -> Event {
    Event::Preparing { step: step.to_owned() }
}

fn key_kind(table: &Table, name: &str) -> Result<KeyKind> {
    let column = table.column(name).ok_or_else(|| {
        let columns = table.columns.iter().map(|column| column.name.as_str());
        Error::new(ErrorKind::Schema, format!("{} has no column {name}", table.name))
            .with_hint(format!("its columns are: {}", listed(columns)))
    })?;
    if let PgKind::Timestamp(Some(digits)) | PgKind::TimestampTz(Some(digits)) = column.ty.kind
        && digits < 6
    {
        return Err(Error::new(
            ErrorKind::Schema,
            format!("time column {name} is of type {}, which rounds its values", column.ty),
        )
        .with_hint("give the column its full precision, or load without a time column: --no-time-column"));
    }
    column.ty.key_kind()
}

/// Opens, maps and profiles the source, and draws windows.
pub(crate) async fn plan(
    backfill: &Backfill,
    opening: Opening,
    purpose: Purpose<'_>,
    observer: &Arc<dyn Observer>,
) -> Result<Prepared> {
    let Opening { session, table, kind, job, settings, listing } = opening;
    let options = &backfill.options;
    let reading = reading_for(&session, options).await?;
    let range = match purpose {
        Purpose::Resumption(begun) => Range { from: begun.range.0.map(TimeKey), until: begun.range.1.map(TimeKey) },
        Purpose::Proposal | Purpose::Beginning => range(options, kind, &reading.zone)?,
    };
    observer.observe(&preparing("opening the source"));
    let (mut supply, columns) = listing.open(&options.csv).await?;
    if reading.lossy {
        supply.allow_lossy();
    }
    let time_column = options.time_column.as_deref();
    let (route, layouts) = map(&table, &columns, options, &reading)?;
    let merge = merge(&session, &table, &route.columns, options).await?;
    // Before the source is read: a person who has to ask for rights should not wait for that.
    let fed = Fed { hashed: route.hashed_columns(), unhashed: route.unhashed_columns(), merge: merge.as_ref() };
    let lacking = lacking(&session, &table, options, fed, purpose).await?;
    let unpublished = unpublished(&session, &table, options, fed, purpose).await?;
    let time_position = layouts.first().and_then(|layout| layout.time);
    let supply = Arc::new(supply.with_layouts(layouts).with_memory(options.limits.memory_bytes));
    let threads = options.limits.threads.unwrap_or_else(cores);
    let (pool, memory) = (CpuPool::try_new(threads)?, ByteLimit::new(options.limits.memory_bytes));
    observer.observe(&preparing("profiling the source"));
    let time = kind.zip(time_column).map(|(kind, name)| (kind, reading.of_column(name)));
    let key_reading = time.as_ref().map(|(_, reading)| reading.clone());
    let (at_once, pieces_max) = (threads + 1, options.limits.pieces);
    let allowance = Allowance::of(options);
    let profiler =
        Profiler { supply: &supply, time, range, pool: &pool, memory: &memory, at_once, pieces_max, allowance };
    let mut profile = profiler.run().await?;
    let rejects = std::mem::take(&mut profile.rejects);
    let windowless = Windowless { headers: profile.headers.of(&rejects), rejects };
    let (facts, grid) = draw(options, &table, kind, purpose, &profile)?;
    let plan = windows(&profiler, profile.pieces, (kind, grid.as_ref()), facts.span, options).await?;
    let statements = Statements::new(&table, &route, time_column.zip(kind), options.scope.clone(), merge);
    let passing_over = options.max_rejects.allows_any();
    let time = kind.zip(time_position).zip(key_reading);
    let time = time.map(|((kind, position), reading)| TimeColumn { position, kind, reading, passing_over });
    Ok(Prepared {
        commit: commit(&table, options, statements.merge()),
        range,
        grid,
        lacking,
        unpublished,
        session,
        table,
        job,
        settings,
        supply,
        route,
        statements,
        time,
        plan,
        windowless,
        pool,
        memory,
        threads,
        profile: facts,
    })
}

/// What one transaction holds: a window, where nothing may be left to clear.
///
/// So it is where a clear might miss a row, where it would find rows of others that took values of ours and carry our
/// transaction id, and where a row of another window may have been left out for one that is cleared.
pub(crate) fn commit(table: &Table, options: &Options, merge: Option<&Merge>) -> Commit {
    let may_clear = merge.is_none_or(|merge| !merge.updates() && !merge.skips_across_windows());
    if table.is_clearable() && may_clear { options.commit } else { Commit::Window }
}

/// How rows are put beside those of their key, where the load is told.
pub(crate) async fn merge(
    session: &Session,
    table: &Table,
    loaded: &[String],
    options: &Options,
) -> Result<Option<Merge>> {
    if options.on_conflict == OnConflict::Fail {
        return match options.conflict_key.is_empty() {
            true => Ok(None),
            false => {
                Err(Error::new(ErrorKind::Settings, "a key for conflicts is named, and nothing is to be done at one")
                    .with_hint("add --on-conflict skip or update, or leave --conflict-key out"))
            }
        };
    }
    // A source without a column has no row either.
    if loaded.is_empty() {
        return Ok(None);
    }
    let facts = uniqueness(session, table.shape.oid).await?;
    Merge::try_new(table, &facts, loaded, options).map(Some)
}

/// Rights that the role lacks, where this is to be known by now: a resumption has asked before.
async fn lacking(
    session: &Session,
    table: &Table,
    options: &Options,
    fed: Fed<'_>,
    purpose: Purpose<'_>,
) -> Result<Option<Lacking>> {
    if matches!(purpose, Purpose::Resumption(_)) {
        return Ok(None);
    }
    match (purpose, rights::lacking(session, table, options, fed, false).await?) {
        (Purpose::Beginning, Some(lacking)) => Err(lacking.into_error()),
        (_, lacking) => Ok(lacking),
    }
}

/// Why publications would keep the server from deleting or updating rows.
async fn unpublished(
    session: &Session,
    table: &Table,
    options: &Options,
    fed: Fed<'_>,
    purpose: Purpose<'_>,
) -> Result<Option<Error>> {
    let found = match purpose {
        Purpose::Resumption(_) => None,
        Purpose::Proposal | Purpose::Beginning => published::check(session, table, options, fed, false).await?,
    };
    match (purpose, found) {
        (Purpose::Beginning, Some(error)) => Err(error),
        (_, found) => Ok(found),
    }
}

/// One per core.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// How the source's values are read for the server behind `session`.
async fn reading_for(session: &Session, options: &Options) -> Result<Reading> {
    let zone = zone_of_server(session, &options.zone).await?;
    let is_utf8 = session.require_encoding().await? == "UTF8";
    Ok(Reading { is_utf8, ..Reading::from(options).for_server(major_version(session).await?, zone) })
}

fn range(options: &Options, kind: Option<KeyKind>, zone: &Zone) -> Result<Range> {
    let Some(kind) = kind else {
        return if options.from.is_none() && options.until.is_none() {
            Ok(Range::default())
        } else {
            Err(Error::new(ErrorKind::Settings, "--from and --until need a time column")
                .with_hint("name it with --time-column"))
        };
    };
    let resolve = |bound: &Option<Bound>| bound.as_ref().map(|bound| resolve(bound, kind, zone)).transpose();
    let range = Range { from: resolve(&options.from)?, until: resolve(&options.until)? };
    match (range.from, range.until) {
        (Some(from), Some(until)) if from >= until => Err(Error::new(
            ErrorKind::Settings,
            format!("the range [{}, {}) is empty", kind.short(from), kind.short(until)),
        )
        .with_hint("--from must be before --until")),
        (from, until) if kind == KeyKind::Integer && [from, until].contains(&Some(TimeKey(i64::MAX))) => {
            let message = format!("{} is the largest of all keys, and no window begins or ends at it alone", i64::MAX);
            Err(Error::new(ErrorKind::Settings, message)
                .with_hint("name a smaller bound; without --until that key is loaded too"))
        }
        _ => Ok(range),
    }
}

fn resolve(bound: &Bound, kind: KeyKind, zone: &Zone) -> Result<TimeKey> {
    let ago = match bound {
        Bound::At(text) => return kind.parse(text, zone),
        Bound::Ago(ago) => ago,
    };
    let (Some(per_day), Ok(since_1970)) = (kind.per_day(), SystemTime::UNIX_EPOCH.elapsed()) else {
        return Err(Error::new(ErrorKind::Settings, format!("'{bound}' is not a value of type {kind}")));
    };
    let micros = i64::try_from(since_1970.as_micros()).ok().zip(i64::try_from(ago.as_micros()).ok());
    let micros = micros.and_then(|(now, ago)| now.checked_sub(ago)?.checked_sub(MICROS_FROM_1970_TO_2000));
    let scale = MICROS_PER_DAY / per_day;
    micros
        .map(|micros| TimeKey(micros.div_euclid(scale)))
        .ok_or_else(|| Error::new(ErrorKind::Settings, format!("'{bound}' is before all time")))
}

/// From the origin of the machine's clock to that of the server's timestamps.
const MICROS_FROM_1970_TO_2000: i64 = 10_957 * MICROS_PER_DAY;

/// Refuses a format for a column that has no use for it.
fn check_time_formats(table: &Table, route: &Route, options: &Options) -> Result<()> {
    let is_time = |kind: &PgKind| matches!(kind, PgKind::Date | PgKind::Timestamp(_) | PgKind::TimestampTz(_));
    for name in options.times.formats.iter().filter_map(|(column, _)| column.as_ref()) {
        let column = table.column(name).filter(|column| route.columns.contains(&column.name));
        if column.is_none_or(|column| !is_time(&column.ty.kind)) {
            let message = format!("{name}, which has a format, is no loaded column of dates or timestamps");
            return Err(Error::new(ErrorKind::Settings, message)
                .with_hint("name the target column: --timestamp-format column=format; or give the format for all"));
        }
    }
    Ok(())
}

/// Maps the columns of all objects, which must feed the same target columns.
fn map(
    table: &Table,
    columns: &[ObjectColumns],
    options: &Options,
    reading: &Reading,
) -> Result<(Arc<Route>, Vec<Layout>)> {
    let map = |columns: &ObjectColumns| Mapping::try_new(table, columns, &options.mapping);
    let mappings = columns.iter().map(map).collect::<Result<Vec<_>>>()?;
    if let Some(other) = (1..mappings.len()).find(|i| !mappings[0].feeds_same(&mappings[*i])) {
        let names = |i: usize| listed(columns[i].columns.iter().map(|(name, _)| name.as_str()));
        return Err(Error::new(ErrorKind::Schema, "objects feed different columns of the table").with_hint(format!(
            "{} has: {}\n{} has: {}\nload them as two jobs, or leave columns out: --ignore",
            escaped(&columns[0].object),
            names(0),
            escaped(&columns[other].object),
            names(other)
        )));
    }
    let time_column = options.time_column.as_deref();
    let route = Arc::new(Route::try_new(table, &mappings, time_column, reading)?);
    check_time_formats(table, &route, options)?;
    let unfed = |name: &&str| !mappings.is_empty() && !route.columns.iter().any(|column| column == name);
    if let Some(name) = time_column.filter(|name| unfed(name)) {
        return Err(Error::new(ErrorKind::Schema, format!("no source column feeds the time column {name}"))
            .with_hint("pair it with --map source=target, or load without one: --no-time-column"));
    }
    let layout = |mapping| Layout::new(&route, mapping, time_column, reading);
    let layouts: Vec<Layout> = mappings.into_iter().map(layout).collect();
    if let Some(mapped) = layouts.iter().filter_map(Layout::time_source).find(|mapped| mapped.in_path) {
        return Err(Error::new(
            ErrorKind::Schema,
            format!("time column {} is fed by a folder's name", mapped.target.name),
        )
        .with_hint("all rows of an object would have the same time; load without a time column: --no-time-column"));
    }
    Ok((route, layouts))
}

/// What the profile found in all, and where windows may begin and end; `None` without a time column.
fn draw(
    options: &Options,
    table: &Table,
    kind: Option<KeyKind>,
    purpose: Purpose<'_>,
    profile: &Profile,
) -> Result<(ProfileFacts, Option<Grid>)> {
    let span = profile.pieces.iter().filter_map(|piece| piece.keys).reduce(KeySpan::union);
    let facts = ProfileFacts { rows: profile.rows, mended: profile.mended, ascending: profile.ascending, span };
    let Some(kind) = kind else { return Ok((facts, None)) };
    let recorded = match purpose {
        Purpose::Resumption(job) => Some(settings::recorded_grid(&job.grid, kind).ok_or_else(|| no_grid(job))?),
        Purpose::Proposal | Purpose::Beginning => None,
    };
    let bytes = profile.pieces.iter().map(|piece| piece.bytes).sum();
    let grid = match (recorded, options.window) {
        (Some(grid), _) => grid,
        (None, size @ WindowSize::Auto) => {
            Grid::try_new(size, kind, partition_bounds(table, options, kind)?, span, bytes)?
        }
        (None, size) => Grid::try_new(size, kind, Vec::new(), span, bytes)?,
    };
    Ok((facts, Some(grid)))
}

/// Windows on the cells of `grid` that hold rows, or without a time column of consecutive pieces.
async fn windows(
    profiler: &Profiler<'_>,
    pieces: Vec<Piece>,
    time: (Option<KeyKind>, Option<&Grid>),
    span: Option<KeySpan>,
    options: &Options,
) -> Result<Plan> {
    let (Some(kind), Some(grid)) = time else { return Ok(Plan::over_pieces(pieces)) };
    let range = if options.window == WindowSize::Auto { within_source(profiler.range, span) } else { profiler.range };
    let parts = profiler.parts(&pieces, grid).await?;
    Plan::over_time((pieces, &parts), kind, range, grid, options.limits.windows)
}

fn no_grid(job: &JobRecord) -> Error {
    Error::new(ErrorKind::Internal, format!("the ledger holds no grid for the windows of job {}", job.name))
}

/// A window that nobody asked for by its width does not reach beyond the source's own rows: what stands there is no concern
/// of the job's.
fn within_source(range: Range, span: Option<KeySpan>) -> Range {
    Range {
        from: range.from.or(span.map(|span| span.min.before_last())),
        until: range.until.or(span.and_then(|span| span.max.0.checked_add(1)).map(TimeKey)),
    }
}

/// Bounds of the target's partitions, where they are ranges of the time column.
fn partition_bounds(table: &Table, options: &Options, kind: KeyKind) -> Result<Vec<i64>> {
    let ranges =
        table.partitions.as_ref().filter(|partitions| Some(&partitions.column) == options.time_column.as_ref());
    let texts =
        ranges.into_iter().flat_map(|ranges| &ranges.bounds).flat_map(|(lower, upper)| [lower, upper]).flatten();
    // The session's zone is UTC, so the catalog prints its bounds with that offset.
    let parse = |text: &String| kind.parse(text, &Zone::UTC).map(|key| key.0);
    let mut bounds = texts.map(parse).collect::<Result<Vec<_>>>()?;
    bounds.sort_unstable();
    bounds.dedup();
    Ok(bounds)
}

impl Prepared {
    /// Whether pieces are to be read once, into a spool, rather than once a window.
    pub(crate) fn spools(&self) -> bool {
        self.time.is_some() && self.plan.read_bytes > READS_BEFORE_SPOOL.saturating_mul(self.plan.source_bytes())
    }

    /// Connections that load: as many as asked for, else one per core, as long as half of the free slots stay free.
    pub(crate) async fn workers(&self, options: &Options) -> Result<usize> {
        match options.limits.workers {
            Some(workers) => Ok(workers.max(1)),
            None => Ok(cores().min(self.session.free_slots().await? / 2).max(1)),
        }
    }

    /// What a person should know before loading.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let table = &self.table.name;
        if let Some(lacking) = &self.lacking {
            let grants = lacking.grants().replace('\n', " ");
            warnings.push(format!("a load would be refused, for {}: {grants}", lacking.phrase()));
        }
        if let Some(error) = &self.unpublished {
            warnings.push(format!("a load would be refused: {error}; {}", error.hint().unwrap_or_default()));
        }
        let indexed = |name: &&str| self.table.indexed.iter().any(|column| column == name);
        if let Some(time) = self.statements.time_column().filter(|name| self.table.has_xmin() && !indexed(name)) {
            warnings.push(format!(
                "no index of {table} leads with {time}: checking and clearing a window reads the whole table"
            ));
        }
        if self.route.format == CopyFormat::Text {
            let columns = self.route.text_columns.join(", ");
            warnings.push(format!("rows go as text, which is slower: no binary form here for {columns}"));
        }
        if !self.table.rewriting_triggers.is_empty() {
            let triggers = self.table.rewriting_triggers.join(", ");
            warnings.push(format!(
                "triggers may rewrite rows: each window is one transaction, and verify can only count: {triggers}"
            ));
        } else if !self.route.unhashed_columns().is_empty() {
            let columns = self.route.unhashed_columns().join(", ");
            warnings
                .push(format!("verify cannot compare these columns, whose stored form cannot be foretold: {columns}"));
        }
        if !self.table.has_xmin() {
            warnings.push(format!(
                "rows of {table} carry no transaction id: each window is one transaction, and undo is not possible"
            ));
        }
        if self.table.row_security {
            warnings.push(format!(
                "row-level security binds this role: each window is one transaction, and rows of {table} that its policies \
                 hide are not seen by --existing, verify and undo"
            ));
        }
        if self.statements.merge().is_some_and(Merge::updates) {
            warnings.push(format!(
                "rows of {table} that take values of the source cannot be given back: once one has, undo is refused"
            ));
        }
        if self.table.insert_rules && self.table.takes_copy {
            warnings.push(format!("the rules of {table} for inserts are not applied: COPY passes them by"));
        }
        if self.table.unlogged {
            warnings
                .push(format!("{table} is unlogged: a crash of the server empties it, and the ledger will not know"));
        }
        if self.profile.rows.unkeyed > 0 {
            warnings.push(format!(
                "{} rows have no time, or an infinite one, and belong to no window",
                self.profile.rows.unkeyed
            ));
        }
        if let Some(first) = self.windowless.rejects.first() {
            let (rows, all) = (self.windowless.rejects.len(), self.profile.rows.all);
            warnings.push(format!("{rows} of {all} rows cannot be read and are rejected, the first: {first}"));
        }
        if let Some(message) = nothing::found_nothing(self) {
            warnings.push(format!("{message}; a load fails, unless it has --allow-empty"));
        }
        if self.spools() {
            warnings.push("windows share so much of the source that it is read once, into a temporary file".to_owned());
        }
        warnings
    }
}
