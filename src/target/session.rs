//! One connection to the server, with explicit transactions.
//!
//! Transactions are begun and ended by name, never left to autocommit: a transaction-mode pooler may otherwise move the
//! statements of one batch to different servers.

use std::fmt::Write as _;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::{ConnectSettings, fault};
use crate::error::{Error, ErrorKind, Result};

/// One connection to the server.
pub struct Session {
    pub(super) client: Client,
}

/// How a transaction's commit is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The commit waits for the disk.
    Synchronous,
    /// The commit does not wait: data and ledger would be lost together.
    WithTheLedger,
}

impl Session {
    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connection`] if the server cannot be reached, [`ErrorKind::Permission`] if it refuses the role.
    pub async fn open(settings: &ConnectSettings) -> Result<Self> {
        let (client, _driver) = settings.connect("pgbackfill").await?;
        Ok(Self { client })
    }

    /// Whether the connection is known to be gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(crate) async fn begin(&self, durability: Durability) -> Result<()> {
        self.run(match durability {
            Durability::Synchronous => "begin isolation level read committed",
            Durability::WithTheLedger => "begin isolation level read committed; set local synchronous_commit = off",
        })
        .await
    }

    pub(crate) async fn commit(&self) -> Result<()> {
        self.run("commit").await
    }

    /// Ends a transaction that failed. A connection that is gone has ended it already.
    pub(crate) async fn rollback(&self) -> Result<()> {
        if self.is_closed() { Ok(()) } else { self.run("rollback").await }
    }

    /// Runs statements that take no parameters and return no rows.
    ///
    /// # Errors
    ///
    /// What the server refuses, as [`ErrorKind::Target`] or, where the connection was lost, [`ErrorKind::Connection`].
    pub async fn run(&self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await.map_err(fault)
    }

    pub(crate) async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.client.query(sql, parameters).await.map_err(fault)
    }

    pub(crate) async fn query_one(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.client.query_one(sql, parameters).await.map_err(fault)
    }

    pub(crate) async fn query_opt(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        self.client.query_opt(sql, parameters).await.map_err(fault)
    }

    pub(crate) async fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.client.execute(sql, parameters).await.map_err(fault)
    }

    /// Runs `work` between `begin` and `commit`; rolls back where it fails.
    pub(crate) async fn transact<T>(&self, durability: Durability, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.begin(durability).await?;
        match work.await {
            Ok(value) => self.commit().await.map(|()| value),
            Err(error) => {
                // The first failure is the one to tell; a rollback that fails too leaves a dead connection behind.
                if let Err(second) = self.rollback().await {
                    tracing::debug!(error = %second, "rollback failed");
                }
                Err(error)
            }
        }
    }

    /// Connections that the server still has for ordinary roles.
    ///
    /// # Errors
    ///
    /// If the server cannot be asked.
    pub async fn free_slots(&self) -> Result<usize> {
        let row = self.query_one(include_str!("free_slots.sql"), &[]).await?;
        Ok(usize::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }

    /// The server's version as a number, such as 150018, refused where it is too old for the ledger.
    pub(crate) async fn require_version(&self) -> Result<()> {
        let row = self.query_one("select current_setting('server_version_num')::int", &[]).await?;
        let version: i32 = row.get(0);
        if version >= 130_000 {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Target,
            format!("the server is version {}, and 13 is the oldest that works", version / 10_000),
        )
        .with_hint("the ledger needs 64-bit transaction ids, which PostgreSQL 13 brought"))
    }
}

/// Transaction ids as a literal that compares with `xmin`, which holds their low 32 bits.
pub(crate) fn xid_array(xids: &[u64]) -> String {
    let mut text = String::from("'{");
    for (i, xid) in xids.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        write!(text, "{comma}{}", xid & u64::from(u32::MAX)).expect("a String takes any text");
    }
    text.push_str("}'::xid[]");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_ids_are_cut_to_the_32_bits_that_xmin_holds() {
        assert_eq!(xid_array(&[7, (1 << 32) + 9]), "'{7,9}'::xid[]");
    }
}
