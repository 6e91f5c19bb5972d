//! What a caller says again of a job that the ledger holds.

/// What a caller repeats of a job: the ledger's own word for it may have been changed by every role that loads, and is
/// neither run nor trusted where that would matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Repeated<'a> {
    /// The job's table, for one whose views, policies or triggers are code of another role.
    pub table: Option<&'a str>,
    /// The job's scope, for a table whose rows carry no transaction id.
    pub scope: Option<&'a str>,
}
