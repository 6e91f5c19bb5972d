//! The spool: blocks of all windows, made in one pass over sources that are in no order of time.
//!
//! Where windows would read the same pieces again and again, the pieces are decoded once, their rows are parted by window and
//! encoded, and the blocks wait, compressed, in one temporary file. The file has no name, so that it is gone with the
//! process however that ends.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow_array::UInt32Array;
use arrow_select::take::take_record_batch;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::blocks::{BlockLimits, SentBlock};
use super::clip::{Keyed, TimeColumn};
use super::rejects::{Allowance, Sieve};
use super::supply::{Supply, bytes_in_memory};
use crate::encode::{BlockBuilder, Encoder};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Decode, Step};
use crate::model::{Block, RawRecord, Reject, RowHash, Rows, TimeKey, Window};
use crate::options::Limits;
use crate::plan::Plan;
use crate::pool::{ByteLimit, CpuPool};

/// Blocks of all windows, in a temporary file.
pub(crate) struct Spool {
    file: Arc<Mutex<SpoolFile>>,
    /// Of every window that was open when it was filled.
    chunks: HashMap<Window, Vec<Chunk>>,
}

struct SpoolFile {
    file: File,
    folder: PathBuf,
    bytes: u64,
    bytes_max: u64,
}

/// A compressed block in the file, or rejects.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    offset: u64,
    compressed: usize,
    holds: Holds,
}

/// What a chunk holds.
#[derive(Debug, Clone, Copy)]
enum Holds {
    Block { rows: u64, hash: RowHash },
    Rejects,
}

/// What one pass over the pieces needs.
pub(crate) struct Pass<'a> {
    pub(crate) plan: &'a Plan,
    /// Windows that are still to be loaded.
    pub(crate) open: &'a [Window],
    pub(crate) supply: &'a Arc<Supply>,
    pub(crate) time: &'a TimeColumn,
    pub(crate) pool: &'a CpuPool,
    pub(crate) memory: &'a ByteLimit,
    pub(crate) limits: &'a Limits,
    pub(crate) allowance: Allowance,
    pub(crate) lanes: usize,
}

impl Spool {
    /// Makes the blocks of all open windows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`] if they take more disk than the limit.
    pub(crate) async fn fill(pass: Pass<'_>) -> Result<Self> {
        let folder = pass.limits.spool_folder.clone().unwrap_or_else(std::env::temp_dir);
        let file = temporary_file(&folder)?;
        let file = SpoolFile { file, folder, bytes: 0, bytes_max: pass.limits.spool_bytes };
        let chunks = pass.open.iter().map(|window| (*window, Vec::new())).collect();
        let mut spool = Self { file: Arc::new(Mutex::new(file)), chunks };
        let pieces = pass.plan.pieces_of_any(pass.open);
        let lane_bytes = pass.memory.bytes_max() / 4 / pass.lanes.max(1) as u64; // usize has at most 64 bits
        let parting = Arc::new(Parting {
            windows: pass.open.to_vec(),
            time: pass.time.clone(),
            block: BlockLimits::of(pass.limits),
            bytes_max: lane_bytes,
            allowance: pass.allowance,
        });
        let lane = |number: usize| {
            let (pieces, parting, file) = (&pieces, Arc::clone(&parting), Arc::clone(&spool.file));
            lane(&pass, pieces.iter().copied().skip(number).step_by(pass.lanes), parting, file)
        };
        let lanes = futures_util::future::try_join_all((0..pass.lanes).map(lane)).await?;
        for (window, chunk) in lanes.into_iter().flatten() {
            spool.chunks.entry(pass.open[window]).or_default().push(chunk);
        }
        Ok(spool)
    }

    /// Whether it holds all rows of `window`: one that was opened again since it was filled is read from its pieces.
    pub(crate) fn holds(&self, window: &Window) -> bool {
        self.chunks.contains_key(window)
    }
}

fn temporary_file(folder: &Path) -> Result<File> {
    tempfile::tempfile_in(folder).map_err(|error| {
        Error::new(ErrorKind::Limit, format!("make a temporary file in {}", folder.display()))
            .with_source(error)
            .with_hint(OTHER_FOLDER)
    })
}

const OTHER_FOLDER: &str = "choose a folder with room for the source, that this user may write to: --spool-folder, or \
                            TMPDIR; then the same command again resumes the job";

