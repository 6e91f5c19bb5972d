//! Reads byte ranges of listed objects, and refuses an object that is not what it was when it was listed.
//!
//! A plan holds offsets into objects: read from a file that was rewritten since, they would cut records apart. So every
//! read compares size and version, on the very handle that it reads from, and once more after the last byte where the
//! store can be written to in place.

use std::io::Read as _;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, coalesce_ranges};

use super::{PathColumns, sniff};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{FileIdentity, Format, Object};

/// A handle that reads listed objects; cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    local: Store,
}

/// A place that keeps objects, and what is particular about it.
#[derive(Debug, Clone)]
struct Store {
    inner: Arc<dyn ObjectStore>,
    /// Whether `ETag`s change with the content; otherwise the modification time has to tell.
    has_etags: bool,
    /// Ranges closer than this are fetched as one: what a further request costs, in bytes.
    gap_bytes: u64,
}

impl Objects {
    pub(super) fn new() -> Self {
        // The tag of the local store is made of the inode and a time in microseconds; the time in nanoseconds tells
        // more. Reading 16 KiB from the page cache takes about as long as another system call from a pool thread.
        let local = Store { inner: Arc::new(LocalFileSystem::new()), has_etags: false, gap_bytes: 16 << 10 };
        Self { local }
    }

    /// Reads `ranges` of `object`, a buffer for each, in their order.
    ///
    /// Near ranges are fetched together, and some at a time; the buffers may share memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Changed`] if the object is not what it was when it was listed, [`ErrorKind::Source`] if it cannot
    /// be read or ends before a range does. Both name the object.
    pub async fn read(&self, object: &Object, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.read_ranges(object, ranges).await.map_err(|error| error.at_object(&object.uri))
    }

    async fn read_ranges(&self, object: &Object, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        for range in ranges {
            check_range(object, range)?;
        }
        let (store, location) = self.locate(&object.uri)?;
        let wanted: Vec<Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
        let fetch = |range| fetch(store, &location, object, range);
        let fetched = coalesce_ranges(&wanted, fetch, store.gap_bytes).await?;
        if !store.has_etags {
            check_version(store, &store.head(&location).await?, object)?;
            check_file(object, file_identity(&object.uri).await?)?;
        }
        let mut fetched = fetched.into_iter();
        let buffers = ranges.iter().map(|range| if range.is_empty() { Some(Bytes::new()) } else { fetched.next() });
        Ok(buffers.map(|buffer| buffer.expect("every wanted range was fetched")).collect())
    }

    /// Looks at the object at `uri` as it stands now, and into it for its format.
    pub(super) async fn describe(&self, uri: String, path_columns: PathColumns) -> Result<Object> {
        let (store, location) = self.locate(&uri).map_err(|error| error.at_object(&uri))?;
        let meta = store.head(&location).await.map_err(|error| listing(error).at_object(&uri))?;
        let file = file_identity(&uri).await.map_err(|error| listing(error).at_object(&uri))?;
        if meta.size == 0 {
            check_empty(&uri).await.map_err(|error| error.at_object(&uri))?;
        }
        let mut object =
            Object { uri, bytes: meta.size, version: store.version(&meta), format: Format::Csv, path_columns, file };
        object.format = self.sniff(&object).await.map_err(|error| error.at_object(&object.uri))?;
        Ok(object)
    }

    async fn sniff(&self, object: &Object) -> Result<Format> {
        let size = object.bytes;
        match sniff::head(&self.read_one(object, 0..size.min(sniff::HEAD_BYTES)).await?) {
            sniff::Head::Text => Ok(Format::Csv),
            sniff::Head::Refused { what, hint } => Err(sniff::refused(what, hint)),
            sniff::Head::Parquet => {
                let tail = self.read_one(object, size.saturating_sub(sniff::TAIL_BYTES)..size).await?;
                sniff::parquet(size, &tail)
            }
        }
    }

