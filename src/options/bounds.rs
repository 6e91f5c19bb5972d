//! The least and the most of each number that a user can set, and the check of them.
//!
//! The command line refuses what is outside of these where it reads it; [`Options::check`] refuses it for everyone else.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Bound, MaxRejects, Options, WindowSize};
use crate::error::{Error, ErrorKind, Result};

const DAY: u64 = 24 * 60 * 60;

/// Connections: more than any server has slots for that are worth having.
pub const WORKERS: RangeInclusive<u64> = 1..=1024;
/// Threads that decode and encode: each has its stack, and more than cores gain nothing.
pub const THREADS: RangeInclusive<u64> = 1..=1024;
/// Rows in a batch.
pub const BATCH_ROWS: RangeInclusive<u64> = 1..=1_000_000_000;
/// COPY bytes in a batch, which is sent block by block.
pub const BATCH_BYTES: RangeInclusive<u64> = 1..=1 << 40;
/// Memory for pieces and blocks.
pub const MEMORY_BYTES: RangeInclusive<u64> = 1 << 20..=1 << 40;
/// Disk for a spool.
pub const SPOOL_BYTES: RangeInclusive<u64> = 1..=1 << 50;
/// What is kept of a rejected row: the server's own limit for a value is 1 GB, and several are kept in memory.
pub const REJECT_BYTES: RangeInclusive<u64> = 1..=64 << 20;
/// The longest record of delimited text: the server's own limit for a value is 1 GB.
pub const RECORD_BYTES: RangeInclusive<u64> = 1..=1 << 30;
/// Lines to skip before the header.
pub const SKIP_LINES: RangeInclusive<u64> = 0..=1_000_000;
/// Lines that are left out at the end.
pub const FOOTER_LINES: RangeInclusive<u64> = 0..=1_000_000;
/// Windows of a job: one is a row of the ledger and about 100 bytes in memory.
pub const WINDOWS: RangeInclusive<u64> = 1..=10_000_000;
/// Pieces of a source: about 115 bytes in memory each.
pub const PIECES: RangeInclusive<u64> = 1..=40_000_000;
/// Objects of a source: about 200 bytes in memory each.
pub const OBJECTS: RangeInclusive<u64> = 1..=10_000_000;
/// Rows that may be rejected: each is a row of the ledger.
pub const REJECTS: RangeInclusive<u64> = 0..=1_000_000_000;
/// Millionths of a job's rows that may be rejected.
pub const REJECTS_PER_MILLION: RangeInclusive<u64> = 0..=1_000_000;
/// How long what fails is tried again: over a weekend and a month's absence.
pub const RETRY_FOR: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(30 * DAY);
/// A lease is renewed every third of it, over a network that may be slow; a run that died holds its job for as long.
pub const LEASE: RangeInclusive<Duration> = Duration::from_secs(3)..=Duration::from_secs(DAY);
/// How long the server may take for one statement.
pub const STATEMENT_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(30 * DAY);
/// The width of windows in time: 10,000 years.
pub const WINDOW_SPAN: RangeInclusive<Duration> = Duration::from_micros(1)..=Duration::from_secs(3_652_425 * DAY);
/// The width of windows in months: 10,000 years.
pub const WINDOW_MONTHS: RangeInclusive<u64> = 1..=120_000;
/// The width of windows in keys.
pub const WINDOW_KEYS: RangeInclusive<u64> = 1..=i64::MAX as u64;
/// A bound of the range, counted back from now: 10,000 years.
pub const AGO: RangeInclusive<Duration> = Duration::from_nanos(1)..=Duration::from_secs(3_652_425 * DAY);

/// Columns of a source, those that are ignored included. A table of the server has at most 1,600.
pub const COLUMNS_MAX: usize = 10_000;
/// Items of each list: rules of the mapping, formats of times, columns of a key.
pub const LIST_ITEMS_MAX: usize = 10_000;
/// Texts that stand for null: each field is compared with all of them.
pub const NULL_MARKS_MAX: usize = 100;
/// The longest name of a job, in bytes: the ledger has an index on it.
pub const JOB_BYTES_MAX: usize = 255;
/// The longest of all other texts, in bytes: names, marks, formats and the scope.
pub const TEXT_BYTES_MAX: usize = 64 << 10;

impl Options {
    /// Refuses numbers, lists and texts outside of what each setting takes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] for the first of them, with what it takes.
    pub fn check(&self) -> Result<()> {
        self.check_counts()?;
        self.check_durations()?;
        self.check_lists()?;
        self.check_texts()
    }

