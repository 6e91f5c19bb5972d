//! What becomes of rows that cannot be loaded: an error at the first, or rejects as far as the job allows them.

use std::collections::HashMap;
use std::sync::Mutex;

use arrow_array::RecordBatch;

use super::careful::Found;
use super::clip::Keyed;
use super::layout::Layout;
use super::supply::Supply;
use crate::encode::{BlockBuilder, Encoder};
use crate::error::{Error, ErrorKind, Result};
use crate::format::RejectRoom;
use crate::model::{RawRecord, Reject, RowFault, SourceRows};
use crate::options::{MaxRejects, Options};

/// Memory that rejects may take until they are in the ledger: those that belong to no window all together, and those of one
/// transaction.
pub(crate) const BYTES_MAX: usize = 64 << 20;

/// Rejects of a batch, in bytes of memory, after which it is ended: what is entered in one go should not be long in the
/// making.
pub(crate) const BATCH_BYTES: usize = 8 << 20;

/// What a job allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    pub(crate) max: MaxRejects,
    /// Bytes that are kept of each row.
    pub(crate) record_bytes: usize,
}

impl Allowance {
    pub(crate) fn of(options: &Options) -> Self {
        let record_bytes = usize::try_from(options.limits.reject_bytes).unwrap_or(usize::MAX);
        Self { max: options.max_rejects, record_bytes }
    }

    /// How many rows the job may reject, of a source of `rows`.
    pub(crate) fn limit(self, rows: SourceRows) -> u64 {
        self.max.of(rows.inside() + rows.rejected)
    }

    /// Room for rows of one piece that cannot be read, where such rows are allowed at all.
    pub(crate) fn room(self) -> Option<RejectRoom> {
        let rows = match self.max {
            MaxRejects::Rows(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
            MaxRejects::PerMillion(_) => usize::MAX,
        };
        let room = RejectRoom { rows, bytes: BYTES_MAX, record_bytes: self.record_bytes };
        self.max.allows_any().then_some(room)
    }

    /// Refuses `rejected` rows, of which `first` is one, if that is more than `limit`.
    pub(crate) fn check(self, rejected: u64, limit: u64, first: &Reject) -> Result<()> {
        if rejected <= limit {
            return Ok(());
        }
        let of = match self.max {
            MaxRejects::Rows(_) => String::new(),
            MaxRejects::PerMillion(_) => format!(" ({limit} rows)"),
        };
        let rows = crate::report::counted(rejected, "row");
        let message = format!("{rows} cannot be loaded, and --max-rejects {} allows no more{of}", self.max);
        Err(Error::new(ErrorKind::Data, message).with_source(error_of(first)).with_hint(
            "mend the source, or allow more: a resume may change --max-rejects; `pgbackfill rejects` prints those \
                        that are set aside",
        ))
    }
}

/// Memory that rejects take.
pub(crate) fn memory_bytes(rejects: &[Reject]) -> usize {
    rejects.iter().map(Reject::memory_bytes).sum()
}

/// The error that a reject would have been.
pub(crate) fn error_of(reject: &Reject) -> Error {
    let error = Error::new(ErrorKind::Data, reject.reason.clone()).at_object(&*reject.object).at_record(reject.record);
    let error = match reject.byte {
        Some(byte) => error.at_byte(byte),
        None => error,
    };
    let error = match &reject.column {
        Some(column) => error.in_column(column),
        None => error,
    };
    match &reject.sqlstate {
        Some(code) => error.with_sqlstate(code),
        None => error,
    }
}

/// Tells rows of one object that can be loaded from those that cannot.
#[derive(Clone, Copy)]
pub(crate) struct Sieve<'a> {
    pub(crate) supply: &'a Supply,
    pub(crate) object: u32,
    pub(crate) allowance: Allowance,
}

impl Sieve<'_> {
    /// Rows of `rows` that cannot be loaded, as far as that is known before they are encoded.
    pub(crate) fn faults(&self, rows: &Keyed) -> Vec<RowFault> {
        rows.faults(self.supply.not_null())
    }

    /// A row at fault as a reject; an error where none are allowed.
    pub(crate) fn reject(&self, rows: &Keyed, fault: &RowFault) -> Result<Reject> {
        let column = self.supply.column_name(fault.column);
        if !self.allowance.max.allows_any() {
            return Err(rows.refuse(fault, column));
        }
        let (origin, place) = (&rows.origin, rows.place(fault.row));
        Ok(Reject {
            object: origin.object.clone(),
            record: origin.record(place),
            byte: fault.byte.or_else(|| origin.byte(place)),
            column: Some(column.to_owned()).filter(|column| !column.is_empty()),
            reason: fault.reason.clone(),
            sqlstate: fault.sqlstate.map(str::to_owned),
            raw: self.supply.raw_record(self.object, origin, place, rows.decoded(), self.allowance.record_bytes),
        })
    }

    /// The rows of `rows` that can be encoded, as far as that is known before; rejects of the others go to `rejects`.
    pub(crate) fn pass(&self, rows: Keyed, rejects: &mut Vec<Reject>) -> Result<Keyed> {
        let faults = self.faults(&rows);
        for fault in &faults {
            rejects.push(self.reject(&rows, fault)?);
        }
        rows.without(&faults)
    }

    /// The rows of `rows` that are not among those `found` to be refused by the server; those go to `rejects`.
    pub(crate) fn without(&self, rows: Keyed, found: &Found, rejects: &mut Vec<Reject>) -> Result<Keyed> {
        if found.is_empty() {
            return Ok(rows);
        }
        let mut faults = Vec::new();
        for row in 0..rows.batch.num_rows() {
            let record = rows.origin.record(rows.place(row));
            if let Some(reject) = found.get(&(self.object, record)) {
                rejects.push(reject.clone());
                faults.push(RowFault { row, column: 0, reason: String::new(), byte: None, sqlstate: None });
            }
        }
        rows.without(&faults)
    }

    /// Encodes `count` rows from `start` on; rejects of those that cannot be stored go to `rejects`, and their places are given
    /// back.
    pub(crate) fn encode(
        &self,
        rows: &Keyed,
        (start, count): (usize, usize),
        encoder: &mut Encoder,
        builder: &mut BlockBuilder,
        rejects: &mut Vec<Reject>,
    ) -> Result<Vec<usize>> {
        if !self.allowance.max.allows_any() {
            rows.encode(start, count, encoder, builder, |column| self.supply.column_name(column))?;
            return Ok(Vec::new());
        }
        let faults = rows.encode_good(start, count, encoder, builder)?;
        for fault in &faults {
            rejects.push(self.reject(rows, fault)?);
        }
        Ok(faults.into_iter().map(|fault| fault.row).collect())
    }
}

