//! How the program ends: exit codes, and the form of an error.

use std::process::ExitCode;

use pgbackfill::{Error, ErrorKind};

/// All that was asked is loaded.
pub(crate) const DONE: u8 = 0;
/// What was asked failed.
const FAILED: u8 = 1;
/// Loaded, but for rows that were rejected, or have no time.
pub(crate) const WITH_REJECTS: u8 = 3;
/// Not everything is loaded; run again to resume.
pub(crate) const INCOMPLETE: u8 = 4;
/// Verification found a difference.
pub(crate) const DIFFERENT: u8 = 5;
/// The user asked to stop, by the signal of Ctrl-C or that of a supervisor.
pub(crate) const INTERRUPTED: u8 = 130;
pub(crate) const TERMINATED: u8 = 143;

/// The exit code of an error.
fn code(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::Settings | ErrorKind::Schema => 2,
        ErrorKind::Incomplete | ErrorKind::Connection | ErrorKind::Gone => INCOMPLETE,
        ErrorKind::Difference => DIFFERENT,
        ErrorKind::Busy | ErrorKind::Fenced => 7,
        ErrorKind::Interrupted => INTERRUPTED,
        _ => FAILED,
    }
}

/// Prints an error with its causes and its hint, and gives its exit code.
pub(crate) fn fail(error: &anyhow::Error, json: bool) -> ExitCode {
    let known = error.chain().find_map(|cause| cause.downcast_ref::<Error>());
    let code = known.map_or(FAILED, code);
    if json {
        let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
        let hint = known.and_then(Error::hint);
        let object = serde_json::json!({ "event": "error", "error": error.to_string(), "causes": causes, "hint": hint, "exit": code });
        super::output::json(&object);
    }
    render(error, known).iter().for_each(|line| super::output::message(line));
    ExitCode::from(code)
}

/// The exit code of a command whose result is what it printed: where that was lost, it failed.
pub(crate) fn printed(code: u8) -> u8 {
    let Some(error) = super::output::lost().filter(|_| code == DONE || code == WITH_REJECTS) else { return code };
    // A reader that went away (`| head`) knows that it did, as with programs that SIGPIPE ends without a word.
    if error.kind() != std::io::ErrorKind::BrokenPipe {
        super::output::message("error: the result could not be printed");
        super::output::message(&format!("  caused by: {error}"));
    }
    FAILED
}

/// The lines of an error. Line ends in a hint are its own, since it may list things; a message is one line.
fn render(error: &anyhow::Error, known: Option<&Error>) -> Vec<String> {
    let mut lines = vec![format!("error: {error}")];
    lines.extend(error.chain().skip(1).map(|cause| format!("  caused by: {cause}")));
    if let Some(hint) = known.and_then(Error::hint) {
        lines.push(String::new());
        let starts = std::iter::once("hint: ").chain(std::iter::repeat("      "));
        lines.extend(hint.split('\n').zip(starts).map(|(line, start)| format!("{start}{line}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_printed_with_its_causes_and_the_next_step() {
        let inner =
            Error::new(ErrorKind::Data, "\"x\" is not an integer").in_column("n").at_object("a.csv").at_record(3);
        let error = inner.with_hint("mend the row").context("copy into public.t");
        let error = anyhow::Error::new(error);
        let known = error.chain().find_map(|cause| cause.downcast_ref::<Error>());
        let expected = "error: copy into public.t\n  caused by: \"x\" is not an integer in column \"n\", a.csv record 3\n\n\
                        hint: mend the row";
        assert_eq!(render(&error, known).join("\n"), expected);
    }

    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        let codes = [
            (ErrorKind::Settings, 2),
            (ErrorKind::Data, 1),
            (ErrorKind::Connection, 4),
            (ErrorKind::Busy, 7),
            (ErrorKind::Fenced, 7),
            (ErrorKind::Gone, 4),
            (ErrorKind::Interrupted, 130),
        ];
        for (kind, expected) in codes {
            assert_eq!(code(&Error::new(kind, "x")), expected, "{kind:?}");
        }
    }
}
