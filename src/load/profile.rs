//! The profile: every object cut into pieces, each with its exact rows and the span of its time keys.

use std::ops::Range as Bytes;
use std::sync::Arc;

use arrow_array::Int64Array;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::clip::{Keys, TimeColumn};
use super::layout::Layout;
use super::rejects::{self, Allowance, Headers, Sieve};
use super::supply::{DetailKind, Supply, bytes_in_memory};
use crate::error::{Error, ErrorKind, Result};
use crate::format::csv::{self, Dialect, PieceProfile, Seams};
use crate::format::parquet::{Metadata, RowGroupKeys, key_spans};
use crate::model::{Extent, KeyKind, KeySpan, Mended, Piece, Reject, RowFault, Rows, SourceRows, TimeKey};
use crate::options::MaxRejects;
use crate::plan::Range;
use crate::pool::{ByteLimit, CpuPool};
use crate::schema::{Reading, may_lack_keys_inside};

/// What the profile found.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) rows: SourceRows,
    /// Whether the rows of every object, and the objects in the order of their names, ascend in time.
    pub(crate) ascending: bool,
    pub(crate) mended: Mended,
    /// Rows that belong to no window, because they, or their time, cannot be read.
    pub(crate) rejects: Vec<Reject>,
    /// What stands before the records of the objects that those rows are of.
    pub(crate) headers: Headers,
}

/// What profiling needs.
pub(crate) struct Profiler<'a> {
    pub(crate) supply: &'a Arc<Supply>,
    pub(crate) time: Option<(KeyKind, Reading)>,
    pub(crate) range: Range,
    pub(crate) pool: &'a CpuPool,
    pub(crate) memory: &'a ByteLimit,
    /// Chunks, pieces or row groups worked on at once.
    pub(crate) at_once: usize,
    /// The most pieces that the source may have: all are kept in memory.
    pub(crate) pieces_max: usize,
    /// What is allowed of rows that cannot be read.
    pub(crate) allowance: Allowance,
}

/// Bytes of a CSV piece: small enough for several in memory, large enough that requests and seams cost nothing.
const CHUNK_BYTES: u64 = 4 << 20;

/// Source bytes that consecutive small row groups are joined to.
const ROW_GROUP_BYTES: u64 = 4 << 20;

/// One piece, with its rows by where they fall.
struct Found {
    piece: Piece,
    rows: SourceRows,
    ascending: bool,
    rejects: Vec<Reject>,
}

/// The pieces of an object, and what was mended in it.
#[derive(Default)]
struct Pieces {
    found: Vec<Found>,
    mended: Mended,
}

impl From<Vec<Found>> for Pieces {
    fn from(found: Vec<Found>) -> Self {
        Self { found, mended: Mended::default() }
    }
}

