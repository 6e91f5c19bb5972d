//! Types of a table's columns, domains and arrays taken apart.

use std::collections::HashMap;

use tokio_postgres::types::Type;

use crate::error::Result;
use crate::schema::{PgAttribute, PgKind, PgType};
use crate::target::Session;

/// The types that a table's columns need, by object identifier.
pub(super) struct Types(HashMap<u32, Entry>);

struct Entry {
    /// As SQL spells it.
    name: String,
    /// As the catalog has it.
    plain_name: String,
    not_null: bool,
    base: Option<u32>,
    base_modifier: i32,
    element: Option<u32>,
    labels: Option<Vec<String>>,
    range: Option<Subtype>,
    /// The range type of a multirange type.
    ranges: Option<u32>,
    attributes: Option<Vec<Attribute>>,
    /// The extension that it is of.
    extension: Option<String>,
    lc_monetary: String,
}

/// What a range type is over.
#[derive(Clone, Copy)]
struct Subtype {
    oid: u32,
    /// Whether the server brings bounds to one form, `[a,b)`.
    discrete: bool,
}

struct Attribute {
    name: String,
    oid: u32,
    modifier: i32,
    type_name: String,
}

/// A type as a column declares it.
pub(super) struct Declared {
    pub(super) oid: u32,
    /// -1 where none was declared.
    pub(super) modifier: i32,
    pub(super) name: String,
}

pub(super) async fn load(session: &Session, table: u32) -> Result<Types> {
    let rows = session.query(include_str!("types.sql"), &[&table]).await?;
    let entry = |row: &tokio_postgres::Row| {
        let entry = Entry {
            name: row.get("name"),
            plain_name: row.get("plain_name"),
            not_null: row.get("not_null"),
            base: row.get("base"),
            base_modifier: row.get("base_modifier"),
            element: row.get("element"),
            labels: row.get("labels"),
            range: row.get::<_, Option<u32>>("subtype").map(|oid| Subtype { oid, discrete: row.get("discrete") }),
            ranges: row.get("ranges"),
            attributes: attributes(row),
            extension: row.get("extension"),
            lc_monetary: row.get("lc_monetary"),
        };
        (row.get("oid"), entry)
    };
    Ok(Types(rows.iter().map(entry).collect()))
}

fn attributes(row: &tokio_postgres::Row) -> Option<Vec<Attribute>> {
    let names: Vec<String> = row.get::<_, Option<_>>("attribute_names")?;
    let oids: Vec<u32> = row.get("attribute_types");
    let modifiers: Vec<i32> = row.get("attribute_modifiers");
    let type_names: Vec<String> = row.get("attribute_type_names");
    let each = names.into_iter().zip(oids).zip(modifiers).zip(type_names);
    Some(each.map(|(((name, oid), modifier), type_name)| Attribute { name, oid, modifier, type_name }).collect())
}

impl Types {
    /// Whether a domain, or one that it rests on, refuses nulls.
    pub(super) fn refuses_null(&self, oid: u32) -> bool {
        self.0.get(&oid).is_some_and(|entry| entry.not_null || entry.base.is_some_and(|base| self.refuses_null(base)))
    }

    /// What an encoder must know of a declared type.
    pub(super) fn resolve(&self, declared: Declared) -> PgType {
        PgType { kind: self.kind(declared.oid, declared.modifier), oid: declared.oid, name: declared.name }
    }

    fn kind(&self, oid: u32, modifier: i32) -> PgKind {
        let Some(entry) = self.0.get(&oid) else {
            return PgKind::Other;
        };
        if let Some(base) = entry.base {
            // The modifier of a domain is that of its base; a column cannot add one.
            return self.kind(base, entry.base_modifier);
        }
        if let Some(element) = entry.element {
            let name = self.0.get(&element).map_or_else(String::new, |element| element.name.clone());
            return PgKind::Array(Box::new(self.resolve(Declared { oid: element, modifier, name })));
        }
        if let Some(Subtype { oid, discrete }) = entry.range {
            return PgKind::Range { subtype: Box::new(self.undeclared(oid)), discrete };
        }
        if let Some(range) = entry.ranges {
            return PgKind::Multirange(Box::new(self.undeclared(range)));
        }
        if let Some(attributes) = &entry.attributes {
            return PgKind::Composite(attributes.iter().map(|attribute| self.attribute(attribute)).collect());
        }
        match (&entry.labels, entry.extension.as_deref()) {
            (Some(labels), _) => PgKind::Enum(labels.as_slice().into()),
            (None, Some("hstore")) if entry.plain_name == "hstore" => PgKind::Hstore,
            (None, Some("postgis")) if matches!(&*entry.plain_name, "geometry" | "geography") => PgKind::Geometry,
            (None, _) if oid == Type::MONEY.oid() && !is_plain_monetary(&entry.lc_monetary) => PgKind::Other,
            (None, _) => builtin(oid, modifier),
        }
    }

