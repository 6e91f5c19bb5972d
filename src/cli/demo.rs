//! `pgbackfill demo`: the whole story on a private server, in words that a newcomer follows.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail};
use arrow_array::RecordBatch;
use pgbackfill::report::{bytes, count, duration};
use pgbackfill::target::Session;
use pgbackfill::{ConnectSettings, Error, ErrorKind, Event, format};
use serde_json::Value;

use super::args::{Common, DemoArgs};
use super::exit;
use super::output::line;
use super::sample::{self, Sample};
use super::server::Server;

const TABLE: &str = "readings";
const JOB: &str = "demo";

/// Batches are kept small, so that every window has several and a kill strikes in the middle of one.
const BATCH_ROWS: &str = "5000";

/// Four batches a day, so that there is a middle.
const ROWS_PER_DAY_MIN: u32 = 20_000;

/// Windows that are loaded before the loader is killed.
const WINDOWS_BEFORE_KILL: u64 = 5;

/// Makes data, loads it, kills the loader, recovers, verifies, and cleans up.
pub(crate) async fn demo(args: &DemoArgs, common: &Common) -> anyhow::Result<u8> {
    let begun = Instant::now();
    say("Starting a private PostgreSQL in a temporary folder; nothing of yours is touched.");
    let server = Server::start()?;
    let url = server.url();
    let target = ConnectSettings::resolve(Some(&url), &|_| None)?;

    let folder = tempfile::tempdir().context("make a folder for the sample")?;
    let sample = Sample { rows_per_day: rows_per_day(args.rows)?, ..Sample::default() };
    let made = sample.make(folder.path(), write_parquet)?;
    say(&format!(
        "Made {} readings of sensors: {} files, CSV and Parquet by turns, {}, some rows late and out of order.",
        count(made.rows),
        count(made.files.len() as u64), // usize has at most 64 bits
        bytes(made.bytes),
    ));
    create_table(&target).await?;

    let mut loader = Loader { url: &url, source: folder.path(), verbose: common.verbose > 0 };
    let killed = loader.load_and_kill()?;
    say(&format!(
        "Loaded {} windows of a day each, then killed the loader (kill -9) in the middle of {}.",
        count(killed.windows),
        killed.window
    ));
    say(&format!(
        "  {} rows of that window were already committed. A plain re-run would double them.",
        count(killed.rows)
    ));

    let resumed = loader.resume()?;
    say("Ran the same command again. It read the ledger in the database, and");
    say(&format!("  - left {} windows alone, for they were loaded,", count(resumed.windows_before)));
    say(&format!(
        "  - deleted exactly the {} rows that the killed run had left in unfinished windows,",
        count(resumed.cleared)
    ));
    say(&format!("  - loaded the {} windows that were missing.", count(resumed.windows)));

    verify(&target, made.rows).await?;
    say(&format!("Done in {}. The server and its folder are gone.", duration(begun.elapsed().as_secs_f64())));
    say("");
    say("With your own data:");
    say("  pgbackfill plan data/*.csv --target postgresql://user@host/database --table metrics --time-column ts");
    say("  pgbackfill load data/*.csv --target postgresql://user@host/database --table metrics --time-column ts");
    Ok(exit::DONE)
}

/// The sample's days share the rows; each day has at least as many as make several batches.
fn rows_per_day(rows: u64) -> anyhow::Result<u32> {
    let days = u64::from(Sample::default().days);
    let each = u32::try_from(rows / days).context("--rows takes a smaller number")?;
    if each < ROWS_PER_DAY_MIN {
        bail!("--rows takes at least {}", u64::from(ROWS_PER_DAY_MIN) * days);
    }
    Ok(each)
}

fn say(text: &str) {
    line(text);
}

fn write_parquet(path: &Path, batch: &RecordBatch) -> pgbackfill::Result<()> {
    let failed = || Error::new(ErrorKind::Source, "write a Parquet file").at_object(path.display().to_string());
    std::fs::write(path, format::parquet::file_of(batch)?).map_err(|error| failed().with_source(error))
}

