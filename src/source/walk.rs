//! Walks the folders below a pattern and collects the files it means.
//!
//! Links are followed, and a file is known by its real path: a folder with a link `latest -> 2024` does not hold its
//! rows twice. The real folders on the way down are remembered, so that a link to one of them ends the walk there.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::objects::{HINT_OPEN_FILES, is_out_of_handles};
use super::pattern::{Pattern, Reach};
use super::{PathColumns, hive};
use crate::error::{Error, ErrorKind, Result};

/// The files found so far, by real path.
pub(super) struct Found {
    paths: BTreeMap<String, PathColumns>,
    objects_max: usize,
}

impl Found {
    pub(super) fn new(objects_max: usize) -> Self {
        Self { paths: BTreeMap::new(), objects_max }
    }

    pub(super) fn into_paths(self) -> BTreeMap<String, PathColumns> {
        self.paths
    }

    /// Adds a file. Where two patterns find the same one, the way that spells more columns counts.
    fn add(&mut self, real: &Path, pattern: &Pattern, relative: &str) -> Result<()> {
        let uri = text_of(real)?;
        let folders = relative.rsplit_once('/').map_or("", |(folders, _)| folders).split('/');
        let columns = hive::path_columns(pattern.base_folders.iter().map(String::as_str).chain(folders), &uri)?;
        let known = self.paths.entry(uri).or_default();
        if columns.len() > known.len() {
            *known = columns;
        }
        if self.paths.len() > self.objects_max {
            let message = format!("the sources hold more than {} objects", self.objects_max);
            return Err(Error::new(ErrorKind::Limit, message).with_hint("load them in several jobs"));
        }
        Ok(())
    }
}

/// A folder to look into.
struct Folder {
    real: PathBuf,
    /// Its path below the base with a slash at its end; empty for the base.
    relative: String,
    depth: usize,
    above: Option<Arc<Folder>>,
}

impl Folder {
    fn is_below(&self, real: &Path) -> bool {
        std::iter::successors(Some(self), |folder| folder.above.as_deref()).any(|folder| folder.real == real)
    }
}

/// Adds all files that `pattern` means to `found`. Blocks.
pub(super) fn walk(pattern: &Pattern, found: &mut Found) -> Result<()> {
    if matches!(pattern.reach, Reach::File) {
        return found.add(&pattern.base, pattern, "");
    }
    let mut tally = Tally::default();
    let base = Folder { real: pattern.base.clone(), relative: String::new(), depth: 0, above: None };
    let mut waiting = vec![Arc::new(base)];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder.real).map_err(|error| unreadable(&folder.real, error))? {
            let entry = entry.map_err(|error| unreadable(&folder.real, error))?;
            visit(&entry, &folder, pattern, &mut waiting, found, &mut tally)?;
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
    let name =
        text_of(Path::new(&entry.file_name())).map_err(|error| error.at_object(folder.real.to_string_lossy()))?;
    if pattern.hides(&name) {
        tally.hidden += 1;
        return Ok(());
    }
    let relative = format!("{}{name}", folder.relative);
    let Some((real, kind)) = target(entry)? else { return Ok(()) };
    if kind == Kind::Folder {
        tally.folders += u64::from(pattern.matches(&relative));
        if pattern.enters(&name, folder.depth) && !folder.is_below(&real) {
            let (relative, depth) = (relative + "/", folder.depth + 1);
            waiting.push(Arc::new(Folder { real, relative, depth, above: Some(Arc::clone(folder)) }));
        }
    } else if pattern.matches(&relative) {
        found.add(&real, pattern, &relative)?;
        tally.matched += 1;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

/// The real path of `entry` and what is there; `None` for pipes, sockets and devices, which store nothing.
///
/// A link to nothing counts as a file: if the pattern means it, reading it says so.
fn target(entry: &DirEntry) -> Result<Option<(PathBuf, Kind)>> {
    let path = entry.path();
    let mut kind = entry.file_type().map_err(|error| unreadable(&path, error))?;
    let mut real = path;
    if kind.is_symlink() {
        match fs::canonicalize(&real) {
            Ok(target) => real = target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some((real, Kind::File))),
            Err(error) => return Err(unreadable(&real, error)),
        }
        kind = fs::metadata(&real).map_err(|error| unreadable(&real, error))?.file_type();
    }
    Ok(if kind.is_dir() { Some((real, Kind::Folder)) } else { kind.is_file().then_some((real, Kind::File)) })
}

fn text_of(path: &Path) -> Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::new(ErrorKind::Source, format!("the name {} is not UTF-8", path.to_string_lossy())))
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
