//! The source as the engine uses it: objects opened, their columns mapped, bytes and decoders on demand.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::custom::CustomDecoder;
use super::layout::{Layout, Route};
use super::rejects;
use crate::encode::{CopyFormat, Encoder};
use crate::error::{Error, ErrorKind, Result};
use crate::format::csv::{self, CsvDecoder, Delimiter, Dialect, Encoding};
use crate::format::parquet::{self, Footer, Metadata, ParquetDecoder};
use crate::format::{Decode, Step};
use crate::model::{Extent, Format, Object, Origin, Piece, RawRecord};
use crate::options::{CsvOptions, EmptyFields, Options};
use crate::schema::ObjectColumns;
use crate::source::{self, Objects, Part, Source, TableFormats};

/// Where rows come from.
#[derive(Clone)]
pub enum Input {
    /// Files, folders and globs.
    Files(Vec<String>),
    /// A source of one's own.
    Custom(Arc<dyn Source>),
}

/// Objects as they were listed, before any is opened.
pub(crate) struct Listing {
    /// In the order of their URIs.
    pub(crate) objects: Vec<Object>,
    reader: Reader,
}

enum Reader {
    Files(Objects),
    /// With the source's own number of each object's part.
    Custom(Arc<dyn Source>, Vec<u64>),
}

/// The source as the engine uses it.
pub(crate) struct Supply {
    pub(crate) objects: Vec<Object>,
    reader: Reader,
    details: Vec<Detail>,
    layouts: Vec<Layout>,
    /// Memory that a decoder may take for a piece.
    memory_bytes: u64,
}

/// What opening an object told.
pub(crate) struct Detail {
    pub(crate) kind: DetailKind,
    /// Position of the object's layout; an object without columns has no rows either, and none.
    layout: Option<usize>,
}

pub(crate) enum DetailKind {
    /// The dialect as it holds for the object, its column names, where its records stand, and how many lines were left out
    /// behind them.
    Csv {
        dialect: Arc<Dialect>,
        names: Arc<[String]>,
        body: Range<u64>,
        footer_lines: u64,
    },
    Parquet(Metadata),
    Custom,
    /// A file of delimited text without as much as a header.
    Empty,
}

/// Objects opened at once: enough to hide the latency of a request, few enough for any store.
const OPENED_AT_ONCE: usize = 16;

/// Bytes before the records of an object that are kept as they stand for whoever mends its rejects; longer ones are made of
/// the names of columns.
const HEADER_BYTES: u64 = 1 << 20;

/// Bytes of an object that are read for its header; doubled until they hold it.
const HEAD_BYTES: u64 = 64 << 10;

impl Listing {
    /// Lists the objects of `input`.
    pub(crate) async fn of(input: &Input, options: &Options) -> Result<Self> {
        match input {
            Input::Files(patterns) => {
                let limits = source::Limits { objects: options.limits.objects, ..source::Limits::default() };
                let (reader, objects) = source::list(patterns, limits, TableFormats::new(options.as_files)).await?;
                Ok(Self { objects, reader: Reader::Files(reader) })
            }
            Input::Custom(custom) => Self::of_parts(Arc::clone(custom), options.limits.objects),
        }
    }

    fn of_parts(custom: Arc<dyn Source>, objects_max: usize) -> Result<Self> {
        let object = |part: Part| Object {
            uri: format!("{}#{}", custom.name(), part.number),
            bytes: part.bytes,
            version: part.version,
            format: Format::Custom,
            path_columns: Vec::new(),
            file: None,
        };
        let numbered = |part: Part| (part.number, object(part));
        let parts = custom.parts()?;
        if parts.len() > objects_max {
            return Err(source::too_many(objects_max));
        }
        let mut listed: Vec<(u64, Object)> = parts.into_iter().map(numbered).collect();
        listed.sort_unstable_by(|(_, one), (_, two)| one.uri.cmp(&two.uri));
        if let Some(twice) = listed.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(Error::new(ErrorKind::Source, "is listed twice")
                .at_object(twice[0].1.uri.clone())
                .with_hint("each part of a source has a number of its own"));
        }
        let (numbers, objects) = listed.into_iter().unzip();
        Ok(Self { objects, reader: Reader::Custom(custom, numbers) })
    }

    /// The first and the last bytes of an object.
    pub(crate) async fn ends(&self, object: &Object, head_bytes: u64, tail_bytes: u64) -> Result<(Bytes, Bytes)> {
        let Reader::Files(reader) = &self.reader else { return Ok((Bytes::new(), Bytes::new())) };
        let head = 0..head_bytes.min(object.bytes);
        let tail = object.bytes.saturating_sub(tail_bytes)..object.bytes;
        let mut ends = reader.read(object, &[head, tail]).await?.into_iter();
        Ok((ends.next().unwrap_or_default(), ends.next().unwrap_or_default()))
    }

    /// Opens every object: its header or footer tells its columns.
    pub(crate) async fn open(self, options: &CsvOptions) -> Result<(Supply, Vec<ObjectColumns>)> {
        let (details, columns) = match &self.reader {
            Reader::Files(reader) => open_files(reader, &self.objects, options).await?,
            Reader::Custom(custom, _) => open_custom(custom.as_ref(), &self.objects),
        };
        Ok((
            Supply { objects: self.objects, reader: self.reader, details, layouts: Vec::new(), memory_bytes: 0 },
            columns,
        ))
    }
}

