//! Geometries, as `PostGIS` reads them. Where the extension is not installed, there is nothing to test.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, FixedSizeBinaryArray, StringArray};

use crate::harness::{Database, Folder, run};
use crate::hazards::Hazards;
use crate::parquet_values::load;
use crate::values::{csv_of, stored_alike};

const SETUP: &str = "create extension postgis";

const HAZARDS: [Hazards; 3] = [
    (
        "geometry",
        &[
            "POINT(1 2)",
            "SRID=4326;POINT Z (1 2 3)",
            "0101000000000000000000F03F0000000000000040",
            "0101000000000000000000f03f0000000000000040",
            "00000000013ff00000000000004000000000000000",
            "LINESTRING EMPTY",
            "POLYGON((0 0,1 0,1 1,0 0))",
            "POLYGON((0 0,1 0,1 1))",
            "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1e300 -1e-300))",
            "{\"type\":\"Point\",\"coordinates\":[1,2]}",
            "POINT(1)",
            "0101",
            "",
            "nowhere",
        ],
    ),
    ("geometry(Point,4326)", &["POINT(1 2)", "SRID=4326;POINT(1 2)", "SRID=3857;POINT(1 2)", "LINESTRING(0 0,1 1)"]),
    ("geography(PointZ)", &["POINT Z (1 2 3)", "POINT(181 2)", "POINT Z (181 2 3)"]),
];

/// `POINT(1 2)`, the later byte first and the earlier one first.
const POINTS: [&str; 2] = ["00000000013ff00000000000004000000000000000", "0101000000000000000000f03f0000000000000040"];

fn has_postgis() -> bool {
    let available = "select count(*) from pg_available_extensions where name = 'postgis'";
    let found = Database::new().one(available) == "1";
    if !found {
        eprintln!("PostGIS is not installed: geometries are not tested");
    }
    found
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn texts_are_stored_as_the_extension_reads_them() {
    if !has_postgis() {
        return;
    }
    for (ty, texts) in HAZARDS {
        let (database, folder) = (Database::with(SETUP), Folder::new());
        database.sql(&format!("create table t (ts timestamptz not null, v {ty}); create table expected (like t)"));
        let takes =
            |text: &&&str| database.try_copy_csv("expected", "header true", csv_of(&[**text]).as_bytes()).is_ok();
        let (values, others): (Vec<&str>, Vec<&str>) = texts.iter().partition(takes);
        stored_alike(SETUP, "text", &[(ty, &values)]);
        // Those of one file beside each other: the good ones load, and the others are rejected, each in its own row.
        let path = folder.write("a.csv", csv_of(texts));
        let load = format!("load {path} --table t --time-column ts --window 1h --job j --max-rejects {}", others.len());
        run(&database, &load).exits(if others.is_empty() { 0 } else { 3 });
        database.assert_same("(select * from t where v is not null)", "(select * from expected where v is not null)");
        let rejects = "pgbackfill.rejects where column_name = 'v' and sqlstate is not null";
        assert_eq!(database.count(rejects), others.len() as u64, "{ty}"); // usize has at most 64 bits
    }
}

#[test]
fn well_known_binary_is_stored_as_the_extension_reads_it_and_what_is_none_is_rejected() {
    if !has_postgis() {
        return;
    }
    let (database, folder) = (Database::with(SETUP), Folder::new());
    let points = POINTS.map(bytes);
    let columns: [ArrayRef; 3] = [
        Arc::new(BinaryArray::from_iter_values(&points)),
        Arc::new(FixedSizeBinaryArray::try_from_iter(points.iter()).unwrap()),
        Arc::new(StringArray::from_iter_values(POINTS)),
    ];
    for column in columns {
        load(&database, &folder, &column, "geometry(Point,4326)").exits(0);
        let expected = "(select n, st_setsrid(st_makepoint(1, 2), 4326) as v from generate_series(0, 1) n)";
        database.assert_same("t", expected);
    }
    let broken: ArrayRef = Arc::new(BinaryArray::from_iter_values([&points[0], &points[1][..9]]));
    load(&database, &folder, &broken, "geometry").exits(1).says(&["in column \"v\" (XX000)"]);
    assert_eq!(database.count("t"), 0);
}
