//! The one table that says, for each class of failure, whether trying again can help.
//!
//! Classes and codes are those of `PostgreSQL`'s documentation, appendix A.

use super::ErrorKind;

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// Clear the window and load it again after a pause, over a new connection where the old one is gone.
    Backoff,
    /// As [`Retry::Backoff`], but with smaller batches: somebody ended the statement because it took too long.
    SmallerBatches,
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
    /// The server lacks connections, disk, memory or time.
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

/// Codes that mean something else to a loader than the rest of their class.
const CODES: [(&str, SqlClass); 24] = [
    // Read-only server: waiting does not make it a primary.
    ("25006", SqlClass::Schema),
    // The session was ended because it was idle in a transaction for too long, or the transaction took too long.
    ("25P03", SqlClass::Transient),
    ("25P04", SqlClass::Resource),
    // A deferred constraint was broken.
    ("40002", SqlClass::Data),
    ("42501", SqlClass::Permission),
    // Lock not available.
    ("55P03", SqlClass::Transient),
    // A statement was cancelled, by statement_timeout or by a person: the server's time is a resource like its disk.
    ("57014", SqlClass::Resource),
    // The shutdown and start-up of a server, and the end of a session.
    ("57P01", SqlClass::Transient),
    ("57P02", SqlClass::Transient),
    ("57P03", SqlClass::Transient),
    ("57P05", SqlClass::Transient),
    ("57P04", SqlClass::Schema),
    // The server's own reads and writes failed; a full disk has a code of its own, 53100.
    ("58000", SqlClass::Transient),
    ("58030", SqlClass::Transient),
    // A foreign server is away, or out of memory.
    ("HV00N", SqlClass::Transient),
    ("HV001", SqlClass::Resource),
    // A foreign server's table is not what the catalog says.
    ("HV004", SqlClass::Schema),
    ("HV005", SqlClass::Schema),
    ("HV007", SqlClass::Schema),
    ("HV00J", SqlClass::Schema),
    ("HV00P", SqlClass::Schema),
    ("HV00Q", SqlClass::Schema),
    ("HV00R", SqlClass::Schema),
    // `raise exception` in a trigger without a code of its own stands in class P0, with all others that it may choose.
    ("P0001", SqlClass::Data),
];

/// Every class of appendix A.
const CLASSES: [(&str, SqlClass); 43] = [
    ("00", SqlClass::Bug),        // successful completion
    ("01", SqlClass::Bug),        // warning
    ("02", SqlClass::Bug),        // no data
    ("03", SqlClass::Bug),        // SQL statement not yet complete
    ("08", SqlClass::Transient),  // connection exception
    ("09", SqlClass::Data),       // triggered action exception
    ("0A", SqlClass::Schema),     // feature not supported, by this kind of table
    ("0B", SqlClass::Bug),        // invalid transaction initiation
    ("0F", SqlClass::Bug),        // locator exception
    ("0L", SqlClass::Permission), // invalid grantor
    ("0P", SqlClass::Permission), // invalid role specification
    ("0Z", SqlClass::Bug),        // diagnostics exception
    ("20", SqlClass::Data),       // case not found, in a trigger
    ("21", SqlClass::Data),       // cardinality violation
    ("22", SqlClass::Data),       // data exception
    ("23", SqlClass::Data),       // integrity constraint violation
    ("24", SqlClass::Bug),        // invalid cursor state
    ("25", SqlClass::Bug),        // invalid transaction state
    ("26", SqlClass::Bug),        // invalid SQL statement name
    ("27", SqlClass::Data),       // triggered data change violation
    ("28", SqlClass::Permission), // invalid authorization specification
    ("2B", SqlClass::Schema),     // dependent privilege descriptors still exist
    ("2D", SqlClass::Bug),        // invalid transaction termination
    ("2F", SqlClass::Data),       // SQL routine exception
    ("34", SqlClass::Bug),        // invalid cursor name
    ("38", SqlClass::Data),       // external routine exception
    ("39", SqlClass::Data),       // external routine invocation exception
    ("3B", SqlClass::Bug),        // savepoint exception
    ("3D", SqlClass::Schema),     // invalid catalog name
    ("3F", SqlClass::Schema),     // invalid schema name
    ("40", SqlClass::Transient),  // transaction rollback
    ("42", SqlClass::Schema),     // syntax error or access rule violation
    ("44", SqlClass::Data),       // with check option violation
    ("53", SqlClass::Resource),   // insufficient resources
    ("54", SqlClass::Data),       // program limit exceeded: a value is too long for its index, say
    ("55", SqlClass::Schema),     // object not in prerequisite state
    ("57", SqlClass::Bug),        // operator intervention
    ("58", SqlClass::Bug),        // system error
    ("72", SqlClass::Transient),  // snapshot too old
    ("F0", SqlClass::Bug),        // configuration file error
    ("HV", SqlClass::Bug),        // foreign data wrapper error
    ("P0", SqlClass::Data),       // PL/pgSQL error
    ("XX", SqlClass::Bug),        // internal error
];

