"""Writes Parquet files with one implementation and reads them back with another.

Takes a folder, and prints a JSON list of cases: a file, the table for it, and for each column and row the text that
PostgreSQL's input function makes the value of. Texts come from the reader and never from what was written.
"""

import datetime
import decimal
import itertools
import json
import os
import struct
import sys

import duckdb
import fastparquet
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq

folder = sys.argv[1]
db = duckdb.connect()
db.execute("set TimeZone = 'UTC'")
cases = []

CODECS = ["uncompressed", "snappy", "gzip", "zstd", "lz4_raw", "brotli"]
INFINITY = 2**63 - 1


def case(name, reader, columns):
    """A case whose texts `reader` makes of the file; `columns` maps names to types of PostgreSQL."""
    path = os.path.join(folder, name + ".parquet")
    texts = reader(path, columns)
    cases.append({"name": name.lower(), "path": path, "columns": list(columns.items()), "texts": texts})


# Readers: path and columns to a list of texts for each column.


def clock(micros):
    """Microseconds of a day, or more, as a time."""
    seconds, micros = divmod(micros, 1_000_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}"


def moment(count, unit, zone):
    """A count since 1970 as a timestamp."""
    if count in (INFINITY, -INFINITY):
        return "infinity" if count > 0 else "-infinity"
    micros = count * {"s": 1_000_000, "ms": 1_000, "us": 1}[unit] if unit != "ns" else count // 1_000
    days, micros = divmod(micros, 86_400_000_000)
    date = datetime.date(1970, 1, 1) + datetime.timedelta(days)
    return f"{date.isoformat()} {clock(micros)}{'+00' if zone else ''}"