async fn create_table(target: &ConnectSettings) -> anyhow::Result<()> {
    let session = Session::open(target).await?;
    session.run(&sample::CREATE_TABLE.replace("{table}", TABLE)).await?;
    session.run(&format!("create index on {TABLE} (time)")).await?;
    Ok(())
}

async fn verify(target: &ConnectSettings, rows: u64) -> anyhow::Result<()> {
    let found = pgbackfill::verify(target, Some(JOB), &|_: &Event| ()).await?;
    if !found.is_equal() || found.rows != rows {
        bail!("verification found {} rows of {rows}, and {} windows that differ", found.rows, found.differences.len());
    }
    say(&format!(
        "Verified: read all {} rows back from the table; count and hash of every value agree in {} windows.",
        count(found.rows),
        count(found.windows)
    ));
    Ok(())
}

/// Runs this very program as a loader of its own, so that it can be killed.
struct Loader<'a> {
    url: &'a str,
    source: &'a Path,
    verbose: bool,
}

/// What the first run had done when it was killed.
struct Killed {
    windows: u64,
    /// The window in the middle of which it was killed, and the rows of it that were committed.
    window: String,
    rows: u64,
}

/// What the second run did.
#[derive(Default)]
struct Resumed {
    windows_before: u64,
    cleared: u64,
    windows: u64,
}

impl Loader<'_> {
    fn start(&self) -> anyhow::Result<Child> {
        let program = std::env::current_exe().context("find this program")?;
        let mut command = Command::new(program);
        // The environment's own settings are for the user's data, not for this.
        let ours = |name: &str| name.starts_with("PGBACKFILL_") || name.starts_with("PG");
        std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)).for_each(|(name, _)| {
            command.env_remove(name);
        });
        command.args(["load", "--json", "--target", self.url, "--table", TABLE, "--time-column", "time"]);
        command.args(["--job", JOB, "--window", "1d", "--batch-rows", BATCH_ROWS, "--workers", "2"]).arg(self.source);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(if self.verbose { Stdio::inherit() } else { Stdio::null() });
        command.spawn().context("start the loader")
    }

    /// Loads some windows, and kills the loader when a window has some batches but not all.
    fn load_and_kill(&mut self) -> anyhow::Result<Killed> {
        let mut child = Killable(self.start()?);
        let mut killed = Killed { windows: 0, window: String::new(), rows: 0 };
        for event in events(&mut child.0)? {
            let event = event?;
            match event["event"].as_str() {
                Some("loaded") => killed.windows += 1,
                Some("batch") if killed.windows >= WINDOWS_BEFORE_KILL => {
                    event["window"].as_str().unwrap_or_default().clone_into(&mut killed.window);
                    killed.rows = event["rows"].as_u64().unwrap_or(0);
                    child.0.kill().context("kill the loader")?;
                    child.0.wait().context("wait for the loader")?;
                    return Ok(killed);
                }
                Some("error") => bail!("the load failed: {}", event["error"]),
                _ => {}
            }
        }
        bail!("the load ended before it could be killed; --rows takes a larger number")
    }

    fn resume(&mut self) -> anyhow::Result<Resumed> {
        let mut child = Killable(self.start()?);
        let mut resumed = Resumed::default();
        for event in events(&mut child.0)? {
            let event = event?;
            match event["event"].as_str() {
                Some("started") => resumed.windows_before = event["windows_before"].as_u64().unwrap_or(0),
                Some("claimed") => resumed.cleared += event["cleared"].as_u64().unwrap_or(0),
                Some("loaded") => resumed.windows += 1,
                Some("error") => bail!("the load failed: {}", event["error"]),
                _ => {}
            }
        }
        let status = child.0.wait().context("wait for the loader")?;
        if status.success() { Ok(resumed) } else { bail!("the loader ended with {status}") }
    }
}

/// The loader's events, as it prints them.
fn events(child: &mut Child) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Value>> + use<>> {
    let stdout = child.stdout.take().context("the loader has no stdout")?;
    let read = |text: std::io::Result<String>| Ok(serde_json::from_str(&text?)?);
    Ok(BufReader::new(stdout).lines().map(read))
}

/// A child that does not outlive the demo.
struct Killable(Child);

impl Drop for Killable {
    fn drop(&mut self) {
        // It has ended already, or there is nothing more to be done about it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