/// What is in the objects, and each set of columns that some of them have.
type Opened = (Vec<Detail>, Vec<ObjectColumns>);

/// Parts of one source have the same columns.
fn open_custom(custom: &dyn Source, parts: &[Object]) -> Opened {
    let schema = custom.schema();
    let columns = schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
    let describe = |first: &Object| ObjectColumns { object: first.uri.clone(), columns, path_columns: Vec::new() };
    let details = parts.iter().map(|_| Detail { kind: DetailKind::Custom, layout: Some(0) }).collect();
    (details, parts.first().map(describe).into_iter().collect())
}

async fn open_files(reader: &Objects, objects: &[Object], options: &CsvOptions) -> Result<Opened> {
    let dialect = dialect(options)?;
    let mut opened =
        stream::iter(objects).map(|object| open_file(reader, object, &dialect, options)).buffered(OPENED_AT_ONCE);
    let (mut sharing, mut details) = (Sharing::default(), Vec::with_capacity(objects.len()));
    while let Some((kind, columns)) = opened.try_next().await? {
        details.push(sharing.detail(kind, columns));
    }
    Ok((details, sharing.layouts))
}

async fn open_file(
    reader: &Objects,
    object: &Object,
    dialect: &Dialect,
    options: &CsvOptions,
) -> Result<(DetailKind, ObjectColumns)> {
    let path_columns = object.path_columns.iter().map(|(name, _)| name.clone()).collect();
    let describe = |columns| ObjectColumns { object: object.uri.clone(), columns, path_columns };
    if object.format == Format::Parquet {
        let metadata = read_footer(reader, object).await?;
        let columns = metadata.columns();
        return Ok((DetailKind::Parquet(metadata), describe(columns)));
    }
    let header = read_header(reader, object, dialect).await?;
    if header.columns == 0 {
        return Ok((DetailKind::Empty, describe(Vec::new())));
    }
    let (end, footer_lines) = read_end(reader, object, &header).await?;
    let names: Arc<[String]> = options.columns.clone().unwrap_or(header.names).into();
    let columns = names.iter().map(|name| (name.clone(), DataType::Utf8)).collect();
    let body = header.body..end;
    Ok((DetailKind::Csv { dialect: header.dialect, names, body, footer_lines }, describe(columns)))
}

fn dialect(options: &CsvOptions) -> Result<Dialect> {
    let encoding = Encoding::named(&options.encoding)?;
    // A mark that the encoding has no bytes for stands in no field.
    let mut null_marks: Vec<Vec<u8>> = options.null_marks.iter().filter_map(|mark| encoding.encode(mark)).collect();
    if options.empty_fields != EmptyFields::Text {
        null_marks.push(Vec::new());
    }
    let delimiter = encoding.encode(&options.delimiter).ok_or_else(|| {
        let message =
            format!("there is no '{}' in {}, so it cannot be the delimiter", options.delimiter, encoding.name());
        Error::new(ErrorKind::Settings, message)
    })?;
    let dialect = Dialect {
        delimiter: Delimiter::try_new(&delimiter)?,
        encoding,
        quote: options.quote,
        escape: options.escape,
        comment: options.comment,
        null_marks,
        quoted_empty_is_null: options.empty_fields == EmptyFields::Null,
        has_header: options.columns.is_none(),
        skip_lines: options.skip_lines,
        footer_lines: options.footer_lines,
        ragged: options.ragged,
        trim: options.trim,
        stray_quotes: options.stray_quotes,
        repeated_header: options.repeated_header,
        record_bytes_max: options.record_bytes_max,
        ..Dialect::default()
    };
    dialect.validate()?;
    Ok(dialect)
}