/// A raw record of an object without bytes of its own: the source columns of row `place` of `decoded`, each value as it would
/// be stored, so that what is loaded again becomes the same.
pub(crate) fn printed(decoded: Option<&RecordBatch>, layout: &Layout, place: usize, bytes_max: usize) -> RawRecord {
    let Some(batch) = decoded else { return RawRecord::default() };
    let mut text = Vec::new();
    crate::format::csv::print_record(batch, place, |position, value| layout.stored_text(position, value), &mut text);
    RawRecord::of(&text, bytes_max)
}

/// What stands before the records of objects that have rejects: fetched once, and handed to the ledger with the first of an
/// object's rejects that are committed.
#[derive(Debug, Default)]
pub(crate) struct Headers(Mutex<HashMap<String, Option<Vec<u8>>>>);

impl Headers {
    /// Sees to it that what stands before the records of the objects of `rejects` is known.
    pub(crate) async fn know(&self, supply: &Supply, rejects: &[Reject]) -> Result<()> {
        for of_one in rejects.chunk_by(|one, two| one.object == two.object) {
            let uri = &*of_one[0].object;
            let Some(object) = supply.object(uri).filter(|_| !self.map().contains_key(uri)) else { continue };
            let header = supply.header(object).await?;
            self.map().entry(uri.to_owned()).or_insert(Some(header));
        }
        Ok(())
    }

    /// The headers of the objects of `rejects` that the ledger may not have yet.
    pub(crate) fn of(&self, rejects: &[Reject]) -> Vec<(String, Vec<u8>)> {
        let map = self.map();
        let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
        for reject in rejects {
            if headers.last().is_some_and(|(uri, _)| **uri == *reject.object) {
                continue;
            }
            if let Some(Some(header)) = map.get(&*reject.object) {
                headers.push((reject.object.to_string(), header.clone()));
            }
        }
        // In one order in all transactions, so that none waits for another that waits for it.
        headers.sort();
        headers.dedup();
        headers
    }

    /// The ledger has these now.
    pub(crate) fn entered(&self, headers: Vec<(String, Vec<u8>)>) {
        let mut map = self.map();
        headers.into_iter().for_each(|(uri, _)| drop(map.insert(uri, None)));
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<String, Option<Vec<u8>>>> {
        self.0.lock().expect("no thread panics while it holds the headers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject() -> Reject {
        Reject {
            object: "a.csv".into(),
            record: 7,
            byte: Some(70),
            column: Some("n".to_owned()),
            reason: "\"x\" is not an integer".to_owned(),
            sqlstate: None,
            raw: RawRecord::default(),
        }
    }

    #[test]
    fn more_rejects_than_allowed_are_an_error_that_names_the_first_their_number_and_the_limit() {
        let allowance = Allowance { max: MaxRejects::PerMillion(10_000), record_bytes: 1 };
        let rows = SourceRows { all: 1000, before: 300, rejected: 2, ..SourceRows::default() };
        let limit = allowance.limit(rows);
        assert_eq!(limit, 7);
        assert!(allowance.check(7, limit, &reject()).is_ok());
        let error = allowance.check(8, limit, &reject()).unwrap_err();
        assert_eq!(error.to_string(), "8 rows cannot be loaded, and --max-rejects 1% allows no more (7 rows)");
        assert_eq!((error.place().record, error.place().byte), (Some(7), Some(70)));
        assert_eq!(error.kind(), ErrorKind::Data);
    }

    #[test]
    fn headers_are_entered_once_and_in_one_order() {
        let headers = Headers::default();
        headers.map().insert("b".to_owned(), Some(b"x\n".to_vec()));
        headers.map().insert("a".to_owned(), Some(b"y\n".to_vec()));
        let of = |object: &str| Reject { object: object.into(), ..reject() };
        let rejects = [of("b"), of("a"), of("b"), of("c")];
        let found = headers.of(&rejects);
        assert_eq!(found.iter().map(|(uri, _)| uri.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        headers.entered(found);
        assert_eq!(headers.of(&rejects), []);
    }
}
