//! Sniffing: by which options an object of delimited text seems to want to be read, and why.
//!
//! A recommendation for people, made of the first and the last bytes of an object. A load guesses nothing: it reads as its
//! options say. What a user has settled is not guessed here either.

mod encoding;
mod rows;
mod structure;
mod times;
mod trial;
mod values;

use serde::Serialize;

use super::encoding::Encoding;
use crate::model::Ragged;
use crate::options::CsvOptions;

/// Bytes at the start of an object that are worth looking at.
pub const HEAD_BYTES: u64 = 1 << 20;
/// Bytes at the end of an object in which a footer is looked for.
pub const TAIL_BYTES: u64 = 16 << 10;

/// What is settled before looking.
#[derive(Debug, Clone, Copy)]
pub struct Settled<'a> {
    /// How the object is read where nothing else is recommended.
    pub csv: &'a CsvOptions,
    /// Long names of the options, such as `delimiter`, whose value in `csv` is to be taken as it is.
    pub options: &'a [String],
    /// The time column, where it is known.
    pub time_column: Option<&'a str>,
}

impl Settled<'_> {
    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|name| name == option)
    }
}

/// What an object seems to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Sniffed {
    /// Its encoding, where it is not UTF-8.
    pub encoding: Option<String>,
    /// What stands between fields.
    pub delimiter: String,
    /// What stands around fields.
    pub quote: Option<char>,
    /// What stands before a literal quote, where it is not the quote itself.
    pub escape: Option<char>,
    /// What comment lines begin with.
    pub comment: Option<char>,
    /// Lines before the header.
    pub skip_lines: u64,
    /// Lines after the last record.
    pub footer_lines: u64,
    /// Whether the first record holds the names of the columns.
    pub has_header: bool,
    /// Texts that stand for null, beside the empty one.
    pub null_marks: Vec<String>,
    /// Whether quoted empty fields stand for null.
    pub empty_as_null: bool,
    /// What serves records of another number of fields.
    pub ragged: Ragged,
    /// Whether blanks around fields are no part of them.
    pub trim: bool,
    /// Whether quotes inside fields are plain text.
    pub keeps_stray_quotes: bool,
    /// Whether the header comes again between records.
    pub repeated_header: bool,
    /// The form of times that is not the server's own: of a column, or of all where none has another.
    pub timestamp_formats: Vec<(Option<String>, String)>,
    /// Its columns.
    pub columns: Vec<SniffedColumn>,
    /// What was seen that a person should know or decide, as sentences.
    pub notes: Vec<String>,
}

/// A column, as its first values look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SniffedColumn {
    /// Its name, or `c1` and so on.
    pub name: String,
    /// The type that holds all values that were seen: a hint, for later ones may be others.
    pub holds: &'static str,
    /// Whether nulls were seen.
    pub has_null: bool,
}

/// Looks at the first bytes of an object, `head`, and its last, `tail`; where `head` is all of it, `tail` is not looked at.
#[must_use]
pub fn sniff(head: &[u8], tail: &[u8], whole: bool, settled: &Settled<'_>) -> Sniffed {
    let guess = if settled.has("encoding") { encoding::declared(settled.csv, head) } else { encoding::guess(head) };
    let name = guess.name;
    let text = encoding::readable(head, name.as_deref());
    let tail = encoding::readable(tail, name.as_deref());
    let structure = structure::find(&text, whole, settled);
    // A name that is none is the load's to refuse.
    let encoding = Encoding::named(name.as_deref().unwrap_or("utf-8")).unwrap_or_default();
    let mut sniffed = rows::describe(&text, &tail, whole, &structure, (settled, &encoding));
    sniffed.encoding = name;
    sniffed.notes.extend(guess.note);
    sniffed
}

impl Sniffed {
    /// The words that say so on the command line, after `pgbackfill load SOURCE`.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        let mut with = |name: &str, value: String| flags.extend([format!("--{name}"), value]);
        if let Some(encoding) = &self.encoding {
            with("encoding", encoding.clone());
        }
        if self.delimiter != "," {
            with("delimiter", spelled(&self.delimiter));
        }
        match self.quote {
            Some('"') => {}
            quote => with("quote", quote.map_or_else(|| "none".to_owned(), String::from)),
        }
        for (name, mark) in [("escape", self.escape), ("comment", self.comment)] {
            mark.into_iter().for_each(|mark| with(name, mark.into()));
        }
        for (name, lines) in [("skip-lines", self.skip_lines), ("footer-lines", self.footer_lines)] {
            if lines > 0 {
                with(name, lines.to_string());
            }
        }
        match self.ragged {
            Ragged { pad: false, trim: false } => {}
            Ragged { pad: true, trim: false } => with("ragged", "pad".to_owned()),
            Ragged { pad: false, trim: true } => with("ragged", "trim".to_owned()),
            Ragged { pad: true, trim: true } => with("ragged", "pad,trim".to_owned()),
        }
        if self.keeps_stray_quotes {
            with("stray-quotes", "keep".to_owned());
        }
        if self.repeated_header {
            with("repeated-header", "skip".to_owned());
        }
        for (column, format) in &self.timestamp_formats {
            let column = column.as_ref().map(|column| format!("{column}=")).unwrap_or_default();
            with("timestamp-format", format!("{column}{format}"));
        }
        if !self.has_header && !self.columns.is_empty() {
            let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            with("columns", names.join(","));
            flags.push("--no-header".to_owned());
        }
        // One word, for a mark may begin with a hyphen.
        flags.extend(self.null_marks.iter().map(|mark| format!("--null={mark}")));
        let switches = [("--empty-as-null", self.empty_as_null), ("--trim", self.trim)];
        flags.extend(switches.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| (*name).to_owned()));
        flags
    }
}

/// A delimiter as the command line takes it: what does not print, by its number.
fn spelled(delimiter: &str) -> String {
    let spell = |character: char| match character {
        '\t' => "\\t".to_owned(),
        control if control.is_ascii_control() => format!("\\x{:02x}", u32::from(control)),
        other => other.to_string(),
    };
    delimiter.chars().map(spell).collect()
}

#[cfg(test)]
mod tests;