    async fn read_one(&self, object: &Object, range: Range<u64>) -> Result<Bytes> {
        let mut buffers = self.read_ranges(object, &[range]).await?;
        Ok(buffers.pop().expect("one range gives one buffer"))
    }

    /// The store that keeps `uri`, and where in it.
    fn locate(&self, uri: &str) -> Result<(&Store, Location)> {
        if uri.chars().any(|character| character.is_ascii_control()) {
            return Err(Error::new(
                ErrorKind::Source,
                "the name holds a control character, and such files cannot be read",
            )
            .with_hint("rename it, or name the other files by a glob that does not match it"));
        }
        let location = Location::from_absolute_path(uri)
            .map_err(|error| Error::new(ErrorKind::Source, "is not a path that can be read").with_source(error))?;
        Ok((&self.local, location))
    }
}

impl Store {
    async fn head(&self, location: &Location) -> Result<ObjectMeta> {
        self.inner.head(location).await.map_err(reading)
    }

    /// What changes when the object's content does.
    fn version(&self, meta: &ObjectMeta) -> String {
        match &meta.e_tag {
            Some(tag) if self.has_etags => tag.clone(),
            // Nanoseconds since 1970 pass the range of i64 in 2262; a time beyond it still differs by the microsecond.
            _ => match meta.last_modified.timestamp_nanos_opt() {
                Some(nanos) => format!("{nanos}-{}", meta.size),
                None => format!("{}us-{}", meta.last_modified.timestamp_micros(), meta.size),
            },
        }
    }
}

/// Fetches one range of `object` in one request.
async fn fetch(store: &Store, location: &Location, object: &Object, range: Range<u64>) -> Result<Bytes> {
    let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
    let reply = store.inner.get_opts(location, options).await.map_err(reading)?;
    check_version(store, &reply.meta, object)?;
    let bytes = reply.bytes().await.map_err(reading)?;
    let wanted = range.end - range.start;
    let came = bytes.len() as u64; // usize has at most 64 bits
    if came != wanted {
        let message = format!("only {came} of {wanted} bytes came");
        return Err(Error::new(ErrorKind::Source, message).at_byte(range.start));
    }
    Ok(bytes)
}

fn check_range(object: &Object, range: &Range<u64>) -> Result<()> {
    if range.start <= range.end && range.end <= object.bytes {
        return Ok(());
    }
    let message = format!("bytes [{}, {}) are not within its {} bytes", range.start, range.end, object.bytes);
    Err(Error::new(ErrorKind::Source, message))
}

fn check_version(store: &Store, meta: &ObjectMeta, object: &Object) -> Result<()> {
    if meta.size == object.bytes && store.version(meta) == object.version {
        return Ok(());
    }
    let message = match (meta.size, object.bytes) {
        (now, before) if now != before => format!("changed since it was listed: {now} bytes instead of {before}"),
        _ => "changed since it was listed: it was written to".to_owned(),
    };
    Err(Error::new(ErrorKind::Changed, message).with_hint(HINT_CHANGED))
}

/// The file at `path`, as the system tells files apart.
async fn file_identity(path: &str) -> Result<Option<FileIdentity>> {
    let path = path.to_owned();
    let found = tokio::task::spawn_blocking(move || std::fs::metadata(path).map(|found| identity_of(&found))).await;
    let found =
        found.map_err(|error| Error::new(ErrorKind::Internal, "a look at a file was cut short").with_source(error))?;
    found.map_err(|error| reading(local(error)))
}

/// A failure of the file system as the local store wraps it.
fn local(error: std::io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(error) }
}

