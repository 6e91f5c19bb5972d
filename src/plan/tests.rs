//! The laws of plans: every row in one window, no overlap, round widths.

use std::time::Duration;

use super::*;
use crate::model::Extent;
use crate::options::WindowSize;

const DAY: i64 = crate::model::datetime::MICROS_PER_DAY;

fn piece(number: u64, min: i64, max: i64) -> Piece {
    let keys = Some(KeySpan { min: TimeKey(min), max: TimeKey(max) });
    Piece { object: 0, extent: Extent::Custom { number }, rows: 100, bytes: 1000, keys, unkeyed: 0 }
}

fn even(width: i64) -> Grid {
    Grid::Even { origin: 0, width }
}

fn plan(pieces: Vec<Piece>, range: Range, grid: &Grid) -> Plan {
    Plan::over_time((pieces, &Parts::new()), KeyKind::Integer, range, grid, 1000).unwrap()
}

fn bounds(plan: &Plan) -> Vec<(i64, i64)> {
    plan.windows.iter().map(|planned| planned.window.bounds()).collect()
}

#[test]
fn windows_cover_every_piece_without_overlap_and_skip_gaps() {
    let plan = plan(vec![piece(0, 35, 49), piece(1, 3, 12), piece(2, 8, 20)], Range::default(), &even(10));
    assert_eq!(bounds(&plan), [(0, 10), (10, 20), (20, 30), (30, 40), (40, 50)]);
    assert_eq!(plan.pieces_of(&plan.windows[0].window), [1, 2]);
    assert_eq!(plan.pieces_of(&plan.windows[2].window), [2]);
    assert_eq!(plan.pieces_of(&plan.windows[4].window), [0]);
    assert_eq!(plan.read_bytes, (2 + 2 + 3) * 1000);
}

#[test]
fn a_gap_between_pieces_has_no_windows() {
    let plan = plan(vec![piece(0, 1, 2), piece(1, 1001, 1002)], Range::default(), &even(10));
    assert_eq!(bounds(&plan), [(0, 10), (1000, 1010)]);
}

#[test]
fn the_range_clips_the_first_and_the_last_window() {
    let range = Range { from: Some(TimeKey(5)), until: Some(TimeKey(25)) };
    let plan = plan(vec![piece(0, 0, 99)], range, &even(10));
    assert_eq!(bounds(&plan), [(5, 10), (10, 20), (20, 25)]);
    assert!((plan.windows[1].rows - 10.0).abs() < 1e-6, "{:?}", plan.windows);
    assert!((plan.windows[0].rows - 5.0).abs() < 1e-6);
}

#[test]
fn estimates_add_up_to_the_rows_of_the_pieces() {
    let pieces: Vec<Piece> = (0..50).map(|i| piece(0, i * 7, i * 7 + 200)).collect();
    let plan = plan(pieces, Range::default(), &even(13));
    let rows: f64 = plan.windows.iter().map(|planned| planned.rows).sum();
    assert!((rows - 5000.0).abs() < 1e-3, "{rows}");
}

#[test]
fn more_windows_than_the_limit_is_an_error() {
    let error =
        Plan::over_time((vec![piece(0, 0, 10_000)], &Parts::new()), KeyKind::Integer, Range::default(), &even(1), 100)
            .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
}

#[test]
fn every_row_of_every_piece_is_in_exactly_one_window_that_reads_the_piece() {
    let pieces: Vec<Piece> = (0..40).map(|i| piece(0, (i * 37) % 200, (i * 37) % 200 + (i * 13) % 90)).collect();
    let plan = plan(pieces.clone(), Range::default(), &even(17));
    for (position, piece) in pieces.iter().enumerate() {
        let span = piece.keys.unwrap();
        for key in span.min.0..=span.max.0 {
            let holding: Vec<_> =
                plan.windows.iter().filter(|w| (w.window.bounds().0..w.window.bounds().1).contains(&key)).collect();
            assert_eq!(holding.len(), 1);
            assert!(plan.pieces_of(&holding[0].window).contains(&position));
        }
    }
}

#[test]
fn a_week_starts_on_monday_and_a_month_on_its_first_day() {
    let week =
        Grid::try_new(WindowSize::Span(Duration::from_secs(7 * 86_400)), KeyKind::Timestamp, vec![], None, 0).unwrap();
    // 2000-01-03 was a Monday.
    assert_eq!(week.cell(TimeKey(5 * DAY)), (TimeKey(2 * DAY), TimeKey(9 * DAY)));
    let month = Grid::try_new(WindowSize::Months(1), KeyKind::Date, vec![], None, 0).unwrap();
    assert_eq!(month.cell(TimeKey(45)), (TimeKey(31), TimeKey(60)));
    let quarter = Grid::try_new(WindowSize::Months(3), KeyKind::Timestamp, vec![], None, 0).unwrap();
    assert_eq!(quarter.cell(TimeKey(-1)), (TimeKey(-92 * DAY), TimeKey(0)));
}

