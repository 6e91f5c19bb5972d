//! The one table that says, for each class of failure, whether trying again can help.
//!
//! SQLSTATE classes are those of `PostgreSQL`'s documentation, appendix A.

use super::ErrorKind;

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// Clear the window and load it again after a pause, over a new connection where the old one is gone.
    Backoff,
    /// As [`Retry::Backoff`], but with fewer connections at once.
    FewerWorkers,
    /// Stop starting windows: the next try would meet the same shortage.
    StopStarting,
    /// The same rows would fail in the same way.
    Never,
}

/// What a SQLSTATE means for a loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SqlClass {
    /// Passes by itself: a restart, a deadlock, a serialization failure.
    Transient,
    /// The server lacks connections, disk or memory.
    Resource,
    /// A value or a row is refused.
    Data,
    /// The role may not do this.
    Permission,
    /// A table, column or type is not what it was, or the server is read-only.
    Schema,
    /// Everything else: a defect here or in the server.
    Bug,
}

/// The class of a five-character SQLSTATE.
#[must_use]
pub fn classify(sqlstate: &str) -> SqlClass {
    match sqlstate {
        // Read-only server: waiting does not make it a primary.
        "25006" => SqlClass::Schema,
        "28000" | "28P01" | "42501" => SqlClass::Permission,
        // Lock not available, and the shutdown and start-up of a server.
        "55P03" | "57P01" | "57P02" | "57P03" | "57P05" | "58000" | "58030" => SqlClass::Transient,
        // Statement timeout: the server's setting is a resource like disk.
        "57014" => SqlClass::Resource,
        _ => classify_by_prefix(sqlstate),
    }
}

fn classify_by_prefix(sqlstate: &str) -> SqlClass {
    match sqlstate.get(..2).unwrap_or_default() {
        "08" | "40" | "25" => SqlClass::Transient,
        "53" | "54" => SqlClass::Resource,
        "21" | "22" | "23" | "44" | "P0" | "2F" | "38" | "39" => SqlClass::Data,
        "28" | "0L" | "0P" => SqlClass::Permission,
        "0A" | "26" | "2B" | "34" | "3B" | "3D" | "3F" | "42" | "55" => SqlClass::Schema,
        _ => SqlClass::Bug,
    }
}

/// The answer for an error of `kind` with an optional SQLSTATE.
pub(super) fn of(kind: ErrorKind, sqlstate: Option<&str>) -> Retry {
    match (kind, sqlstate) {
        (ErrorKind::Connection, None) => Retry::Backoff,
        (ErrorKind::Target | ErrorKind::Connection, Some("53300")) => Retry::FewerWorkers,
        (ErrorKind::Target | ErrorKind::Connection, Some(code)) => match classify(code) {
            SqlClass::Transient => Retry::Backoff,
            SqlClass::Resource => Retry::StopStarting,
            SqlClass::Data | SqlClass::Permission | SqlClass::Schema | SqlClass::Bug => Retry::Never,
        },
        _ => Retry::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_code_has_the_class_that_the_server_documents() {
        let table = [
            ("08006", SqlClass::Transient),
            ("40001", SqlClass::Transient),
            ("40P01", SqlClass::Transient),
            ("55P03", SqlClass::Transient),
            ("57P01", SqlClass::Transient),
            ("57P03", SqlClass::Transient),
            ("53100", SqlClass::Resource),
            ("53300", SqlClass::Resource),
            ("57014", SqlClass::Resource),
            ("22P02", SqlClass::Data),
            ("23505", SqlClass::Data),
            ("P0001", SqlClass::Data),
            ("42501", SqlClass::Permission),
            ("28P01", SqlClass::Permission),
            ("25006", SqlClass::Schema),
            ("42P01", SqlClass::Schema),
            ("XX000", SqlClass::Bug),
        ];
        for (code, class) in table {
            assert_eq!(classify(code), class, "{code}");
        }
    }

    #[test]
    fn a_lost_connection_is_tried_again_and_a_bad_value_is_not() {
        assert_eq!(of(ErrorKind::Connection, None), Retry::Backoff);
        assert_eq!(of(ErrorKind::Target, Some("40001")), Retry::Backoff);
        assert_eq!(of(ErrorKind::Target, Some("53300")), Retry::FewerWorkers);
        assert_eq!(of(ErrorKind::Target, Some("53100")), Retry::StopStarting);
        assert_eq!(of(ErrorKind::Target, Some("23505")), Retry::Never);
        assert_eq!(of(ErrorKind::Data, None), Retry::Never);
    }
}
