//! Laws of records that are passed over: profile and decoder pass over the same ones, and no other is lost for them.

use super::*;

/// Rows by record number, and records that were passed over.
type Sorted = (Vec<(u64, u64, Cells)>, Vec<(u64, Vec<u8>)>);

/// Reads a whole object of two columns, passing over what is no row.
fn sort_out(bytes: &[u8], dialect: &Dialect, chunk_bytes: usize) -> Result<Sorted> {
    let (mut rows, mut passed, mut next) = (Vec::new(), Vec::new(), 1);
    for range in pieces(bytes, 0, chunk_bytes, dialect)? {
        let rejects = Some(ROOM);
        let context = ProfileContext { object: "a.csv", dialect, columns: 2, key: None, range: (None, None), rejects };
        let found = profile(&slice(bytes, &range), range.start, 1, &context)?;
        passed.extend(found.rejects.iter().map(|reject| (reject.record + next - 1, reject.raw.bytes.to_vec())));
        let extent = Extent::Bytes { start: range.start, end: range.end, first_record: next };
        let decoder = CsvDecoder::new(&object(bytes), extent, Arc::new(dialect.clone()), all_columns(2))?;
        let mut decoder = decoder.with_rows_per_batch(3).passing_over(true);
        loop {
            match decoder.step()? {
                Step::Need(ranges) => {
                    let data = ranges.iter().map(|range| slice(bytes, range)).collect();
                    decoder.supply(ranges, data)?;
                }
                Step::Rows(batch) => rows.extend((0..batch.batch.num_rows()).map(|row| {
                    let (record, byte) = (batch.origin.record(row), batch.origin.byte(row).unwrap());
                    (record, byte, cells(&batch.batch, row))
                })),
                Step::Done => break,
            }
        }
        next += found.rows;
    }
    let mut numbers: Vec<u64> = rows.iter().map(|row| row.0).chain(passed.iter().map(|it| it.0)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..next).collect::<Vec<_>>(), "each record is a row or passed over");
    Ok((rows, passed))
}

/// Lines of which some are no rows.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line =
        select(vec!["a,b", "1,2", "", "one", "1,2,3", "\"x,\ny\",z", "a\rb,c", ",", "é,\"\"", "q\"\"q,\"\"\"\""]);
    let end = select(vec!["\n", "\n", "\r\n"]);
    proptest::collection::vec((line, end), 0..40)
        .prop_map(|lines| lines.into_iter().flat_map(|(line, end)| [line, end]).collect::<String>().into_bytes())
}

proptest! {
    #[test]
    fn each_record_is_a_row_or_passed_over_however_the_object_is_cut(bytes in lines(), chunk_bytes in 1_usize..60) {
        let dialect = Dialect { has_header: false, ..Dialect::default() };
        let whole = sort_out(&bytes, &dialect, usize::MAX).unwrap();
        prop_assert_eq!(&sort_out(&bytes, &dialect, chunk_bytes).unwrap(), &whole);
        // Without those that are passed over the object is read to the same rows.
        let mut good: Vec<u8> = Vec::new();
        for (_, byte, _) in &whole.0 {
            let text = &bytes[usize::try_from(*byte).unwrap()..];
            good.extend(first_record(text, &dialect, 2));
            good.push(b'\n');
        }
        let read = read(&good, &dialect, 2, usize::MAX).unwrap();
        let cells: Vec<Cells> = whole.0.iter().map(|row| row.2.clone()).collect();
        prop_assert_eq!(read.into_iter().map(|(_, cells)| cells).collect::<Vec<_>>(), cells);
        // And each of those is refused by itself.
        for (_, raw) in &whole.1 {
            prop_assert!(profile_two(raw, &dialect).is_err(), "{:?}", raw);
        }
    }
}

fn profile_two(bytes: &[u8], dialect: &Dialect) -> Result<PieceProfile> {
    let context =
        ProfileContext { object: "a.csv", dialect, columns: 2, key: None, range: (None, None), rejects: None };
    profile(bytes, 0, 1, &context)
}