impl Profiler<'_> {
    /// Profiles every object.
    ///
    /// # Errors
    ///
    /// The first object that cannot be read, or whose time cannot be understood, with its place;
    /// [`ErrorKind::Limit`] if there are too many pieces.
    pub(crate) async fn run(&self) -> Result<Profile> {
        let mut profile = Profile { ascending: true, ..Profile::default() };
        let (mut newest, mut bytes): (Option<TimeKey>, usize) = (None, 0);
        let objects = 0..u32::try_from(self.supply.objects.len()).unwrap_or(u32::MAX);
        // Small objects are profiled side by side; the parts of a large one are too.
        let mut found = stream::iter(objects).map(|object| self.object(object)).buffered(self.at_once);
        while let Some(pieces) = found.try_next().await? {
            profile.mended += pieces.mended;
            for Found { piece, rows, ascending, rejects } in pieces.found {
                profile.rows += rows;
                bytes += rejects::memory_bytes(&rejects);
                profile.rejects.extend(rejects);
                self.check_rejects(&profile.rejects, bytes)?;
                if let Some(keys) = piece.keys {
                    profile.ascending &= ascending && newest.is_none_or(|newest| newest <= keys.min);
                    newest = newest.max(Some(keys.max));
                }
                if profile.pieces.len() == self.pieces_max {
                    return Err(too_many(self.pieces_max));
                }
                profile.pieces.push(piece);
            }
        }
        if let Some(first) = profile.rejects.first() {
            self.allowance.check(profile.rows.rejected, self.allowance.limit(profile.rows), first)?;
        }
        profile.headers.know(self.supply, &profile.rejects).await?;
        Ok(profile)
    }

    /// Ends the profile once there are more rejects than the job may have, or than memory holds.
    fn check_rejects(&self, found: &[Reject], bytes: usize) -> Result<()> {
        let Some(first) = found.first() else { return Ok(()) };
        if let MaxRejects::Rows(limit) = self.allowance.max {
            self.allowance.check(found.len() as u64, limit, first)?; // usize has at most 64 bits
        }
        if bytes <= rejects::BYTES_MAX {
            return Ok(());
        }
        let last = found.last().unwrap_or(first);
        Err(Error::new(
            ErrorKind::Limit,
            format!("{} rows cannot be read, which is more than memory is kept for", found.len()),
        )
        .with_source(rejects::error_of(last))
        .with_hint("is the source read as it is meant (--delimiter, --quote, --columns, --time-column)? Else load some of its objects"))
    }

    async fn object(&self, object: u32) -> Result<Pieces> {
        let position = object as usize; // usize has at least 32 bits
        match self.supply.detail(position) {
            DetailKind::Empty => Ok(Pieces::default()),
            DetailKind::Custom => self.custom(object).await.map(|found| Pieces::from(vec![found])),
            DetailKind::Parquet(metadata) => self.parquet(object, metadata).await.map(Pieces::from),
            DetailKind::Csv { dialect, names, body, footer_lines } => {
                let extents = self.seams(object, dialect, body.clone()).await?;
                let mut pieces = self.csv(object, dialect, names, extents).await?;
                pieces.mended.footer_lines += footer_lines;
                Ok(pieces)
            }
        }
    }

    /// Where the pieces of a CSV object begin and end.
    async fn seams(&self, object: u32, dialect: &Arc<Dialect>, body: Bytes<u64>) -> Result<Vec<Bytes<u64>>> {
        if (1..=CHUNK_BYTES).contains(&body.end.saturating_sub(body.start)) {
            // One chunk is one piece: there is no seam to look for, and a small object is read once less.
            return Ok(std::iter::once(body).collect());
        }
        let chunks = body.clone().step_by(usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX));
        let survey = |start: u64| async move {
            let end = (start + CHUNK_BYTES).min(body.end);
            let _permit = self.memory.take(end - start).await;
            let chunk = self.supply.fetch_one(object, start..end).await?;
            let dialect = Arc::clone(dialect);
            self.pool.run(move || Ok(csv::survey(&chunk, &dialect))).await
        };
        let mut surveys = stream::iter(chunks).map(survey).buffered(self.at_once);
        let mut seams = Seams::new(body.start, dialect);
        let mut pieces = Vec::new();
        while let Some(survey) = surveys.try_next().await? {
            let uri = &self.supply.objects[object as usize].uri; // usize has at least 32 bits
            pieces.extend(seams.push(&survey).map_err(|error| error.at_object(uri.clone()))?);
        }
        pieces.extend(seams.finish());
        Ok(pieces)
    }

    async fn csv(
        &self,
        object: u32,
        dialect: &Arc<Dialect>,
        names: &[String],
        extents: Vec<Bytes<u64>>,
    ) -> Result<Pieces> {
        let layout = self.supply.layout(object as usize); // usize has at least 32 bits
        let key = csv_key(layout, names);
        let profiles = stream::iter(extents.into_iter().map(|extent| {
            let (key, dialect) = (key.clone(), Arc::clone(dialect));
            async move { (extent.clone(), self.csv_piece(object, dialect, names.len(), key, extent).await) }
        }));
        let mut profiles = profiles.buffered(self.at_once);
        let (mut pieces, mut next_record) = (Pieces::default(), 1);
        while let Some((extent, profiled)) = profiles.next().await {
            let piece = profiled.map_err(|error| csv::renumber(error, next_record))?;
            let (rows, mended) = (piece.rows, piece.mended);
            pieces.found.push(csv_found(object, &extent, next_record, piece));
            pieces.mended += mended;
            next_record += rows;
        }
        Ok(pieces)
    }

    async fn csv_piece(
        &self,
        object: u32,
        dialect: Arc<Dialect>,
        columns: usize,
        key: Option<(usize, String)>,
        extent: Bytes<u64>,
    ) -> Result<PieceProfile> {
        let _permit = self.memory.take(extent.end - extent.start).await;
        let bytes = self.supply.fetch_one(object, extent.clone()).await?;
        let uri = self.supply.objects[object as usize].uri.clone(); // usize has at least 32 bits
        let (time, range, rejects) = (self.time.clone(), self.range, self.allowance.room());
        self.pool
            .run(move || {
                let key = key.as_ref().zip(time.as_ref()).map(|((position, name), (kind, reading))| csv::KeyColumn {
                    position: *position,
                    name,
                    kind: *kind,
                    reading,
                });
                let range = (range.from, range.until);
                let context = csv::ProfileContext { object: &uri, dialect: &dialect, columns, key, range, rejects };
                csv::profile(&bytes, extent.start, 1, &context)
            })
            .await
    }

    /// Row groups by their statistics where these can be trusted and the range does not cut them, else by their keys.
    async fn parquet(&self, object: u32, metadata: &Metadata) -> Result<Vec<Found>> {
        let layout = self.supply.layout(object as usize); // usize has at least 32 bits
        let groups = metadata.row_groups(&layout.parquet_projection(&[]))?;
        let known = match (&self.time, layout.time_source()) {
            // Where rejects are allowed it is to be known how many there are, and statistics do not tell.
            (Some((kind, reading)), Some(mapped))
                if self.allowance.max.allows_any() && may_lack_keys_inside(&mapped.source_type, *kind, reading) =>
            {
                vec![RowGroupKeys::Unknown; groups.len()]
            }
            (Some((kind, reading)), Some(mapped)) => key_spans(metadata, &mapped.source, *kind, reading)?,
            _ => vec![RowGroupKeys::Exact { span: None, unkeyed: 0 }; groups.len()],
        };
        let mut first_record = 1;
        let pieces = groups.iter().zip(known).zip(0_u32..).map(|((group, keys), first)| {
            let extent = Extent::RowGroups { first, count: 1, first_record };
            first_record += group.rows;
            let piece = Piece { object, extent, rows: group.rows, bytes: group.bytes, keys: None, unkeyed: 0 };
            self.row_group(piece, keys)
        });
        let found: Vec<Found> = stream::iter(pieces).buffered(self.at_once).try_collect().await?;
        Ok(join_row_groups(found))
    }

    async fn row_group(&self, piece: Piece, keys: RowGroupKeys) -> Result<Found> {
        match keys {
            RowGroupKeys::Exact { span, unkeyed } if !self.cuts(span) => {
                let mut rows = SourceRows { all: piece.rows, unkeyed, ..SourceRows::default() };
                if let Some(span) = span {
                    let keyed = piece.rows - unkeyed;
                    rows.before = if self.range.from.is_some_and(|from| span.max < from) { keyed } else { 0 };
                    rows.after = if self.range.until.is_some_and(|until| span.min >= until) { keyed } else { 0 };
                }
                // Statistics do not tell the order inside a row group; between row groups it shows in their spans.
                let piece = Piece { keys: span, unkeyed, ..piece };
                Ok(Found { piece, rows, ascending: true, rejects: Vec::new() })
            }
            _ => self.read_keys(piece).await,
        }
    }

    /// Whether a bound of the range falls inside `span`.
    fn cuts(&self, span: Option<KeySpan>) -> bool {
        let inside =
            |bound: Option<TimeKey>, span: KeySpan| bound.is_some_and(|bound| span.min < bound && bound <= span.max);
        span.is_some_and(|span| inside(self.range.from, span) || inside(self.range.until, span))
    }

    async fn custom(&self, object: u32) -> Result<Found> {
        let bytes = self.supply.objects[object as usize].bytes; // usize has at least 32 bits
        let piece = Piece { object, extent: Extent::Custom { number: 0 }, rows: 0, bytes, keys: None, unkeyed: 0 };
        self.read_keys(piece).await
    }

    /// Reads the time column of a piece, or just counts its rows where there is none.
    async fn read_keys(&self, mut piece: Piece) -> Result<Found> {
        let layout = self.supply.layout(piece.object as usize); // usize has at least 32 bits
        let time = self.time.as_ref().filter(|_| layout.time.is_some());
        let passing_over = self.allowance.max.allows_any();
        let time =
            time.map(|(kind, reading)| TimeColumn { position: 0, kind: *kind, reading: reading.clone(), passing_over });
        let _permit = self.memory.take(bytes_in_memory(&piece)).await;
        let decoder = self.supply.key_decoder(&piece)?;
        let scan = KeyScan { time, range: self.range, ascending: true, ..KeyScan::default() };
        let scan = self.supply.drain(self.pool, piece.object, decoder, scan, KeyScan::take).await?;
        (piece.rows, piece.keys, piece.unkeyed) = (scan.rows.all, scan.span, scan.rows.unkeyed + scan.rows.rejected);
        let rejects = if scan.rows.rejected == 0 { Vec::new() } else { self.read_rejects(&piece).await? };
        if rejects.len() as u64 != scan.rows.rejected {
            // usize has at most 64 bits
            return Err(Error::new(ErrorKind::Source, "it gives other rows when it is read again")
                .at_object(self.supply.objects[piece.object as usize].uri.clone())); // usize has at least 32 bits
        }
        Ok(Found { piece, rows: scan.rows, ascending: scan.ascending, rejects })
    }

    /// Reads a piece once more, in all its columns, for its rows whose time cannot be read.
    async fn read_rejects(&self, piece: &Piece) -> Result<Vec<Reject>> {
        let layout = self.supply.layout(piece.object as usize); // usize has at least 32 bits
        let Some(((kind, reading), position)) = self.time.clone().zip(layout.time) else { return Ok(Vec::new()) };
        let time = TimeColumn { position, kind, reading, passing_over: true };
        let decoder = self.supply.decoder(piece, true)?;
        let (supply, object, allowance) = (Arc::clone(self.supply), piece.object, self.allowance);
        let scan = RejectScan { time, supply, object, allowance, rejects: Vec::new(), bytes: 0 };
        let scan = self.supply.drain(self.pool, piece.object, decoder, scan, RejectScan::take).await?;
        Ok(scan.rejects)
    }
}

