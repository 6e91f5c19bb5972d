//! Folders of table formats and of unfinished jobs, whose files are not all part of the data.
//!
//! A log, a manifest or a commit marker decides there which files count. Read as plain files, they also yield deleted,
//! superseded and uncommitted rows. A folder is recognized by the names of its entries. For folders that are walked anyway
//! this costs nothing; each folder above them is looked at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::hive;
use crate::error::{Error, ErrorKind, Result};

/// What to do with files below a folder of a table format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TableFormats {
    /// Refuse them.
    #[default]
    Refuse,
    /// Read every file as it is.
    AsFiles,
}

impl TableFormats {
    /// From the option that insists on plain files.
    pub(crate) fn new(as_files: bool) -> Self {
        if as_files { Self::AsFiles } else { Self::Refuse }
    }
}

/// What makes the files of a folder more than plain files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Delta,
    Hudi,
    Iceberg,
    Paimon,
    SparkSink,
    HiveAcid,
    Unfinished,
}

/// Names of entries that may be a sign; the place is the bit in [`Names`].
const SIGNS: [&str; 7] =
    ["_delta_log", ".hoodie", ".hoodie_partition_metadata", "metadata", "snapshot", "_spark_metadata", "_temporary"];

/// Which of [`SIGNS`] a folder holds, as bits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Names(u8);

impl Names {
    /// Notes the entry called `name`.
    pub(super) fn note(&mut self, name: &str) {
        if let Some(bit) = SIGNS.iter().position(|sign| *sign == name) {
            self.0 |= 1 << bit;
        }
    }

    fn has(self, sign: &str) -> bool {
        SIGNS.iter().position(|known| *known == sign).is_some_and(|bit| self.0 & (1 << bit) != 0)
    }

    /// Looks for each sign in a folder that was not walked: its listing may be long.
    fn look(folder: &Path) -> Self {
        let mut names = Self::default();
        SIGNS.iter().filter(|sign| fs::symlink_metadata(folder.join(sign)).is_ok()).for_each(|sign| names.note(sign));
        names
    }
}

/// Folders that hold objects, and what is known of them.
#[derive(Debug, Default)]
pub(super) struct Folders {
    walked: HashMap<PathBuf, Names>,
    /// Each with whether only `name=value` folders are between it and some object.
    holding: BTreeMap<PathBuf, bool>,
    named: HashSet<(PathBuf, bool)>,
}

impl Folders {
    /// Notes a folder whose entries were all read.
    pub(super) fn note_walked(&mut self, folder: &Path, names: Names) {
        self.walked.insert(folder.to_owned(), names);
    }

    /// Notes the folder of an object, and folders on the way down to it, innermost first.
    pub(super) fn note_holding<'a>(&mut self, folders: impl IntoIterator<Item = &'a Path>) {
        let mut is_near = true;
        for folder in folders {
            self.note(folder, is_near);
            is_near &= spells_column(folder);
        }
    }

    /// Notes the folders above a path as it was named: where one is a link, the real path does not show those above it.
    pub(super) fn note_named(&mut self, path: &Path) {
        let mut is_near = spells_column(path) || path.is_file();
        for folder in path.ancestors().skip(1) {
            if !self.named.insert((folder.to_owned(), is_near)) {
                return;
            }
            // One that cannot be resolved has nothing that could be found in it.
            fs::canonicalize(folder).into_iter().for_each(|real| self.note(&real, is_near));
            is_near &= spells_column(folder);
        }
    }

    fn note(&mut self, folder: &Path, is_near: bool) {
        if let Some(near) = self.holding.get_mut(folder) {
            *near |= is_near;
        } else {
            self.holding.insert(folder.to_owned(), is_near);
        }
    }

    /// Refuses objects below a folder of a table format, wherever above them that folder is.
    pub(super) fn refuse_tables(&self) -> Result<()> {
        let mut looked = HashSet::new();
        for (folder, is_near) in &self.holding {
            let mut is_near = *is_near;
            for above in folder.ancestors() {
                if !looked.insert((above, is_near)) {
                    break;
                }
                if let Some(kind) = self.kind_of(above, is_near) {
                    return Err(refusal(kind, above));
                }
                is_near &= spells_column(above);
            }
        }
        Ok(())
    }

    fn kind_of(&self, folder: &Path, is_near: bool) -> Option<Kind> {
        let names = self.walked.get(folder).copied().unwrap_or_else(|| Names::look(folder));
        if names.has("_delta_log") {
            return Some(Kind::Delta);
        }
        if names.has(".hoodie") || names.has(".hoodie_partition_metadata") {
            return Some(Kind::Hudi);
        }
        if names.has("metadata") && is_iceberg(&folder.join("metadata")) {
            return Some(Kind::Iceberg);
        }
        if names.has("snapshot") && is_paimon(folder) {
            return Some(Kind::Paimon);
        }
        if names.has("_spark_metadata") {
            return Some(Kind::SparkSink);
        }
        if name_of(folder).is_some_and(is_hive_acid) {
            return Some(Kind::HiveAcid);
        }
        // A job writes its folder and the name=value folders below it, and nothing else.
        (is_near && names.has("_temporary")).then_some(Kind::Unfinished)
    }
}

