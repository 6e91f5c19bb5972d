//! What goes to stdout, results as text or as JSON lines, and to stderr; both may be closed or full.

use std::io::{self, Write};
use std::sync::OnceLock;

/// The failure that ended the output.
static ENDED: OnceLock<io::Error> = OnceLock::new();

/// Prints a line. A reader that went away (`| head`), or a disk that is full, ends the output, not the work.
pub(crate) fn line(text: &str) {
    if is_open() {
        note(write_line(&mut io::stdout().lock(), text));
    }
}

/// Remembers that the output has ended.
pub(crate) fn note(written: io::Result<()>) {
    if let Err(error) = written {
        tracing::debug!(%error, "stdout is closed");
        // The first failure is the one to tell.
        let _ = ENDED.set(error);
    }
}

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    if is_open() {
        let mut output = io::stdout().lock();
        note(output.write_all(bytes).and_then(|()| output.flush()));
    }
}

/// Whether what is printed can still arrive.
pub(crate) fn is_open() -> bool {
    ENDED.get().is_none()
}

/// Why results were lost, if they were. A reader that went away has seen what it wanted.
pub(crate) fn lost() -> Option<&'static io::Error> {
    ENDED.get().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
}

/// Prints a line to stderr. Where that is closed or full there is nobody left to tell, and the exit code tells it.
pub(crate) fn message(text: &str) {
    let _ = write_line(&mut io::stderr().lock(), text);
}

fn write_line(output: &mut impl Write, text: &str) -> io::Result<()> {
    output.write_all(text.as_bytes())?;
    output.write_all(b"\n")?;
    output.flush()
}

/// Prints a value as a line of JSON.
pub(crate) fn json(value: &impl serde::Serialize) {
    line(&serde_json::to_string(value).expect("results have plain fields only"));
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
        self.rows.push(row);
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
    fn a_table_aligns_texts_left_and_numbers_right() {
        let mut table = Table::new(&["name", "rows"]);
        table.push(vec!["a".into(), "~5".into()]);
        table.push(vec!["long".into(), "1,000".into()]);
        assert_eq!(table.lines(), ["  name   rows", "  a        ~5", "  long  1,000"]);
    }
}
