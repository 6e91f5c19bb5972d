//! What goes to stdout, results as text or as JSON lines, and to stderr; both may be closed or full.
//!
//! Every text for people passes here, and this is where text from outside (names, values, what the server says) is made
//! harmless for terminals and logs. Data that is printed as data goes through [`bytes`] as it is.

use std::io::{self, Write};
use std::sync::OnceLock;

use clap::error::ContextValue;
use pgbackfill::report::{escaped, is_hidden, shortened};

use super::closed;

/// The failure that ended the output.
static ENDED: OnceLock<io::Error> = OnceLock::new();

/// The longest line for people, in bytes. What is longer was not meant to be read.
const LINE_BYTES_MAX: usize = 64 << 10;

/// The longest cell of a table, in bytes: a path may have 4,096, a name of the server has 63.
const CELL_BYTES_MAX: usize = 512;

/// Prints one line, whatever the text holds. A reader that went away (`| head`), or a disk that is full, ends the output,
/// not the work.
pub(crate) fn line(text: &str) {
    print(&(plain(text) + "\n"));
}

/// Prints the program's own text of several lines as it is.
pub(crate) fn own_text(text: &str) {
    print(&format!("{text}\n"));
}

fn print(text: &str) {
    bytes(text.as_bytes());
}

/// One line for people out of any text.
fn plain(text: &str) -> String {
    escaped(&shortened(text, LINE_BYTES_MAX)).into_owned()
}

/// Remembers that the output has ended.
fn note(written: io::Result<()>) {
    if let Err(error) = written {
        tracing::debug!(%error, "stdout is closed");
        // The first failure is the one to tell.
        let _ = ENDED.set(error);
    }
}

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    if is_open() {
        let mut output = Stdout;
        note(output.write_all(bytes).and_then(|()| output.flush()));
    }
}

/// Prints what clap found: help and version to stdout, as results; errors to stderr.
pub(crate) fn parsed(mut error: clap::Error) {
    if !error.use_stderr() {
        return note(closed::check().and_then(|()| error.print()));
    }
    let shown = |text: &String| escaped(&shortened(text, CELL_BYTES_MAX)).into_owned();
    let typed: Vec<_> = error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in typed {
        let value = match value {
            ContextValue::String(text) => ContextValue::String(shown(&text)),
            ContextValue::Strings(texts) => ContextValue::Strings(texts.iter().map(shown).collect()),
            // The program's own words, in its own style.
            other => other,
        };
        error.insert(kind, value);
    }
    let _ = error.print();
}

/// Whether what is printed can still arrive.
pub(crate) fn is_open() -> bool {
    ENDED.get().is_none()
}

/// Why results were lost, if they were.
pub(crate) fn lost() -> Option<&'static io::Error> {
    ENDED.get()
}

/// Prints one line to stderr. Where that is closed or full there is nobody left to tell, and the exit code tells it.
pub(crate) fn message(text: &str) {
    let mut output = io::stderr().lock();
    let _ = output.write_all((plain(text) + "\n").as_bytes()).and_then(|()| output.flush());
}

/// Stdout, which says so where it was closed from the start.
pub(crate) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        closed::check().and_then(|()| io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        closed::check().and_then(|()| io::stdout().flush())
    }
}

/// Where the log goes: stderr, each event as one line of harmless text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // The formatter hands over a whole event at once.
        let text = String::from_utf8_lossy(event);
        let line = plain(text.strip_suffix('\n').unwrap_or(&text)) + "\n";
        io::stderr().write_all(line.as_bytes()).map(|()| event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Prints a value as a line of JSON.
pub(crate) fn json(value: &impl serde::Serialize) {
    print(&json_line(value));
}

/// A value as a line of JSON. Characters that a terminal acts upon or does not show are escaped; a program that reads it gets
/// the same texts.
pub(crate) fn json_line(value: &impl serde::Serialize) -> String {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Visible);
    value.serialize(&mut serializer).expect("results have plain fields only");
    text.push(b'\n');
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// Writes JSON in which hidden characters are escaped.
struct Visible;

impl serde_json::ser::Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, output: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, character)| is_hidden(*character)) {
            output.write_all(&rest.as_bytes()[..at])?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(output, "\\u{unit:04x}")?;
            }
            rest = &rest[at + hidden.len_utf8()..];
        }
        output.write_all(rest.as_bytes())
    }
}

/// Columns of text, each as wide as its widest cell; numbers to the right.
pub(crate) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        let cell = |text: String| escaped(&shortened(&text, CELL_BYTES_MAX)).into_owned();
        self.rows.push(row.into_iter().map(cell).collect());
    }

    /// The table as lines, indented.
    pub(crate) fn lines(&self) -> Vec<String> {
        let header: Vec<String> = self.header.iter().map(|cell| (*cell).to_owned()).collect();
        let width = |i: usize| {
            let cells = std::iter::once(&header).chain(&self.rows).filter_map(|row| row.get(i));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let numeric: Vec<bool> = (0..header.len()).map(|i| self.is_numeric(i)).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).zip(&numeric).map(|((cell, width), numeric)| {
                if *numeric { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
        };
        std::iter::once(&header).chain(&self.rows).map(line).collect()
    }

    fn is_numeric(&self, column: usize) -> bool {
        let starts = |row: &Vec<String>| {
            row.get(column).is_some_and(|cell| cell.trim_start_matches('~').starts_with(|c: char| c.is_ascii_digit()))
        };
        !self.rows.is_empty() && self.rows.iter().all(starts)
    }

    pub(crate) fn print(&self) {
        self.lines().iter().for_each(|text| line(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped_in_json_and_read_back_the_same() {
        let text = "a\u{1b}[31m\u{202e}\u{9b}\u{7f}\u{e0041}\u{200b}é\n";
        let line = json_line(&text);
        assert_eq!(line, "\"a\\u001b[31m\\u202e\\u009b\\u007f\\udb40\\udc41\\u200bé\\n\"\n");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }

    #[test]
    fn a_cell_is_one_short_line() {
        let mut table = Table::new(&["name"]);
        table.push(vec![format!("a\nb\u{1b}{}", "x".repeat(1 << 20))]);
        let lines = table.lines();
        assert!(lines.len() == 2 && lines[1].len() < 600 && lines[1].starts_with("  a\\nb\\u{1b}x"), "{lines:?}");
    }

    #[test]
    fn a_table_aligns_texts_left_and_numbers_right() {
        let mut table = Table::new(&["name", "rows"]);
        table.push(vec!["a".into(), "~5".into()]);
        table.push(vec!["long".into(), "1,000".into()]);
        assert_eq!(table.lines(), ["  name   rows", "  a        ~5", "  long  1,000"]);
    }
}
