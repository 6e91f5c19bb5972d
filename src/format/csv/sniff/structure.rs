//! The structure of delimited text: which trial fits its records best, and at which line they begin.

use super::Settled;
use super::trial::{Field, Quotes, Record, Trial, terminator};
use crate::model::StrayQuotes;

/// Bytes in which structure is looked for: the beginning of a file says it, or nothing does.
const SAMPLE_BYTES: usize = 64 << 10;

/// Records that a trial reads.
const SAMPLE_RECORDS: usize = 1000;

/// Lines that may stand before the header.
const PREAMBLE_LINES_MAX: usize = 30;

/// Delimiters that are tried, and how far each is believed beside others that fit as well. Blanks, colons and their like
/// also stand inside values in equal numbers, and come last; several bytes do not come together by chance.
const DELIMITERS: [(&str, f64); 20] = [
    (",", 1.0),
    (";", 1.0),
    ("\t", 1.02),
    ("|", 1.0),
    ("\x01", 1.02),
    ("\x1f", 1.02),
    ("||", 1.05),
    ("::", 1.05),
    ("<|>", 1.06),
    ("|~|", 1.06),
    ("~|~", 1.06),
    ("^|^", 1.06),
    ("|^|", 1.06),
    (";;", 1.05),
    ("§", 1.0),
    ("¦", 1.0),
    ("~", WEAK),
    ("^", WEAK),
    (":", WEAK),
    (" ", WEAK),
];

const WEAK: f64 = 0.64;

/// A weak delimiter fits nearly all records.
const WEAK_SHARE_MIN: f64 = 0.95;

/// With fewer records, lines before them that a weak delimiter does not fit are no accident.
const WEAK_RECORDS_MIN: usize = 4;

/// Above this another delimiter is believed before any weak one.
const SURE: f64 = 0.5;

/// Below this no delimiter is believed, and each line is one field.
const SCORE_MIN: f64 = 0.35;

/// How far one field to a line is believed: most files have more.
const SINGLE: f64 = 0.6;

/// Marks that comments begin with.
const COMMENTS: [u8; 2] = [b'#', b'%'];

/// How some bytes are structured.
#[derive(Debug)]
pub(super) struct Structure {
    pub(super) trial: Trial,
    /// Where the first record starts.
    pub(super) start: usize,
    /// How many fields a record has.
    pub(super) columns: usize,
    /// Share of the records that have them.
    pub(super) share: f64,
    score: f64,
}

/// The structure of `text`, which is all there is if it is `whole`.
pub(super) fn find(text: &[u8], whole: bool, settled: &Settled<'_>) -> Structure {
    let (sample, whole) = match text.get(..SAMPLE_BYTES) {
        Some(sample) if sample.len() < text.len() => (sample, false),
        _ => (text, whole),
    };
    let mut best: Option<Structure> = None;
    for (delimiter, belief) in delimiters(sample, settled) {
        if belief <= WEAK && best.as_ref().is_some_and(|best| best.score > SURE) {
            break;
        }
        for trial in trials(sample, &delimiter, settled) {
            let Some(found) = evaluate(&trial, belief, sample, whole, settled) else { continue };
            let is_better = best.as_ref().is_none_or(|best| found.score > best.score + 1e-9);
            if is_better {
                best = Some(found);
            }
        }
    }
    let single = one_column(sample, whole, settled);
    match best {
        Some(best) if best.score > single.score => best,
        _ => single,
    }
}

fn delimiters(sample: &[u8], settled: &Settled<'_>) -> Vec<(Vec<u8>, f64)> {
    let named = sep_line(sample).map(|(delimiter, _)| vec![delimiter]);
    let fixed = settled.has("delimiter").then(|| settled.csv.delimiter.as_bytes().to_vec());
    if let Some(fixed) = fixed.or(named) {
        return vec![(fixed, 1.0)];
    }
    let stands = |(delimiter, _): &(&str, f64)| memchr::memmem::find(sample, delimiter.as_bytes()).is_some();
    let known = DELIMITERS.into_iter().filter(stands);
    known.map(|(delimiter, belief)| (delimiter.as_bytes().to_vec(), belief)).collect()
}

/// The delimiter that a first line `sep=;` names, and where the next line starts.
pub(super) fn sep_line(text: &[u8]) -> Option<(u8, usize)> {
    let line_end = memchr::memchr2(b'\n', b'\r', text)?;
    let line = &text[..line_end];
    let (name, value) = line.split_at_checked(4)?;
    let next = line_end + if text[line_end..].starts_with(b"\r\n") { 2 } else { 1 };
    match value {
        [delimiter] if name.eq_ignore_ascii_case(b"sep=") => Some((*delimiter, next)),
        _ => None,
    }
}

