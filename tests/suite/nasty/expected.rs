//! What stands beside each nasty file: the table, the options, and what must come of it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A file and its expectation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nasty {
    /// The file's name without its ending.
    #[serde(skip)]
    pub(super) name: String,
    #[serde(skip)]
    pub(super) path: String,
    /// What is nasty about it.
    pub(super) what: String,
    /// Columns of the table, as `create table` spells them.
    pub(super) table: String,
    /// The time column; without one the table is loaded as it is.
    pub(super) time: Option<String>,
    /// How the file is read.
    #[serde(default)]
    pub(super) options: Vec<String>,
    /// What no look at the file could tell: names of columns, pairs of names, the zone.
    #[serde(default)]
    pub(super) given: Vec<String>,
    /// Options of a COPY that reads the file with equal meaning.
    pub(super) copy: Option<String>,
    /// Options of a COPY that refuses it too.
    pub(super) copy_refuses: Option<String>,
    /// Exit code of a load that is not refused.
    #[serde(default)]
    pub(super) exit: i32,
    /// Why `inspect` cannot recommend these options.
    pub(super) inspect: Option<String>,
    pub(super) refused: Option<Refusal>,
    #[serde(default)]
    pub(super) rejects: Vec<Reject>,
    /// Rows of the table afterwards, in any order, as the server prints them.
    #[serde(default)]
    pub(super) rows: Vec<Vec<Option<String>>>,
}

/// A load that fails.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    #[serde(default = "failed")]
    pub(super) exit: i32,
    /// Texts of the error.
    #[serde(default)]
    pub(super) says: Vec<String>,
    pub(super) record: Option<u64>,
    pub(super) byte: Option<u64>,
}

/// A row that is set aside.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Reject {
    pub(super) record: u64,
    pub(super) byte: Option<u64>,
    pub(super) column: Option<String>,
    pub(super) raw: Option<String>,
}

fn failed() -> i32 {
    1
}

/// Every file of the corpus. Panics at one without its expectation, and at an expectation without its file.
pub(super) fn all() -> Vec<Nasty> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/nasty");
    let listed = fs::read_dir(&folder).expect("the corpus is there");
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    let of_kind = |kind: &str| -> Vec<PathBuf> {
        let has = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == kind);
        paths.iter().filter(has).map(|path| path.with_extension("")).collect()
    };
    let (files, expectations) = (of_kind("csv"), of_kind("json"));
    assert_eq!(files, expectations, "each file has its expectation");
    assert_eq!(files.len() * 2, paths.len(), "nothing else is there");
    files.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Nasty {
    let text = fs::read_to_string(path.with_extension("json")).expect("it is text");
    let mut nasty: Nasty = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let part = |path: &Path| path.to_str().expect("the checkout has a plain path").to_owned();
    nasty.name = part(Path::new(path.file_name().expect("a file has a name")));
    nasty.path = part(&path.with_extension("csv"));
    assert_ne!(nasty.inspect.as_deref(), Some(""), "{}: a reason is a sentence", nasty.name);
    assert!(nasty.refused.is_none() || nasty.rows.is_empty(), "{}: it is refused and has rows", nasty.name);
    nasty
}

impl Nasty {
    /// Its bytes.
    pub(super) fn csv(&self) -> Vec<u8> {
        fs::read(&self.path).expect("it is there")
    }

    /// The value of an option that is given.
    pub(super) fn given_value(&self, option: &str) -> Option<&str> {
        let at = self.given.iter().position(|word| word == option)?;
        self.given.get(at + 1).map(String::as_str)
    }

    /// What the file calls a column of the table.
    pub(super) fn source_name<'a>(&'a self, column: &'a str) -> &'a str {
        let mut pairs = self.given.iter().filter_map(|word| word.split_once('='));
        pairs.find(|(_, target)| *target == column).map_or(column, |(source, _)| source)
    }

    /// What is given to `inspect` too: names of columns, the zone, the form of times.
    pub(super) fn given_to_inspect(&self) -> Vec<String> {
        self.given_where(|option| !["--map", "--ignore"].contains(&option))
    }

    /// What is given to a load alone.
    pub(super) fn given_to_load(&self) -> Vec<String> {
        self.given_where(|option| ["--map", "--ignore"].contains(&option))
    }

    fn given_where(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut wanted = Vec::new();
        let mut words = self.given.iter().peekable();
        while let Some(option) = words.next() {
            let value = words.next_if(|word| !word.starts_with("--"));
            if is_wanted(option) {
                wanted.extend(std::iter::once(option).chain(value).cloned());
            }
        }
        wanted
    }

    /// Whether its options are not among those that `help` lists.
    pub(super) fn needs(&self, help: &str) -> bool {
        let mut names = self.options.iter().chain(&self.given).filter(|word| word.starts_with("--"));
        names.any(|name| !help.contains(name.split('=').next().unwrap_or(name)))
    }
}
