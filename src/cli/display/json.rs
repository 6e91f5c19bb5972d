//! The view for machines: each event as one line of JSON.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use pgbackfill::{Event, Observer};

/// Writes events to `W` until it is closed.
pub(super) struct JsonLines<W> {
    /// `None` once a write has failed.
    output: Mutex<Option<W>>,
}

impl<W: Write> JsonLines<W> {
    pub(super) fn new(output: W) -> Self {
        Self { output: Mutex::new(Some(output)) }
    }
}

impl<W: Write + Send> Observer for JsonLines<W> {
    fn observe(&self, event: &Event) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = output.as_mut() else { return };
        if let Err(error) = write_line(open, event) {
            // A reader that has gone, such as `head`, does not end the load; its exit code still tells the outcome.
            *output = None;
            super::super::output::message(&format!("warning: events are no longer printed: {error}"));
        }
    }
}

fn write_line(output: &mut impl Write, event: &Event) -> io::Result<()> {
    output.write_all(super::super::output::json_line(event).as_bytes())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgbackfill::Conflicts;

    struct Closing(usize);

    impl Write for Closing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_event_is_one_line_with_its_name() {
        let json = JsonLines::new(Vec::new());
        json.observe(&Event::Batch { window: "[a, b)".into(), rows: 2, bytes: 30, conflicts: Conflicts::default() });
        json.observe(&Event::Warning { message: "two\nlines".into() });
        let output = json.output.into_inner().unwrap().unwrap();
        let text = String::from_utf8(output).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0],
            r#"{"event":"batch","window":"[a, b)","rows":2,"bytes":30,"rows_skipped":0,"rows_updated":0}"#
        );
        assert_eq!(lines[1], r#"{"event":"warning","message":"two\nlines"}"#);
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_closed_output_is_noted_once_and_does_not_panic() {
        let json = JsonLines::new(Closing(1));
        for _ in 0..3 {
            json.observe(&Event::Stopping);
        }
        assert!(json.output.into_inner().unwrap().is_none());
    }
}