/// The class of a five-character SQLSTATE. A code that appendix A does not know is a [`SqlClass::Bug`]; a trigger that
/// raises one of its own must not have its rows tried for ever.
#[must_use]
pub fn classify(sqlstate: &str) -> SqlClass {
    let find =
        |table: &[(&str, SqlClass)], key: &str| table.iter().find(|(code, _)| *code == key).map(|(_, class)| *class);
    find(&CODES, sqlstate).or_else(|| find(&CLASSES, sqlstate.get(..2).unwrap_or_default())).unwrap_or(SqlClass::Bug)
}

/// The code of an error that whoever raised it gave none.
const INTERNAL_ERROR: &str = "XX000";

/// Whether a failure may be the fault of one of the rows that were sent, so that the others could be stored without it.
///
/// Not so a second row of one key in one statement (class 21), for then it is not decided which of the two is at fault; and not
/// a COPY that is ill formed (22P04), which would be the fault of whoever made it. Where the server met the value of a column,
/// an input function has refused it, which may say anything: that of `tsvector` tells a syntax error, those of `PostGIS` give
/// no code at all. A code that appendix A does not know is a trigger's.
pub(super) fn is_of_row(kind: ErrorKind, sqlstate: Option<&str>, met_value: bool) -> bool {
    let of_row = |code: &str| match code {
        "22P04" => false,
        _ if met_value => refuses_value(code),
        _ => (classify(code) == SqlClass::Data || !is_known(code)) && !code.starts_with("21"),
    };
    kind == ErrorKind::Target && sqlstate.is_some_and(of_row)
}

/// Whether an error that was met at a value says that the server does not take it.
fn refuses_value(code: &str) -> bool {
    let is_corruption = code.starts_with("XX") && code != INTERNAL_ERROR;
    !is_corruption && !matches!(classify(code), SqlClass::Transient | SqlClass::Resource)
}

/// Whether appendix A has the class of this code.
fn is_known(code: &str) -> bool {
    CLASSES.iter().any(|(class, _)| code.get(..2) == Some(class))
}

