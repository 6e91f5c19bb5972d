//! Which options a source of delimited text seems to want, found in the first and last bytes of its objects.

use std::collections::HashMap;

use serde::Serialize;

use super::super::supply::Listing;
use crate::error::Result;
use crate::format::csv::{self, Settled, Sniffed, SniffedColumn};
use crate::model::datetime::TimeFormat;
use crate::model::{Format, Object, RepeatedHeader, StrayQuotes, Zone};
use crate::options::{CsvOptions, EmptyFields, Options};

/// Objects that are looked at: files of one source are mostly alike, and each costs two requests.
const OBJECTS_MAX: usize = 32;

/// How delimited text seems to want to be read. It is a guess, for people to judge: a load guesses nothing.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Advice {
    /// Words for the command line, after `pgbackfill load SOURCE`; those that were given are among them.
    pub flags: Vec<String>,
    /// What was seen that a person should know or decide, as sentences.
    pub notes: Vec<String>,
    /// Columns of the first object, with the types that would hold the values of its first MiB.
    pub columns: Vec<SniffedColumn>,
    /// Objects that were looked at, of those that are text.
    pub looked_at: u64,
    /// Objects that seem to want other options than these, with the words for them.
    pub others: Vec<(String, Vec<String>)>,
}

/// Looks at the objects of a listing; `None` where none is text.
pub(super) async fn advise(
    listing: &Listing,
    options: &Options,
    settled: &[String],
) -> Result<Option<(Advice, Sniffed)>> {
    let texts: Vec<&Object> = listing.objects.iter().filter(|object| object.format == Format::Csv).collect();
    let mut options_settled = settled.to_vec();
    options_settled.extend(changed(&options.csv));
    options_settled.extend((!options.times.formats.is_empty()).then(|| "timestamp-format".to_owned()));
    let settled = Settled { csv: &options.csv, options: &options_settled, time_column: options.time_column.as_deref() };
    let mut sniffed = Vec::new();
    for object in texts.iter().take(OBJECTS_MAX).filter(|object| object.bytes > 0) {
        let (head, tail) = listing.ends(object, csv::HEAD_BYTES, csv::TAIL_BYTES).await?;
        let whole = head.len() as u64 == object.bytes; // usize has at most 64 bits
        sniffed.push((object.uri.clone(), csv::sniff(&head, &tail, whole, &settled)));
    }
    let mut advised = most_frequent(&sniffed);
    if let Some((advice, _)) = &mut advised {
        advice.flags.extend(others_given(options));
    }
    Ok(advised)
}

/// What most objects want, and which want something else.
fn most_frequent(sniffed: &[(String, Sniffed)]) -> Option<(Advice, Sniffed)> {
    let mut counts: HashMap<Vec<String>, usize> = HashMap::new();
    sniffed.iter().for_each(|(_, found)| *counts.entry(found.flags()).or_default() += 1);
    let most = counts.values().copied().max()?;
    let chosen = sniffed.iter().position(|(_, found)| counts[&found.flags()] == most)?;
    let looked_at = sniffed.len() as u64; // usize has at most 64 bits
    let flags = sniffed[chosen].1.flags();
    let others = sniffed.iter().filter(|(_, found)| found.flags() != flags);
    let others = others.map(|(uri, found)| (uri.clone(), found.flags())).collect();
    let found = sniffed[chosen].1.clone();
    let (notes, columns) = (found.notes.clone(), found.columns.clone());
    Some((Advice { flags, notes, columns, looked_at, others }, found))
}

/// Words for what was given and is not sniffed.
fn others_given(options: &Options) -> Vec<String> {
    let default = CsvOptions::default();
    let mut words = Vec::new();
    if options.as_files {
        words.push("--as-files".to_owned());
    }
    if options.zone != Zone::UTC {
        words.push(format!("--timezone={}", options.zone));
    }
    for (column, format) in &options.times.formats {
        let column = column.as_ref().map(|column| format!("{column}=")).unwrap_or_default();
        words.push(format!("--timestamp-format={column}{format}"));
    }
    if options.times.allow_lossy {
        words.push("--allow-lossy".to_owned());
    }
    if options.csv.empty_fields == EmptyFields::Text {
        words.push("--empty-as-text".to_owned());
    }
    if options.csv.record_bytes_max != default.record_bytes_max {
        words.push(format!("--record-bytes={}", options.csv.record_bytes_max));
    }
    words
}

/// Long names of the options that differ from their defaults.
fn changed(csv: &CsvOptions) -> Vec<String> {
    let default = CsvOptions::default();
    let differences = [
        ("encoding", csv.encoding != default.encoding),
        ("delimiter", csv.delimiter != default.delimiter),
        ("quote", csv.quote != default.quote),
        ("escape", csv.escape != default.escape),
        ("comment", csv.comment != default.comment),
        ("null", csv.null_marks != default.null_marks),
        ("empty-as-null", csv.empty_fields != default.empty_fields),
        ("skip-lines", csv.skip_lines != default.skip_lines),
        ("footer-lines", csv.footer_lines != default.footer_lines),
        ("ragged", csv.ragged != default.ragged),
        ("trim", csv.trim != default.trim),
        ("stray-quotes", csv.stray_quotes != default.stray_quotes),
        ("repeated-header", csv.repeated_header != default.repeated_header),
    ];
    differences.iter().filter(|(_, differs)| *differs).map(|(name, _)| (*name).to_owned()).collect()
}

/// The formats of times that are recommended.
pub(super) fn formats(sniffed: &Sniffed) -> Result<Vec<(Option<String>, TimeFormat)>> {
    let parse = |(column, format): &(Option<String>, String)| Ok((column.clone(), TimeFormat::parse(format)?));
    sniffed.timestamp_formats.iter().map(parse).collect()
}

/// `csv` with what is recommended.
pub(super) fn followed(csv: &CsvOptions, sniffed: &Sniffed) -> CsvOptions {
    let byte = |mark: Option<char>| mark.and_then(|mark| u8::try_from(mark).ok());
    let names = || sniffed.columns.iter().map(|column| column.name.clone()).collect();
    let mut csv = csv.clone();
    csv.encoding = sniffed.encoding.clone().unwrap_or_else(|| CsvOptions::default().encoding);
    csv.delimiter.clone_from(&sniffed.delimiter);
    csv.quote = byte(sniffed.quote);
    csv.escape = byte(sniffed.escape);
    csv.comment = byte(sniffed.comment);
    csv.null_marks.clone_from(&sniffed.null_marks);
    csv.skip_lines = sniffed.skip_lines;
    if sniffed.empty_as_null {
        csv.empty_fields = EmptyFields::Null;
    }
    if !sniffed.has_header {
        csv.columns = Some(names());
    }
    csv.footer_lines = sniffed.footer_lines;
    csv.ragged = sniffed.ragged;
    csv.trim = sniffed.trim;
    csv.stray_quotes = if sniffed.keeps_stray_quotes { StrayQuotes::Keep } else { StrayQuotes::Toggle };
    csv.repeated_header = if sniffed.repeated_header { RepeatedHeader::Skip } else { RepeatedHeader::Data };
    csv
}
