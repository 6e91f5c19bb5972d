//! What is loaded under torture: rows made to order, some of them twice, as CSV or Parquet in one or more files.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::harness::{Folder, Random};

/// The shape of a source.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) rows: u64,
    /// Time from one row to the next.
    step_millis: u64,
    files: usize,
    pub(super) order: Order,
    format: Format,
    /// What decides the values.
    random: Random,
}

/// In which order rows stand in the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Each file holds a stretch of time, in order.
    ByTime,
    /// Each file holds rows of any time.
    Shuffled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Parquet,
}

/// A source on disk, and the same rows as CSV for the server to read.
pub(super) struct Written {
    pub(super) paths: String,
    pub(super) csv: String,
    _folder: Folder,
}

#[derive(Debug, Clone)]
struct Row {
    millis: u64,
    host: u64,
    reading: u64,
    note: String,
}

/// 2024-01-01 00:00 UTC, in milliseconds since 1970.
const FIRST_MILLIS: u64 = 1_704_067_200_000;

/// Every so many rows one is there twice, alike in all columns: rows are counted, not only looked for.
const TWICE_EVERY: u64 = 16;

impl Source {
    pub(super) fn draw(random: &mut Random) -> Self {
        let order = if random.below(2) == 0 { Order::ByTime } else { Order::Shuffled };
        Self {
            rows: 2_000 + random.below(4_000),
            step_millis: 2_000 + random.below(9_000),
            files: if order == Order::ByTime { 4 } else { 1 + usize::from(random.below(3) == 0) },
            order,
            format: if random.below(3) == 0 { Format::Parquet } else { Format::Csv },
            random: Random(random.next()),
        }
    }

    /// Minutes from the first row to the last.
    pub(super) fn minutes(&self) -> u64 {
        self.rows * self.step_millis / 60_000
    }

    /// Makes the files.
    pub(super) fn write(&self) -> Written {
        let (folder, rows) = (Folder::new(), self.make());
        let per_file = rows.len().div_ceil(self.files);
        let mut paths = String::new();
        for (number, rows) in rows.chunks(per_file).enumerate() {
            let path = match self.format {
                Format::Csv => folder.write(&format!("{number}.csv"), csv(rows)),
                Format::Parquet => parquet(&folder, number, rows),
            };
            write!(paths, "{path} ").expect("a String takes any text");
        }
        Written { paths, csv: csv(&rows), _folder: folder }
    }

    fn make(&self) -> Vec<Row> {
        let mut random = self.random.clone();
        let mut rows: Vec<Row> = (0..self.rows).map(|number| self.row(number, &mut random)).collect();
        if self.order == Order::Shuffled {
            for last in (1..rows.len()).rev() {
                let other = random.below(last as u64 + 1); // a count of rows
                rows.swap(last, usize::try_from(other).expect("it is an index"));
            }
        }
        rows
    }

    fn row(&self, number: u64, random: &mut Random) -> Row {
        // The second of two alike draws nothing of its own.
        let number = if number % TWICE_EVERY == 1 { number - 1 } else { number };
        let mut own = if number % TWICE_EVERY == 0 { Random(number) } else { random.clone() };
        random.next();
        let padding = usize::try_from(own.below(120)).expect("it is short");
        Row {
            millis: number * self.step_millis,
            host: number % 50,
            reading: own.next() >> 2,
            note: format!("row {number}, \"{}\"", "x".repeat(padding)),
        }
    }
}

fn csv(rows: &[Row]) -> String {
    let mut csv = String::from("ts,host,reading,note\n");
    for Row { millis, host, reading, note } in rows {
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let (days, hours, minutes) = (1 + seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        assert!(days <= 31, "rows stay in January");
        writeln!(
            csv,
            "2024-01-{days:02}T{hours:02}:{minutes:02}:{:02}.{millis:03}Z,host-{host},{reading},\"{}\"",
            seconds % 60,
            note.replace('"', "\"\""),
        )
        .expect("a String takes any text");
    }
    csv
}

fn parquet(folder: &Folder, number: usize, rows: &[Row]) -> String {
    let signed = |number: u64| i64::try_from(number).expect("values are made below 2^63");
    let times = rows.iter().map(|row| signed(FIRST_MILLIS + row.millis));
    let columns: [(&str, ArrayRef); 4] = [
        ("ts", Arc::new(TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC"))),
        ("host", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("host-{}", row.host))))),
        ("reading", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| signed(row.reading))))),
        ("note", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.note)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("the columns are of one length");
    let path = Path::new(folder.path()).join(format!("{number}.parquet"));
    let settings = WriterProperties::builder().set_max_row_group_row_count(Some(1000)).build();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(settings)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path.to_str().expect("temporary paths are plain text").to_owned()
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, files, order, format, .. } = self;
        write!(f, "{rows} rows, {order:?}, in {files} files of {format:?}")
    }
}
