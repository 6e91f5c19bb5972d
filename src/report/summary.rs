//! What a run did, and what to run next.

use super::number::{bytes, count, counted, duration, rate, rounded};
use crate::error::escaped;
use crate::model::{Conflicts, Mended, Summary};

/// The summary as a few lines of text, the last of which says what to run next. No final line end.
#[must_use]
pub fn summary(summary: &Summary) -> String {
    let mut lines = vec![loaded(summary), job(summary)];
    lines.extend(
        summary.frontier.as_ref().map(|frontier| format!("frontier {frontier}: everything before it is loaded")),
    );
    lines.extend(conflicts(summary));
    lines.extend(not_loaded(summary));
    lines.extend(mended(&summary.mended).map(|what| format!("mended: {what}")));
    lines.extend(rejected(summary));
    lines.push(next(summary));
    // Names of jobs and tables may hold anything, line ends too.
    lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("\n")
}

fn loaded(summary: &Summary) -> String {
    if summary.progress.windows == 0 {
        return format!("nothing to load into {}: no row was found", summary.table);
    }
    if summary.windows == 0 && summary.rows == 0 && summary.is_complete() {
        return format!("nothing to load into {}: every window was loaded before", summary.table);
    }
    let per_second = rounded(rate(summary.rows, summary.seconds));
    let bytes_per_second = rounded(rate(summary.bytes, summary.seconds));
    format!(
        "loaded {} ({}) into {} in {}: {} rows/s, {}/s",
        counted(summary.rows, "row"),
        bytes(summary.bytes),
        summary.table,
        duration(summary.seconds),
        count(per_second),
        bytes(bytes_per_second),
    )
}

/// `job metrics: 30 of 30 windows loaded, 12 of them now, 2 retries; 1,234,567 rows in all`.
fn job(summary: &Summary) -> String {
    let progress = &summary.progress;
    let mut parts = vec![format!(
        "job {}: {} of {} loaded",
        summary.job,
        count(progress.loaded),
        counted(progress.windows, "window")
    )];
    if summary.windows != progress.loaded {
        parts.push(format!("{} of them now", count(summary.windows)));
    }
    for (number, what) in [(progress.skipped, "skipped because they held rows"), (progress.failed, "failed")] {
        if number > 0 {
            parts.push(format!("{} {what}", count(number)));
        }
    }
    match summary.retries {
        0 => {}
        1 => parts.push("1 retry".to_owned()),
        more => parts.push(format!("{} retries", count(more))),
    }
    let text = parts.join(", ");
    if summary.rows == progress.rows { text } else { format!("{text}; {} in all", counted(progress.rows, "row")) }
}

/// What became of rows whose key was in the table, over the whole job.
fn conflicts(summary: &Summary) -> Option<String> {
    let (rows, Conflicts { skipped, updated }) = (summary.progress.rows, summary.progress.conflicts);
    let parts: Vec<_> = [
        (rows.saturating_sub(updated), "inserted"),
        (skipped, "skipped for rows of their key"),
        (updated, "put into rows of their key"),
    ]
    .into_iter()
    .filter(|&(number, _)| number > 0)
    .map(|(number, what)| format!("{} {what}", count(number)))
    .collect();
    (skipped + updated > 0).then(|| format!("rows of the job: {}", parts.join(", ")))
}

/// The source's rows that no window takes.
fn not_loaded(summary: &Summary) -> Option<String> {
    let parts: Vec<_> = [
        (summary.rows_before_range, "before the range"),
        (summary.rows_after_range, "at or after its end"),
        (summary.rows_unkeyed, "whose time is null or infinite"),
    ]
    .into_iter()
    .filter(|&(number, _)| number > 0)
    .map(|(number, what)| format!("{} {what}", counted(number, "row")))
    .collect();
    (!parts.is_empty()).then(|| format!("not loaded: {}", parts.join(", ")))
}

