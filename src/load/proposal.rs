//! What a load would do, for people and programs to read before it does.

use serde::Serialize;

use super::Backfill;
use super::prepare::Prepared;
use crate::encode::CopyFormat;
use crate::error::Result;
use crate::model::Mended;
use crate::options::Commit;
use crate::schema::Merge;

/// What a load would do.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Proposal {
    /// Name of the job.
    pub job: String,
    /// The table.
    pub table: String,
    /// The time column and its type.
    pub time_column: Option<String>,
    /// Objects of the source.
    pub objects: usize,
    /// Bytes of all objects.
    pub bytes: u64,
    /// Pieces they are read in.
    pub pieces: usize,
    /// Rows of the source.
    pub rows: u64,
    /// Rows before the range.
    pub rows_before_range: u64,
    /// Rows at or after the completion point.
    pub rows_after_range: u64,
    /// Rows whose time is null or infinite.
    pub rows_unkeyed: u64,
    /// What is mended in delimited text.
    pub mended: Mended,
    /// Rows that belong to no window because they, or their time, cannot be read.
    pub rows_rejected: u64,
    /// Oldest and newest time in the source.
    pub span: Option<(String, String)>,
    /// Whether the source is in order of time, as far as its statistics tell.
    pub ascending: bool,
    /// Whether pieces are read once into a temporary file, rather than once a window.
    pub spooled: bool,
    /// Connections that would load.
    pub workers: usize,
    /// Whether a transaction holds a batch or a window.
    pub commit: String,
    /// What becomes of rows whose key is in the table, and which key decides; `None` where the load stops at one.
    pub on_conflict: Option<String>,
    /// Whether rows go in binary or as text.
    pub format: String,
    /// What feeds what.
    pub columns: Vec<PlannedColumn>,
    /// Target columns that nothing feeds, and that take their default.
    pub defaulted: Vec<String>,
    /// The windows, oldest first.
    pub windows: Vec<ProposedWindow>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// What feeds a target column.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedColumn {
    /// The target column.
    pub target: String,
    /// Its type.
    pub target_type: String,
    /// The source column.
    pub source: String,
    /// Its type.
    pub source_type: String,
    /// Whether verification compares its values.
    pub verified: bool,
}

/// A window, with what it is expected to hold.
#[derive(Debug, Clone, Serialize)]
pub struct ProposedWindow {
    /// The window as people read it.
    pub window: String,
    /// Rows, estimated.
    pub rows: u64,
    /// Source bytes, estimated.
    pub bytes: u64,
    /// Pieces that may hold its rows.
    pub pieces: usize,
}

pub(super) async fn of(backfill: &Backfill, prepared: &Prepared) -> Result<Proposal> {
    let Prepared { table, plan, profile, .. } = prepared;
    let kind = plan.kind;
    let columns = columns(prepared);
    let fed = |name: &str| columns.iter().any(|column| column.target == name);
    let defaulted = table.columns.iter().map(|column| column.name.clone()).filter(|name| !fed(name)).collect();
    Ok(Proposal {
        job: prepared.job.clone(),
        table: table.name.to_string(),
        time_column: backfill.options.time_column.clone(),
        objects: prepared.supply.objects.len(),
        bytes: prepared.supply.objects.iter().map(|object| object.bytes).sum(),
        pieces: plan.pieces.len(),
        rows: profile.rows.all,
        rows_before_range: profile.rows.before,
        rows_after_range: profile.rows.after,
        rows_unkeyed: profile.rows.unkeyed,
        mended: profile.mended,
        rows_rejected: profile.rows.rejected,
        span: kind.zip(profile.span).map(|(kind, span)| (kind.short(span.min), kind.short(span.max))),
        ascending: profile.ascending,
        spooled: prepared.spools(),
        workers: prepared.workers(&backfill.options).await?.min(plan.windows.len().max(1)),
        commit: match prepared.commit {
            Commit::Batch => "batch",
            Commit::Window => "window",
        }
        .to_owned(),
        on_conflict: prepared.statements.merge().map(Merge::phrase),
        format: match prepared.route.format {
            CopyFormat::Binary => "binary",
            CopyFormat::Text => "text",
        }
        .to_owned(),
        columns,
        defaulted,
        windows: windows(prepared),
        warnings: prepared.warnings(),
    })
}

fn columns(prepared: &Prepared) -> Vec<PlannedColumn> {
    let Some(layout) = prepared.supply.first_layout() else { return Vec::new() };
    let hashed = prepared.route.hashed_columns();
    let column = |mapped: &crate::schema::MappedColumn| PlannedColumn {
        target: mapped.target.name.clone(),
        target_type: mapped.target.ty.name.clone(),
        source: mapped.source.clone(),
        source_type: if mapped.in_path { "folder name".to_owned() } else { super::type_name(&mapped.source_type) },
        verified: hashed.contains(&mapped.target.name),
    };
    layout.columns.iter().map(column).collect()
}

fn windows(prepared: &Prepared) -> Vec<ProposedWindow> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, never below zero")]
    let whole = |estimate: f64| estimate.round() as u64;
    let window = |planned: &crate::plan::PlannedWindow| ProposedWindow {
        window: planned.window.display(prepared.plan.kind),
        rows: whole(planned.rows),
        bytes: whole(planned.bytes),
        pieces: planned.pieces,
    };
    prepared.plan.windows.iter().map(window).collect()
}
