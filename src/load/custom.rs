//! Decodes the parts of a custom source: there are no bytes to fetch, only batches to take.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::format::{Decode, Step};
use crate::model::{Origin, Rows};
use crate::source::{Batches, Part, Source};

/// Yields the batches of a part, with the wanted columns in their order.
pub(crate) struct CustomDecoder {
    source: Arc<dyn Source>,
    part: Part,
    columns: Vec<String>,
    batches: Option<Batches>,
    uri: Arc<str>,
    next_record: u64,
}

impl CustomDecoder {
    pub(crate) fn new(source: Arc<dyn Source>, part: Part, columns: Vec<String>) -> Self {
        let uri = format!("{}#{}", source.name(), part.number).into();
        Self { source, part, columns, batches: None, uri, next_record: 1 }
    }

    fn project(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = batch.schema();
        let place = |name: &String| {
            let missing =
                || Error::new(ErrorKind::Source, format!("a batch lacks column {name}")).at_object(&*self.uri);
            schema.index_of(name).map_err(|error| missing().with_source(error))
        };
        let places = self.columns.iter().map(place).collect::<Result<Vec<_>>>()?;
        let wrong = |error| Error::new(ErrorKind::Source, "a batch").at_object(&*self.uri).with_source(error);
        batch.project(&places).map_err(wrong)
    }
}

impl Decode for CustomDecoder {
    fn step(&mut self) -> Result<Step> {
        if self.batches.is_none() {
            self.batches = Some(self.source.read(&self.part)?);
        }
        let Some(batch) = self.batches.as_mut().and_then(Iterator::next) else { return Ok(Step::Done) };
        let batch = self.project(&batch?)?;
        let origin = Origin::of_records(Arc::clone(&self.uri), self.next_record);
        self.next_record += batch.num_rows() as u64; // usize has at most 64 bits
        Ok(Step::Rows(Rows { batch, origin, faults: Vec::new() }))
    }

    fn supply(&mut self, _: Vec<Range<u64>>, _: Vec<Bytes>) -> Result<()> {
        Err(Error::new(ErrorKind::Internal, "a custom source asks for no bytes"))
    }
}