/// What was mended in delimited text, as one phrase; `None` where nothing was.
#[must_use]
pub fn mended(mended: &Mended) -> Option<String> {
    let parts: Vec<_> = [
        (mended.padded, "record", "filled up with nulls"),
        (mended.cut, "record", "cut to the columns there are"),
        (mended.trimmed, "field", "trimmed"),
        (mended.stray_quotes, "field", "with stray quotes kept"),
        (mended.repeated_headers, "repeated header", "skipped"),
        (mended.footer_lines, "line", "at the end left out"),
    ]
    .into_iter()
    .filter(|&(number, ..)| number > 0)
    .map(|(number, what, how)| format!("{} {how}", counted(number, what)))
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The rows that were set aside, and how to get at them.
fn rejected(summary: &Summary) -> Option<String> {
    let (rows, job) = (counted(summary.rows_rejected, "row"), argument(&summary.job));
    (summary.rows_rejected > 0)
        .then(|| format!("rejected: {rows}; `pgbackfill rejects {job}` prints them, to be mended"))
}

fn next(summary: &Summary) -> String {
    let job = argument(&summary.job);
    if summary.is_complete() {
        return format!("next: `pgbackfill verify {job}` compares every row in the table with what was sent");
    }
    let why = if summary.progress.failed > 0 {
        format!("`pgbackfill status {job}` says what failed; ")
    } else if summary.interrupted {
        "stopped as asked; ".to_owned()
    } else {
        String::new()
    };
    format!("next: {why}the same command again resumes the job where it stands")
}

/// A job's name as a shell takes it.
fn argument(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/@%+".contains(&byte);
    if !name.is_empty() && name.bytes().all(plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Progress;

    fn finished() -> Summary {
        Summary {
            job: "metrics".to_owned(),
            table: "public.metrics".to_owned(),
            progress: Progress { windows: 30, loaded: 30, rows: 1_234_567, ..Progress::default() },
            windows: 30,
            rows: 1_234_567,
            bytes: 352_000_000,
            seconds: 83.0,
            frontier: Some("2024-02-01".to_owned()),
            ..Summary::default()
        }
    }

    #[test]
    fn a_finished_run_says_what_it_loaded_and_how_to_check_it() {
        assert_eq!(
            summary(&finished()),
            "loaded 1,234,567 rows (352 MB) into public.metrics in 1m 23s: 14,874 rows/s, 4.2 MB/s\n\
             job metrics: 30 of 30 windows loaded\n\
             frontier 2024-02-01: everything before it is loaded\n\
             next: `pgbackfill verify metrics` compares every row in the table with what was sent"
        );
    }

    #[test]
    fn a_name_cannot_forge_a_line_of_a_summary() {
        let run = Summary { job: "j\nnext: all is well\u{1b}[8m".to_owned(), ..finished() };
        let text = summary(&run);
        assert_eq!(text.lines().count(), summary(&finished()).lines().count(), "{text}");
        assert!(text.contains("job j\\nnext: all is well\\u{1b}[8m: 30"), "{text}");
    }

    #[test]
    fn rows_that_no_window_takes_are_always_mentioned() {
        let run = Summary { rows_before_range: 12, rows_after_range: 4, rows_unkeyed: 1, ..finished() };
        let text = summary(&run);
        let line =
            "not loaded: 12 rows before the range, 4 rows at or after its end, 1 row whose time is null or infinite";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn rejected_rows_are_told_with_the_command_that_prints_them() {
        let text = summary(&Summary { rows_rejected: 3, ..finished() });
        assert!(
            text.contains("\nrejected: 3 rows; `pgbackfill rejects metrics` prints them, to be mended\n"),
            "{text}"
        );
    }

    #[test]
    fn rows_that_met_their_key_are_counted_by_what_became_of_them() {
        let mut run = finished();
        run.progress = Progress { rows: 10, conflicts: Conflicts { skipped: 3, updated: 4 }, ..run.progress };
        let text = summary(&run);
        assert!(
            text.contains("rows of the job: 6 inserted, 3 skipped for rows of their key, 4 put into rows of their key"),
            "{text}"
        );
    }

    #[test]
    fn what_was_mended_is_always_mentioned() {
        let mut run = finished();
        assert_eq!(mended(&run.mended), None);
        (run.mended.padded, run.mended.trimmed, run.mended.footer_lines) = (1, 2000, 3);
        let line = "\nmended: 1 record filled up with nulls, 2,000 fields trimmed, 3 lines at the end left out\n";
        let text = summary(&run);
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_stopped_run_says_how_to_resume() {
        let progress = Progress { windows: 30, loaded: 20, rows: 900, ..Progress::default() };
        let run = Summary { progress, windows: 8, rows: 300, interrupted: true, retries: 2, ..finished() };
        let text = summary(&run);
        assert!(text.contains("20 of 30 windows loaded, 8 of them now, 2 retries; 900 rows in all"), "{text}");
        assert!(
            text.ends_with("next: stopped as asked; the same command again resumes the job where it stands"),
            "{text}"
        );
    }

    #[test]
    fn failed_and_skipped_windows_are_counted_and_status_is_pointed_to() {
        let progress = Progress { windows: 30, loaded: 28, skipped: 1, failed: 1, rows: 5, ..Progress::default() };
        let text = summary(&Summary { progress, job: "my job".to_owned(), ..finished() });
        assert!(text.contains("1 skipped because they held rows, 1 failed"), "{text}");
        assert!(text.contains("`pgbackfill status 'my job'`"), "{text}");
    }

    #[test]
    fn a_job_without_windows_says_that_no_row_was_found() {
        let empty = Summary { windows: 0, rows: 0, bytes: 0, progress: Progress::default(), ..finished() };
        assert!(summary(&empty).starts_with("nothing to load into public.metrics: no row was found"));
    }

    #[test]
    fn a_run_with_nothing_to_do_says_so() {
        let text = summary(&Summary { windows: 0, rows: 0, bytes: 0, seconds: 0.1, ..finished() });
        assert!(text.starts_with("nothing to load into public.metrics: every window was loaded before"), "{text}");
    }
}
