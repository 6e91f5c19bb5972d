//! How the program ends: exit codes, and the form of an error.

use std::fmt::Write as _;
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
        ErrorKind::Incomplete | ErrorKind::Connection => INCOMPLETE,
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
        super::output::line(&object.to_string());
    }
    super::output::message(render(error, known).trim_end());
    ExitCode::from(code)
}

/// The exit code of a command whose result was what it printed: a success whose result was lost is none.
pub(crate) fn printed(code: u8) -> u8 {
    let Some(error) = super::output::lost().filter(|_| code == DONE) else { return code };
    super::output::message(&format!("error: the result could not be printed\n  caused by: {error}"));
    FAILED
}

fn render(error: &anyhow::Error, known: Option<&Error>) -> String {
    let mut text = format!("error: {error}\n");
    for cause in error.chain().skip(1) {
        writeln!(text, "  caused by: {cause}").expect("a String takes any text");
    }
    if let Some(hint) = known.and_then(Error::hint) {
        writeln!(text, "\nhint: {}", hint.replace('\n', "\n      ")).expect("a String takes any text");
    }
    text
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
                        hint: mend the row\n";
        assert_eq!(render(&error, known), expected);
    }

    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        let codes = [
            (ErrorKind::Settings, 2),
            (ErrorKind::Data, 1),
            (ErrorKind::Connection, 4),
            (ErrorKind::Busy, 7),
            (ErrorKind::Interrupted, 130),
        ];
        for (kind, expected) in codes {
            assert_eq!(code(&Error::new(kind, "x")), expected, "{kind:?}");
        }
    }
}