/// Trials with one delimiter: without quotes, and with each kind of quote, escape and comment that the sample has.
fn trials(sample: &[u8], delimiter: &[u8], settled: &Settled<'_>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for comment in comments(sample, settled) {
        for quote in quotes(sample, settled) {
            for (escape, keeps_stray_quotes) in escapes(sample, quote, settled) {
                trials.push(Trial { delimiter: delimiter.to_vec(), quote, escape, comment, keeps_stray_quotes });
            }
        }
    }
    trials
}

fn comments(sample: &[u8], settled: &Settled<'_>) -> Vec<Option<u8>> {
    if settled.has("comment") {
        return vec![settled.csv.comment];
    }
    let terminator = terminator(sample);
    let begins = |mark: u8| sample.split(|byte| *byte == terminator).any(|line| line.first() == Some(&mark));
    let used = COMMENTS.into_iter().filter(|mark| begins(*mark)).map(Some);
    std::iter::once(None).chain(used).collect()
}

fn quotes(sample: &[u8], settled: &Settled<'_>) -> Vec<Option<u8>> {
    if settled.has("quote") {
        return vec![settled.csv.quote];
    }
    let has = |byte: u8| memchr::memchr(byte, sample).is_some();
    let mut quotes = vec![Some(b'"')];
    quotes.extend(has(b'\'').then_some(Some(b'\'')));
    quotes.extend(has(b'"').then_some(None));
    quotes
}

/// Escapes with a quote, and whether stray quotes are kept.
fn escapes(sample: &[u8], quote: Option<u8>, settled: &Settled<'_>) -> Vec<(Option<u8>, bool)> {
    let Some(quote) = quote else { return vec![(None, false)] };
    let keeps = settled.csv.stray_quotes == StrayQuotes::Keep;
    if settled.has("escape") || keeps {
        return vec![(settled.csv.escape, keeps)];
    }
    let has = |escape: u8| memchr::memmem::find(sample, &[escape, quote]).is_some();
    let mut escapes = vec![(None, false)];
    escapes.extend([b'\\', b'^'].into_iter().filter(|escape| has(*escape)).map(|escape| (Some(escape), false)));
    let keeps = quote == b'"' && memchr::memchr(quote, sample).is_some() && !settled.has("stray-quotes");
    escapes.extend(keeps.then_some((None, true)));
    escapes
}

/// How well a trial fits, from the line on where it fits best.
fn evaluate(trial: &Trial, belief: f64, sample: &[u8], whole: bool, settled: &Settled<'_>) -> Option<Structure> {
    let mut best: Option<Structure> = None;
    for start in starts(sample, settled) {
        let Some(found) = fit(trial, belief, sample, whole, (start, settled)) else { continue };
        let is_settled = found.share > 0.7;
        if best.as_ref().is_none_or(|best| found.score > best.score + 1e-9) {
            best = Some(found);
        }
        if is_settled {
            break;
        }
    }
    best
}

/// Lines that records may begin at.
fn starts(sample: &[u8], settled: &Settled<'_>) -> Vec<usize> {
    let terminator = terminator(sample);
    let ends = memchr::memchr_iter(terminator, sample).map(|end| end + 1);
    let mut starts = std::iter::once(0).chain(ends).filter(|start| *start < sample.len());
    if settled.has("skip-lines") {
        let lines = usize::try_from(settled.csv.skip_lines).unwrap_or(usize::MAX);
        return starts.nth(lines).into_iter().collect();
    }
    let least = usize::from(sep_line(sample).is_some());
    starts.skip(least).take(PREAMBLE_LINES_MAX + 1).collect()
}