/// Rows of a piece whose time cannot be read.
struct RejectScan {
    time: TimeColumn,
    supply: Arc<Supply>,
    object: u32,
    allowance: Allowance,
    rejects: Vec<Reject>,
    bytes: usize,
}

impl RejectScan {
    fn take(&mut self, rows: Rows) -> Result<()> {
        let (keyed, Keys { unread, .. }) = self.time.key(rows)?;
        let sieve = Sieve { supply: &self.supply, object: self.object, allowance: self.allowance };
        for fault in &unread {
            let reject = sieve.reject(&keyed, fault)?;
            self.bytes += reject.memory_bytes();
            let is_full = self.allowance.room().is_none_or(|room| self.rejects.len() > room.rows);
            self.rejects.push(reject);
            if is_full || self.bytes > rejects::BYTES_MAX {
                let last = keyed.refuse(fault, self.supply.column_name(fault.column));
                let rows = self.rejects.len();
                return Err(Error::new(
                    ErrorKind::Data,
                    format!("{rows} rows of one piece cannot be read, which is too many"),
                )
                .with_source(last));
            }
        }
        Ok(())
    }
}

fn too_many(pieces_max: usize) -> Error {
    Error::new(ErrorKind::Limit, format!("the source has more than {pieces_max} pieces")).with_hint(
        "load it in several jobs, each over some of the objects, or join many small objects first; --pieces-max \
             (limits.pieces) allows more, at some 115 bytes of memory each",
    )
}