async fn read_header(reader: &Objects, object: &Object, dialect: &Dialect) -> Result<csv::Header> {
    let mut bytes = HEAD_BYTES.min(object.bytes);
    loop {
        let head = if bytes == 0 {
            Bytes::new()
        } else {
            one(reader.read(object, std::slice::from_ref(&(0..bytes))).await?)?
        };
        let header = csv::read_header(&head, bytes == object.bytes, dialect);
        if let Some(header) = header.map_err(|error| error.at_object(object.uri.clone()))? {
            return Ok(header);
        }
        if bytes > dialect.record_bytes_max {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("the header is longer than {} bytes", dialect.record_bytes_max),
            )
            .at_object(object.uri.clone()));
        }
        bytes = (bytes * 2).min(object.bytes);
    }
}

/// Where the records of an object end, and how many lines are left out behind them.
async fn read_end(reader: &Objects, object: &Object, header: &csv::Header) -> Result<(u64, u64)> {
    let (dialect, body) = (&header.dialect, header.body);
    let mut bytes = if dialect.footer_lines == 0 { 0 } else { HEAD_BYTES };
    loop {
        let start = object.bytes.saturating_sub(bytes).max(body);
        let start = start - (start - body) % 2; // a unit of UTF-16 has two bytes
        let tail = match start < object.bytes {
            true => one(reader.read(object, std::slice::from_ref(&(start..object.bytes))).await?)?,
            false => Bytes::new(),
        };
        if let Some((at, lines)) = csv::footer(&tail, start == body, dialect) {
            return Ok((start + at, lines));
        }
        if bytes > dialect.record_bytes_max {
            let lines = dialect.footer_lines;
            let message = format!("the last {lines} lines are longer than {} bytes", dialect.record_bytes_max);
            return Err(Error::new(ErrorKind::Limit, message).at_object(object.uri.clone()));
        }
        bytes *= 2;
    }
}

async fn read_footer(reader: &Objects, object: &Object) -> Result<Metadata> {
    let mut footer = Footer::try_new(object)?;
    loop {
        match footer.step()? {
            parquet::FooterStep::Need(ranges) => {
                let data = reader.read(object, &ranges).await?;
                footer.supply(ranges, data)?;
            }
            parquet::FooterStep::Ready(metadata) => return Ok(metadata),
        }
    }
}

fn one(data: Vec<Bytes>) -> Result<Bytes> {
    data.into_iter().next().ok_or_else(|| Error::new(ErrorKind::Internal, "a read of one range gave none"))
}

/// Columns of an object, with their types, and those in its path.
type Signature = (Vec<(String, DataType)>, Vec<String>);

/// What objects have in common, kept once however many there are.
#[derive(Default)]
struct Sharing {
    layouts: Vec<ObjectColumns>,
    /// The number of each layout.
    known: HashMap<Signature, usize>,
    /// Dialects and names of columns of delimited text; few, for they differ in line ends and headers.
    texts: Vec<(Arc<Dialect>, Arc<[String]>)>,
}

impl Sharing {
    fn detail(&mut self, mut kind: DetailKind, columns: ObjectColumns) -> Detail {
        match &mut kind {
            DetailKind::Empty => return Detail { kind, layout: None },
            DetailKind::Csv { dialect, names, .. } => self.share_text(dialect, names),
            DetailKind::Parquet(_) | DetailKind::Custom => {}
        }
        let ObjectColumns { object, columns, path_columns } = columns;
        let layout = *self.known.entry((columns, path_columns)).or_insert_with_key(|(columns, path_columns)| {
            let (columns, path_columns) = (columns.clone(), path_columns.clone());
            self.layouts.push(ObjectColumns { object, columns, path_columns });
            self.layouts.len() - 1
        });
        Detail { kind, layout: Some(layout) }
    }

    fn share_text(&mut self, dialect: &mut Arc<Dialect>, names: &mut Arc<[String]>) {
        match self.texts.iter().rev().take(TEXTS_COMPARED).find(|(known, other)| known == dialect && other == names) {
            Some((known, other)) => (*dialect, *names) = (Arc::clone(known), Arc::clone(other)),
            None => self.texts.push((Arc::clone(dialect), Arc::clone(names))),
        }
    }
}

/// Headers that a header is compared with, newest first: neighbours mostly have the same.
const TEXTS_COMPARED: usize = 4;

