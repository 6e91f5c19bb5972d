//! `pgbackfill load`.

use pgbackfill::{Backfill, Event, Stop, Summary, report};

use super::args::{Common, LoadArgs};
use super::display::{Display, View};
use super::{exit, output, signal};

/// Loads, shows how it goes, and sums up.
pub(crate) async fn load(args: &LoadArgs, common: &Common) -> anyhow::Result<u8> {
    let (input, options) = args.resolve()?;
    let backfill = Backfill::new(super::target(common)?, input, options);
    let (display, stop) = (Display::start(View::choose(common.json, common.quiet)), Stop::new());
    let signalled = signal::listen(&stop, &display.observer())?;
    let observer = display.observer();
    let loaded = backfill.load(move |event: &Event| observer.observe(event), &stop).await;
    // The display is taken down before anything else is printed.
    drop(display);
    let summary = match (loaded, signalled.code()) {
        (Ok(summary), _) => summary,
        (Err(error), Some(code)) if stop.is_requested() => {
            output::message(&format!("stopped: {error}; run the same command again to resume"));
            return Ok(code);
        }
        (Err(error), _) => return Err(error.into()),
    };
    if !common.json && !common.quiet {
        report::summary(&summary).lines().for_each(output::message);
    }
    Ok(signalled.code().filter(|_| summary.interrupted).unwrap_or_else(|| code(&summary)))
}

fn code(summary: &Summary) -> u8 {
    match (summary.is_complete(), summary.rows_unkeyed + summary.rows_rejected) {
        (true, 0) => exit::DONE,
        (true, _) => exit::WITH_REJECTS,
        (false, _) => exit::INCOMPLETE,
    }
}