/// Position and name of the time column in the records of an object.
fn csv_key(layout: &Layout, names: &[String]) -> Option<(usize, String)> {
    let mapped = layout.time_source()?;
    let position = names.iter().position(|name| *name == mapped.source)?;
    Some((position, mapped.target.name.clone()))
}

fn csv_found(object: u32, extent: &Bytes<u64>, first_record: u64, found: PieceProfile) -> Found {
    let rejected = found.rejects.len() as u64; // usize has at most 64 bits
    let piece = Piece {
        object,
        extent: Extent::Bytes { start: extent.start, end: extent.end, first_record },
        rows: found.rows,
        bytes: extent.end - extent.start,
        keys: found.keys,
        unkeyed: found.unkeyed + rejected,
    };
    let PieceProfile { rows: all, before, after, unkeyed, ascending, mut rejects, .. } = found;
    // The piece was taken to start with record 1.
    rejects.iter_mut().for_each(|reject| reject.record += first_record - 1);
    Found { piece, rows: SourceRows { all, before, after, unkeyed, rejected }, ascending, rejects }
}

/// Joins small neighbouring row groups, so that each piece is worth its request.
fn join_row_groups(found: Vec<Found>) -> Vec<Found> {
    let mut joined: Vec<Found> = Vec::new();
    for next in found {
        let Some(joint) = joined.last_mut().filter(|joint| joint.piece.bytes + next.piece.bytes <= ROW_GROUP_BYTES)
        else {
            joined.push(next);
            continue;
        };
        let (last, piece) = (&mut joint.piece, next.piece);
        if let Extent::RowGroups { count, .. } = &mut last.extent {
            *count += 1;
        }
        let in_order = last.keys.zip(piece.keys).is_none_or(|(one, two)| one.max <= two.min);
        last.rows += piece.rows;
        last.bytes += piece.bytes;
        last.unkeyed += piece.unkeyed;
        last.keys = match (last.keys, piece.keys) {
            (Some(one), Some(two)) => Some(one.union(two)),
            (one, two) => one.or(two),
        };
        joint.rows += next.rows;
        joint.ascending &= next.ascending && in_order;
        joint.rejects.extend(next.rejects);
    }
    joined
}

