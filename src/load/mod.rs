//! The engine: everything meets here. Profile and plan, then workers that claim, clear, load and try again.

mod blocks;
mod clip;
mod context;
mod custom;
mod frontier;
mod inspect;
mod layout;
mod prepare;
mod profile;
mod proposal;
mod run;
mod settings;
mod spool;
mod statements;
mod stop;
mod supply;
mod undo;
mod window;
mod worker;

use std::sync::Arc;

pub use inspect::{InspectedObject, InspectedTime, Inspection, inspect};
pub use proposal::{PlannedColumn, Proposal, ProposedWindow};
pub use stop::Stop;
pub use supply::Input;
pub use undo::{Undone, undo};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Observer, Summary};
use crate::options::Options;
use crate::target::ConnectSettings;

/// One configured backfill of one table.
///
/// ```no_run
/// # async fn example() -> pgbackfill::Result<()> {
/// use pgbackfill::{Backfill, ConnectSettings, Options, Stop};
///
/// let target = ConnectSettings::from_environment()?;
/// let options = Options::new("metrics").with_time_column("ts");
/// let backfill = Backfill::new(target, "data/**/*.parquet", options);
/// let summary = backfill.load(|_: &_| (), &Stop::new()).await?;
/// println!("{} rows", summary.rows);
/// # Ok(())
/// # }
/// ```
pub struct Backfill {
    target: ConnectSettings,
    input: Input,
    options: Options,
}

impl Backfill {
    /// A backfill of `input` into the table that `options` names.
    pub fn new(target: ConnectSettings, input: impl Into<Input>, options: Options) -> Self {
        Self { target, input: input.into(), options }
    }

    /// What [`Backfill::load`] would do. Touches nothing.
    ///
    /// # Errors
    ///
    /// Whatever would keep the load from starting.
    pub async fn plan(&self, observer: impl Observer + 'static) -> Result<Proposal> {
        let observer: Arc<dyn Observer> = Arc::new(observer);
        let opening = prepare::open(self, &observer).await?;
        let prepared = prepare::plan(self, opening, None, &observer).await?;
        proposal::of(self, &prepared).await
    }

    /// Loads what is not loaded yet. Running it again resumes, and after the last window does nothing.
    ///
    /// A request to stop ends the load in good order: the summary says so, and the job can be resumed.
    ///
    /// # Errors
    ///
    /// The first failure that trying again could not mend. What was loaded stays, and the job can be resumed.
    pub async fn load(&self, observer: impl Observer + 'static, stop: &Stop) -> Result<Summary> {
        Box::pin(run::load(self, Arc::new(observer), stop.clone())).await
    }
}

/// A source type as people read it.
fn type_name(data_type: &arrow_schema::DataType) -> String {
    match data_type {
        arrow_schema::DataType::Utf8 => "text".to_owned(),
        other => other.to_string(),
    }
}

/// The window, or the table, holds rows that are not the job's.
fn occupied(table: &str, window: &str) -> Error {
    Error::new(ErrorKind::Occupied, format!("{table} already holds rows that this job did not write"))
        .in_window(window)
        .with_hint(
            "--existing keep loads beside them, skip leaves such windows out, replace deletes those rows first; --scope \
             narrows the check to rows that a predicate selects",
        )
}
