//! The profile of one piece: how many rows it holds and which time keys, without building a column.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{KeyKind, KeySpan, Mended, RawRecord, Reject, TimeKey, datetime};
use crate::schema::{Reading, key_of_text};

use super::dialect::{Dialect, NullMarks, Symbols};
use super::encoding::Encoding;
use super::offset;
use super::record::{Field, Group, Records, Site};
use super::utf16::Locator;
use crate::format::RejectRoom;

/// What a profile must know.
#[derive(Debug, Clone, Copy)]
pub struct ProfileContext<'a> {
    /// URI of the object, for errors.
    pub object: &'a str,
    /// The dialect that [`read_header`](super::read_header) found for the object.
    pub dialect: &'a Dialect,
    /// How many fields each record has.
    pub columns: usize,
    /// The time column, if the table has one.
    pub key: Option<KeyColumn<'a>>,
    /// The job's range `[from, until)`, either end open where `None`.
    pub range: (Option<TimeKey>, Option<TimeKey>),
    /// How many records may be passed over that cannot be read, or whose time cannot; `None` where the first is an error.
    pub rejects: Option<RejectRoom>,
}

/// The time column as it stands in the object.
#[derive(Debug, Clone, Copy)]
pub struct KeyColumn<'a> {
    /// Its position in a record, from 0.
    pub position: usize,
    /// Its name, for errors.
    pub name: &'a str,
    /// What it holds.
    pub kind: KeyKind,
    /// How its texts are read.
    pub reading: &'a Reading,
}

/// What the profile found in a piece.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PieceProfile {
    /// Rows, those that were passed over included.
    pub rows: u64,
    /// Smallest and largest finite time key.
    pub keys: Option<KeySpan>,
    /// Rows whose time is null or infinite.
    pub unkeyed: u64,
    /// Rows whose time is finite and before the range.
    pub before: u64,
    /// Rows whose time is finite and at or after the end of the range.
    pub after: u64,
    /// Whether no finite time key is smaller than one before it.
    pub ascending: bool,
    /// What was mended.
    pub mended: Mended,
    /// Records that were passed over: they, or their time, cannot be read.
    pub rejects: Vec<Reject>,
}

/// Profiles `piece`, which starts at offset `start` of the object with record number `first_record`. Where pieces are
/// profiled in parallel that number is not known yet: give 1, and [`renumber`] errors and rejects.
///
/// # Errors
///
/// The first record that cannot be read, has another number of fields, or whose time is none, with its place; where such
/// records are passed over, one that may be the rest of the piece, or the first past the room for them.
pub fn profile(piece: &[u8], start: u64, first_record: u64, context: &ProfileContext<'_>) -> Result<PieceProfile> {
    let Some(utf16) = context.dialect.encoding.utf16() else {
        return profile_text(piece, start, first_record, context);
    };
    let text = utf16.to_utf8(piece);
    let found = profile_text(&text, 0, first_record, context);
    let mut found = found.map_err(|error| Encoding::relocated(error, start, &text))?;
    let mut locator = Locator::new(start, Some(utf16));
    for byte in found.rejects.iter_mut().filter_map(|reject| reject.byte.as_mut()) {
        *byte = locator.locate(&text, usize::try_from(*byte).expect("it is a position in the piece"));
    }
    Ok(found)
}

fn profile_text(piece: &[u8], start: u64, first_record: u64, context: &ProfileContext<'_>) -> Result<PieceProfile> {
    let site = Site { object: context.object.into(), start };
    let records = Records::new(site, first_record, context.dialect, Some(context.columns));
    let mut records = records.passing_over(context.rejects.is_some());
    let mut found = PieceProfile { ascending: true, ..PieceProfile::default() };
    let mut keys = context.key.map(|column| KeyReader::new(context, column));
    let symbols = context.dialect.symbols();
    let mut rejecting = Rejecting::new(context);
    while let Some(group) = records.next_group(piece, usize::MAX)? {
        if context.dialect.mends_fields() {
            count_mended_fields(piece, &group, &symbols, &mut found.mended);
        }
        if keys.as_ref().is_some_and(|keys| keys.column.position >= group.columns()) {
            found.unkeyed += offset(group.len());
        } else if let Some(keys) = &mut keys {
            for (row, field) in group.column(keys.column.position).enumerate() {
                let place = |error: Error| {
                    error.at_record(group.first_record() + offset(row)).at_byte(start + offset(field.start))
                };
                if let Err(error) = keys.take(piece, field, &mut found).map_err(place) {
                    let text = &piece[group.start(row)..];
                    let record = super::first_record(text, context.dialect, context.columns);
                    rejecting.take(error, record, &mut found)?;
                }
            }
        }
        found.rows += offset(group.len());
        rejecting.take_misread(&mut records, piece, &mut found)?;
    }
    rejecting.take_misread(&mut records, piece, &mut found)?;
    found.rejects.sort_by_key(|reject| reject.record);
    found.mended += records.mended();
    Ok(found)
}

/// Counts the fields of a group that options mend. Every field is looked at, those too that feed nothing.
fn count_mended_fields(piece: &[u8], group: &Group<'_>, symbols: &Symbols, mended: &mut Mended) {
    for field in (0..group.columns()).flat_map(|column| group.column(column)) {
        let trimmed = symbols.trimmed(piece, field);
        mended.trimmed += u64::from((trimmed.start, trimmed.end) != (field.start, field.end));
        let raw = &piece[trimmed.start..trimmed.end];
        mended.stray_quotes += u64::from(symbols.keeps_stray_quotes && symbols.has_stray_quote(raw, field.quoted));
    }
}