/// Keys of a piece that has to be read for them.
#[derive(Default)]
struct KeyScan {
    time: Option<TimeColumn>,
    range: Range,
    rows: SourceRows,
    span: Option<KeySpan>,
    ascending: bool,
}

impl KeyScan {
    fn take(&mut self, rows: Rows) -> Result<()> {
        let Some(time) = &self.time else {
            self.rows.all += rows.batch.num_rows() as u64; // usize has at most 64 bits
            return Ok(());
        };
        let (_, Keys { keys, unread }) = time.key(rows)?;
        let time = time.clone();
        self.count(&time, &keys, &unread);
        Ok(())
    }

    fn count(&mut self, time: &TimeColumn, keys: &Int64Array, unread: &[RowFault]) {
        self.rows.all += keys.len() as u64; // usize has at most 64 bits
        // Those have no key either.
        let rejected = unread.len() as u64; // likewise
        self.rows.rejected += rejected;
        for key in keys {
            let Some(key) = key.filter(|key| !time.infinite(*key)).map(TimeKey) else {
                self.rows.unkeyed += 1;
                continue;
            };
            self.rows.before += u64::from(self.range.from.is_some_and(|from| key < from));
            self.rows.after += u64::from(self.range.until.is_some_and(|until| key >= until));
            self.ascending &= self.span.is_none_or(|span| span.max <= key);
            let own = KeySpan { min: key, max: key };
            self.span = Some(self.span.map_or(own, |span| span.union(own)));
        }
        self.rows.unkeyed -= rejected;
    }
}
