//! From what was typed to what the library takes.

use pgbackfill::{
    CsvOptions, EmptyFields, Error, ErrorKind, Input, MappingRules, Options, Ragged, RepeatedHeader, Result,
    StrayQuotes,
};

use super::{InspectArgs, LoadArgs, RaggedArg, RepeatedHeaderArg, SourceOptions, StrayQuotesArg};

impl LoadArgs {
    /// The source and the settings of a load.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] if something is missing that neither command line, environment nor file gave.
    pub(crate) fn resolve(&self) -> Result<(Input, Options)> {
        let (job, limits) = (&self.job, &self.limits);
        let table = job.table.clone().ok_or_else(|| missing("table", "--table metrics"))?;
        match (&job.time_column, job.no_time_column) {
            (None, false) => {
                return Err(missing("time column", "--time-column ts, or --no-time-column for a table without one"));
            }
            (Some(_), true) => {
                return Err(Error::new(ErrorKind::Settings, "a time column is named, and --no-time-column is on")
                    .with_hint("leave one of the two out, in the environment and the job file too"));
            }
            _ => {}
        }
        let mut options = Options::new(table);
        options.time_column.clone_from(&job.time_column);
        options.job.clone_from(&job.job);
        options.from.clone_from(&job.from);
        options.until.clone_from(&job.until);
        options.window = job.window;
        options.existing = job.existing.map(Into::into);
        options.on_conflict = job.on_conflict.into();
        options.conflict_key.clone_from(&job.conflict_key);
        options.scope.clone_from(&job.scope);
        options.commit = job.commit.into();
        options.join = self.others.join;
        options.takeover = self.others.takeover;
        options.max_rejects = job.max_rejects;
        options.allow_empty = job.allow_empty;
        options.accept_changed_source = self.others.accept_changed_source;
        options.redo = self.others.redo;
        options.reload_missing = self.others.reload_missing;
        options.mapping = MappingRules { renames: job.map.clone(), ignored: job.ignore.clone() };
        options.as_files = self.source.as_files;
        options.csv = self.source.csv();
        options.zone = self.source.times.timezone.clone();
        options.times.formats.clone_from(&self.source.times.timestamp_format);
        options.times.allow_lossy = self.source.times.allow_lossy;
        options.limits.workers = limits.workers;
        options.limits.threads = limits.threads;
        options.limits.batch_rows = limits.batch_rows;
        options.limits.batch_bytes = limits.batch_bytes;
        options.limits.memory_bytes = limits.memory;
        options.limits.spool_bytes = limits.spool_bytes;
        options.limits.spool_folder.clone_from(&limits.spool_folder);
        (options.limits.objects, options.limits.pieces) = (limits.objects_max, limits.pieces_max);
        options.limits.windows = limits.windows_max;
        options.limits.reject_bytes = limits.reject_bytes;
        options.limits.retry_for = limits.retry_for;
        options.limits.lease = limits.lease;
        options.limits.statement_timeout = limits.statement_timeout.0;
        Ok((self.source.input()?, options))
    }
}

impl InspectArgs {
    /// The source, and the settings by which it is read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] if no source is named.
    pub(crate) fn resolve(&self) -> Result<(Input, Options)> {
        let mut options = Options::new("");
        options.time_column.clone_from(&self.time_column);
        options.as_files = self.source.as_files;
        options.csv = self.source.csv();
        options.zone = self.source.times.timezone.clone();
        options.times.formats.clone_from(&self.source.times.timestamp_format);
        options.times.allow_lossy = self.source.times.allow_lossy;
        Ok((self.source.input()?, options))
    }
}

impl SourceOptions {
    fn input(&self) -> Result<Input> {
        match self.source.is_empty() {
            true => Err(missing("source", "data.csv, 'data/**/*.parquet', a folder")),
            false => Ok(Input::Files(self.source.clone())),
        }
    }

    fn empty_fields(&self) -> EmptyFields {
        match (self.empty_as_null, self.empty_as_text) {
            (true, _) => EmptyFields::Null,
            (false, true) => EmptyFields::Text,
            (false, false) => EmptyFields::default(),
        }
    }

    fn csv(&self) -> CsvOptions {
        CsvOptions {
            encoding: self.encoding.clone(),
            delimiter: self.delimiter.clone(),
            quote: self.quote.0,
            escape: self.escape,
            comment: self.comment,
            null_marks: self.null.clone(),
            empty_fields: self.empty_fields(),
            columns: self.columns.clone(),
            skip_lines: self.skip_lines,
            footer_lines: self.mending.footer_lines,
            ragged: Ragged {
                pad: self.mending.ragged.contains(&RaggedArg::Pad),
                trim: self.mending.ragged.contains(&RaggedArg::Trim),
            },
            trim: self.mending.trim,
            stray_quotes: match self.mending.stray_quotes {
                StrayQuotesArg::Toggle => StrayQuotes::Toggle,
                StrayQuotesArg::Keep => StrayQuotes::Keep,
            },
            repeated_header: match self.mending.repeated_header {
                RepeatedHeaderArg::Data => RepeatedHeader::Data,
                RepeatedHeaderArg::Skip => RepeatedHeader::Skip,
            },
            record_bytes_max: self.record_bytes,
        }
    }
}

fn missing(what: &str, example: &str) -> Error {
    Error::new(ErrorKind::Settings, format!("no {what} is given")).with_hint(format!("name it: {example}"))
}
