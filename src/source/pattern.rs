//! A source as the user typed it, resolved against the file system: a file, a folder or a glob below a folder.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::{hive, walk};
use crate::error::{Error, ErrorKind, Result};

/// A source that exists, or a glob whose folder does.
pub(super) struct Pattern {
    /// What the user typed.
    pub(super) text: String,
    /// The file, the folder, or the folder before the glob's first wildcard; its real path.
    pub(super) base: PathBuf,
    /// The base as it was named, links included.
    pub(super) named: PathBuf,
    /// Folders directly before the end of `base` that spell columns. So `month=*` means the same whether it is this
    /// program or the shell that expands it.
    pub(super) base_folders: Vec<String>,
    /// What below `base` is meant.
    pub(super) reach: Reach,
}

/// What of a pattern's base is meant.
pub(super) enum Reach {
    /// The base itself, a file.
    File,
    /// All files below the base, a folder.
    Folder,
    /// The files below the base that match.
    Glob(Glob),
}

/// The part of a glob from its first wildcard on, matched against paths relative to the base.
pub(super) struct Glob {
    whole: GlobMatcher,
    /// Matchers for the names of the first levels, down to the first `**`.
    levels: Vec<GlobMatcher>,
    /// Whether a match may be at any depth below `levels`.
    any_depth: bool,
    spells_dot: bool,
    spells_underscore: bool,
}

impl Pattern {
    /// Looks up what `text` means. Blocks.
    pub(super) fn resolve(text: &str) -> Result<Self> {
        let path = absolute(text)?;
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Self::literal(text, &path, Reach::Folder),
            Ok(metadata) if metadata.is_file() => Self::literal(text, &path, Reach::File),
            Ok(metadata) => {
                let what =
                    format!("is {}, which cannot be read again and in parts", walk::special(metadata.file_type()));
                Err(refuse(text, &what).with_hint("write what comes out of it to a file, and load that"))
            }
            Err(error) if is_absent(&error) && path.to_str().is_some_and(has_wildcard) => Self::glob(text, &path),
            Err(error) => Err(unreachable(text, &path, error)),
        }
    }

    fn literal(text: &str, path: &Path, reach: Reach) -> Result<Self> {
        let folder = if matches!(reach, Reach::File) { path.parent().unwrap_or(path) } else { path };
        Ok(Self {
            text: text.to_owned(),
            base: std::fs::canonicalize(path).map_err(|error| unreachable(text, path, error))?,
            named: path.to_owned(),
            base_folders: trailing_columns(folder),
            reach,
        })
    }

    fn glob(text: &str, path: &Path) -> Result<Self> {
        let full = path.to_str().ok_or_else(|| refuse(text, "is not UTF-8"))?;
        let wild = full.find(WILDCARDS).expect("a glob has a wildcard");
        let cut = full[..wild].rfind('/').map_or(0, |slash| slash + 1);
        let (folder, rest) = full.split_at(cut);
        let glob = Glob::try_new(rest).map_err(|error| refuse(text, "is not a glob").with_source(error))?;
        let folder = Path::new(if folder.is_empty() { "." } else { folder });
        Ok(Self {
            text: text.to_owned(),
            base: std::fs::canonicalize(folder).map_err(|error| unreachable(text, folder, error))?,
            named: folder.to_owned(),
            base_folders: trailing_columns(folder),
            reach: Reach::Glob(glob),
        })
    }

    /// Whether a folder or file called `name`, `depth` folders below the base, is hidden from this pattern.
    pub(super) fn hides(&self, name: &OsStr) -> bool {
        let name = name.as_encoded_bytes();
        let (spells_dot, spells_underscore) = match &self.reach {
            Reach::Glob(glob) => (glob.spells_dot, glob.spells_underscore),
            Reach::File | Reach::Folder => (false, false),
        };
        (name.starts_with(b".") && !spells_dot) || (name.starts_with(b"_") && !spells_underscore)
    }

    /// Whether there can be a match inside the folder `name` that stands `depth` folders below the base.
    pub(super) fn enters(&self, name: &OsStr, depth: usize) -> bool {
        match &self.reach {
            Reach::File => false,
            Reach::Folder => true,
            Reach::Glob(glob) => glob.enters(name, depth),
        }
    }

    /// Whether the file at `relative`, a path below the base, is meant.
    pub(super) fn matches(&self, relative: &Path) -> bool {
        match &self.reach {
            Reach::File | Reach::Folder => true,
            Reach::Glob(glob) => glob.whole.is_match(relative),
        }
    }
}

