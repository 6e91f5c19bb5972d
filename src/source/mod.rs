//! Lists and fetches objects: the only module that knows where bytes are kept.
//!
//! [`list`] turns what the user typed (files, folders, globs) into [`Object`]s as they stand now, and hands out
//! [`Objects`], which reads byte ranges of them and refuses an object that has changed since. Listing and reading go
//! through one small seam (a store and a location in it), so that remote stores come in beside the local one.

mod custom;
mod hive;
mod objects;
mod pattern;
mod sniff;
mod tables;
mod walk;

pub use custom::{Batches, Part, Source};
pub use objects::Objects;
pub use tables::TableFormats;

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::{Error, ErrorKind, Result};
use crate::model::Object;

/// Columns spelled in a path, in path order.
type PathColumns = Vec<(String, Option<String>)>;

/// How much a listing may find, and how hard it may work.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most objects that a listing may hold.
    pub objects: usize,
    /// How many objects are looked into at a time.
    pub concurrency: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // A million objects take some 200 MB as `Object`s. Looking into one costs a few system calls, which 32 at a
        // time hide well, also over a network file system.
        Self { objects: 1_000_000, concurrency: 32 }
    }
}

/// There are more objects than a listing may hold.
pub(crate) fn too_many(objects_max: usize) -> Error {
    Error::new(ErrorKind::Limit, format!("the sources hold more than {objects_max} objects")).with_hint(
        "load them in several jobs, or allow more: --objects-max (limits.objects), at some 200 bytes of memory each",
    )
}

/// The objects that `patterns` name, sorted by URI and each only once, with a handle that reads them.
///
/// A pattern is a file, a folder (all files below it, at any depth) or a glob (`*`, `?`, `[]`, `{}`, `**`; only `**`
/// crosses a `/`). A path that exists is never taken for a glob. Names that start with `.` or `_` are left out below a
/// folder, and below the fixed start of a glob unless the glob spells that first letter. Symbolic links are followed
/// and an object is named by its real path, so that two ways to one file give one object.
///
/// Folders spelled `name=value` below the pattern, or directly before its fixed end, are path columns;
/// `__HIVE_DEFAULT_PARTITION__` stands for null.
///
/// # Errors
///
/// [`ErrorKind::Source`] names the pattern that matches nothing, or the object that cannot be read or is of a format
/// that is not read, or belongs to a table format and `tables` refuses that; [`ErrorKind::Limit`] if there are more
/// objects than `limits` allow.
pub async fn list(patterns: &[String], limits: Limits, tables: TableFormats) -> Result<(Objects, Vec<Object>)> {
    if patterns.is_empty() {
        return Err(Error::new(ErrorKind::Settings, "no source is given").with_hint("name files, folders or globs"));
    }
    let texts = patterns.to_vec();
    let found = tokio::task::spawn_blocking(move || find(&texts, limits.objects, tables))
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "the listing was cut short").with_source(error))??;
    let objects = Objects::new();
    let listed = stream::iter(found)
        .map(|(uri, path_columns)| objects.describe(uri, path_columns))
        .buffered(limits.concurrency.max(1))
        .try_collect()
        .await?;
    Ok((objects, listed))
}

/// Finds the paths of all patterns; the map sorts them and drops repetitions.
fn find(patterns: &[String], objects_max: usize, tables: TableFormats) -> Result<BTreeMap<String, PathColumns>> {
    let mut found = walk::Found::new(objects_max);
    for text in patterns {
        let pattern = pattern::Pattern::resolve(text)?;
        walk::walk(&pattern, &mut found)?;
    }
    if tables == TableFormats::Refuse {
        found.folders.refuse_tables()?;
    }
    Ok(found.into_paths())
}

#[cfg(test)]
mod tests;
