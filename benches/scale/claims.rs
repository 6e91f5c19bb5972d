//! What claims cost, as the server counts it, while a load goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pgbackfill::ConnectSettings;
use tokio_postgres::{Client, NoTls};

use super::server::Server;

/// Sessions that look on.
pub(crate) struct Claims {
    watcher: Client,
    holder: Client,
}

/// Windows between two lines.
const STEP: u64 = 5_000;

/// The claims among the statements of the ledger: only they write down when a window was claimed.
const COST: &str = "select coalesce(sum(calls), 0)::bigint,
                           coalesce(sum(total_exec_time) / sum(calls), 0)::float8,
                           coalesce(max(max_exec_time), 0)::float8,
                           coalesce(sum(shared_blks_hit + shared_blks_read) / sum(calls), 0)::float8
                      from pg_stat_statements
                     where query like '%update pgbackfill.windows%claimed_at =%' and query not like '%pg_stat%'";

impl Claims {
    pub(crate) async fn watch(server: &Server, statements: &str) -> Self {
        let (watcher, holder) = (open(server).await, open(server).await);
        watcher.batch_execute(&format!("create extension pg_stat_statements; {statements}")).await.unwrap();
        Self { watcher, holder }
    }

    /// Keeps a transaction open from here on.
    pub(crate) async fn hold(&self) {
        self.holder.batch_execute("begin isolation level repeatable read; select pg_current_xact_id()").await.unwrap();
        println!("    another session keeps a transaction open from here on");
    }

    /// Tells what claims and `status` cost, every few thousand windows, for so many seconds from the first claim on.
    pub(crate) async fn report(
        &self,
        target: &ConnectSettings,
        loaded: &AtomicU64,
        has_started: impl Fn() -> bool,
        seconds: u64,
    ) {
        while !has_started() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (begun, mut next, mut before) = (Instant::now(), STEP, (Instant::now(), 0));
        self.reset().await;
        while begun.elapsed() < Duration::from_secs(seconds) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = loaded.load(Ordering::Relaxed);
            if now >= next {
                self.line(target, now, (now - before.1) as f64 / before.0.elapsed().as_secs_f64()).await;
                (next, before) = (now - now % STEP + STEP, (Instant::now(), now));
                self.reset().await;
            }
        }
        let now = loaded.load(Ordering::Relaxed);
        self.line(target, now, (now - before.1) as f64 / before.0.elapsed().as_secs_f64()).await;
    }

    async fn reset(&self) {
        self.watcher.batch_execute("select pg_stat_statements_reset()").await.unwrap();
    }

    async fn line(&self, target: &ConnectSettings, loaded: u64, rate: f64) {
        let row = self.watcher.query_one(COST, &[]).await.unwrap();
        let (calls, mean, max, pages): (i64, f64, f64, f64) = (row.get(0), row.get(1), row.get(2), row.get(3));
        let begun = Instant::now();
        let status = pgbackfill::status(target, None).await.unwrap();
        println!(
            "    {loaded:>7} loaded ({} of the job): {calls} claims, {mean:.3} ms each, {max:.1} ms at most, {pages:.0} pages; \
             {rate:.0} windows/s; status in {:.0} ms",
            status.progress.loaded,
            begun.elapsed().as_secs_f64() * 1000.0,
        );
    }
}

async fn open(server: &Server) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