impl Glob {
    fn try_new(rest: &str) -> Result<Self, globset::Error> {
        let matcher = |glob: &str| Ok(GlobBuilder::new(glob).literal_separator(true).build()?.compile_matcher());
        let components: Vec<&str> = rest.split('/').filter(|component| !component.is_empty()).collect();
        // A `{a/b,c}` reaches over a slash: its level is not known, so nothing below it is ruled out early.
        let fixed = components.iter().take_while(|c| !c.contains("**") && is_whole(c)).count();
        Ok(Self {
            whole: matcher(rest)?,
            levels: components[..fixed].iter().map(|component| matcher(component)).collect::<Result<_, _>>()?,
            any_depth: fixed < components.len(),
            spells_dot: components.iter().any(|component| component.starts_with('.')),
            spells_underscore: components.iter().any(|component| component.starts_with('_')),
        })
    }

    fn enters(&self, name: &OsStr, depth: usize) -> bool {
        match self.levels.get(depth) {
            Some(level) => level.is_match(name) && (self.any_depth || depth + 1 < self.levels.len()),
            None => self.any_depth,
        }
    }
}

/// What makes a text a glob; the backslash takes a wildcard's meaning away.
const WILDCARDS: [char; 5] = ['*', '?', '[', '{', '\\'];

fn has_wildcard(path: &str) -> bool {
    path.contains(WILDCARDS)
}

/// Whether the braces of `component` close in it.
fn is_whole(component: &str) -> bool {
    component.matches('{').count() == component.matches('}').count()
}

/// The text as an absolute path; only local paths are understood.
fn absolute(text: &str) -> Result<PathBuf> {
    let path = match text.split_once("://") {
        Some(("file", path)) => path,
        Some((scheme, _)) if is_scheme(scheme) => {
            return Err(Error::new(ErrorKind::Settings, format!("source '{text}': {scheme}:// is not read yet"))
                .with_hint("copy the objects to a local folder and name that"));
        }
        _ => text,
    };
    std::path::absolute(path).map_err(|error| refuse(text, "is not a path").with_source(error))
}

fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// The folders at the end of `folder` that spell columns, without a gap.
fn trailing_columns(folder: &Path) -> Vec<String> {
    let names = folder.iter().rev().map_while(|name| name.to_str().filter(|name| hive::spells_column(name)));
    let mut folders: Vec<String> = names.map(str::to_owned).collect();
    folders.reverse();
    folders
}

fn is_absent(error: &io::Error) -> bool {
    // A name that is too long cannot exist, and a long list in braces is too long a name.
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename)
}

fn refuse(text: &str, why: &str) -> Error {
    Error::new(ErrorKind::Source, format!("source '{text}' {why}"))
}

fn unreachable(text: &str, path: &Path, error: io::Error) -> Error {
    if is_absent(&error) {
        return refuse(text, &format!("matches nothing: {} does not exist", path.display()));
    }
    refuse(text, &format!("cannot be read: {}", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enters(rest: &str, folders: &[&str]) -> bool {
        let glob = Glob::try_new(rest).unwrap();
        folders.iter().enumerate().all(|(depth, name)| glob.enters(OsStr::new(name), depth))
    }

    #[test]
    fn a_walk_enters_only_folders_that_can_hold_a_match() {
        assert!(enters("a*/b/*.csv", &["ab", "b"]));
        assert!(!enters("a*/b/*.csv", &["ab", "c"]));
        assert!(!enters("*.csv", &["x.csv"]));
        assert!(!enters("*/*.csv", &["x", "y"]));
        assert!(enters("a*/**/*.csv", &["ab", "any", "depth"]));
        assert!(!enters("a*/**/*.csv", &["b"]));
        assert!(enters("{a/b,c}/*.csv", &["a", "b"]));
    }

    #[test]
    fn a_scheme_is_not_mistaken_for_a_path() {
        assert_eq!(absolute("s3://bucket/x").unwrap_err().kind(), ErrorKind::Settings);
        assert_eq!(absolute("file:///data/x").unwrap(), Path::new("/data/x"));
    }

    #[test]
    fn only_folders_directly_before_the_end_spell_columns_of_a_literal_path() {
        assert_eq!(trailing_columns(Path::new("/env=prod/data/y=1/m=2")), ["y=1", "m=2"]);
        assert!(trailing_columns(Path::new("/env=prod/data")).is_empty());
    }
}