/// One pass over some of the pieces: blocks by position of their window.
async fn lane(
    pass: &Pass<'_>,
    pieces: impl Iterator<Item = usize>,
    parting: Arc<Parting>,
    file: Arc<Mutex<SpoolFile>>,
) -> Result<Vec<(usize, Chunk)>> {
    let mut chunks = Vec::new();
    let mut held = Held::default();
    for piece in pieces.map(|position| &pass.plan.pieces[position]) {
        let _permit = pass.memory.take(bytes_in_memory(piece)).await;
        let passing_over = pass.allowance.max.allows_any();
        let (decoder, encoder) = (pass.supply.decoder(piece, passing_over)?, pass.supply.encoder(piece.object)?);
        let (supply, object, parting) = (Arc::clone(pass.supply), piece.object, Arc::clone(&parting));
        let mut work = PartedPiece { decoder, encoder, held, parting, supply, object };
        loop {
            let (returned, made) = pass.pool.run(move || work.advance()).await?;
            work = returned;
            match made {
                Made::Need(ranges) => {
                    let data = pass.supply.fetch(piece.object, &ranges).await?;
                    work.decoder.supply(ranges, data)?;
                }
                Made::Full => chunks.extend(flush(pass.pool, &mut work.held, &file).await?),
                Made::Done => break,
            }
        }
        held = work.held;
    }
    chunks.extend(flush(pass.pool, &mut held, &file).await?);
    Ok(chunks)
}

/// Compresses what is held and appends it to the file.
async fn flush(pool: &CpuPool, held: &mut Held, file: &Arc<Mutex<SpoolFile>>) -> Result<Vec<(usize, Chunk)>> {
    let held = std::mem::take(held);
    let compressed = pool
        .run(move || {
            let compress = |(window, holds, bytes): (usize, Holds, Bytes)| {
                (window, holds, lz4_flex::compress_prepend_size(&bytes))
            };
            Ok(held.into_parts().map(compress).collect::<Vec<_>>())
        })
        .await?;
    let file = Arc::clone(file);
    let append = move || {
        let mut file = file.lock().expect("no thread panics while it holds the spool");
        let store = |(window, holds, bytes): (usize, Holds, Vec<u8>)| {
            Ok((window, Chunk { offset: file.append(&bytes)?, compressed: bytes.len(), holds }))
        };
        compressed.into_iter().map(store).collect::<Result<Vec<_>>>()
    };
    blocking(append).await
}

impl SpoolFile {
    fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        let offset = self.bytes;
        self.bytes += bytes.len() as u64; // usize has at most 64 bits
        if self.bytes > self.bytes_max {
            let (folder, bytes_max) = (self.folder.display(), self.bytes_max);
            return Err(Error::new(
                ErrorKind::Limit,
                format!("the spool in {folder} takes more than {bytes_max} bytes"),
            )
            .with_hint("give it more (--spool-bytes), sort the source by time, or load it in shorter ranges"));
        }
        let written = self.file.seek(SeekFrom::Start(offset)).and_then(|_| self.file.write_all(bytes));
        written.map_err(|error| {
            let (folder, written) = (self.folder.display(), offset);
            Error::new(ErrorKind::Limit, format!("write to the spool in {folder}, after {written} bytes"))
                .with_source(error)
                .with_hint(OTHER_FOLDER)
        })?;
        Ok(offset)
    }

    fn read(&mut self, chunk: Chunk) -> Result<Vec<u8>> {
        let mut bytes = vec![0; chunk.compressed];
        let read = self.file.seek(SeekFrom::Start(chunk.offset)).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|error| Error::new(ErrorKind::Source, "read back from the spool").with_source(error))?;
        Ok(bytes)
    }
}

/// Sends the blocks of `window` out of the spool.
pub(crate) async fn send(context: &super::context::Context, window: Window, sender: mpsc::Sender<Result<SentBlock>>) {
    let spool = context.spool.as_ref().expect("only a run with a spool sends from it");
    for chunk in spool.chunks.get(&window).into_iter().flatten() {
        let file = Arc::clone(&spool.file);
        let sent = send_chunk(context, file, *chunk).await;
        let failed = sent.is_err();
        if sender.send(sent).await.is_err() || failed {
            return;
        }
    }
}

async fn send_chunk(context: &super::context::Context, file: Arc<Mutex<SpoolFile>>, chunk: Chunk) -> Result<SentBlock> {
    let sent = read_chunk(&context.pool, file, chunk).await?;
    context.headers.know(&context.supply, &sent.rejects).await?;
    Ok(sent)
}

