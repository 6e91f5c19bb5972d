//! What is told when a run ends before everything is loaded, because the server lacks something: how much is still to be
//! loaded, what it will take, and that the same command resumes.

use super::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{self, JobRecord};
use crate::report;
use crate::target::{Durability, Session};

/// Where a run began, to tell what its rows took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Start {
    /// Rows that were to be loaded.
    pub(crate) rows_to_go: u64,
    /// Bytes that the table took with its indexes, if they could be had.
    pub(crate) table_bytes: Option<u64>,
}

impl Start {
    pub(super) async fn of(session: &Session, job: &JobRecord) -> Result<Self> {
        let progress = ledger::progress(session, job).await?;
        let rows_to_go = job.rows.inside().saturating_sub(progress.rows + progress.conflicts.skipped);
        Ok(Self { rows_to_go, table_bytes: table_bytes(session, job).await })
    }
}

/// Only an estimate rests on it: where a partition is locked it is done without.
async fn table_bytes(session: &Session, job: &JobRecord) -> Option<u64> {
    let measured = session.transact(Durability::WithTheLedger, async {
        session.run("set local lock_timeout = '1s'").await?;
        Ok(session.query_one(include_str!("shortage/size.sql"), &[&job.target]).await?.get::<_, Option<i64>>(0))
    });
    match measured.await {
        Ok(bytes) => bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        Err(error) => {
            tracing::debug!(%error, "the size of the table could not be had");
            None
        }
    }
}

/// What is left of a job, and what it will take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rest {
    rows: u64,
    copy_bytes: Option<u64>,
    table_bytes: Option<u64>,
}

impl Rest {
    async fn of(context: &Context, session: &Session) -> Result<Self> {
        let windows = ledger::windows(session, &context.job).await?;
        let loaded = || windows.iter().filter(|status| status.state == ledger::WindowState::Loaded);
        let (rows, bytes) = loaded().fold((0, 0), |(rows, bytes), it| (rows + it.rows, bytes + it.bytes));
        let skipped: u64 = loaded().map(|it| it.conflicts.skipped).sum();
        let to_go = context.job.rows.inside().saturating_sub(rows + skipped);
        let now = table_bytes(session, &context.job).await;
        let grown = now.zip(context.start.table_bytes).map(|(now, before)| now.saturating_sub(before));
        let loaded_here = context.start.rows_to_go.saturating_sub(to_go);
        Ok(Self {
            rows: to_go,
            copy_bytes: in_proportion(bytes, rows, to_go),
            table_bytes: grown.and_then(|grown| in_proportion(grown, loaded_here, to_go)),
        })
    }

    fn text(self) -> String {
        let text = format!("{} still to be loaded", report::counted(self.rows, "row"));
        let about = |bytes: u64, of: &str| format!("about {} of {of}", report::bytes(bytes));
        let parts: Vec<String> = [(self.copy_bytes, "COPY data"), (self.table_bytes, "table and indexes")]
            .into_iter()
            .filter_map(|(bytes, of)| bytes.map(|bytes| about(bytes, of)))
            .collect();
        if parts.is_empty() { text } else { format!("{text} ({})", parts.join(", ")) }
    }
}

/// What `to_go` rows take, if `rows` rows took `bytes`.
fn in_proportion(bytes: u64, rows: u64, to_go: u64) -> Option<u64> {
    let bytes = u128::from(bytes) * u128::from(to_go);
    bytes.checked_div(u128::from(rows)).and_then(|bytes| u64::try_from(bytes).ok())
}

/// An error that ended the run before everything was loaded says how much is left, and what to do.
pub(super) async fn explain(context: &Context, session: &Session, error: Error) -> Error {
    if error.kind() != ErrorKind::Incomplete {
        return error;
    }
    let rest = match Rest::of(context, session).await {
        Ok(rest) => format!("{}; ", rest.text()),
        Err(second) => {
            tracing::debug!(error = %second, "what is left could not be had");
            String::new()
        }
    };
    let remedy = remedy(error.place().sqlstate.as_deref().unwrap_or_default());
    error.with_hint(format!("{rest}{remedy}, and run the same command again: it resumes where this run stands"))
}

fn remedy(sqlstate: &str) -> &'static str {
    match sqlstate {
        "53100" => "make room on the server's disk",
        "53200" => "give the server more memory, or take fewer --workers",
        "53300" => "free some connections",
        "53400" => "raise the limit on the server",
        "57014" | "25P04" => {
            "find out who cancels the statements (statement_timeout, or a person), or take smaller --batch-rows"
        }
        "55P03" | "40P01" | "40001" => "find out who holds the locks, or give it longer (--retry-for)",
        _ => "see to the server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_in_rows_and_in_bytes_as_far_as_they_are_known() {
        let mut rest = Rest { rows: 12_000, ..Rest::default() };
        assert_eq!(rest.text(), "12,000 rows still to be loaded");
        rest.copy_bytes = in_proportion(1_000, 10, 30);
        assert_eq!(rest.copy_bytes, Some(3_000));
        assert!(rest.text().contains("of COPY data"), "{}", rest.text());
        assert_eq!(in_proportion(1_000, 0, 30), None);
        assert_eq!(in_proportion(u64::MAX, 1, 2), None);
    }
}
