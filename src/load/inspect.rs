//! A source described without a target: its objects, columns, rows, and the order of its time.

use std::sync::Arc;

use serde::Serialize;

use super::layout::Layout;
use super::profile::Profiler;
use super::rejects::Allowance;
use super::supply::{Input, Listing};
use crate::error::Result;
use crate::model::{KeyKind, KeySpan, Mended};
use crate::options::Options;
use crate::plan::Range;
use crate::pool::{ByteLimit, CpuPool};

/// What a source holds.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// Its objects: URI, format, bytes and rows.
    pub objects: Vec<InspectedObject>,
    /// Each set of columns that objects have, with the types.
    pub layouts: Vec<Vec<(String, String)>>,
    /// Columns in the names of folders.
    pub path_columns: Vec<String>,
    /// Rows in all.
    pub rows: u64,
    /// What is mended in delimited text.
    pub mended: Mended,
    /// Oldest and newest time, and whether rows are in its order, where a time column was named.
    pub time: Option<InspectedTime>,
}

/// One object of a source.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedObject {
    /// Where it is.
    pub uri: String,
    /// How it is decoded.
    pub format: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
}

/// The time column of a source.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedTime {
    /// Its name.
    pub column: String,
    /// The oldest time.
    pub oldest: String,
    /// The newest time.
    pub newest: String,
    /// Whether rows are in its order, as far as statistics tell.
    pub ascending: bool,
    /// Rows whose time is null or infinite.
    pub rows_unkeyed: u64,
}

/// Describes a source. With a time column, its texts and values are read as `timestamptz`.
///
/// # Errors
///
/// The first object that cannot be read.
pub async fn inspect(input: impl Into<Input>, options: &Options) -> Result<Inspection> {
    let (supply, columns) = Listing::of(&input.into()).await?.open(&options.csv).await?;
    let (kind, time_column) = (KeyKind::TimestampTz, options.time_column.as_deref());
    let layouts =
        columns.iter().map(|columns| Layout::bare(columns, time_column, &options.zone)).collect::<Result<_>>()?;
    let supply = Arc::new(supply.with_layouts(layouts).with_memory(options.limits.memory_bytes));
    let threads = options.limits.threads.unwrap_or_else(super::prepare::cores);
    let (pool, memory) = (CpuPool::try_new(threads)?, ByteLimit::new(options.limits.memory_bytes));
    let time = time_column.map(|_| (kind, options.zone.clone()));
    let range = Range::default();
    let (at_once, pieces_max) = (threads + 1, options.limits.pieces);
    let allowance = Allowance::of(options);
    let profiler =
        Profiler { supply: &supply, time, range, pool: &pool, memory: &memory, at_once, pieces_max, allowance };
    let profile = profiler.run().await?;
    let span = profile.pieces.iter().filter_map(|piece| piece.keys).reduce(KeySpan::union);
    let mut rows = vec![0; supply.objects.len()];
    profile.pieces.iter().for_each(|piece| rows[piece.object as usize] += piece.rows); // usize has at least 32 bits
    let object = |(object, rows): (&crate::model::Object, u64)| InspectedObject {
        uri: object.uri.clone(),
        format: object.format.to_string(),
        bytes: object.bytes,
        rows,
    };
    let named = |(name, data_type): &(String, arrow_schema::DataType)| (name.clone(), super::type_name(data_type));
    Ok(Inspection {
        objects: supply.objects.iter().zip(rows).map(object).collect(),
        layouts: columns.iter().map(|columns| columns.columns.iter().map(named).collect()).collect(),
        path_columns: columns.first().map(|columns| columns.path_columns.clone()).unwrap_or_default(),
        rows: profile.rows.all,
        mended: profile.mended,
        time: time_column.zip(span).map(|(column, span)| InspectedTime {
            column: column.to_owned(),
            oldest: kind.short(span.min),
            newest: kind.short(span.max),
            ascending: profile.ascending,
            rows_unkeyed: profile.rows.unkeyed,
        }),
    })
}