async fn read_chunk(pool: &CpuPool, file: Arc<Mutex<SpoolFile>>, chunk: Chunk) -> Result<SentBlock> {
    let read = move || file.lock().expect("no thread panics while it holds the spool").read(chunk);
    let compressed = blocking(read).await?;
    pool.run(move || {
        let bytes = lz4_flex::decompress_size_prepended(&compressed)
            .map_err(|error| Error::new(ErrorKind::Source, "read back from the spool").with_source(error))?;
        Ok(match chunk.holds {
            Holds::Block { rows, hash } => {
                let block = Block { bytes: Bytes::from(bytes), rows, hash };
                SentBlock { block, rejects: Vec::new(), spans: Vec::new(), permit: None }
            }
            Holds::Rejects => {
                let block = Block { bytes: Bytes::new(), rows: 0, hash: RowHash::default() };
                SentBlock { block, rejects: unpack(&bytes)?, spans: Vec::new(), permit: None }
            }
        })
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::new(ErrorKind::Internal, "work on the spool").with_source(error)))
}

/// How rows are parted.
struct Parting {
    /// Open windows, oldest first.
    windows: Vec<Window>,
    time: TimeColumn,
    block: BlockLimits,
    /// COPY bytes that a lane may hold.
    bytes_max: u64,
    allowance: Allowance,
}

/// Blocks of a lane that are not in the file yet, by position of their window.
#[derive(Default)]
struct Held {
    builders: HashMap<usize, BlockBuilder>,
    full: Vec<(usize, Block)>,
    rejects: HashMap<usize, Vec<Reject>>,
    /// What builders and blocks hold, kept as it grows: there may be as many builders as windows.
    bytes: usize,
}

/// What a builder takes beside its rows, with its place in the map.
const BUILDER_BYTES: usize = 256;

impl Held {
    /// Finishes the block of `window` if it is full.
    fn cut(&mut self, window: usize, limits: BlockLimits) {
        if let Some(builder) = self.builders.get_mut(&window).filter(|builder| limits.is_full(builder)) {
            self.full.push((window, builder.finish()));
        }
    }

    fn reject(&mut self, window: usize, reject: Reject) {
        self.bytes += reject.memory_bytes();
        self.rejects.entry(window).or_default().push(reject);
    }

    fn into_parts(self) -> impl Iterator<Item = (usize, Holds, Bytes)> {
        let open = self.builders.into_iter().map(|(window, mut builder)| (window, builder.finish()));
        let blocks = self.full.into_iter().chain(open).filter(|(_, block)| block.rows > 0);
        let blocks = blocks.map(|(window, block)| {
            let holds = Holds::Block { rows: block.rows, hash: block.hash };
            (window, holds, block.bytes)
        });
        blocks.chain(self.rejects.into_iter().map(|(window, rejects)| (window, Holds::Rejects, pack(&rejects))))
    }
}

/// A reject as it is spooled: object, record, byte, column, reason, SQLSTATE, raw record, whether that was cut.
type Packed = (String, u64, Option<u64>, Option<String>, String, Option<String>, Vec<u8>, bool);

fn pack(rejects: &[Reject]) -> Bytes {
    let packed = |reject: &Reject| -> Packed {
        let Reject { object, record, byte, column, reason, sqlstate, raw } = reject.clone();
        (object.to_string(), record, byte, column, reason, sqlstate, raw.bytes.to_vec(), raw.is_cut)
    };
    let packed: Vec<Packed> = rejects.iter().map(packed).collect();
    serde_json::to_vec(&packed).expect("a reject has plain fields only").into()
}

fn unpack(bytes: &[u8]) -> Result<Vec<Reject>> {
    let packed: Vec<Packed> = serde_json::from_slice(bytes)
        .map_err(|error| Error::new(ErrorKind::Source, "read back from the spool").with_source(error))?;
    let reject = |(object, record, byte, column, reason, sqlstate, raw, is_cut): Packed| Reject {
        object: object.into(),
        record,
        byte,
        column,
        reason,
        sqlstate,
        raw: RawRecord { bytes: raw.into(), is_cut },
    };
    Ok(packed.into_iter().map(reject).collect())
}

/// A piece under way, moved to the CPU pool and back.
struct PartedPiece {
    decoder: Box<dyn Decode>,
    encoder: Encoder,
    held: Held,
    parting: Arc<Parting>,
    supply: Arc<Supply>,
    object: u32,
}

