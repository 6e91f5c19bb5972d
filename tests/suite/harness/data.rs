//! What is loaded: the real data where it is there, excerpts of it where not, and rows made to order.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that goes with its test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("there is a folder for temporary files"))
    }

    /// Writes a file and gives its path; folders in `name` are made.
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).unwrap();
        fs::write(&path, contents).unwrap();
        path.to_str().expect("temporary paths are plain text").to_owned()
    }

    /// Its path.
    pub(crate) fn path(&self) -> &str {
        self.0.path().to_str().expect("temporary paths are plain text")
    }
}

/// Real data to load.
pub(crate) struct Real {
    /// The file or the folder.
    pub(crate) path: String,
    pub(crate) rows: u64,
    _folder: Option<Folder>,
}

/// `weather.csv`: hourly weather of three airports, one after the other; nulls are `NA`.
pub(crate) fn weather() -> Real {
    real("weather.csv", 26_115).unwrap_or_else(|| {
        let path = excerpt("weather_excerpt.csv");
        Real { path: text(&path), rows: 60, _folder: None }
    })
}

/// Flights of a year in Parquet; the months are in the names of folders.
pub(crate) fn flights() -> Real {
    real("flights", 336_776).unwrap_or_else(|| {
        let folder = Folder::new();
        folder.write("month=01/part-0.parquet", fs::read(excerpt("flights_excerpt.parquet")).unwrap());
        Real { path: folder.path().to_owned(), rows: 200, _folder: Some(folder) }
    })
}

fn real(name: &str, rows: u64) -> Option<Real> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    path.exists().then(|| Real { path: text(&path), rows, _folder: None })
}

fn excerpt(name: &str) -> PathBuf {
    eprintln!("../shared/data is not there: {name} of fixtures is loaded instead of the whole");
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn text(path: &Path) -> String {
    path.to_str().expect("the checkout has a plain path").to_owned()
}

/// The tables that [`metrics`] are loaded into and compared with.
pub(crate) const METRICS: &str = "
    create table metrics (ts timestamptz not null, host text not null, value numeric(7,4), note text);
    create index on metrics (ts);
    create table expected (like metrics);
    create table foreign_rows (like metrics);";

/// CSV of `rows` measurements, `step_millis` apart from 2024-01-01 on: `ts,host,value,note`.
pub(crate) fn metrics(rows: u32, step_millis: u64) -> String {
    let mut random = Random(u64::from(rows));
    let mut csv = String::with_capacity(rows as usize * 48 + 32);
    csv.push_str("ts,host,value,note\n");
    for row in 0..rows {
        let (millis, value) = (u64::from(row) * step_millis, random.below(1_000_000));
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let (days, hours, minutes) = (1 + seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        assert!(days <= 31, "rows stay in January");
        writeln!(
            csv,
            "2024-01-{days:02}T{hours:02}:{minutes:02}:{:02}.{millis:03}Z,host-{},{}.{:04},row {row}",
            seconds % 60,
            row % 50,
            value / 10_000,
            value % 10_000,
        )
        .expect("a String takes any text");
    }
    csv
}

/// The same, 360 ms apart, in rows so wide that a window of six hours takes several batches.
pub(crate) fn wide_metrics(rows: u32) -> String {
    let padding = "x".repeat(90);
    let (plain, mut csv) = (metrics(rows, 360), String::new());
    for (number, line) in plain.lines().enumerate() {
        csv.push_str(line);
        if number > 0 {
            csv.push_str(&padding);
        }
        csv.push('\n');
    }
    csv
}

/// The seed of a random test: `SUITE_SEED` to repeat a failure, else that of this very moment. Always printed.
pub(crate) fn seed(test: &str) -> u64 {
    let now = || std::time::UNIX_EPOCH.elapsed().expect("the clock is past 1970").subsec_nanos().into();
    let seed = std::env::var("SUITE_SEED").ok().map_or_else(now, |text| text.parse().expect("SUITE_SEED is a number"));
    eprintln!("{test}: SUITE_SEED={seed}");
    seed
}

/// Numbers that follow from a seed (`SplitMix64`), so that a failure can be repeated.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