    /// A type that nothing declares with a modifier.
    fn undeclared(&self, oid: u32) -> PgType {
        let name = self.0.get(&oid).map_or_else(String::new, |entry| entry.name.clone());
        self.resolve(Declared { oid, modifier: -1, name })
    }

    fn attribute(&self, attribute: &Attribute) -> PgAttribute {
        let Attribute { name, oid, modifier, type_name } = attribute;
        let declared = Declared { oid: *oid, modifier: *modifier, name: type_name.clone() };
        PgAttribute { name: name.clone(), ty: self.resolve(declared) }
    }
}

/// Whether amounts in this locale have two digits behind a point, and dollars, as those of the C locale.
fn is_plain_monetary(locale: &str) -> bool {
    matches!(locale, "" | "C" | "POSIX" | "C.UTF-8" | "C.utf8") || locale.starts_with("en_US")
}

/// What a type of `pg_catalog` is, by its identifier: those are the same on every server, and no setting changes how they read.
fn builtin(oid: u32, modifier: i32) -> PgKind {
    let Some(ty) = Type::from_oid(oid) else { return PgKind::Other };
    let digits = u8::try_from(modifier).ok();
    // Of character types the modifier counts the four bytes of a length word too.
    let length = u32::try_from(modifier - 4).ok();
    match ty {
        Type::BOOL => PgKind::Bool,
        Type::INT2 => PgKind::Int2,
        Type::INT4 => PgKind::Int4,
        Type::INT8 => PgKind::Int8,
        Type::FLOAT4 => PgKind::Float4,
        Type::FLOAT8 => PgKind::Float8,
        Type::NUMERIC => PgKind::Numeric(numeric(modifier)),
        Type::TEXT => PgKind::Text,
        Type::VARCHAR => PgKind::Varchar(length),
        Type::BPCHAR => PgKind::Char(length),
        Type::BYTEA => PgKind::Bytea,
        Type::DATE => PgKind::Date,
        Type::TIME => PgKind::Time(digits),
        Type::TIMETZ => PgKind::TimeTz(digits),
        Type::TIMESTAMP => PgKind::Timestamp(digits),
        Type::TIMESTAMPTZ => PgKind::TimestampTz(digits),
        Type::INTERVAL => PgKind::Interval((modifier >= 0).then_some(modifier)),
        Type::UUID => PgKind::Uuid,
        Type::JSON => PgKind::Json,
        Type::JSONB => PgKind::Jsonb,
        Type::INET => PgKind::Inet,
        Type::CIDR => PgKind::Cidr,
        Type::MACADDR => PgKind::MacAddr,
        Type::MACADDR8 => PgKind::MacAddr8,
        // The modifier of bit types counts bits and nothing else.
        Type::BIT => PgKind::Bit(u32::try_from(modifier).ok()),
        Type::VARBIT => PgKind::VarBit(u32::try_from(modifier).ok()),
        Type::MONEY => PgKind::Money,
        Type::OID => PgKind::Oid,
        Type::PG_LSN => PgKind::PgLsn,
        Type::NAME => PgKind::Name,
        Type::CHAR => PgKind::InternalChar,
        Type::POINT => PgKind::Point,
        _ => PgKind::Other,
    }
}

/// Precision and scale: the scale is the low 11 bits, signed (server 15 and later; earlier ones had no sign).
fn numeric(modifier: i32) -> Option<(u16, i16)> {
    let packed = u32::try_from(modifier - 4).ok()?;
    let precision = u16::try_from(packed >> 16).ok()?;
    let scale = i16::try_from(packed & 0x7ff).ok()?;
    Some((precision, if scale >= 0x400 { scale - 0x800 } else { scale }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numeric_modifier_is_taken_apart_with_its_sign() {
        assert_eq!(numeric(-1), None);
        assert_eq!(numeric(((10 << 16) | 2) + 4), Some((10, 2)));
        assert_eq!(numeric(((5 << 16) | 0x7fd) + 4), Some((5, -3)));
    }

    #[test]
    fn a_character_modifier_counts_its_length_word() {
        assert_eq!(builtin(Type::VARCHAR.oid(), 14), PgKind::Varchar(Some(10)));
        assert_eq!(builtin(Type::BPCHAR.oid(), -1), PgKind::Char(None));
        assert_eq!(builtin(Type::TIMESTAMPTZ.oid(), 3), PgKind::TimestampTz(Some(3)));
    }
}