#[test]
fn a_width_that_does_not_suit_the_keys_is_refused() {
    let hour = WindowSize::Span(Duration::from_secs(3600));
    assert!(Grid::try_new(hour, KeyKind::Date, vec![], None, 0).is_err());
    assert!(Grid::try_new(hour, KeyKind::Integer, vec![], None, 0).is_err());
    assert!(Grid::try_new(WindowSize::Keys(5), KeyKind::Timestamp, vec![], None, 0).is_err());
    assert!(Grid::try_new(WindowSize::Keys(0), KeyKind::Integer, vec![], None, 0).is_err());
}

#[test]
fn auto_takes_partition_bounds_or_a_round_interval_of_about_64_mb() {
    let bounds = Grid::try_new(WindowSize::Auto, KeyKind::Date, vec![10, 20], None, 0).unwrap();
    assert_eq!(bounds.cell(TimeKey(9)), (TimeKey(i64::MIN), TimeKey(10)));
    assert_eq!(bounds.cell(TimeKey(10)), (TimeKey(10), TimeKey(20)));
    assert_eq!(bounds.cell(TimeKey(20)), (TimeKey(20), TimeKey(i64::MAX)));
    let beyond = Some(KeySpan { min: TimeKey(3), max: TimeKey(25) });
    let bounds = Grid::try_new(WindowSize::Auto, KeyKind::Date, vec![10, 20], beyond, 0).unwrap();
    assert_eq!(bounds, Grid::Bounds(vec![3, 10, 20, 26]));
    let span = Some(KeySpan { min: TimeKey(0), max: TimeKey(30 * DAY - 1) });
    let auto = |bytes| Grid::try_new(WindowSize::Auto, KeyKind::TimestampTz, vec![], span, bytes).unwrap();
    assert_eq!(auto(237 << 20), Grid::Even { origin: 2 * DAY, width: 7 * DAY });
    assert_eq!(auto(24 << 30), Grid::Even { origin: 2 * DAY, width: DAY / 8 });
    assert_eq!(auto(1 << 20), Grid::Months { kind: KeyKind::TimestampTz, months: 120 });
    let days = Grid::try_new(
        WindowSize::Auto,
        KeyKind::Date,
        vec![],
        Some(KeySpan { min: TimeKey(0), max: TimeKey(29) }),
        24 << 30,
    );
    assert_eq!(days.unwrap(), Grid::Even { origin: 2, width: 1 });
}

/// Twenty thousand windows of ten keys, and a hundred thousand pieces, five hundred to an object: most of them short, some over
/// tens of windows, every thousandth over thousands, in no order.
fn many_pieces() -> Vec<Piece> {
    let number = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let piece = |i: u64| {
        let min = i64::try_from(number(i) % 200_000).unwrap();
        let reach = match i % 1000 {
            0 => number(i + 1) % 50_000,
            1..50 => number(i + 1) % 300,
            _ => number(i + 1) % 12,
        };
        let max = (min + i64::try_from(reach).unwrap()).min(199_999);
        Piece { object: u32::try_from(i / 500).unwrap(), ..self::piece(i, min, max) }
    };
    (0..100_000).map(piece).collect()
}

fn large_plan() -> Plan {
    Plan::over_time((many_pieces(), &Parts::new()), KeyKind::Integer, Range::default(), &even(10), 20_000).unwrap()
}

/// Pieces that meet a window, found by looking at each.
fn meeting(plan: &Plan, window: &Window) -> Vec<usize> {
    let (start, end) = window.bounds();
    let meets = |piece: &Piece| piece.keys.is_some_and(|keys| keys.min.0 < end && keys.max.0 >= start);
    (0..plan.pieces.len()).filter(|place| meets(&plan.pieces[*place])).collect()
}

#[test]
fn a_large_plan_finds_for_each_window_just_the_pieces_that_meet_it() {
    let plan = large_plan();
    assert_eq!(plan.windows.len(), 20_000);
    for planned in plan.windows.iter().step_by(131) {
        let mut found = plan.pieces_of(&planned.window);
        assert!(found.is_sorted_by_key(|piece| plan.pieces[*piece].keys.unwrap().min));
        found.sort_unstable();
        assert_eq!(found, meeting(&plan, &planned.window), "{:?}", planned.window);
        assert_eq!(planned.pieces, found.len(), "{:?}", planned.window);
    }
    let spread = |piece: &Piece| piece.keys.map_or(0, |keys| keys.max.0 / 10 - keys.min.0 / 10 + 1);
    let meetings: i64 = plan.pieces.iter().map(spread).sum();
    let found: usize = plan.windows.iter().map(|planned| plan.pieces_of(&planned.window).len()).sum();
    assert_eq!(found, usize::try_from(meetings).unwrap());
    assert_eq!(found, plan.windows.iter().map(|planned| planned.pieces).sum::<usize>());
}