/// The answer for an error of `kind` with an optional SQLSTATE.
pub(super) fn of(kind: ErrorKind, sqlstate: Option<&str>) -> Retry {
    match (kind, sqlstate) {
        (ErrorKind::Connection, None) => Retry::Backoff,
        (ErrorKind::Target | ErrorKind::Connection, Some("53300")) => Retry::FewerWorkers,
        (ErrorKind::Target | ErrorKind::Connection, Some("57014" | "25P04")) => Retry::SmallerBatches,
        // Poolers end sessions with this code; a server that goes on after it was sent bytes that it cannot read.
        (ErrorKind::Target, Some("08P01")) => Retry::Never,
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
    fn every_class_of_appendix_a_is_in_the_table_once_and_in_order() {
        let appendix = [
            "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "20", "21", "22", "23", "24", "25",
            "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44", "53", "54", "55",
            "57", "58", "72", "F0", "HV", "P0", "XX",
        ];
        assert_eq!(CLASSES.map(|(class, _)| class), appendix);
        let mut codes = CODES.map(|(code, _)| code);
        codes.sort_unstable();
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]) && codes.iter().all(|code| code.len() == 5));
        assert_eq!(classify("ZZ001"), SqlClass::Bug);
        assert_eq!(classify(""), SqlClass::Bug);
    }

    #[test]
    fn each_code_is_tried_again_as_its_cause_asks_for() {
        let table = [
            ("08006", Retry::Backoff),
            ("25P03", Retry::Backoff),
            ("40001", Retry::Backoff),
            ("40P01", Retry::Backoff),
            ("55P03", Retry::Backoff),
            ("57P01", Retry::Backoff),
            ("57P03", Retry::Backoff),
            ("58030", Retry::Backoff),
            ("57014", Retry::SmallerBatches),
            ("25P04", Retry::SmallerBatches),
            ("53300", Retry::FewerWorkers),
            ("53000", Retry::StopStarting),
            ("53100", Retry::StopStarting),
            ("53200", Retry::StopStarting),
            ("53400", Retry::StopStarting),
            ("22P02", Retry::Never),
            ("22P03", Retry::Never),
            ("23505", Retry::Never),
            ("40002", Retry::Never),
            ("54000", Retry::Never),
            ("P0001", Retry::Never),
            ("42501", Retry::Never),
            ("28P01", Retry::Never),
            ("25006", Retry::Never),
            ("25P02", Retry::Never),
            ("42P01", Retry::Never),
            ("42703", Retry::Never),
            ("57P04", Retry::Never),
            ("XX000", Retry::Never),
        ];
        for (code, retry) in table {
            assert_eq!(of(ErrorKind::Target, Some(code)), retry, "{code}");
        }
    }

    #[test]
    fn what_a_row_may_be_at_fault_for_is_told_from_what_it_cannot() {
        for code in ["22P02", "22003", "22P05", "23505", "23503", "23514", "23P01", "40002", "54000", "P0001", "44000"]
        {
            assert!(is_of_row(ErrorKind::Target, Some(code), false), "{code}");
        }
        for code in ["21000", "22P04", "40001", "42703", "42501", "53100", "57014", "XX000"] {
            assert!(!is_of_row(ErrorKind::Target, Some(code), false), "{code}");
        }
        for code in ["XX000", "42601", "42P01", "42704", "22P02"] {
            assert!(is_of_row(ErrorKind::Target, Some(code), true), "{code}");
        }
        for code in ["XX001", "40P01", "53100", "57014", "22P04"] {
            assert!(!is_of_row(ErrorKind::Target, Some(code), true), "{code}");
        }
        for code in ["45000", "MY001"] {
            assert!(is_of_row(ErrorKind::Target, Some(code), false), "{code}");
        }
        assert!(!is_of_row(ErrorKind::Target, None, true) && !is_of_row(ErrorKind::Connection, Some("23505"), true));
    }

    #[test]
    fn a_lost_connection_is_tried_again_and_a_bad_value_is_not() {
        assert_eq!(of(ErrorKind::Connection, None), Retry::Backoff);
        assert_eq!(of(ErrorKind::Data, None), Retry::Never);
        assert_eq!(of(ErrorKind::Permission, Some("42501")), Retry::Never);
    }

    #[test]
    fn a_pooler_that_ends_a_session_is_not_a_server_that_cannot_read_what_it_is_sent() {
        assert_eq!(of(ErrorKind::Connection, Some("08P01")), Retry::Backoff);
        assert_eq!(of(ErrorKind::Target, Some("08P01")), Retry::Never);
    }
}
