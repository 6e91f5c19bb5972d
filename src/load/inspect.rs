//! A source described without a target: its objects, columns, rows, and the order of its time.

mod advice;

use std::sync::Arc;

use serde::Serialize;

pub use advice::Advice;

use super::layout::Layout;
use super::profile::Profiler;
use super::rejects::Allowance;
use super::supply::{Input, Listing};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{KeyKind, KeySpan, Mended, Reject};
use crate::options::{MaxRejects, Options};
use crate::plan::Range;
use crate::pool::{ByteLimit, CpuPool};
use crate::schema::Reading;

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
    /// Rows in all; 0 where not all of them could be read.
    pub rows: u64,
    /// What is mended in delimited text.
    pub mended: Mended,
    /// Oldest and newest time, and whether rows are in its order, where a time column was named.
    pub time: Option<InspectedTime>,
    /// How its delimited text seems to want to be read, where it has some.
    pub advice: Option<Advice>,
    /// How many records cannot be read so; at least one where the reading ended at the first.
    pub rows_bad: u64,
    /// The first of them.
    pub bad: Vec<BadRecord>,
}

/// A record that cannot be read.
#[derive(Debug, Clone, Serialize)]
pub struct BadRecord {
    /// The object, the record in it from 1, and the offset of the byte.
    pub object: Option<String>,
    /// Its number in the object, from 1; the header is none.
    pub record: Option<u64>,
    /// The offset of its start, or of the failing byte.
    pub byte: Option<u64>,
    /// The column of a value that cannot be read.
    pub column: Option<String>,
    /// Why.
    pub reason: String,
    /// The beginning of the record, where it could be told from others.
    pub text: Option<String>,
}

/// Bad records that are described; the others are counted.
const BAD_SHOWN: usize = 5;

/// Characters of a bad record that are shown.
const BAD_CHARACTERS: usize = 120;

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

/// Describes a source. Delimited text is looked at first: what is found to serve it is recommended, and the source is read
/// by it. `settled` names options, such as `delimiter`, that are not to be guessed, beside those that differ from their
/// defaults. With a time column, its texts and values are read as `timestamptz`.
///
/// # Errors
///
/// The first object that cannot be read at all. A record of delimited text that cannot is part of the description.
pub async fn inspect(input: impl Into<Input>, options: &Options, settled: &[String]) -> Result<Inspection> {
    options.check()?;
    let listing = Listing::of(&input.into(), options).await?;
    let advised = advice::advise(&listing, options, settled).await?;
    let mut options = options.clone();
    if let Some((_, sniffed)) = &advised {
        // Bad records are told, however many there are.
        options.max_rejects = MaxRejects::Rows(u64::MAX);
        options.csv = advice::followed(&options.csv, sniffed);
        options.times.formats.extend(advice::formats(sniffed)?);
    }
    let object = |object: &crate::model::Object| InspectedObject {
        uri: object.uri.clone(),
        format: object.format.to_string(),
        bytes: object.bytes,
        rows: 0,
    };
    let unread = Inspection {
        objects: listing.objects.iter().map(object).collect(),
        layouts: Vec::new(),
        path_columns: Vec::new(),
        rows: 0,
        mended: Mended::default(),
        time: None,
        advice: advised.map(|(advice, _)| advice),
        rows_bad: 0,
        bad: Vec::new(),
    };
    match read(listing, &options, unread.clone()).await {
        Err(error) if unread.advice.is_some() && matches!(error.kind(), ErrorKind::Data | ErrorKind::Limit) => {
            Ok(Inspection { rows_bad: 1, bad: vec![BadRecord::of(&error)], ..unread })
        }
        read => read,
    }
}

impl BadRecord {
    fn of(error: &Error) -> Self {
        let place = error.place();
        Self {
            object: place.object.clone(),
            record: place.record,
            byte: place.byte,
            column: place.column.clone(),
            reason: error.reason(),
            text: None,
        }
    }

    fn of_reject(reject: &Reject) -> Self {
        let text = String::from_utf8_lossy(&reject.raw.bytes);
        let mut shown: String = text.chars().take(BAD_CHARACTERS).collect();
        if reject.raw.is_cut || shown.len() < text.len() {
            shown.push('…');
        }
        Self {
            object: Some(reject.object.to_string()),
            record: Some(reject.record),
            byte: reject.byte,
            column: reject.column.clone(),
            reason: reject.reason.clone(),
            text: Some(shown),
        }
    }
}

/// Reads all of a source, and completes what is known of it.
async fn read(listing: Listing, options: &Options, mut found: Inspection) -> Result<Inspection> {
    let (mut supply, columns) = listing.open(&options.csv).await?;
    if options.times.allow_lossy {
        supply.allow_lossy();
    }
    let reading = Reading::from(options);
    let (kind, time_column) = (KeyKind::TimestampTz, options.time_column.as_deref());
    let layouts = columns.iter().map(|columns| Layout::bare(columns, time_column, &reading)).collect::<Result<_>>()?;
    let supply = Arc::new(supply.with_layouts(layouts).with_memory(options.limits.memory_bytes));
    let threads = options.limits.threads.unwrap_or_else(super::prepare::cores);
    let (pool, memory) = (CpuPool::try_new(threads)?, ByteLimit::new(options.limits.memory_bytes));
    let time = time_column.map(|name| (kind, reading.of_column(name)));
    let range = Range::default();
    let (at_once, pieces_max) = (threads + 1, options.limits.pieces);
    let allowance = Allowance::of(options);
    let profiler =
        Profiler { supply: &supply, time, range, pool: &pool, memory: &memory, at_once, pieces_max, allowance };
    let profile = profiler.run().await?;
    let span = profile.pieces.iter().filter_map(|piece| piece.keys).reduce(KeySpan::union);
    for piece in &profile.pieces {
        found.objects[piece.object as usize].rows += piece.rows; // usize has at least 32 bits
    }
    let named = |(name, data_type): &(String, arrow_schema::DataType)| (name.clone(), super::type_name(data_type));
    found.layouts = columns.iter().map(|columns| columns.columns.iter().map(named).collect()).collect();
    found.path_columns = columns.first().map(|columns| columns.path_columns.clone()).unwrap_or_default();
    found.rows = profile.rows.all;
    found.mended = profile.mended;
    found.rows_bad = profile.rows.rejected;
    found.bad = profile.rejects.iter().take(BAD_SHOWN).map(BadRecord::of_reject).collect();
    found.time = time_column.zip(span).map(|(column, span)| InspectedTime {
        column: column.to_owned(),
        oldest: kind.short(span.min),
        newest: kind.short(span.max),
        ascending: profile.ascending,
        rows_unkeyed: profile.rows.unkeyed,
    });
    Ok(found)
}