/// Refuses a file whose size is told as 0 and which holds bytes all the same, as those under `/proc` do: it would be taken for
/// a source without rows.
async fn check_empty(path: &str) -> Result<()> {
    let path = path.to_owned();
    let look = move || std::fs::File::open(path).and_then(|mut file| file.read(&mut [0]));
    let looked = tokio::task::spawn_blocking(look).await;
    let looked =
        looked.map_err(|error| Error::new(ErrorKind::Internal, "a look at a file was cut short").with_source(error));
    match looked? {
        Ok(0) => Ok(()),
        Ok(_) => Err(Error::new(ErrorKind::Source, "holds bytes although its size is told as 0")
            .with_hint("the system makes it as it is read; write it to a file, and load that")),
        Err(error) => Err(reading(local(error))),
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
fn identity_of(found: &std::fs::Metadata) -> Option<FileIdentity> {
    use std::os::unix::fs::MetadataExt;
    let changed_nanos = i128::from(found.ctime()) * 1_000_000_000 + i128::from(found.ctime_nsec());
    Some(FileIdentity { inode: found.ino(), changed_nanos })
}

#[cfg(not(unix))]
fn identity_of(_: &std::fs::Metadata) -> Option<FileIdentity> {
    None
}

fn check_file(object: &Object, now: Option<FileIdentity>) -> Result<()> {
    match object.file.zip(now) {
        Some((listed, now)) if listed.is_replaced_by(now) => {
            Err(Error::new(ErrorKind::Changed, "changed since it was listed: another file has its name")
                .with_hint(HINT_CHANGED))
        }
        _ => Ok(()),
    }
}

const HINT_CHANGED: &str = "let the writer of the object finish, then run the same command again";

pub(super) const HINT_OPEN_FILES: &str =
    "allow this process more open files (`ulimit -n 1024`), or run fewer --threads and --workers";

/// Whether the process, or the machine, has as many files open as it may: `EMFILE`, `ENFILE`, the same on every Unix.
pub(super) fn is_out_of_handles(error: &std::io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

/// An error of the store while an object that was listed is read.
fn reading(error: object_store::Error) -> Error {
    match cause(&error) {
        Cause::Absent => Error::new(ErrorKind::Changed, "vanished since it was listed").with_hint(HINT_CHANGED),
        Cause::Denied => denied(),
        Cause::OpenFiles => Error::new(ErrorKind::Limit, "cannot be read").with_hint(HINT_OPEN_FILES),
        Cause::Other => Error::new(ErrorKind::Source, "cannot be read"),
    }
    .with_source(error)
}

/// An error of the store while an object is listed.
fn listing(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Changed => Error::new(ErrorKind::Source, "does not exist, or is a link to nothing"),
        _ => error,
    }
}

fn denied() -> Error {
    Error::new(ErrorKind::Source, "permission to read is denied").with_hint("let this user read the object")
}

#[derive(Debug, PartialEq, Eq)]
enum Cause {
    Absent,
    Denied,
    OpenFiles,
    Other,
}

/// Why the store failed; the local one hides it in the chain of causes.
fn cause(error: &object_store::Error) -> Cause {
    match error {
        object_store::Error::NotFound { .. } => return Cause::Absent,
        object_store::Error::PermissionDenied { .. } => return Cause::Denied,
        _ => {}
    }
    let mut next = std::error::Error::source(error);
    while let Some(inner) = next {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return match io.kind() {
                _ if is_out_of_handles(io) => Cause::OpenFiles,
                std::io::ErrorKind::PermissionDenied => Cause::Denied,
                std::io::ErrorKind::NotFound => Cause::Absent,
                _ => Cause::Other,
            };
        }
        next = inner.source();
    }
    Cause::Other
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn local_error(kind: io::ErrorKind) -> object_store::Error {
        object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(io::Error::from(kind)) }
    }

    #[test]
    fn the_cause_of_a_failed_read_is_found_below_the_store() {
        let denied = reading(local_error(io::ErrorKind::PermissionDenied));
        assert_eq!(denied.to_string(), "permission to read is denied");
        assert_eq!(reading(local_error(io::ErrorKind::NotFound)).kind(), ErrorKind::Changed);
        assert_eq!(reading(local_error(io::ErrorKind::TimedOut)).kind(), ErrorKind::Source);
        let handles = io::Error::from_raw_os_error(24);
        let handles = object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(handles) };
        assert!(reading(handles).hint().unwrap().contains("ulimit -n"));
    }
}
