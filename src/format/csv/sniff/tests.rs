//! Sniffing is tried on the corpus of nasty files: each says by which options it is read.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Settled, Sniffed, sniff};
use crate::options::CsvOptions;

/// A nasty file: its name, bytes, the options that read it, what no look could tell, and whether `inspect` can know them.
struct Nasty {
    name: String,
    bytes: Vec<u8>,
    options: Vec<String>,
    given: Vec<String>,
    time: Option<String>,
    can_be_known: bool,
}

fn corpus() -> Vec<Nasty> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/nasty");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path.with_extension("json")).expect("each file has its expectation");
        let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let words = |name: &str| {
            value[name].as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
        };
        Nasty {
            name: path.file_stem().expect("it has a name").to_string_lossy().into_owned(),
            bytes: fs::read(path).expect("it can be read"),
            options: words("options"),
            given: words("given"),
            time: value["time"].as_str().map(str::to_owned),
            can_be_known: value["inspect"].is_null() && value["refused"].is_null(),
        }
    };
    paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "csv")).map(read).collect()
}

fn sniffed(nasty: &Nasty) -> Sniffed {
    let value = |name: &str| nasty.given.iter().position(|word| word == name).map(|at| nasty.given[at + 1].as_str());
    let columns = value("--columns").map(|names| names.split(',').map(str::to_owned).collect());
    let mut options = Vec::new();
    options.extend(value("--timestamp-format").map(|_| "timestamp-format".to_owned()));
    let csv = CsvOptions { columns, ..CsvOptions::default() };
    let settled = Settled { csv: &csv, options: &options, time_column: nasty.time.as_deref() };
    sniff(&nasty.bytes, &[], true, &settled)
}

/// Flags as pairs, so that their order and the two ways to write a value do not matter.
fn pairs(words: &[String]) -> BTreeSet<String> {
    let mut pairs = BTreeSet::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let value = words.next_if(|next| !next.starts_with("--"));
        pairs.insert(match value {
            Some(value) => format!("{word}={}", super::spelled(value)),
            None => word.clone(),
        });
    }
    pairs.retain(|pair| !pair.starts_with("--columns") && pair != "--no-header" && !pair.starts_with("--max-rejects"));
    pairs
}

#[test]
fn the_corpus_is_read_as_its_options_say() {
    let (mut agreed, mut all, mut differences) = (0, 0, String::new());
    for nasty in corpus().iter().filter(|nasty| nasty.can_be_known) {
        let sniffed = sniffed(nasty);
        let (found, expected) = (pairs(&sniffed.flags()), pairs(&nasty.options));
        all += 1;
        if found == expected {
            agreed += 1;
        } else {
            writeln!(
                differences,
                "{}\n  wants    {expected:?}\n  is given {found:?}\n  {:?}",
                nasty.name, sniffed.notes
            )
            .expect("a String takes any text");
        }
    }
    println!("{agreed} of {all} agree to the letter; the others:\n{differences}");
    assert!(agreed * 100 >= all * 90, "{differences}");
}