def literal(texts):
    """An array."""
    quoted = ["NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts]
    return "{" + ",".join(quoted) + "}"


def json_of(value):
    """A value inside of JSON."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return value


def text_of_arrow(value, kind, pg):
    """A scalar of pyarrow as text."""
    if not value.is_valid:
        return None
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        value, kind = value.value, kind.storage_type
        if pg == "uuid":
            return value.as_py().hex()
    if types.is_timestamp(kind):
        return moment(value.value, kind.unit, kind.tz)
    if types.is_date32(kind):
        if abs(value.value) == 2**31 - 1:
            return "infinity" if value.value > 0 else "-infinity"
        return value.as_py().isoformat()
    if types.is_time(kind):
        return clock(value.value * {"s": 10**6, "ms": 1000, "us": 1}[kind.unit] if kind.unit != "ns" else value.value // 1000)
    if types.is_duration(kind):
        micros = value.value * {"s": 10**6, "ms": 1000, "us": 1}[kind.unit] if kind.unit != "ns" else value.value // 1000
        return f"{micros} microseconds"
    if pg == "interval":
        months, days, millis = struct.unpack("<III", value.as_py())
        return f"{months} months {days} days {millis} milliseconds"
    if pg.endswith("[]"):
        return literal([text_of_arrow(item, kind.value_type, pg[:-2]) for item in value.values])
    if pg == "jsonb" and not (types.is_string(kind) or types.is_large_string(kind)):
        whole = value.as_py()
        return json.dumps(dict(whole) if types.is_map(kind) else whole, default=json_of)
    plain = value.as_py()
    if isinstance(plain, bytes):
        return "\\x" + plain.hex()
    return repr(plain) if isinstance(plain, float) else str(plain).lower() if isinstance(plain, bool) else str(plain)


def by_pyarrow(path, columns):
    """Texts that pyarrow reads."""
    table = pq.ParquetFile(path).read()
    return [[text_of_arrow(value, table[name].type, pg) for value in table[name]] for name, pg in columns.items()]


def by_duckdb(path, columns):
    """Texts that DuckDB reads."""

    def expression(name, pg):
        if pg == "bytea":
            return f"'\\x' || lower(hex({name}))"
        if pg == "interval":
            # DuckDB has no type for a duration in the writer's own schema: it reads the number.
            return f"{name}::varchar || ' microseconds'"
        if pg.endswith("[]"):
            return f"'{{' || array_to_string(list_transform({name}, lambda x: coalesce(x::varchar, 'NULL')), ',') || '}}'"
        if pg == "jsonb":
            return f"to_json({name})::varchar"
        return f"{name}::varchar"

    wanted = ", ".join(expression(name, pg) for name, pg in columns.items())
    rows = db.execute(f"select {wanted} from read_parquet('{path}', file_row_number = true) order by file_row_number")
    return [list(column) for column in zip(*rows.fetchall())]


def told(texts):
    """Texts that are told here, for what no other reader here knows."""
    return lambda path, columns: texts


# DuckDB writes, pyarrow reads.

DUCKDB = {
    "b": ("boolean", "boolean", "true", "false"),
    "i8": ("tinyint", "smallint", "-128", "127"),
    "i16": ("smallint", "smallint", "-32768", "32767"),
    "i32": ("integer", "integer", "-2147483648", "2147483647"),
    "i64": ("bigint", "bigint", "-9223372036854775808", "9223372036854775807"),
    "u8": ("utinyint", "smallint", "0", "255"),
    "u16": ("usmallint", "integer", "0", "65535"),
    "u32": ("uinteger", "bigint", "0", "4294967295"),
    "u64": ("ubigint", "numeric", "0", "18446744073709551615"),
    "f32": ("float", "real", "1.5", "'nan'"),
    "f64": ("double", "double precision", "0.1", "'-inf'"),
    "d4": ("decimal(4,1)", "numeric", "-999.9", "0.1"),
    "d9": ("decimal(9,3)", "numeric", "-123456.789", "1"),
    "d18": ("decimal(18,2)", "numeric", "-9999999999999999.99", "1"),
    "d38": ("decimal(38,10)", "numeric", "-1234567890123456789012345678.0123456789", "1"),
    "t": ("varchar", "text", "'x,\"ü'", "''"),
    "bl": ("blob", "bytea", "'\\x00\\xff'::blob", "''::blob"),
    "u": ("uuid", "uuid", "'11111111-2222-3333-4444-555555555555'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    "d": ("date", "date", "'1500-12-25'", "'9999-12-31'"),
    "d_inf": ("date", "date", "'infinity'", "'-infinity'"),
    "tm": ("time", "time", "'00:00:00'", "'23:59:59.999999'"),
    "ts": ("timestamp", "timestamp", "'1500-12-25 01:02:03.000004'", "'2024-02-29 12:00:00'"),
    "ts_inf": ("timestamp", "timestamp", "'infinity'", "'-infinity'"),
    "tz": ("timestamptz", "timestamptz", "'2024-03-31 02:30:00+02'", "'1900-01-01 00:00:00+00'"),
    "tz_inf": ("timestamptz", "timestamptz", "'infinity'", "'-infinity'"),
    "ts_s": ("timestamp_s", "timestamp", "'2024-01-01 00:00:01'", "'infinity'"),
    "ts_ms": ("timestamp_ms", "timestamp", "'2024-01-01 00:00:01.234'", "'infinity'"),
    "ts_ns": ("timestamp_ns", "timestamp", "'2024-01-01 00:00:01.234567'", "'1700-01-01 00:00:00'"),
    "iv": ("interval", "interval", "'14 months 3 days 4 hours'", "'49 days 17:02:47.295'"),
    "j": ("json", "jsonb", "'{\"a\": [1, null]}'", "'\"x\"'"),
    "e": ("enum('sad', 'happy')", "text", "'happy'", "'sad'"),
    "li": ("integer[]", "integer[]", "[1, null, 3]", "[]"),
    "lt": ("varchar[]", "text[]", "['a', null, 'NULL']", "['\"']"),
    "lv": ("interval[]", "interval[]", "['1 month'::interval, null]", "['2 days'::interval]"),
    "st": ("struct(a integer, b varchar)", "jsonb", "{'a': 1, 'b': 'x'}", "{'a': null, 'b': 'y'}"),
    "mp": ("map(varchar, integer)", "jsonb", "map {'k': 1, 'l': null}", "map {}"),
    "nu": ("integer", "integer", "null", "null"),
}
rows = ", ".join(
    "(" + ", ".join(f"({value})::{ty}" for value, ty in row) + ")"
    for row in [
        [(low, ty) for ty, _, low, _ in DUCKDB.values()],
        [("null", ty) for ty, _, _, _ in DUCKDB.values()],
        [(high, ty) for ty, _, _, high in DUCKDB.values()],
    ]
)
db.execute(f"create table t as select v.* from (values {rows}) v({', '.join(DUCKDB)}), range(20)")
for codec, version in itertools.product(CODECS, ["V1", "V2"]):
    name = f"duckdb_{codec}_{version}"
    path = os.path.join(folder, name + ".parquet")
    db.execute(f"copy t to '{path}' (format parquet, codec '{codec}', parquet_version '{version}')")
    case(name, by_pyarrow, {name: pg for name, (_, pg, _, _) in DUCKDB.items()})

# pyarrow writes every encoding in pages of both versions, DuckDB reads.

NUMBERS = [None if i % 7 == 3 else (i * 7919) % 1009 - 500 for i in range(400)]
floats = [None if i is None else i / 8 for i in NUMBERS]
texts = [None if i is None else "prefix-" + "é" * (i % 5) + str(i) for i in NUMBERS]
decimals = [None if i is None else decimal.Decimal(i).scaleb(-10) * 10**20 for i in NUMBERS]
values = {
    "i32": (pa.array(NUMBERS, pa.int32()), "integer", ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", None]),
    "i64": (pa.array(NUMBERS, pa.int64()), "bigint", ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", None]),
    "f32": (pa.array(floats, pa.float32()), "real", ["PLAIN", "BYTE_STREAM_SPLIT", None]),
    "f64": (pa.array(floats, pa.float64()), "double precision", ["PLAIN", "BYTE_STREAM_SPLIT", None]),
    "t": (pa.array(texts), "text", ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", None]),
    "d": (pa.array(decimals, pa.decimal128(38, 10)), "numeric", ["PLAIN", None]),
    "b": (pa.array([None if i is None else i % 2 == 0 for i in NUMBERS]), "boolean", ["PLAIN", "RLE"]),
    "l": (pa.array([None if i is None else [i, None, i + 1][: i % 4] for i in NUMBERS], pa.list_(pa.int32())), "integer[]", [None]),
}
columns, encodings, dictionary = {}, {}, []
for name, (array, pg, of) in values.items():
    for encoding in of:
        column = f"{name}_{encoding or 'dictionary'}".lower()
        columns[column] = (array, pg)
        if encoding is None:
            dictionary.append(column + (".list.element" if name == "l" else ""))
        else:
            encodings[column] = encoding
table = pa.table({name: array for name, (array, _) in columns.items()})
for codec, version in itertools.product(CODECS, ["1.0", "2.0"]):
    name = f"pyarrow_{codec}_page{version[0]}"
    pq.write_table(
        table,
        os.path.join(folder, name + ".parquet"),
        compression={"uncompressed": "NONE", "lz4_raw": "LZ4"}.get(codec, codec.upper()),
        data_page_version=version,
        use_dictionary=dictionary,
        column_encoding=encodings,
        data_page_size=500,
    )
    case(name, by_duckdb, {name: pg for name, (_, pg) in columns.items()})

# Of those here pyarrow alone reads this one.
fixed = {"column_encoding": {"d": "BYTE_STREAM_SPLIT"}, "use_dictionary": False}
pq.write_table(table.select(["d_plain"]).rename_columns(["d"]), os.path.join(folder, "pyarrow_fixed.parquet"), **fixed)
case("pyarrow_fixed", by_pyarrow, {"d": "numeric"})

# pyarrow writes the types that Arrow has.

MICROS = [0, None, 1_709_251_199_123_456]


def scaled(per_second):
    """The same moments in another unit, whole ones."""
    return [None if micros is None else micros // 1_000_000 * per_second for micros in MICROS]


arrow = {
    "ts_s": (pa.array(scaled(1), pa.timestamp("s")), "timestamp"),
    "ts_ms": (pa.array(scaled(1000), pa.timestamp("ms")), "timestamp"),
    "ts_us": (pa.array(MICROS, pa.timestamp("us")), "timestamp"),
    "ts_ns": (pa.array(scaled(10**9), pa.timestamp("ns")), "timestamp"),
    "tz_ms": (pa.array(scaled(1000), pa.timestamp("ms", "Europe/Berlin")), "timestamptz"),
    "tz_us": (pa.array(MICROS, pa.timestamp("us", "UTC")), "timestamptz"),
    "tz_ns": (pa.array(scaled(10**9), pa.timestamp("ns", "America/New_York")), "timestamptz"),
    "d32": (pa.array([0, None, -171_306], pa.date32()), "date"),
    "d64": (pa.array([0, None, 86_400_000], pa.date64()), "date"),
    "t32": (pa.array([0, None, 86_399_999], pa.time32("ms")), "time"),
    "t64": (pa.array([0, None, 86_399_999_999], pa.time64("us")), "time"),
    "t64n": (pa.array([0, None, 86_399_999_999_000], pa.time64("ns")), "time"),
    "du": (pa.array([0, None, -90_000_000_000], pa.duration("us")), "interval"),
    "f16": (pa.array([0.5, None, -2.0], pa.float16()), "real"),
    "d32_": (pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-9999999.99")], pa.decimal32(9, 2)), "numeric"),
    "d64_": (pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-1.00")], pa.decimal64(18, 2)), "numeric"),
    "dict": (pa.array(["a", None, "b"]).dictionary_encode(), "text"),
    "dict_i": (pa.array([5, None, -7], pa.int16()).dictionary_encode(), "smallint"),
    "large": (pa.array(["a", None, "b"], pa.large_string()), "text"),
    "view": (pa.array(["a", None, "a text that is longer than a view holds"], pa.string_view()), "text"),
    "bin": (pa.array([b"\0", None, b"\xff"], pa.large_binary()), "bytea"),
    "fix": (pa.array([b"abc", None, b"\0\1\2"], pa.binary(3)), "bytea"),
    "uuid": (pa.array([b"\1" * 16, None, b"\xff" * 16], pa.uuid()), "uuid"),
    "js": (pa.array(['{"a": 1}', None, "[]"], pa.json_()), "jsonb"),
    "ll": (pa.array([[1, None], None, []], pa.large_list(pa.int64())), "bigint[]"),
    "fl": (pa.array([[1, 2], None, [None, 4]], pa.list_(pa.int32(), 2)), "integer[]"),
    "st": (pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]), "jsonb"),
    "nu": (pa.nulls(3), "text"),
}
for version in ["1.0", "2.4", "2.6"]:
    name = "pyarrow_types_" + version.replace(".", "_")
    kept = {n: c for n, c in arrow.items() if version == "2.6" or not n.endswith("_ns")}
    pq.write_table(pa.table({n: a for n, (a, _) in kept.items()}), os.path.join(folder, name + ".parquet"), version=version)
    case(name, by_duckdb, {n: pg for n, (_, pg) in kept.items()})
wide = [decimal.Decimal("-1234567890123456789012345678901234567890123456789.0123456789"), None]
pq.write_table(pa.table({"d": pa.array(wide, pa.decimal256(60, 10))}), os.path.join(folder, "pyarrow_wide.parquet"))
case("pyarrow_wide", told([[None if d is None else str(d) for d in wide]]), {"d": "numeric"})

# polars writes, pyarrow reads.

when = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456)
frame = polars.DataFrame(
    {
        "i8": polars.Series([1, None, -128], dtype=polars.Int8),
        "u64": polars.Series([0, None, 2**64 - 1], dtype=polars.UInt64),
        "f32": polars.Series([0.5, None, float("inf")], dtype=polars.Float32),
        "dec": polars.Series(["1.25", None, "-3.00"]).cast(polars.Decimal(20, 2)),
        "day": polars.Series([when.date(), None, datetime.date(1, 1, 1)]),
        "us": polars.Series([when, None, when], dtype=polars.Datetime("us")),
        "ns": polars.Series([when, None, when], dtype=polars.Datetime("ns")),
        "tz": polars.Series([when, None, when], dtype=polars.Datetime("ms")).dt.replace_time_zone("Asia/Tokyo"),
        "du": polars.Series([datetime.timedelta(days=-3), None, datetime.timedelta(hours=25)], dtype=polars.Duration("us")),
        "tm": polars.Series([when.time(), None, datetime.time(0)]),
        "cat": polars.Series(["a", None, "b"], dtype=polars.Categorical),
        "en": polars.Series(["a", None, "b"], dtype=polars.Enum(["a", "b"])),
        "bin": polars.Series([b"\0", None, b"\xff"]),
        "li": polars.Series([[1, None], None, []], dtype=polars.List(polars.Int32)),
        "st": polars.Series([{"a": 1}, None, {"a": None}]),
        "nu": polars.Series([None, None, None], dtype=polars.Null),
    }
)
POLARS = dict(
    zip(
        frame.columns,
        "smallint numeric real numeric date timestamp timestamp timestamptz interval time text text bytea integer[] jsonb text".split(),
    )
)
for codec in CODECS:
    frame.write_parquet(os.path.join(folder, f"polars_{codec}.parquet"), compression=codec.removesuffix("_raw"))
    case(f"polars_{codec}", by_pyarrow, POLARS)

# fastparquet writes, DuckDB reads.

pandas_frame = pandas.DataFrame(
    {
        "i": pandas.array([1, None, -5], dtype="Int32"),
        "f": [0.5, float("nan"), -1.0],
        "t": pandas.Series(["a", None, "ü"], dtype=object),
        "b": [True, False, True],
        "us": pandas.to_datetime(["2024-01-01 00:00:00.000001", None, "1700-01-01 00:00:00.000000"]),
        "tz": pandas.to_datetime(["2024-01-01", None, "2024-07-01"], utc=True),
        "cat": pandas.Categorical(["x", "y", "x"]),
    }
)
FASTPARQUET = dict(zip(pandas_frame.columns, ["integer", "double precision", "text", "boolean", "timestamp", "timestamptz", "text"]))
for codec, times in itertools.product(["UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "BROTLI"], ["int64", "int96"]):
    name = f"fastparquet_{codec.lower()}_{times}"
    # Its INT96 are not exact below a second.
    frame = pandas_frame if times == "int64" else pandas_frame.assign(us=pandas_frame["us"].dt.floor("s"))
    fastparquet.write(os.path.join(folder, name + ".parquet"), frame, compression=codec, times=times)
    case(name, by_duckdb, FASTPARQUET)

# Files with the keys of Spark and Hive. No reader here knows these: what they mean is told.


def with_keys(name, keys, columns, texts, **options):
    """A file with these keys in its footer."""
    table = pa.table({n: a for n, (a, _) in columns.items()}).replace_schema_metadata(keys)
    pq.write_table(table, os.path.join(folder, name + ".parquet"), **options)
    case(name, told(texts), {n: pg for n, (_, pg) in columns.items()})


day = {"d": (pa.array([-171_296, 19_782], pa.date32()), "date")}
legacy = {"org.apache.spark.version": "3.5.1", "org.apache.spark.legacyDateTime": ""}
with_keys("spark_legacy_dates", legacy, day, [["1500-12-25", "2024-02-29"]])
with_keys("spark_dates", {"org.apache.spark.version": "3.5.1"}, day, [["1501-01-04", "2024-02-29"]])
with_keys("hive_hybrid_dates", {"writer.date.proleptic": "false"}, day, [["1500-12-25", "2024-02-29"]])
summer = {"ts": (pa.array([1_719_835_200_000_000, None], pa.timestamp("us")), "timestamp")}
hive = {"writer.date.proleptic": "true", "writer.time.zone": "America/New_York", "writer.zone.conversion.legacy": "false"}
int96 = {"use_deprecated_int96_timestamps": True}
with_keys("hive_int96", hive, summer, [["2024-07-01 08:00:00", None]], **int96)
with_keys("impala_int96", {}, summer, [["2024-07-01 12:00:00", None]], **int96)
instants = {"ts": (summer["ts"][0], "timestamptz")}
with_keys("spark_int96", {"org.apache.spark.version": "3.5.1"}, instants, [["2024-07-01 12:00:00+00", None]], **int96)

json.dump(cases, sys.stdout)