impl Supply {
    /// Sets how much memory a piece may take while it is decoded.
    pub(crate) fn with_memory(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Takes the layouts, mapped, one for each of the columns that opening gave.
    pub(crate) fn with_layouts(mut self, layouts: Vec<Layout>) -> Self {
        self.layouts = layouts;
        self
    }

    /// Lets INT96 timestamps lose what they have beyond microseconds.
    pub(crate) fn allow_lossy(&mut self) {
        for detail in &mut self.details {
            if let DetailKind::Parquet(metadata) = &mut detail.kind {
                metadata.allow_lossy();
            }
        }
    }

    pub(crate) fn detail(&self, object: usize) -> &DetailKind {
        &self.details[object].kind
    }

    /// How an object feeds the table; only an object with rows is asked.
    pub(crate) fn layout(&self, object: usize) -> &Layout {
        let layout = self.details[object].layout.expect("an object with pieces has columns");
        &self.layouts[layout]
    }

    pub(crate) fn first_layout(&self) -> Option<&Layout> {
        self.layouts.first()
    }

    /// How rows go to the server; the same for all objects.
    pub(crate) fn format(&self) -> CopyFormat {
        self.layouts.first().map_or(CopyFormat::Binary, |layout| layout.route.format)
    }

    /// Columns of the COPY in which the target takes no null.
    pub(crate) fn not_null(&self) -> &[usize] {
        self.layouts.first().map_or(&[][..], |layout| &layout.route.not_null)
    }

    /// Position of the object with this URI.
    pub(crate) fn object(&self, uri: &str) -> Option<u32> {
        let place = self.objects.binary_search_by(|object| object.uri.as_str().cmp(uri)).ok()?;
        u32::try_from(place).ok()
    }

    /// The record that stood at row `row` of `origin`, at most `bytes_max` bytes of it; `decoded` holds the rows of the origin.
    pub(crate) fn raw_record(
        &self,
        object: u32,
        origin: &Origin,
        row: usize,
        decoded: Option<&RecordBatch>,
        bytes_max: usize,
    ) -> RawRecord {
        match (self.detail(place(object)), origin.text_from(row)) {
            (DetailKind::Csv { dialect, names, .. }, Some(text)) => {
                RawRecord::of(csv::first_record(&text, dialect, names.len()), bytes_max)
            }
            _ => rejects::printed(decoded, self.layout(place(object)), row, bytes_max),
        }
    }

    /// What stands before the records of an object, as [`Self::raw_record`] gives them: names of columns, and lines to skip.
    pub(crate) async fn header(&self, object: u32) -> Result<Vec<u8>> {
        let (mut header, layout) = (Vec::new(), self.layout(place(object)));
        let sources = layout.sources();
        let names: Vec<&str> = match self.detail(place(object)) {
            DetailKind::Csv { body, .. } if body.start == 0 => return Ok(header),
            DetailKind::Csv { dialect, body, .. } if body.start <= HEADER_BYTES => {
                let head = self.fetch_one(object, 0..body.start).await?;
                return Ok(dialect.encoding.as_read(&head).into_owned());
            }
            DetailKind::Csv { names, .. } => names.iter().map(String::as_str).collect(),
            _ => sources.iter().map(String::as_str).collect(),
        };
        csv::print_names(names, &mut header);
        header.push(b'\n');
        Ok(header)
    }

    /// Name of a target column by its position in the COPY.
    pub(crate) fn column_name(&self, column: usize) -> &str {
        let route: Option<&Arc<Route>> = self.layouts.first().map(|layout| &layout.route);
        route.and_then(|route| route.columns.get(column)).map_or("", String::as_str)
    }

    /// An encoder for the rows of an object.
    pub(crate) fn encoder(&self, object: u32) -> Result<Encoder> {
        self.layout(place(object)).encoder()
    }

    /// A decoder for a piece, which yields its mapped columns in COPY order; `passing_over` records that are no rows, for the
    /// profile has noted them.
    pub(crate) fn decoder(&self, piece: &Piece, passing_over: bool) -> Result<Box<dyn Decode>> {
        let (object, layout) = (&self.objects[place(piece.object)], self.layout(place(piece.object)));
        match (self.detail(place(piece.object)), &self.reader) {
            (DetailKind::Csv { dialect, names, .. }, _) => {
                let projection = Arc::new(layout.csv_projection(names, &object.path_columns)?);
                let decoder = CsvDecoder::new(object, piece.extent, Arc::clone(dialect), projection)?;
                Ok(Box::new(decoder.passing_over(passing_over)))
            }
            (DetailKind::Parquet(metadata), _) => {
                let projection = layout.parquet_projection(&object.path_columns);
                self.parquet_decoder(object, metadata, piece.extent, &projection)
            }
            (DetailKind::Custom, Reader::Custom(custom, numbers)) => {
                let part = part(object, numbers[place(piece.object)]);
                Ok(Box::new(CustomDecoder::new(Arc::clone(custom), part, layout.sources())))
            }
            (DetailKind::Custom | DetailKind::Empty, _) => {
                Err(Error::new(ErrorKind::Internal, "an object without pieces has no decoder"))
            }
        }
    }

    /// A decoder for nothing but the time column of a piece, or for no column where there is none.
    pub(crate) fn key_decoder(&self, piece: &Piece) -> Result<Box<dyn Decode>> {
        let (object, layout) = (&self.objects[place(piece.object)], self.layout(place(piece.object)));
        let time: Vec<String> = layout.time_source().map(|mapped| mapped.source.clone()).into_iter().collect();
        match (self.detail(place(piece.object)), &self.reader) {
            (DetailKind::Parquet(metadata), _) => {
                let projection = parquet::Projection::of_columns(time);
                self.parquet_decoder(object, metadata, piece.extent, &projection)
            }
            (DetailKind::Custom, Reader::Custom(custom, numbers)) => {
                let part = part(object, numbers[place(piece.object)]);
                Ok(Box::new(CustomDecoder::new(Arc::clone(custom), part, time)))
            }
            _ => Err(Error::new(ErrorKind::Internal, "delimited text is profiled as text")),
        }
    }

    fn parquet_decoder(
        &self,
        object: &Object,
        metadata: &Metadata,
        extent: Extent,
        projection: &parquet::Projection,
    ) -> Result<Box<dyn Decode>> {
        let decoder = ParquetDecoder::try_new(object, metadata, extent, projection, ROWS_PER_BATCH)?;
        Ok(Box::new(decoder.with_bytes_max(self.memory_bytes)))
    }

    /// Fetches byte ranges of an object.
    pub(crate) async fn fetch(&self, object: u32, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        match &self.reader {
            Reader::Files(reader) => reader.read(&self.objects[place(object)], ranges).await,
            Reader::Custom(..) => Err(Error::new(ErrorKind::Internal, "a custom source has no bytes to fetch")),
        }
    }

    /// Fetches one byte range of an object.
    pub(crate) async fn fetch_one(&self, object: u32, range: Range<u64>) -> Result<Bytes> {
        one(self.fetch(object, &[range]).await?)
    }

    /// Drives a decoder to its end on the CPU pool, handing each batch to `take`.
    pub(crate) async fn drain<T: Send + 'static>(
        &self,
        pool: &crate::pool::CpuPool,
        object: u32,
        mut decoder: Box<dyn Decode>,
        mut state: T,
        take: impl Fn(&mut T, crate::model::Rows) -> Result<()> + Send + Copy + 'static,
    ) -> Result<T> {
        loop {
            let step = move || {
                let step = loop {
                    match decoder.step()? {
                        Step::Rows(rows) => take(&mut state, rows)?,
                        other => break other,
                    }
                };
                Ok((decoder, state, step))
            };
            let (returned_decoder, returned_state, step) = pool.run(step).await?;
            (decoder, state) = (returned_decoder, returned_state);
            let Step::Need(ranges) = step else { return Ok(state) };
            let data = self.fetch(object, &ranges).await?;
            decoder.supply(ranges, data)?;
        }
    }
}

