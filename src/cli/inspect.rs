//! `inspect`: what a source holds, and how it seems to want to be loaded.

use std::fmt::Write as _;

use pgbackfill::report::{self, bytes, count, counted};
use pgbackfill::{Advice, BadRecord, Inspection};

use super::args::{Common, InspectArgs};
use super::exit;
use super::output::{self, Table, line};

/// Objects that are printed before the rest is only counted.
const OBJECTS_SHOWN: usize = 20;

pub(crate) async fn inspect(args: &InspectArgs, common: &Common) -> anyhow::Result<u8> {
    let (input, options) = args.resolve()?;
    let found = pgbackfill::inspect(input, &options, &args.given).await?;
    if common.json {
        output::json(&found);
        return Ok(exit::DONE);
    }
    print_objects(&found);
    match &found.advice {
        Some(advice) => print_columns(advice),
        None => print_layouts(&found),
    }
    print_time(&found);
    if let Some(advice) = &found.advice {
        print_advice(advice, args);
    }
    print_bad(&found);
    Ok(exit::DONE)
}

fn print_objects(found: &Inspection) {
    let mut table = Table::new(&["object", "format", "bytes", "rows"]);
    for object in found.objects.iter().take(OBJECTS_SHOWN) {
        table.push(vec![object.uri.clone(), object.format.clone(), bytes(object.bytes), count(object.rows)]);
    }
    table.print();
    let all: u64 = found.objects.iter().map(|object| object.bytes).sum();
    let objects = found.objects.len() as u64; // usize has at most 64 bits
    line(&format!("  {}, {}, {}", counted(objects, "object"), bytes(all), counted(found.rows, "row")));
    if let Some(what) = report::mended(&found.mended) {
        line(&format!("  mended: {what}"));
    }
}

fn print_layouts(found: &Inspection) {
    for layout in &found.layouts {
        line("");
        let mut table = Table::new(&["column", "type"]);
        layout.iter().for_each(|(name, data_type)| table.push(vec![name.clone(), data_type.clone()]));
        found.path_columns.iter().for_each(|name| table.push(vec![name.clone(), "folder name".to_owned()]));
        table.print();
    }
}

fn print_columns(advice: &Advice) {
    line("");
    let mut table = Table::new(&["column", "looks like", ""]);
    for column in &advice.columns {
        let nulls = if column.has_null { "with nulls" } else { "" };
        table.push(vec![column.name.clone(), column.holds.to_owned(), nulls.to_owned()]);
    }
    table.print();
}

fn print_time(found: &Inspection) {
    let Some(time) = &found.time else { return };
    let order = if time.ascending { "in order" } else { "not in order" };
    line("");
    line(&format!("  {} from {} to {}, {order}", time.column, time.oldest, time.newest));
    if time.rows_unkeyed > 0 {
        line(&format!("  {} rows have no time, or an infinite one", count(time.rows_unkeyed)));
    }
}

fn print_advice(advice: &Advice, args: &InspectArgs) {
    line("");
    line("Recommended, by a guess from the first and the last bytes; a load itself guesses nothing:");
    line("");
    let times = |column: &&pgbackfill::format::csv::SniffedColumn| {
        column.holds.starts_with("timestamp") || column.holds == "date"
    };
    let seen = advice.columns.iter().find(times).map(|column| column.name.as_str());
    let mut words = vec!["pgbackfill".to_owned(), "load".to_owned()];
    words.extend(args.source.source.iter().map(|word| quoted(word)));
    words.extend(["--table".to_owned(), "TABLE".to_owned()]);
    match args.time_column.as_deref().or(seen) {
        Some(column) => words.extend(["--time-column".to_owned(), quoted(column)]),
        None => words.push("--no-time-column".to_owned()),
    }
    words.extend(advice.flags.iter().map(|word| quoted(word)));
    line(&format!("  {}", words.join(" ")));
    if !advice.notes.is_empty() {
        line("");
        advice.notes.iter().for_each(|note| line(&format!("  - {note}")));
    }
    for (uri, flags) in &advice.others {
        let words: Vec<String> = flags.iter().map(|word| quoted(word)).collect();
        let words = if words.is_empty() { "no option".to_owned() } else { words.join(" ") };
        line(&format!("  - {uri} seems to want other options: {words}"));
    }
}

fn print_bad(found: &Inspection) {
    if found.bad.is_empty() {
        return;
    }
    line("");
    line(&format!("{} cannot be read so; the first:", counted(found.rows_bad, "record")));
    line("");
    for bad in &found.bad {
        line(&format!("  {}", described(bad)));
        bad.text.iter().for_each(|text| line(&format!("    {}", text.escape_debug())));
    }
}

fn described(bad: &BadRecord) -> String {
    let mut place = bad.object.clone().unwrap_or_default();
    for (what, number) in [("record", bad.record), ("byte", bad.byte)] {
        if let Some(number) = number {
            write!(place, " {what} {number}").expect("a String takes any text");
        }
    }
    let column = bad.column.as_ref().map(|column| format!(" in column \"{column}\"")).unwrap_or_default();
    format!("{place}: {}{column}", bad.reason)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,%+@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_split_or_change_it() {
        let words = ["--delimiter", ";", "\\t", "a b", "it's", "--null=-", "%d/%m/%Y %H:%M", "#", ""];
        let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        assert_eq!(quoted.join(" "), r"--delimiter ';' '\t' 'a b' 'it'\''s' --null=- '%d/%m/%Y %H:%M' '#' ''");
    }
}