/// How well a trial fits from a line on; `None` where there is no more than one field to a record.
fn fit(
    trial: &Trial,
    belief: f64,
    sample: &[u8],
    whole: bool,
    (start, settled): (usize, &Settled<'_>),
) -> Option<Structure> {
    let found = trial.read(sample, start, whole, SAMPLE_RECORDS);
    let records: Vec<&Record> = found.records.iter().filter(|record| !record.is_empty).collect();
    let first = *records.first()?;
    let (columns, fitting) = columns(&records, sample);
    if columns < 2 {
        return None;
    }
    let share = ratio(fitting, records.len());
    let begins = first.fields.len() == columns;
    let skipped = skipped_lines(sample, start);
    let is_weak = belief <= WEAK;
    if is_weak && share < WEAK_SHARE_MIN || skipped > 0 && records.len() < if is_weak { WEAK_RECORDS_MIN } else { 2 } {
        return None;
    }
    let mut score = share.powf(1.5) * belief * careful(trial, &records, sample);
    score *= if begins { 1.0 } else { 0.7 };
    score *= if skipped > 0 { 0.9 * ratio(records.len(), records.len() + skipped).sqrt() } else { 1.0 };
    // Where lines are left out before a record that begins with a number, they are more likely to be records too.
    let is_number = |field: &Field| field.text(sample).first().is_some_and(u8::is_ascii_digit);
    let has_names = settled.csv.columns.is_some() || !first.fields.first().is_some_and(is_number);
    score *= if skipped > 0 && !has_names { 0.5 } else { 1.0 };
    // What an open quote swallows has not been read.
    score *= if found.is_open { 0.3 + 0.3 * ratio(records.last()?.start + 1, sample.len()) } else { 1.0 };
    score *= if trial.keeps_stray_quotes { 0.97 } else { 1.0 };
    score *= if trial.comment.is_some() { 0.99 } else { 1.0 };
    score *= if trial.escape.is_some() || trial.quote == Some(b'\'') { 0.98 } else { 1.0 };
    let share = if begins { share } else { 0.0 };
    (score >= SCORE_MIN).then(|| Structure { trial: trial.clone(), start, columns, share, score })
}

/// Lines before `start` that hold anything, but for one that names the delimiter.
fn skipped_lines(sample: &[u8], start: usize) -> usize {
    let before = sample[..start].split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty()).count();
    before.saturating_sub(usize::from(sep_line(sample).is_some()))
}

/// How many fields records have, and how many records have them.
fn columns(records: &[&Record], sample: &[u8]) -> (usize, usize) {
    let first = records[0].fields.len();
    let counted = |count: usize| records.iter().filter(|record| record.fields.len() == count).count();
    let most_frequent =
        records.iter().map(|record| record.fields.len()).max_by_key(|count| (counted(*count), *count == first, *count));
    let columns = most_frequent.unwrap_or(first);
    if first >= 2 && first < columns {
        // A delimiter after the last field of each record, but not after that of the header.
        let ends_empty = |record: &&&Record| {
            record.fields.len() == first || record.fields.iter().skip(first).all(|field| field.text(sample).is_empty())
        };
        let fitting = records.iter().filter(ends_empty).count();
        if fitting >= counted(columns) {
            return (first, fitting);
        }
    }
    if first > columns && first >= 2 && records.iter().all(|record| record.fields.len() <= first) && columns > 1 {
        // Records that leave out fields at their end.
        return (first, records.len() - 1);
    }
    (columns, counted(columns))
}

/// How far quotes stand where they should: 1 where there are none.
fn careful(trial: &Trial, records: &[&Record], sample: &[u8]) -> f64 {
    let fields = || records.iter().flat_map(|record| &record.fields);
    if trial.quote.is_none() {
        // Where fields begin with a quote, it is likely to be one.
        let texts = || fields().map(|field| &sample[field.range.clone()]);
        let quoted = texts().filter(|text| memchr::memchr(b'"', text).is_some()).count();
        let beginning = texts().filter(|text| text.first() == Some(&b'"')).count();
        return 1.0 - 0.3 * ratio(beginning, quoted.max(1));
    }
    let count = |kind: Quotes| fields().filter(|field| field.quotes == kind).count();
    let (around, inside, stray) = (count(Quotes::Around), count(Quotes::Inside), count(Quotes::Stray));
    let careless = if trial.keeps_stray_quotes { stray } else { inside + stray };
    1.0 - 0.2 * ratio(careless, (around + inside + stray).max(1))
}

/// Lines of one field each.
fn one_column(sample: &[u8], whole: bool, settled: &Settled<'_>) -> Structure {
    let trial = Trial {
        delimiter: settled.csv.delimiter.as_bytes().to_vec(),
        quote: settled.csv.quote,
        escape: settled.csv.escape,
        comment: settled.csv.comment,
        keeps_stray_quotes: settled.csv.stray_quotes == StrayQuotes::Keep,
    };
    let start = starts(sample, settled).first().copied().unwrap_or(0);
    let found = trial.read(sample, start, whole, SAMPLE_RECORDS);
    let single = found.records.iter().filter(|record| record.fields.len() == 1).count();
    let share = ratio(single, found.records.len().max(1));
    Structure { trial, start, columns: 1, share, score: SINGLE * share }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a sample are far below 2^52")]
pub(super) fn ratio(part: usize, all: usize) -> f64 {
    part as f64 / all as f64
}