enum Made {
    Need(Vec<Range<u64>>),
    Full,
    Done,
}

impl PartedPiece {
    fn advance(mut self) -> Result<(Self, Made)> {
        loop {
            match self.decoder.step()? {
                Step::Need(ranges) => return Ok((self, Made::Need(ranges))),
                Step::Done => return Ok((self, Made::Done)),
                Step::Rows(rows) => self.part(rows)?,
            }
            if self.held.bytes as u64 >= self.parting.bytes_max {
                return Ok((self, Made::Full)); // usize has at most 64 bits
            }
        }
    }

    /// Encodes each row into the builder of its window. Rows are first brought together by window, so that each window's rows
    /// are encoded in one go.
    fn part(&mut self, rows: Rows) -> Result<()> {
        crate::failpoint::hit("spool")?;
        let (keyed, keys) = self.parting.time.key(rows)?;
        let mut order: Vec<(usize, u32)> = Vec::with_capacity(keyed.batch.num_rows());
        for (row, key) in (0_u32..).zip(keys.keys.iter()) {
            if let Some(window) = key.and_then(|key| self.parting.window_of(key)) {
                order.push((window, row));
            }
        }
        self.reject_faults(&keyed, &mut order)?;
        order.sort_unstable();
        let indices = UInt32Array::from_iter_values(order.iter().map(|(_, row)| *row));
        let sorted = take_record_batch(&keyed.batch, &indices)
            .map_err(|error| Error::new(ErrorKind::Internal, "part rows by window").with_source(error))?;
        let sorted = keyed.reordered(sorted, order.iter().map(|(_, row)| *row as usize).collect()); // u32 fits usize
        let mut start = 0;
        for run in order.chunk_by(|one, two| one.0 == two.0) {
            self.encode(&sorted, run[0].0, start, run.len())?;
            start += run.len();
        }
        Ok(())
    }

    /// Takes rows that cannot be loaded out of `order`, which is still in that of the rows.
    fn reject_faults(&mut self, rows: &Keyed, order: &mut Vec<(usize, u32)>) -> Result<()> {
        let sieve = self.sieve();
        let (faults, mut rejects) = (sieve.faults(rows), Vec::new());
        for fault in &faults {
            // A row of no open window is nobody's concern here.
            let row = u32::try_from(fault.row).unwrap_or(u32::MAX);
            if let Ok(place) = order.binary_search_by_key(&row, |(_, row)| *row) {
                rejects.push((order[place].0, sieve.reject(rows, fault)?));
            }
        }
        if !faults.is_empty() {
            let at_fault = |row: u32| faults.binary_search_by_key(&(row as usize), |fault| fault.row).is_ok(); // u32 fits usize
            order.retain(|(_, row)| !at_fault(*row));
        }
        rejects.into_iter().for_each(|(window, reject)| self.held.reject(window, reject));
        Ok(())
    }

    fn sieve(&self) -> Sieve<'_> {
        Sieve { supply: &self.supply, object: self.object, allowance: self.parting.allowance }
    }

    fn encode(&mut self, rows: &Keyed, window: usize, start: usize, length: usize) -> Result<()> {
        let (mut start, end) = (start, start + length);
        while start < end {
            let sieve = Sieve { supply: &self.supply, object: self.object, allowance: self.parting.allowance };
            let mut rejects = Vec::new();
            let Held { builders, bytes, .. } = &mut self.held;
            let builder = builders.entry(window).or_insert_with(|| {
                *bytes += BUILDER_BYTES;
                BlockBuilder::new(0)
            });
            let (before, count) = (builder.bytes(), self.parting.block.room(builder).min(end - start));
            sieve.encode(rows, (start, count), &mut self.encoder, builder, &mut rejects)?;
            *bytes += builder.bytes() - before;
            rejects.into_iter().for_each(|reject| self.held.reject(window, reject));
            self.held.cut(window, self.parting.block);
            start += count;
        }
        Ok(())
    }
}

impl Parting {
    /// Position of the open window that holds `key`.
    fn window_of(&self, key: i64) -> Option<usize> {
        let after = self.windows.partition_point(|window| window.bounds().0 <= key);
        let position = after.checked_sub(1)?;
        let (start, end) = self.windows[position].bounds();
        let inside = TimeKey(key).is_within(TimeKey(start), TimeKey(end)) && !self.time.infinite(key);
        inside.then_some(position)
    }
}
