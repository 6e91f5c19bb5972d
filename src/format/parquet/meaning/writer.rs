//! What a file's footer says of its writer that changes what values mean.
//!
//! Spark and Hive count old days by the Julian calendar in some settings, and say so in keys of the footer. INT96 has no
//! type that tells whether it is an instant: Spark writes instants, Hive local times that it moves to UTC by the zone
//! that it notes. The keys and their meaning are those that Spark's `DataSourceUtils` and Hive's
//! `DataWritableReadSupport` read.

use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::file::metadata::FileMetaData;

use super::calendar::Calendar;
use crate::model::Zone;

const SPARK_VERSION: &str = "org.apache.spark.version";
const SPARK_SCHEMA: &str = "org.apache.spark.sql.parquet.row.metadata";
const SPARK_LEGACY_DATETIME: &str = "org.apache.spark.legacyDateTime";
const SPARK_LEGACY_INT96: &str = "org.apache.spark.legacyINT96";
const HIVE_PROLEPTIC: &str = "writer.date.proleptic";
const HIVE_ZONE: &str = "writer.time.zone";
const HIVE_LEGACY_ZONE: &str = "writer.zone.conversion.legacy";

/// How a file's writer counted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Writer {
    pub(super) dates: Calendar,
    /// Timestamps that are adjusted to UTC.
    pub(super) instants: Calendar,
    /// Timestamps that are not.
    pub(super) locals: Calendar,
    pub(super) int96: Calendar,
    /// What an INT96 counts.
    pub(super) int96_is: Int96Is,
    /// Whether it left the Arrow schema that it wrote from.
    pub(super) is_arrow: bool,
}

/// What an INT96 counts; nothing in the type tells.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::format::parquet) enum Int96Is {
    /// Local time, as far as is known.
    Local,
    /// Time in UTC.
    Instant,
    /// Local time of this zone, moved to UTC.
    MovedFrom(Zone),
    /// The same of a zone that is not known here.
    MovedFromUnknown(String),
}

impl Writer {
    /// Reads the footer's keys.
    pub(super) fn of(file: &FileMetaData) -> Self {
        let keys = file.key_value_metadata().map(Vec::as_slice).unwrap_or_default();
        let value =
            |key: &str| keys.iter().find(|pair| pair.key == key).map(|pair| pair.value.as_deref().unwrap_or(""));
        Self::of_keys(value)
    }

    fn of_keys<'v>(value: impl Fn(&str) -> Option<&'v str> + Copy) -> Self {
        let mut writer = Self {
            dates: Calendar::Gregorian,
            instants: Calendar::Gregorian,
            locals: Calendar::Gregorian,
            int96: Calendar::Gregorian,
            int96_is: Int96Is::Local,
            is_arrow: value(ARROW_SCHEMA_META_KEY).is_some(),
        };
        writer.read_spark(value);
        writer.read_hive(value);
        writer
    }

    fn read_spark<'v>(&mut self, value: impl Fn(&str) -> Option<&'v str>) {
        let keys = [SPARK_VERSION, SPARK_SCHEMA, SPARK_LEGACY_DATETIME, SPARK_LEGACY_INT96];
        if keys.iter().all(|key| value(key).is_none()) {
            return;
        }
        self.int96_is = Int96Is::Instant;
        let calendar = |legacy: &'static str, since: (u32, u32)| match (value(legacy), value(SPARK_VERSION)) {
            (Some(_), _) => Calendar::Hybrid(legacy),
            (None, Some(version)) => match major_minor(version) {
                Some(version) if version >= since => Calendar::Gregorian,
                Some(_) => Calendar::Hybrid(SPARK_VERSION),
                None => Calendar::Unknown("the version of Spark cannot be read"),
            },
            (None, None) => Calendar::Unknown("Spark wrote it, and its version is not there"),
        };
        self.dates = calendar(SPARK_LEGACY_DATETIME, (3, 0));
        self.instants = self.dates;
        self.int96 = calendar(SPARK_LEGACY_INT96, (3, 1));
    }

    fn read_hive<'v>(&mut self, value: impl Fn(&str) -> Option<&'v str>) {
        if value(HIVE_PROLEPTIC).is_some_and(|proleptic| !proleptic.eq_ignore_ascii_case("true")) {
            let hybrid = Calendar::Hybrid(HIVE_PROLEPTIC);
            (self.dates, self.locals, self.int96) = (hybrid, hybrid, hybrid);
        }
        let Some(zone) = value(HIVE_ZONE) else { return };
        self.int96_is = match parse_zone(zone) {
            Some(zone) => Int96Is::MovedFrom(zone),
            None => Int96Is::MovedFromUnknown(zone.to_owned()),
        };
        // Java's old classes have other offsets before 1900 than its new ones.
        let is_legacy = value(HIVE_LEGACY_ZONE).is_none_or(|legacy| !legacy.eq_ignore_ascii_case("false"));
        if is_legacy && self.int96 == Calendar::Gregorian {
            self.int96 = match value(HIVE_LEGACY_ZONE) {
                Some(_) => Calendar::Hybrid(HIVE_LEGACY_ZONE),
                None => Calendar::Unknown("'writer.zone.conversion.legacy' is not there"),
            };
        }
    }
}