#[test]
fn a_window_sums_up_each_object_that_may_hold_its_rows_once() {
    let plan = large_plan();
    // Weights so large that sums overflow, which they may.
    let weights: Vec<u128> = (1..=200_u128).map(|i| (i << 120) + i * i).collect();
    let sums = plan.sums_over_objects(&weights);
    assert_eq!(sums.len(), plan.windows.len());
    for (planned, sum) in plan.windows.iter().zip(sums).step_by(131) {
        let objects = meeting(&plan, &planned.window).into_iter().map(|piece| plan.pieces[piece].object);
        let objects: std::collections::BTreeSet<u32> = objects.collect();
        let expected = objects.iter().fold(0_u128, |sum, object| sum.wrapping_add(weights[*object as usize]));
        assert_eq!(sum, expected, "{:?}", planned.window);
    }
}

#[test]
fn without_a_time_column_each_piece_is_in_one_window_with_its_object() {
    let large = |i: u64| Piece { bytes: 40 << 20, object: u32::try_from(i / 2).unwrap(), keys: None, ..piece(i, 0, 0) };
    let plan = Plan::over_pieces((0..5).map(large).collect());
    assert_eq!(bounds(&plan), [(0, 2), (2, 4), (4, 5)]);
    assert_eq!(plan.windows.iter().map(|planned| planned.pieces).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(plan.sums_over_objects(&[1, 10, 100]), [1, 10, 100]);
    assert_eq!(plan.pieces_of_any(&[plan.windows[0].window, plan.windows[2].window]), [0, 1, 4]);
}

#[test]
fn the_pieces_of_some_windows_are_those_that_meet_any_of_them() {
    let plan = large_plan();
    let open: Vec<Window> = plan.windows.iter().map(|planned| planned.window).skip(3_000).step_by(1_700).collect();
    let mut expected: Vec<usize> = open.iter().flat_map(|window| meeting(&plan, window)).collect();
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(plan.pieces_of_any(&open), expected);
    assert_eq!(plan.pieces_of_any(&[]), [0_usize; 0]);
}

#[test]
fn stretches_of_a_piece_take_the_place_of_its_span() {
    let span = |min, max| KeySpan { min: TimeKey(min), max: TimeKey(max) };
    let stretches = vec![Stretch { span: span(0, 9), rows: 90 }, Stretch { span: span(900_000, 900_000), rows: 10 }];
    let parts = Parts::from([(0, stretches)]);
    let far = Piece { rows: 100, bytes: 1_000, ..piece(0, 0, 900_000) };
    let plan = Plan::over_time((vec![far], &parts), KeyKind::Integer, Range::default(), &even(10), 100).unwrap();
    let windows: Vec<_> = plan.windows.iter().map(|it| (it.window.bounds(), it.rows, it.bytes, it.pieces)).collect();
    assert_eq!(windows, [((0, 10), 90.0, 900.0, 1), ((900_000, 900_010), 10.0, 100.0, 1)]);
    assert_eq!((plan.source_bytes(), plan.read_bytes), (1_000, 2_000));
    let all: Vec<Window> = plan.windows.iter().map(|it| it.window).collect();
    assert_eq!(plan.pieces_of_any(&all), [0]);
    assert_eq!((plan.pieces_of(&all[0]), plan.pieces_of(&all[1])), (vec![0], vec![0]));
    assert_eq!(plan.sums_over_objects(&[7]), [7, 7]);
}

#[test]
fn a_grid_counts_the_cells_of_a_span() {
    let span = |min, max| KeySpan { min: TimeKey(min), max: TimeKey(max) };
    assert_eq!(even(10).cells(span(0, 9)), 1);
    assert_eq!(even(10).cells(span(-1, 10)), 3);
    assert_eq!(even(1).cells(span(i64::MIN, i64::MAX)), u64::MAX);
    assert_eq!(Grid::Bounds(vec![0, 10, 20]).cells(span(5, 15)), 2);
    let year = |months| Grid::Months { kind: KeyKind::Date, months }.cells(span(0, 365));
    assert!((12..=13).contains(&year(1)) && (1..=2).contains(&year(12)));
}
