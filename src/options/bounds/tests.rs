//! Every number of the library at its bounds, and just outside of them.

use super::*;
use crate::options::CsvOptions;

/// Sets one number, or the largest of its type.
type Set = fn(&mut Options, u64);

fn wide(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Every whole number that can be set, with what it takes.
const COUNTS: [(&str, RangeInclusive<u64>, Set); 17] = [
    ("limits.workers", WORKERS, |it, n| it.limits.workers = Some(wide(n))),
    ("limits.threads", THREADS, |it, n| it.limits.threads = Some(wide(n))),
    ("limits.batch_rows", BATCH_ROWS, |it, n| it.limits.batch_rows = n),
    ("limits.batch_bytes", BATCH_BYTES, |it, n| it.limits.batch_bytes = n),
    ("limits.memory_bytes", MEMORY_BYTES, |it, n| it.limits.memory_bytes = n),
    ("limits.spool_bytes", SPOOL_BYTES, |it, n| it.limits.spool_bytes = n),
    ("limits.reject_bytes", REJECT_BYTES, |it, n| it.limits.reject_bytes = n),
    ("limits.windows", WINDOWS, |it, n| it.limits.windows = wide(n)),
    ("limits.pieces", PIECES, |it, n| it.limits.pieces = wide(n)),
    ("limits.objects", OBJECTS, |it, n| it.limits.objects = wide(n)),
    ("csv.record_bytes_max", RECORD_BYTES, |it, n| it.csv.record_bytes_max = n),
    ("csv.skip_lines", SKIP_LINES, |it, n| it.csv.skip_lines = n),
    ("csv.footer_lines", FOOTER_LINES, |it, n| it.csv.footer_lines = n),
    ("max_rejects", REJECTS, |it, n| it.max_rejects = MaxRejects::Rows(n)),
    ("max_rejects", REJECTS_PER_MILLION, |it, n| {
        it.max_rejects = MaxRejects::PerMillion(u32::try_from(n).unwrap_or(u32::MAX));
    }),
    ("window", WINDOW_MONTHS, |it, n| it.window = WindowSize::Months(u32::try_from(n).unwrap_or(u32::MAX))),
    ("window", WINDOW_KEYS, |it, n| it.window = WindowSize::Keys(n)),
];

#[test]
fn every_count_has_a_least_and_a_most() {
    for (name, bounds, set) in COUNTS {
        let check = |number| {
            let mut options = Options::new("t");
            set(&mut options, number);
            options.check()
        };
        for inside in [*bounds.start(), *bounds.end()] {
            assert!(check(inside).is_ok(), "{name} {inside}");
        }
        let below = bounds.start().checked_sub(1);
        for outside in below.into_iter().chain([bounds.end() + 1, u64::MAX]) {
            let error = check(outside).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Settings, "{name} {outside}");
            let told = format!(", and takes {} to {}", bounds.start(), bounds.end());
            assert!(error.to_string().starts_with(name) && error.to_string().ends_with(&told), "{error}");
        }
    }
}

type SetDuration = fn(&mut Options, Duration);

const DURATIONS: [(&str, RangeInclusive<Duration>, SetDuration); 6] = [
    ("limits.retry_for", RETRY_FOR, |it, time| it.limits.retry_for = time),
    ("limits.lease", LEASE, |it, time| it.limits.lease = time),
    ("limits.statement_timeout", STATEMENT_TIMEOUT, |it, time| it.limits.statement_timeout = Some(time)),
    ("window", WINDOW_SPAN, |it, time| it.window = WindowSize::Span(time)),
    ("from", AGO, |it, time| it.from = Some(Bound::Ago(time))),
    ("until", AGO, |it, time| it.until = Some(Bound::Ago(time))),
];

#[test]
fn every_duration_has_a_least_and_a_most() {
    for (name, bounds, set) in DURATIONS {
        let check = |time| {
            let mut options = Options::new("t");
            set(&mut options, time);
            options.check()
        };
        for inside in [*bounds.start(), *bounds.end()] {
            assert!(check(inside).is_ok(), "{name} {inside:?}");
        }
        let step = Duration::from_nanos(1);
        for outside in [Duration::ZERO, bounds.start().saturating_sub(step), *bounds.end() + step, Duration::MAX] {
            let error = check(outside).expect_err(name);
            assert!(error.to_string().starts_with(&format!("{name} is ")), "{error}");
        }
    }
}

#[test]
fn every_list_and_every_text_has_a_most() {
    let text = |bytes| "x".repeat(bytes);
    let long: [fn(&mut Options, String); 8] = [
        |it, text| it.table = text,
        |it, text| it.time_column = Some(text),
        |it, text| it.scope = Some(text),
        |it, text| it.conflict_key.push(text),
        |it, text| it.mapping.ignored.push(text),
        |it, text| it.mapping.renames.push(("a".to_owned(), text)),
        |it, text| it.csv.columns = Some(vec![text]),
        |it, text| it.csv.null_marks.push(text),
    ];
    let refuses = |set: &dyn Fn(&mut Options)| {
        let mut options = Options::new("t");
        set(&mut options);
        options.check().is_err_and(|error| error.kind() == ErrorKind::Settings)
    };
    for set in long {
        assert!(!refuses(&|it| set(it, text(TEXT_BYTES_MAX))));
        assert!(refuses(&|it| set(it, text(TEXT_BYTES_MAX + 1))));
        assert!(refuses(&|it| set(it, "a\0b".to_owned())));
    }
    for (job, is_refused) in [(text(255), false), (text(256), true), (String::new(), true), ("a\0".to_owned(), true)] {
        assert_eq!(refuses(&|it| it.job = Some(job.clone())), is_refused);
    }
    let many = |items| vec!["x".to_owned(); items];
    assert!(refuses(&|it| it.mapping.ignored = many(LIST_ITEMS_MAX + 1)));
    assert!(refuses(&|it| it.mapping.renames = vec![Default::default(); LIST_ITEMS_MAX + 1]));
    assert!(refuses(&|it| it.conflict_key = many(LIST_ITEMS_MAX + 1)));
    assert!(refuses(&|it| it.csv.columns = Some(many(COLUMNS_MAX + 1))));
    assert!(refuses(&|it| it.csv.null_marks = many(NULL_MARKS_MAX + 1)));
    assert!(!refuses(&|it| it.csv = CsvOptions { null_marks: many(NULL_MARKS_MAX), ..CsvOptions::default() }));
}

#[test]
fn the_defaults_are_within_all_bounds() {
    Options::new("t").check().unwrap();
}