/// The part of a custom source that is kept as an object.
fn part(object: &Object, number: u64) -> Part {
    Part { number, version: object.version.clone(), bytes: object.bytes }
}

/// Bytes that a piece takes in memory while it is decoded and encoded, with its blocks that wait to be sent.
pub(crate) fn bytes_in_memory(piece: &Piece) -> u64 {
    // The bytes, the decoded columns, and blocks of up to half as many bytes again.
    piece.bytes.saturating_mul(3).saturating_add(BLOCK_ALLOWANCE)
}

/// Rows that are decoded and encoded together: their columns stay in the second-level cache.
const ROWS_PER_BATCH: usize = 8192;

/// What a piece takes beside its own bytes: the block being built and those that wait.
const BLOCK_ALLOWANCE: u64 = 8 << 20;

fn place(object: u32) -> usize {
    object as usize // usize has at least 32 bits
}

impl From<Vec<String>> for Input {
    fn from(patterns: Vec<String>) -> Self {
        Self::Files(patterns)
    }
}

impl From<&str> for Input {
    fn from(pattern: &str) -> Self {
        Self::Files(vec![pattern.to_owned()])
    }
}

impl From<Arc<dyn Source>> for Input {
    fn from(source: Arc<dyn Source>) -> Self {
        Self::Custom(source)
    }
}
