//! Walks the folders below a pattern and collects the files it means.
//!
//! Links are followed, and a file is known by its real path: a folder with a link `latest -> 2024` does not hold its
//! rows twice. The real folders on the way down are remembered, so that a link to one of them ends the walk there.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, FileType};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::objects::{HINT_OPEN_FILES, is_out_of_handles};
use super::pattern::{Pattern, Reach};
use super::tables::{Folders, Names};
use super::{PathColumns, hive, too_many};
use crate::error::{Error, ErrorKind, Result};

/// The files found so far, by real path.
pub(super) struct Found {
    paths: BTreeMap<String, PathColumns>,
    objects_max: usize,
    /// The folders that hold them.
    pub(super) folders: Folders,
}

impl Found {
    pub(super) fn new(objects_max: usize) -> Self {
        Self { paths: BTreeMap::new(), objects_max, folders: Folders::default() }
    }

    pub(super) fn into_paths(self) -> BTreeMap<String, PathColumns> {
        self.paths
    }

    /// Adds a file. Where two patterns find the same one, the way that spells more columns counts.
    fn add(&mut self, real: &Path, pattern: &Pattern, relative: &Path) -> Result<()> {
        let uri = text_of(real)?;
        let folders = text_of(relative.parent().unwrap_or(relative))?;
        let columns =
            hive::path_columns(pattern.base_folders.iter().map(String::as_str).chain(folders.split('/')), &uri)?;
        if let Some(folder) = real.parent() {
            self.folders.note_holding([folder]);
        }
        let known = self.paths.entry(uri).or_default();
        if columns.len() > known.len() {
            *known = columns;
        }
        if self.paths.len() > self.objects_max { Err(too_many(self.objects_max)) } else { Ok(()) }
    }
}

/// A folder to look into.
struct Folder {
    real: PathBuf,
    /// Its path below the base; empty for the base.
    relative: PathBuf,
    depth: usize,
    above: Option<Arc<Folder>>,
}

impl Folder {
    /// This folder and those on the way down to it.
    fn and_above(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |folder| folder.above.as_deref())
    }

    fn is_below(&self, real: &Path) -> bool {
        self.and_above().any(|folder| folder.real == real)
    }
}

/// Adds all files that `pattern` means to `found`. Blocks.
pub(super) fn walk(pattern: &Pattern, found: &mut Found) -> Result<()> {
    found.folders.note_named(&pattern.named);
    if matches!(pattern.reach, Reach::File) {
        return found.add(&pattern.base, pattern, Path::new(""));
    }
    let mut tally = Tally::default();
    let base = Folder { real: pattern.base.clone(), relative: PathBuf::new(), depth: 0, above: None };
    let mut waiting = vec![Arc::new(base)];
    while let Some(folder) = waiting.pop() {
        let (mut names, matched) = (Names::default(), tally.matched);
        for entry in fs::read_dir(&folder.real).map_err(|error| unreadable(&folder.real, error))? {
            let entry = entry.map_err(|error| unreadable(&folder.real, error))?;
            entry.file_name().to_str().into_iter().for_each(|name| names.note(name));
            visit(&entry, &folder, pattern, &mut waiting, found, &mut tally)?;
        }
        found.folders.note_walked(&folder.real, names);
        if tally.matched > matched {
            // A link may lead from one folder to the next: each has folders above it of its own.
            found.folders.note_holding(folder.and_above().map(|folder| folder.real.as_path()));
        }
    }
    if tally.matched == 0 { Err(nothing(pattern, &tally)) } else { Ok(()) }
}

/// What a walk met, for the message when it found nothing.
#[derive(Default)]
struct Tally {
    matched: u64,
    hidden: u64,
    folders: u64,
}