fn name_of(folder: &Path) -> Option<&str> {
    folder.file_name()?.to_str()
}

fn spells_column(folder: &Path) -> bool {
    name_of(folder).is_some_and(hive::spells_column)
}

/// Whether `metadata` is that of an Iceberg table: a folder of that name alone means nothing.
fn is_iceberg(metadata: &Path) -> bool {
    let is_sign = |name: &str| name == "version-hint.text" || name.contains(".metadata.json");
    let Ok(entries) = fs::read_dir(metadata) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(is_sign))
}

/// Whether `folder` is a Paimon table: its first schema is never deleted.
fn is_paimon(folder: &Path) -> bool {
    ["schema/schema-0", "manifest"].iter().all(|name| fs::symlink_metadata(folder.join(name)).is_ok())
}

/// Whether a folder is named as Hive names the deltas and bases of transactional tables: `delta_0000001_0000001_0000`.
fn is_hive_acid(name: &str) -> bool {
    let rest = ["base_", "delete_delta_", "delta_"].iter().find_map(|prefix| name.strip_prefix(prefix));
    let is_id = |part: &str| part.len() >= 7 && part.bytes().all(|byte| byte.is_ascii_digit());
    rest.and_then(|rest| rest.split('_').next()).is_some_and(is_id)
}

fn refusal(kind: Kind, folder: &Path) -> Error {
    let folder = folder.display();
    let decides = |what: &str, log: &str| {
        format!(
            "{folder} belongs to {what}: {log} which of its files count, and plain files also hold deleted and superseded \
             rows"
        )
    };
    let message = match kind {
        Kind::Delta => decides("a Delta table", "_delta_log decides"),
        Kind::Hudi => decides("a Hudi table", "the timeline in .hoodie decides"),
        Kind::Iceberg => decides("an Iceberg table", "metadata/ decides"),
        Kind::Paimon => decides("a Paimon table", "snapshot/ decides"),
        Kind::HiveAcid => decides("a transactional Hive table", "the metastore decides"),
        Kind::SparkSink => format!(
            "{folder} is written by a Spark stream: _spark_metadata decides which of its files count, and the others hold \
             rows that were written twice or never committed"
        ),
        Kind::Unfinished => format!(
            "{folder} holds _temporary: the job that writes it has not finished, or it failed, and some files may be \
             missing or not committed"
        ),
    };
    let hint = match kind {
        Kind::Unfinished => "wait until the job has finished; remove _temporary if no job writes there any more",
        _ => "export the current rows as Parquet or CSV with an engine that reads the table, and load that",
    };
    Error::new(ErrorKind::Source, message).with_hint(format!("{hint}; or load every file as it is with --as-files"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_hive_transactions_are_recognized_by_their_numbers() {
        for name in
            ["base_0000005", "delta_0000001_0000001_0000", "delete_delta_0000002_0000002", "base_0000005_v0000012"]
        {
            assert!(is_hive_acid(name), "{name}");
        }
        for name in ["base_5", "delta_2024", "delta", "base_line0001", "mybase_0000005"] {
            assert!(!is_hive_acid(name), "{name}");
        }
    }
}
