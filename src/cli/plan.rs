//! `pgbackfill plan`: what load would do, for a person to read.

use pgbackfill::report::{self, bytes, count, counted};
use pgbackfill::{Backfill, Event, Proposal};

use super::args::{Common, PlanArgs};
use super::display::{Display, View};
use super::exit;
use super::output::{self, Table, line};

/// Windows that are printed before the rest is only counted.
const WINDOWS_SHOWN: usize = 40;

/// Prints the plan.
pub(crate) async fn plan(args: &PlanArgs, common: &Common) -> anyhow::Result<u8> {
    let (input, options) = args.load.resolve()?;
    let backfill = Backfill::new(super::target(common)?, input, options);
    // The plan is the result; what comes before it is told to people only.
    let display = Display::start(View::choose(false, common.quiet || common.json));
    let observer = display.observer();
    let proposal = backfill.plan(move |event: &Event| observer.observe(event)).await?;
    drop(display);
    if common.json {
        output::json(&proposal);
    } else {
        print(&proposal, if args.all_windows { usize::MAX } else { WINDOWS_SHOWN });
    }
    Ok(exit::DONE)
}

fn print(plan: &Proposal, windows_shown: usize) {
    line(&format!("job      {}", plan.job));
    line(&format!(
        "source   {}, {}, {} in {}",
        counted(plan.objects as u64, "object"), // usize has at most 64 bits
        bytes(plan.bytes),
        counted(plan.rows, "row"),
        counted(plan.pieces as u64, "piece"), // usize has at most 64 bits
    ));
    if let (Some(column), Some((oldest, newest))) = (&plan.time_column, &plan.span) {
        let order = if plan.ascending { "in order of time" } else { "not in order of time" };
        line(&format!("time     {column} from {oldest} to {newest}, {order}"));
    }
    let outside = [
        (plan.rows_before_range, "before the range"),
        (plan.rows_after_range, "at or after the completion point"),
        (plan.rows_unkeyed, "with no time, or an infinite one"),
    ];
    for (rows, what) in outside.into_iter().filter(|(rows, _)| *rows > 0) {
        line(&format!("         {} rows {what} are not loaded", count(rows)));
    }
    if let Some(what) = report::mended(&plan.mended) {
        line(&format!("mended   {what}"));
    }
    line(&format!(
        "target   {} by COPY {}, one transaction a {}, {}",
        plan.table,
        plan.format,
        plan.commit,
        counted(plan.workers as u64, "worker")
    ));
    if let Some(what) = &plan.on_conflict {
        line(&format!("conflict rows are {what}"));
    }
    print_columns(plan);
    print_windows(plan, windows_shown);
    if !plan.warnings.is_empty() {
        line("");
    }
    plan.warnings.iter().for_each(|warning| line(&format!("warning: {warning}")));
}

fn print_columns(plan: &Proposal) {
    line("");
    let mut table = Table::new(&["source column", "type", "target column", "type", "verified"]);
    for column in &plan.columns {
        table.push(vec![
            column.source.clone(),
            column.source_type.clone(),
            column.target.clone(),
            column.target_type.clone(),
            if column.verified { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table.print();
    if !plan.defaulted.is_empty() {
        line(&format!("  left to their default: {}", plan.defaulted.join(", ")));
    }
}

fn print_windows(plan: &Proposal, shown: usize) {
    line("");
    let mut table = Table::new(&["window", "rows", "bytes", "pieces"]);
    for window in plan.windows.iter().take(shown) {
        table.push(vec![
            window.window.clone(),
            format!("~{}", count(window.rows)),
            format!("~{}", bytes(window.bytes)),
            count(window.pieces as u64), // usize has at most 64 bits
        ]);
    }
    table.print();
    let more = plan.windows.len().saturating_sub(shown);
    if more > 0 {
        line(&format!("  … and {} more windows; --all-windows prints them", count(more as u64))); // usize has at most 64 bits
    }
    line(&format!("  {}", counted(plan.windows.len() as u64, "window"))); // usize has at most 64 bits
}
