//! `PostgreSQL` types as the catalog tells them, flattened to what an encoder must know.

use std::fmt;
use std::sync::Arc;

/// The type of a target column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgType {
    /// The type's own object identifier; for a domain the domain's, as an array's header names its elements.
    pub oid: u32,
    /// The type as SQL spells it, modifier included: `numeric(10,2)`.
    pub name: String,
    /// What an encoder must know of it; for a domain that of its base type.
    pub kind: PgKind,
}

/// What an encoder must know of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PgKind {
    /// `boolean`.
    Bool,
    /// `smallint`.
    Int2,
    /// `integer`.
    Int4,
    /// `bigint`.
    Int8,
    /// `real`.
    Float4,
    /// `double precision`.
    Float8,
    /// `numeric`, with precision and scale where declared.
    Numeric(Option<(u16, i16)>),
    /// `text`.
    Text,
    /// `character varying`, with its longest length in characters where declared.
    Varchar(Option<u32>),
    /// `character`, blank-padded to this many characters (`None`: bare `bpchar`, unlimited).
    Char(Option<u32>),
    /// `bytea`.
    Bytea,
    /// `date`.
    Date,
    /// `time`, with its number of fractional digits where declared.
    Time(Option<u8>),
    /// `time with time zone`, likewise.
    TimeTz(Option<u8>),
    /// `timestamp`, likewise.
    Timestamp(Option<u8>),
    /// `timestamp with time zone`, likewise.
    TimestampTz(Option<u8>),
    /// `interval`; a declared modifier (fields or digits) as the catalog's raw number.
    Interval(Option<i32>),
    /// `uuid`.
    Uuid,
    /// `json`.
    Json,
    /// `jsonb`.
    Jsonb,
    /// `inet`.
    Inet,
    /// `cidr`.
    Cidr,
    /// `macaddr`.
    MacAddr,
    /// `macaddr8`.
    MacAddr8,
    /// `bit`, of exactly so many bits where declared.
    Bit(Option<u32>),
    /// `bit varying`, of at most so many bits where declared.
    VarBit(Option<u32>),
    /// `money` with two digits behind the point, on a server whose `lc_monetary` is that of the C locale or American.
    Money,
    /// `oid`.
    Oid,
    /// `pg_lsn`.
    PgLsn,
    /// `name`.
    Name,
    /// `"char"`, the one-byte type of the catalog.
    InternalChar,
    /// `point`.
    Point,
    /// `hstore`, of the extension of that name.
    Hstore,
    /// `geometry` or `geography`, of the extension `postgis`.
    Geometry,
    /// An enum, with its labels.
    Enum(Arc<[String]>),
    /// An array of this element type.
    Array(Box<PgType>),
    /// A range of this subtype, in the subtype's own order.
    Range {
        /// The type of its bounds.
        subtype: Box<PgType>,
        /// Whether the server brings its bounds to the form `[a,b)`.
        discrete: bool,
    },
    /// A multirange of ranges of this type.
    Multirange(Box<PgType>),
    /// A composite type, with its attributes in their order.
    Composite(Arc<[PgAttribute]>),
    /// Anything else: loaded as text.
    Other,
}

/// An attribute of a composite type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgAttribute {
    /// Its name, as the catalog spells it.
    pub name: String,
    /// Its type.
    pub ty: PgType,
}

impl fmt::Display for PgType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