/// Makes rejects of records that are passed over, as far as there is room for them.
struct Rejecting {
    room: Option<RejectRoom>,
    object: Arc<str>,
    bytes: usize,
}

impl Rejecting {
    fn new(context: &ProfileContext<'_>) -> Self {
        Self { room: context.rejects, object: context.object.into(), bytes: 0 }
    }

    /// Keeps the record with its `error`, which is the one to tell where there is no room for it.
    fn take(&mut self, error: Error, record: &[u8], found: &mut PieceProfile) -> Result<()> {
        let Some(room) = self.room else { return Err(error) };
        let place = error.place();
        let reject = Reject {
            object: Arc::clone(&self.object),
            record: place.record.unwrap_or_default(),
            byte: place.byte,
            column: place.column.clone(),
            reason: error.reason(),
            sqlstate: place.sqlstate.clone(),
            raw: RawRecord::of(record, room.record_bytes),
        };
        self.bytes += reject.memory_bytes();
        if self.bytes > room.bytes || found.rejects.len() >= room.rows {
            return Err(error);
        }
        found.rejects.push(reject);
        Ok(())
    }

    fn take_misread(&mut self, records: &mut Records, piece: &[u8], found: &mut PieceProfile) -> Result<()> {
        for misread in records.take_misread() {
            found.rows += 1;
            self.take(misread.error, &piece[misread.range], found)?;
        }
        Ok(())
    }
}

/// An error of [`profile`](profile()) in a piece that was taken to start with record 1, once its first record's number
/// is known.
#[must_use]
pub fn renumber(error: Error, first_record: u64) -> Error {
    match error.place().record {
        Some(record) => error.at_record(record + first_record - 1),
        None => error,
    }
}

/// Reads time keys and keeps count.
struct KeyReader<'a> {
    context: &'a ProfileContext<'a>,
    column: KeyColumn<'a>,
    nulls: NullMarks,
    symbols: Symbols,
    scratch: Vec<u8>,
    /// The last field and its key: neighbouring rows often have the same time.
    last: Option<(std::ops::Range<usize>, TimeKey)>,
    /// The largest finite key so far.
    newest: Option<TimeKey>,
}

impl<'a> KeyReader<'a> {
    fn new(context: &'a ProfileContext<'a>, column: KeyColumn<'a>) -> Self {
        Self {
            context,
            column,
            nulls: NullMarks::new(context.dialect),
            symbols: context.dialect.symbols(),
            scratch: Vec::new(),
            last: None,
            newest: None,
        }
    }

    /// Counts one row by its time.
    fn take(&mut self, piece: &[u8], field: Field, found: &mut PieceProfile) -> Result<()> {
        let Some(key) = self.read(piece, field)?.filter(|key| !self.column.kind.is_infinite(*key)) else {
            found.unkeyed += 1;
            return Ok(());
        };
        let (from, until) = self.context.range;
        found.before += u64::from(from.is_some_and(|from| key < from));
        found.after += u64::from(until.is_some_and(|until| key >= until));
        let own = KeySpan { min: key, max: key };
        found.keys = Some(found.keys.map_or(own, |keys| keys.union(own)));
        found.ascending &= self.newest.is_none_or(|newest| newest <= key);
        self.newest = self.newest.max(Some(key));
        Ok(())
    }

    fn read(&mut self, piece: &[u8], field: Field) -> Result<Option<TimeKey>> {
        let field = self.symbols.trimmed(piece, field);
        let raw = &piece[field.start..field.end];
        if !field.quoted && self.nulls.holds(raw) {
            return Ok(None);
        }
        if let Some((last, key)) = &self.last
            && piece[last.clone()] == *raw
        {
            return Ok(Some(*key));
        }
        let text = self.symbols.text(piece, field, &mut self.scratch);
        if field.quoted && self.nulls.holds_quoted(text) {
            return Ok(None);
        }
        let key = parse(text, self.column.kind, self.column.reading).map_err(|fault| {
            let shown = self.context.dialect.encoding.decode_lossy(text);
            let error = Error::new(ErrorKind::Data, refusal(&shown, self.column.kind));
            let mut error = error.at_object(self.context.object).in_column(self.column.name);
            if text.eq_ignore_ascii_case(self.column.name.as_bytes()) {
                error = error.with_hint("`--repeated-header skip` skips records that are the header once more");
            }
            match fault {
                Some(fault) => error.with_source(fault),
                None => error,
            }
        })?;
        self.last = Some((field.start..field.end, key));
        Ok(Some(key))
    }
}

fn parse(text: &[u8], kind: KeyKind, reading: &Reading) -> Result<TimeKey, Option<datetime::Fault>> {
    if kind != KeyKind::Integer {
        return key_of_text(text, kind, reading).map(TimeKey).map_err(Some);
    }
    let number = std::str::from_utf8(text).ok();
    let number = number.and_then(|text| text.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']).parse().ok());
    number.map(TimeKey).ok_or(None)
}

/// `"abc" is not a date`, with at most 40 characters of the value.
fn refusal(text: &str, kind: KeyKind) -> String {
    let shown: String = text.chars().take(40).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    let article = if kind == KeyKind::Integer { "an" } else { "a" };
    format!("\"{}{more}\" is not {article} {kind}", shown.escape_debug())
}
