//! Lists, structs and maps of Parquet: to arrays, composite types, `hstore`, `json` and `jsonb`, and values of all types
//! to JSON.

use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeListBuilder, Int32Builder, Int64Builder, LargeListBuilder, ListBuilder, MapBuilder, StringBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, FixedSizeBinaryArray,
    Float16Array, Float32Array, Float64Array, Int32Array, Int64Array, ListArray, MapArray, StringArray, StructArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field};
use half::f16;

use crate::harness::{Database, Folder};
use crate::parquet_values::{case, load, stored_with};

const TYPES: &str = r#"
    create extension hstore;
    create type pair as (a int, b text);
    create type holder as ("Key" bigint, pairs pair[], inner_pair pair, tags text[]);
    create domain few as int[] check (array_length(value, 1) < 4);"#;

/// A struct of these columns, null where `valid` says so, whatever its columns hold there.
fn struct_of(columns: Vec<(&str, ArrayRef)>, valid: Vec<bool>) -> StructArray {
    let (fields, columns): (Vec<_>, Vec<_>) =
        columns.into_iter().map(|(name, column)| (Field::new(name, column.data_type().clone(), true), column)).unzip();
    StructArray::new(fields.into(), columns, Some(NullBuffer::from(valid)))
}

/// A list with these lengths of `elements`, null where `valid` says so.
fn list_of(elements: ArrayRef, lengths: Vec<usize>, valid: Vec<bool>) -> ListArray {
    let item = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
    ListArray::new(item, OffsetBuffer::from_lengths(lengths), elements, Some(NullBuffer::from(valid)))
}

fn pairs() -> StructArray {
    let numbers = Int32Array::from(vec![Some(1), None, Some(3), Some(4)]);
    let words = StringArray::from(vec![Some("x, \"y\""), Some(""), None, Some("hidden")]);
    // In another order than the attributes, which are matched by name.
    struct_of(vec![("b", Arc::new(words)), ("a", Arc::new(numbers))], vec![true, true, true, false])
}

/// A key and its value.
type Entry<'a> = (&'a str, Option<&'a str>);

fn map_of(rows: &[Option<&[Entry]>]) -> MapArray {
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for (key, value) in row.unwrap_or_default() {
            map.keys().append_value(key);
            map.values().append_option(*value);
        }
        map.append(row.is_some()).unwrap();
    }
    map.finish()
}

