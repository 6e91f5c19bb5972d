//! The order of a range's bounds, by the bytes in which they are sent.

use std::cmp::Ordering;

use super::numeric;
use crate::schema::PgKind;

/// How values of a type are compared, as its default order has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Signed integers of any width.
    Integer,
    Float4,
    Float8,
    Numeric,
    /// Byte by byte.
    Bytes,
}

impl Order {
    /// The order of a type, if it is one that rests on the value alone: texts have collations, and some types orders of
    /// their own that are not known here.
    pub(super) fn of(kind: &PgKind) -> Option<Self> {
        Some(match kind {
            PgKind::Int2
            | PgKind::Int4
            | PgKind::Int8
            | PgKind::Date
            | PgKind::Time(_)
            | PgKind::Timestamp(_)
            | PgKind::TimestampTz(_)
            | PgKind::Money => Self::Integer,
            PgKind::Float4 => Self::Float4,
            PgKind::Float8 => Self::Float8,
            PgKind::Numeric(_) => Self::Numeric,
            PgKind::Bool
            | PgKind::Uuid
            | PgKind::Bytea
            | PgKind::Oid
            | PgKind::PgLsn
            | PgKind::MacAddr
            | PgKind::MacAddr8 => Self::Bytes,
            _ => return None,
        })
    }

    pub(super) fn compare(self, one: &[u8], other: &[u8]) -> Ordering {
        match self {
            Self::Integer => integer(one).cmp(&integer(other)),
            Self::Float4 => floats(float4(one), float4(other)),
            Self::Float8 => floats(float8(one), float8(other)),
            Self::Numeric => numeric::compare_sent(one, other),
            Self::Bytes => one.cmp(other),
        }
    }
}

/// An integer of up to eight bytes, with its sign.
pub(super) fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    bytes.iter().fold(if negative { -1 } else { 0 }, |value, byte| value << 8 | i64::from(*byte))
}

fn float4(bytes: &[u8]) -> f64 {
    f32::from_be_bytes(bytes.try_into().expect("a real has four bytes")).into()
}

fn float8(bytes: &[u8]) -> f64 {
    f64::from_be_bytes(bytes.try_into().expect("a double precision has eight bytes"))
}

/// NaN equals itself, and is above all other values.
fn floats(one: f64, other: f64) -> Ordering {
    one.partial_cmp(&other).unwrap_or_else(|| one.is_nan().cmp(&other.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_ordered_as_the_server_orders_them() {
        let order = |order: Order, one: &[u8], other: &[u8]| order.compare(one, other);
        assert_eq!(order(Order::Integer, &(-1_i32).to_be_bytes(), &0_i32.to_be_bytes()), Ordering::Less);
        assert_eq!(order(Order::Integer, &i64::MIN.to_be_bytes(), &i64::MAX.to_be_bytes()), Ordering::Less);
        let double = f64::to_be_bytes;
        assert_eq!(order(Order::Float8, &double(f64::NAN), &double(f64::INFINITY)), Ordering::Greater);
        assert_eq!(order(Order::Float8, &double(f64::NAN), &double(-f64::NAN)), Ordering::Equal);
        assert_eq!(order(Order::Float8, &double(-0.0), &double(0.0)), Ordering::Equal);
        assert_eq!(order(Order::Float4, &1_f32.to_be_bytes(), &2_f32.to_be_bytes()), Ordering::Less);
        assert_eq!(order(Order::Bytes, b"ab", b"abc"), Ordering::Less);
    }
}