    fn check_counts(&self) -> Result<()> {
        let (limits, csv) = (&self.limits, &self.csv);
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let (rejects, rejects_bounds) = match self.max_rejects {
            MaxRejects::Rows(rows) => (rows, REJECTS),
            MaxRejects::PerMillion(share) => (share.into(), REJECTS_PER_MILLION),
        };
        let window = match self.window {
            WindowSize::Months(months) => Some((u64::from(months), WINDOW_MONTHS)),
            WindowSize::Keys(keys) => Some((keys, WINDOW_KEYS)),
            WindowSize::Auto | WindowSize::Span(_) => None,
        };
        for (name, number, bounds) in [
            ("limits.workers", limits.workers.map(wide), WORKERS),
            ("limits.threads", limits.threads.map(wide), THREADS),
            ("limits.batch_rows", Some(limits.batch_rows), BATCH_ROWS),
            ("limits.batch_bytes", Some(limits.batch_bytes), BATCH_BYTES),
            ("limits.memory_bytes", Some(limits.memory_bytes), MEMORY_BYTES),
            ("limits.spool_bytes", Some(limits.spool_bytes), SPOOL_BYTES),
            ("limits.reject_bytes", Some(limits.reject_bytes), REJECT_BYTES),
            ("limits.windows", Some(wide(limits.windows)), WINDOWS),
            ("limits.pieces", Some(wide(limits.pieces)), PIECES),
            ("limits.objects", Some(wide(limits.objects)), OBJECTS),
            ("csv.record_bytes_max", Some(csv.record_bytes_max), RECORD_BYTES),
            ("csv.skip_lines", Some(csv.skip_lines), SKIP_LINES),
            ("csv.footer_lines", Some(csv.footer_lines), FOOTER_LINES),
            ("max_rejects", Some(rejects), rejects_bounds),
            ("window", window.as_ref().map(|(width, _)| *width), window.map_or(WINDOW_KEYS, |(_, bounds)| bounds)),
        ] {
            number.map_or(Ok(()), |number| within(name, &number, &bounds))?;
        }
        Ok(())
    }

    fn check_durations(&self) -> Result<()> {
        let ago = |bound: &Option<Bound>| match bound {
            Some(Bound::Ago(ago)) => Some(*ago),
            _ => None,
        };
        let span = if let WindowSize::Span(span) = self.window { Some(span) } else { None };
        for (name, duration, bounds) in [
            ("limits.retry_for", Some(self.limits.retry_for), RETRY_FOR),
            ("limits.lease", Some(self.limits.lease), LEASE),
            ("limits.statement_timeout", self.limits.statement_timeout, STATEMENT_TIMEOUT),
            ("window", span, WINDOW_SPAN),
            ("from", ago(&self.from), AGO),
            ("until", ago(&self.until), AGO),
        ] {
            let seconds = |duration: &Duration| Seconds(*duration);
            let bounds = seconds(bounds.start())..=seconds(bounds.end());
            duration.map_or(Ok(()), |duration| within(name, &Seconds(duration), &bounds))?;
        }
        Ok(())
    }

    fn check_lists(&self) -> Result<()> {
        for (name, items, most) in [
            ("mapping.renames", self.mapping.renames.len(), LIST_ITEMS_MAX),
            ("mapping.ignored", self.mapping.ignored.len(), LIST_ITEMS_MAX),
            ("conflict_key", self.conflict_key.len(), LIST_ITEMS_MAX),
            ("times.formats", self.times.formats.len(), LIST_ITEMS_MAX),
            ("csv.columns", self.csv.columns.as_ref().map_or(0, Vec::len), COLUMNS_MAX),
            ("csv.null_marks", self.csv.null_marks.len(), NULL_MARKS_MAX),
        ] {
            if items > most {
                let message = format!("{name} has {items} items, and takes at most {most}");
                return Err(Error::new(ErrorKind::Settings, message));
            }
        }
        Ok(())
    }

    fn check_texts(&self) -> Result<()> {
        let one = |name, text: &Option<String>| text.clone().map(|text| (name, text));
        let renames = self.mapping.renames.iter().flat_map(|(source, target)| [source, target]);
        let lists = [
            ("mapping.renames", renames.collect::<Vec<_>>()),
            ("mapping.ignored", self.mapping.ignored.iter().collect()),
            ("conflict_key", self.conflict_key.iter().collect()),
            ("csv.columns", self.csv.columns.iter().flatten().collect()),
            ("csv.null_marks", self.csv.null_marks.iter().collect()),
        ];
        let single =
            [one("time_column", &self.time_column), one("scope", &self.scope), Some(("table", self.table.clone()))];
        for (name, text) in single.into_iter().flatten() {
            check_text(name, &text, TEXT_BYTES_MAX)?;
        }
        for (name, text) in lists.iter().flat_map(|(name, texts)| texts.iter().map(move |text| (*name, *text))) {
            check_text(name, text, TEXT_BYTES_MAX)?;
        }
        match &self.job {
            Some(job) if job.is_empty() => Err(Error::new(ErrorKind::Settings, "the name of the job is empty")),
            Some(job) => check_text("job", job, JOB_BYTES_MAX),
            None => Ok(()),
        }
    }
}

/// A duration as people read it.
#[derive(PartialEq, PartialOrd)]
struct Seconds(Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

fn within<T: PartialOrd + Display>(name: &str, value: &T, bounds: &RangeInclusive<T>) -> Result<()> {
    if bounds.contains(value) {
        return Ok(());
    }
    let (least, most) = (bounds.start(), bounds.end());
    Err(Error::new(ErrorKind::Settings, format!("{name} is {value}, and takes {least} to {most}")))
}

fn check_text(name: &str, text: &str, bytes_max: usize) -> Result<()> {
    if text.len() > bytes_max {
        let message = format!("{name} has {} bytes, and takes at most {bytes_max}", text.len());
        return Err(Error::new(ErrorKind::Settings, message));
    }
    match text.contains('\0') {
        true => Err(Error::new(ErrorKind::Settings, format!("{name} holds a NUL character, which the server has not"))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
