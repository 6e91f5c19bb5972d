//! The terminal's side of the program: arguments to library calls, results to text and exit codes.

mod args;
mod closed;
mod config;
mod demo;
mod display;
mod exit;
mod inspect;
mod load;
mod output;
mod plan;
mod rejects;
mod sample;
#[allow(dead_code, reason = "the tests' harness includes this file too, and uses what the demo does not")]
mod server;
mod show;
mod signal;
mod start;

use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::Arc;

use clap::CommandFactory;
use pgbackfill::{ConnectSettings, Event};

use args::{Cli, Command, Common};

/// Parses, runs, and says how it went.
pub(crate) fn main() -> ExitCode {
    let runtime = match start::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return exit::fail(&error.into(), false),
    };
    let cli = match parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    log(&cli.common);
    let json = cli.common.json;
    // Of these the result is in the database, and what they print only tells of it; they must not look as if they had failed.
    let lasting = match &cli.command {
        Command::Load(_) | Command::Undo(_) | Command::Forget(_) => true,
        Command::Init(args) => !args.print,
        _ => false,
    };
    match runtime.block_on(run(cli)) {
        Ok(code) if lasting => {
            if let Some(error) = output::lost().filter(|error| error.kind() != ErrorKind::BrokenPipe) {
                output::message(&format!("warning: what was done could not be printed: {error}"));
            }
            ExitCode::from(code)
        }
        Ok(code) => ExitCode::from(exit::printed(code)),
        Err(error) => exit::fail(&error, json),
    }
}

fn parse() -> Result<Cli, ExitCode> {
    let merged = match config::merge(&Cli::command(), std::env::args_os().collect()) {
        Ok(merged) => merged,
        Err(error) => return Err(exit::fail(&anyhow::Error::new(error), false)),
    };
    let matches = Cli::command().try_get_matches_from(&merged.words);
    matches.and_then(|matches| Cli::of(&matches)).map_err(|error| {
        // Help and version are no failures, and go to stdout.
        let (is_failure, code) = (error.use_stderr(), error.exit_code());
        output::parsed(error);
        if let Some(file) = merged.file.filter(|_| is_failure && !merged.taken.is_empty()) {
            output::message("");
            output::message(&format!("note: these options came from {}: {}", file.display(), merged.taken.join(", ")));
        }
        ExitCode::from(exit::printed(u8::try_from(code).unwrap_or(2)))
    })
}

async fn run(cli: Cli) -> anyhow::Result<u8> {
    let common = &cli.common;
    match cli.command {
        Command::Load(args) => Box::pin(load::load(&args, common)).await,
        Command::Plan(args) => Box::pin(plan::plan(&args, common)).await,
        Command::Inspect(args) => inspect::inspect(&args, common).await,
        Command::Status(args) => show::status(&args, common).await,
        Command::Verify(args) => show::verify(&args, common).await,
        Command::Undo(args) => show::undo(&args, common).await,
        Command::Forget(args) => show::forget(&args, common).await,
        Command::Rejects(args) => Box::pin(rejects::rejects(&args, common)).await,
        Command::Init(args) => show::init(&args, common).await,
        Command::Demo(args) => demo::demo(&args, common).await,
    }
}

/// Where the target is, as options and environment say. Waits of commands without a view are told on stderr.
fn target(common: &Common) -> pgbackfill::Result<ConnectSettings> {
    let target = ConnectSettings::resolve(common.target.as_deref(), &|name| std::env::var(name).ok())?;
    let quiet = common.quiet;
    Ok(target.with_observer(Arc::new(move |event: &Event| {
        if let Some(message) = display::message(event).filter(|_| !quiet) {
            output::message(&message);
        }
    })))
}

/// The library emits, the binary subscribes: nothing below a warning unless asked.
fn log(common: &Common) {
    let level = match (common.quiet, common.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info,pgbackfill=debug",
        (false, _) => "debug,pgbackfill=trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("PGBACKFILL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    // A log that cannot be written is no reason to end: what reports that would be written to stderr as well, and panic.
    // In one colour: escape sequences of the log's own could not be told from those in a name.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| output::Log);
    log.log_internal_errors(false).init();
}