fn visit(
    entry: &DirEntry,
    folder: &Arc<Folder>,
    pattern: &Pattern,
    waiting: &mut Vec<Arc<Folder>>,
    found: &mut Found,
    tally: &mut Tally,
) -> Result<()> {
    let name = entry.file_name();
    if pattern.hides(&name) {
        tally.hidden += 1;
        return Ok(());
    }
    let relative = folder.relative.join(&name);
    let (is_meant, holds_some) = (pattern.matches(&relative), pattern.enters(&name, folder.depth));
    if !is_meant && !holds_some {
        return Ok(());
    }
    let (real, kind) = match target(entry) {
        Ok(target) => target,
        // Behind a link that leads nowhere there is neither a file nor a folder of files.
        Err(error) if !is_meant && leads_nowhere(&error) => return Ok(()),
        Err(error) => return Err(unreadable(&entry.path(), error)),
    };
    match kind {
        Kind::Folder => {
            tally.folders += u64::from(is_meant);
            if holds_some && !folder.is_below(&real) {
                let depth = folder.depth + 1;
                waiting.push(Arc::new(Folder { real, relative, depth, above: Some(Arc::clone(folder)) }));
            }
        }
        Kind::File if is_meant => {
            found.add(&real, pattern, &relative)?;
            tally.matched += 1;
        }
        Kind::Other(what) if is_meant => return Err(no_file(&entry.path(), what)),
        Kind::File | Kind::Other(_) => {}
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    /// What stores no rows, by its name.
    Other(&'static str),
}

impl Kind {
    fn of(found: FileType) -> Self {
        if found.is_dir() {
            Self::Folder
        } else if found.is_file() {
            Self::File
        } else {
            Self::Other(special(found))
        }
    }
}

/// The real path of `entry` and what is there.
///
/// A link to nothing counts as a file: if the pattern means it, reading it says so.
fn target(entry: &DirEntry) -> io::Result<(PathBuf, Kind)> {
    let path = entry.path();
    let kind = entry.file_type()?;
    if !kind.is_symlink() {
        return Ok((path, Kind::of(kind)));
    }
    match fs::canonicalize(&path) {
        Ok(real) => fs::metadata(&real).map(|found| (real, Kind::of(found.file_type()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((path, Kind::File)),
        Err(error) => Err(error),
    }
}

/// Whether a link leads back to itself (`ELOOP`), or through a file.
fn leads_nowhere(error: &io::Error) -> bool {
    let is_loop = cfg!(unix) && matches!(error.raw_os_error(), Some(40 | 62)); // of Linux, and of the BSDs and macOS
    is_loop || error.kind() == io::ErrorKind::NotADirectory
}

/// What a file is that is neither a file of bytes nor a folder.
pub(super) fn special(found: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if found.is_fifo() {
            return "a pipe";
        } else if found.is_socket() {
            return "a socket";
        } else if found.is_char_device() || found.is_block_device() {
            return "a device";
        }
    }
    let _ = found;
    "no regular file"
}

fn no_file(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Source, format!("is {what}, which cannot be read again and in parts"))
        .at_object(path.to_string_lossy())
        .with_hint("move it out of the folder, or name the files alone, such as 'folder/**/*.csv'")
}

fn text_of(path: &Path) -> Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| {
        Error::new(ErrorKind::Source, "the name is not UTF-8")
            .at_object(path.to_string_lossy())
            .with_hint("rename it, or name the other files by a glob that does not match it")
    })
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    let error_of = |message| Error::new(ErrorKind::Source, message).at_object(path.to_string_lossy());
    match error.kind() {
        io::ErrorKind::PermissionDenied => error_of("permission to list is denied"),
        io::ErrorKind::NotFound => error_of("vanished while it was listed"),
        _ if is_out_of_handles(&error) => error_of("cannot be listed").with_hint(HINT_OPEN_FILES),
        _ => error_of("cannot be listed"),
    }
    .with_source(error)
}

fn nothing(pattern: &Pattern, tally: &Tally) -> Error {
    let what = match pattern.reach {
        Reach::Glob(_) => "matches nothing",
        Reach::File | Reach::Folder => "holds no files",
    };
    let message = format!("source '{}' {what}: looked into {}", pattern.text, pattern.base.display());
    let error = Error::new(ErrorKind::Source, message);
    match (&pattern.reach, tally) {
        (Reach::Glob(_), Tally { folders: 1.., .. }) => error.with_hint(format!(
            "a glob means files, and only folders match; '{}/**' means all files below them",
            pattern.text.trim_end_matches('/')
        )),
        (_, Tally { hidden: hidden @ 1.., .. }) => error.with_hint(format!(
            "{hidden} names that start with '.' or '_' were left out; a glob that spells the first letter, such as \
             '_*', takes them in"
        )),
        _ => error,
    }
}