/// A zone by the names that Java has for it.
fn parse_zone(name: &str) -> Option<Zone> {
    let offset = ["GMT", "UTC", "UT"].iter().find_map(|prefix| name.strip_prefix(prefix));
    match offset {
        Some("" | "0") => Some(Zone::UTC),
        Some(offset) if offset.starts_with(['+', '-']) => Zone::parse(offset).ok(),
        _ => Zone::parse(name).ok(),
    }
}

/// The first two numbers of a version.
fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(keys: &[(&str, &str)]) -> Writer {
        let value = |key: &str| keys.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        Writer::of_keys(value)
    }

    #[test]
    fn spark_says_its_calendar_by_keys_or_by_its_version() {
        let modern = writer(&[(SPARK_VERSION, "3.5.1"), (SPARK_SCHEMA, "{}")]);
        assert_eq!((modern.dates, modern.int96), (Calendar::Gregorian, Calendar::Gregorian));
        assert_eq!(modern.int96_is, Int96Is::Instant);
        let legacy = writer(&[(SPARK_VERSION, "3.5.1"), (SPARK_LEGACY_DATETIME, "")]);
        assert_eq!((legacy.dates, legacy.int96), (Calendar::Hybrid(SPARK_LEGACY_DATETIME), Calendar::Gregorian));
        assert_eq!(legacy.locals, Calendar::Gregorian, "timestamps without a zone are new in Spark 3.4");
        let three = writer(&[(SPARK_VERSION, "3.0.2")]);
        assert_eq!((three.dates, three.int96), (Calendar::Gregorian, Calendar::Hybrid(SPARK_VERSION)));
        assert!(matches!(writer(&[(SPARK_VERSION, "2.4.8")]).instants, Calendar::Hybrid(_)));
        assert!(matches!(writer(&[(SPARK_SCHEMA, "{}")]).dates, Calendar::Unknown(_)));
        assert!(matches!(writer(&[(SPARK_VERSION, "x")]).dates, Calendar::Unknown(_)));
        assert_eq!(writer(&[("pandas", "{}")]).int96_is, Int96Is::Local);
    }

    #[test]
    fn hive_says_its_calendar_and_the_zone_of_its_int96() {
        let new = [(HIVE_PROLEPTIC, "true"), (HIVE_ZONE, "America/New_York"), (HIVE_LEGACY_ZONE, "false")];
        let new = writer(&new);
        assert_eq!((new.dates, new.int96), (Calendar::Gregorian, Calendar::Gregorian));
        assert_eq!(new.int96_is, Int96Is::MovedFrom(Zone::parse("America/New_York").unwrap()));
        let old = writer(&[(HIVE_PROLEPTIC, "false"), (HIVE_ZONE, "GMT+01:00")]);
        assert_eq!((old.dates, old.locals), (Calendar::Hybrid(HIVE_PROLEPTIC), Calendar::Hybrid(HIVE_PROLEPTIC)));
        assert_eq!(old.int96_is, Int96Is::MovedFrom(Zone::parse("+01:00").unwrap()));
        assert!(matches!(writer(&[(HIVE_ZONE, "UTC")]).int96, Calendar::Unknown(_)));
        assert_eq!(writer(&[(HIVE_ZONE, "Mars/Base")]).int96_is, Int96Is::MovedFromUnknown("Mars/Base".into()));
    }
}