#[test]
fn structs_reach_composite_types_by_the_names_of_their_fields() {
    let holder = struct_of(
        vec![
            ("Key", Arc::new(Int64Array::from(vec![7, 8, 9]))),
            ("pairs", Arc::new(list_of(Arc::new(pairs()), vec![3, 0, 1], vec![true, true, true]))),
            ("inner_pair", Arc::new(pairs().slice(1, 3))),
            (
                "tags",
                Arc::new(list_of(
                    Arc::new(StringArray::from(vec!["a b", "c"])),
                    vec![2, 0, 0],
                    vec![true, false, true],
                )),
            ),
        ],
        vec![true, true, true],
    );
    stored_with(
        TYPES,
        vec![
            case(pairs(), "pair", &["(1,\"x, \"\"y\"\"\")", "(,\"\")", "(3,)", "null"]),
            case(pairs().slice(1, 3), "pair", &["(,\"\")", "(3,)", "null"]),
            case(
                holder,
                "holder",
                &[
                    r#"(7,"{""(1,\\""x, \\""\\""y\\""\\""\\"")"",""(,\\""\\"")"",""(3,)""}","(,"""")","{""a b"",c}")"#,
                    "(8,{},\"(3,)\",)",
                    "(9,{NULL},,{})",
                ],
            ),
            case(
                list_of(Arc::new(pairs()), vec![1, 0, 2, 1], vec![true, false, true, true]),
                "pair[]",
                &[r#"{"(1,\"x, \"\"y\"\"\")"}"#, "null", r#"{"(,\"\")","(3,)"}"#, "{NULL}"],
            ),
        ],
    );
}

#[test]
fn what_a_null_struct_or_list_holds_is_not_looked_at() {
    let numbers = Int64Array::from(vec![1, i64::MAX, 2]);
    let holed = struct_of(
        vec![("a", Arc::new(numbers.clone())), ("b", Arc::new(StringArray::from(vec!["x", "nul\0", "y"])))],
        vec![true, false, true],
    );
    let list = list_of(Arc::new(numbers), vec![1, 1, 1], vec![true, false, true]);
    let texts = list_of(Arc::new(StringArray::from(vec!["x", "nul\0", "y"])), vec![1, 1, 1], vec![true, false, true]);
    stored_with(
        TYPES,
        vec![
            case(holed.clone(), "pair", &["(1,x)", "null", "(2,y)"]),
            case(holed, "jsonb", &[r#"{"a": 1, "b": "x"}"#, "null", r#"{"a": 2, "b": "y"}"#]),
            case(list.clone(), "smallint[]", &["{1}", "null", "{2}"]),
            case(texts, "json", &["[\"x\"]", "null", "[\"y\"]"]),
            case(list.slice(1, 2), "smallint[]", &["null", "{2}"]),
        ],
    );
}

#[test]
fn nested_lists_become_arrays_of_several_dimensions() {
    let mut lists = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
    lists.append_value([Some([Some(1), Some(2)]), Some([Some(3), None])].map(|row| row.map(Vec::from)));
    lists.append_null();
    lists.append_value([] as [Option<Vec<Option<i32>>>; 0]);
    lists.append_value([Some(vec![Some(5)])]);
    let lists = lists.finish();
    let mut wide = LargeListBuilder::new(Int64Builder::new());
    wide.append_value([Some(1), None]);
    wide.append_null();
    let mut fixed = FixedSizeListBuilder::new(Int32Builder::new(), 2);
    fixed.values().append_slice(&[1, 2, 9, 9]);
    fixed.append(true);
    fixed.append(false);
    stored_with(
        TYPES,
        vec![
            case(lists.clone(), "int[]", &["{{1,2},{3,NULL}}", "null", "{}", "{{5}}"]),
            case(lists.slice(3, 1), "bigint[]", &["{{5}}"]),
            case(lists.clone(), "numeric(5,1)[]", &["{{1.0,2.0},{3.0,NULL}}", "null", "{}", "{{5.0}}"]),
            case(lists.clone(), "jsonb", &["[[1, 2], [3, null]]", "null", "[]", "[[5]]"]),
            case(lists, "jsonb[]", &[r#"{"[1, 2]","[3, null]"}"#, "null", "{}", "{[5]}"]),
            case(wide.finish(), "numeric[]", &["{1,NULL}", "null"]),
            case(fixed.finish(), "few", &["{1,2}", "null"]),
        ],
    );
}

#[test]
fn maps_reach_hstore_and_json() {
    let maps = || {
        map_of(&[
            Some(&[("bb", Some("1")), ("a", None), ("c d", Some("x\"y"))]),
            None,
            Some(&[]),
            Some(&[("", Some(""))]),
        ])
    };
    let mut counts = MapBuilder::new(None, Int32Builder::new(), ListBuilder::new(Int64Builder::new()));
    counts.keys().append_value(7);
    counts.values().append_value([Some(1), None]);
    counts.append(true).unwrap();
    let counts = counts.finish();
    stored_with(
        TYPES,
        vec![
            case(maps(), "hstore", &[r#""a"=>NULL, "bb"=>"1", "c d"=>"x\"y""#, "null", "", "\"\"=>\"\""]),
            case(maps().slice(2, 2), "hstore", &["", "\"\"=>\"\""]),
            case(maps(), "jsonb", &[r#"{"a": null, "bb": "1", "c d": "x\"y"}"#, "null", "{}", "{\"\": \"\"}"]),
            case(maps(), "json", &[r#"{"bb":"1","a":null,"c d":"x\"y"}"#, "null", "{}", "{\"\":\"\"}"]),
            case(counts, "jsonb", &["{\"7\": [1, null]}"]),
        ],
    );
}

#[test]
fn values_of_every_type_become_json_as_the_server_would_spell_them() {
    let decimals = Decimal128Array::from(vec![Some(150), None, Some(-1)]).with_precision_and_scale(38, 2).unwrap();
    let words: DictionaryArray<Int32Type> = vec!["tab\t", "é\u{1}", "\"\\"].into_iter().collect();
    let micros = vec![1_704_067_200_123_456, -62_135_596_800_000_001, 0];
    let instants = TimestampMicrosecondArray::from(micros);
    let all = struct_of(
        vec![
            ("flag", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
            ("big", Arc::new(UInt64Array::from(vec![u64::MAX, 0, 1]))),
            ("half", Arc::new(Float16Array::from(vec![f16::from_f32(0.5), f16::NAN, f16::INFINITY]))),
            ("real", Arc::new(Float32Array::from(vec![0.1, -0.0, 3.402_823_5e38]))),
            ("double", Arc::new(Float64Array::from(vec![0.1, 1e300, f64::NAN]))),
            ("price", Arc::new(decimals)),
            ("day", Arc::new(Date32Array::from(vec![19_723, 0, -719_163]))),
            ("clock", Arc::new(Time64MicrosecondArray::from(vec![1, 0, 86_399_000_000]))),
            ("local", Arc::new(instants.clone())),
            ("instant", Arc::new(instants.with_timezone("+02:00"))),
            ("word", Arc::new(words)),
        ],
        vec![true, true, true],
    );
    let (database, folder) = (Database::new(), Folder::new());
    let column: ArrayRef = Arc::new(all);
    load(&database, &folder, &column, "json").exits(0);
    database.assert_same(
        "(select v::text from t)",
        r#"(select row_to_json(r)::text from (values
            (true, 18446744073709551615, 0.5::float8, 0.1::float4, 0.1::float8, 1.50, date '2024-01-01', time '00:00:00.000001',
             timestamp '2024-01-01 00:00:00.123456', timestamptz '2024-01-01 00:00:00.123456Z', e'tab\t'),
            (false, 0, 'NaN', '-0', 1e300, null, '1970-01-01', '00:00', '0001-12-31 23:59:59.999999 BC',
             '0001-12-31 23:59:59.999999Z BC', e'é\u0001'),
            (null, 1, 'inf', 3.4028235e38, 'NaN', -0.01, '0001-12-31 BC', '23:59:59', '1970-01-01', '1970-01-01Z', '"\'))
            as r (flag, big, half, "real", double, price, day, clock, local, instant, word))"#,
    );
    load(&database, &folder, &column, "jsonb").exits(0);
    assert_eq!(
        database.one("select count(*) from t where v->>'price' = '1.50' and v->>'big' = '18446744073709551615'"),
        "1"
    );
    assert_eq!(database.one("select v->'double' from t where n = 1"), format!("1{}", "0".repeat(300)));
}

#[test]
fn scalars_reach_json_by_themselves() {
    stored_with(
        "",
        vec![
            case(Int64Array::from(vec![Some(i64::MIN), None]), "jsonb", &["-9223372036854775808", "null"]),
            case(Float64Array::from(vec![0.1, f64::NEG_INFINITY]), "json", &["0.1", "\"-Infinity\""]),
            case(BooleanArray::from(vec![true]), "jsonb", &["true"]),
            case(Date32Array::from(vec![19_723]), "json", &["\"2024-01-01\""]),
            case(StringArray::from(vec!["{\"a\":1}"]), "jsonb", &["{\"a\": 1}"]),
        ],
    );
}

/// Loads a column whose second value cannot be stored, and expects it named with this reason.
#[track_caller]
fn refused(column: impl Array + 'static, ty: &str, reason: &str) {
    let (database, folder) = (Database::with(TYPES), Folder::new());
    let column: ArrayRef = Arc::new(column);
    load(&database, &folder, &column, ty).exits(1).says(&["column \"v\"", "a.parquet record 2", reason]);
    assert_eq!(database.count("t"), 0);
}

#[test]
fn parts_that_cannot_be_stored_are_refused_with_their_record() {
    let mut ragged = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
    ragged.append_value([Some(vec![Some(1)])]);
    ragged.append_value([Some(vec![Some(1)]), Some(vec![Some(1), Some(2)])]);
    refused(ragged.finish(), "int[]", "not equally long");
    let mut holed = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
    holed.append_value([Some(vec![Some(1)])]);
    holed.append_value([Some(vec![Some(1)]), None]);
    refused(holed.finish(), "int[]", "a list in it is null");
    let mut empty = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
    empty.append_value([Some(vec![Some(1)])]);
    empty.append_value([Some(vec![]), Some(vec![])]);
    refused(empty.finish(), "int[]", "the lists in it are empty");
    let big = struct_of(
        vec![("a", Arc::new(Int64Array::from(vec![1, 1 << 40]))), ("b", Arc::new(StringArray::from(vec!["x", "y"])))],
        vec![true, true],
    );
    refused(big, "pair", "attribute a: 1099511627776 is out of range for integer");
    refused(map_of(&[Some(&[]), Some(&[("a", None), ("a", Some("1"))])]), "hstore", "stands there twice");
    let lists = list_of(Arc::new(Int64Array::from(vec![1, 2, 40_000])), vec![2, 1], vec![true, true]);
    refused(lists, "smallint[]", "40000 is out of range for smallint");
    let texts = list_of(Arc::new(StringArray::from(vec!["a", "b", "nul\0"])), vec![2, 1], vec![true, true]);
    refused(texts, "jsonb", "NUL");
}

#[test]
fn structs_that_do_not_fit_a_type_are_refused_before_anything_is_written() {
    let numbers = || Arc::new(Int32Array::from(vec![1])) as ArrayRef;
    let words = || Arc::new(StringArray::from(vec!["x"])) as ArrayRef;
    let (database, folder) = (Database::with(TYPES), Folder::new());
    let cases: [(ArrayRef, &str, &str); 6] = [
        (Arc::new(struct_of(vec![("a", numbers())], vec![true])), "pair", "no field for attribute b"),
        (
            Arc::new(struct_of(vec![("a", numbers()), ("b", words()), ("c", words())], vec![true])),
            "pair",
            "no attribute for field c",
        ),
        (
            Arc::new(struct_of(vec![("a", words()), ("b", Arc::new(BinaryArray::from(vec![&b"x"[..]])))], vec![true])),
            "int",
            "no rule",
        ),
        (
            Arc::new(struct_of(vec![("x", Arc::new(BinaryArray::from(vec![&b"x"[..]])))], vec![true])),
            "jsonb",
            "no rule makes json",
        ),
        (Arc::new(FixedSizeBinaryArray::try_from_iter([[1_u8; 16]].iter()).unwrap()), "json", "no rule makes json"),
        (Arc::new(list_of(words(), vec![1], vec![true])), "pair", "no rule"),
    ];
    for (column, ty, reason) in cases {
        load(&database, &folder, &column, ty).exits(2).says(&["source column v cannot feed v", reason]);
    }
    assert_eq!(DataType::Int32, *numbers().data_type());
}
