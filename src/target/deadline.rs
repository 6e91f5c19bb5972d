//! How long the server may take to answer, and what becomes of a connection whose server does not.

use std::pin::pin;
use std::time::Duration;

use super::link::Link;
use super::waiting;
use crate::error::{Error, ErrorKind, Result};

/// A server that hangs may not take the request to cancel either, and the run must go on.
pub(crate) const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// Words of a statement that name it. Values come later, and none may be told.
const WORDS_TOLD: usize = 4;

impl Link {
    /// Waits for the server to answer `work`, which belongs to the statement `sql`: no longer than the limit, and not
    /// silently.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connection`] if it does not answer in time. The connection is gone then, so that nothing that is late
    /// can be taken for an answer to something else, and what the server made of the statement is not known.
    pub(super) async fn wait<T>(
        &self,
        sql: &str,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        let work = pin!(work);
        let answer = tokio::select! {
            biased;
            answer = work => answer.map_err(|error| self.fault(error)),
            limit = expired(self.settings.statement_timeout()) => Err(Box::pin(self.give_up(sql, limit)).await),
            never = waiting::watch(self, sql) => match never {},
        };
        match &answer {
            Ok(_) => self.note_answer(),
            Err(_) => self.note_failure(),
        }
        answer
    }

    async fn give_up(&self, sql: &str, limit: Duration) -> Error {
        let token = self.client.cancel_token();
        let cancelled = tokio::time::timeout(CANCEL_TIMEOUT, self.settings.cancel(&token)).await;
        // Best effort: where it does not come through, the server finds the connection closed when it next looks.
        if let Ok(Err(error)) = cancelled {
            tracing::debug!(%error, "the request to cancel failed");
        }
        self.abandon();
        let (statement, seconds) = (words(sql), limit.as_secs_f64());
        Error::new(
            ErrorKind::Connection,
            format!("the server at {} did not answer within {seconds} s: {statement}", self.place),
        )
        .with_hint("--statement-timeout gives it longer; pg_stat_activity and pg_locks show what it is at")
    }
}

/// Ends when `limit` is over; never, where there is none.
async fn expired(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
    limit.unwrap_or_default()
}

/// The first words of a statement, none of which is a value.
pub(super) fn words(sql: &str) -> String {
    let is_name = |word: &&str| !word.contains(['\'', '$']) && !word.starts_with(|c: char| c.is_ascii_digit());
    let code = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
    let words: Vec<&str> = code.flat_map(str::split_whitespace).take(WORDS_TOLD).take_while(is_name).collect();
    format!("{} …", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_named_by_words_of_which_none_is_a_value() {
        assert_eq!(words("delete from public.t where \"at\" >= '2024'"), "delete from public.t where …");
        assert_eq!(words("-- why\nselect 'secret'"), "select …");
        assert_eq!(words("select $1, 7"), "select …");
        assert_eq!(words("commit"), "commit …");
    }
}
