//! Values that go to the server beside a statement, each with its type there.
//!
//! Whoever names the types need not ask the server for them: a statement then takes one round trip instead of three, and
//! leaves nothing prepared behind, which a pooler might look for on another connection.

use tokio_postgres::types::{ToSql, Type};

/// A value that knows its type.
pub(crate) trait Parameter: Sync {
    /// Its type on the server; statements must not rely on another being inferred.
    fn pg_type(&self) -> Type;

    /// The value for the protocol library.
    fn value(&self) -> &(dyn ToSql + Sync);
}

/// A Rust type that stands for one type of the server's.
pub(crate) trait Typed: ToSql + Sync {
    const TYPE: Type;
}

impl<T: Typed> Parameter for T {
    fn pg_type(&self) -> Type {
        T::TYPE
    }

    fn value(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

impl<T: Typed> Typed for Option<T> {
    const TYPE: Type = T::TYPE;
}

impl<T: Typed> Typed for &T {
    const TYPE: Type = T::TYPE;
}

macro_rules! typed {
    ($($rust:ty => $one:ident, $many:ident;)*) => {$(
        impl Typed for $rust {
            const TYPE: Type = Type::$one;
        }

        impl Typed for Vec<$rust> {
            const TYPE: Type = Type::$many;
        }

        impl Typed for Vec<Option<$rust>> {
            const TYPE: Type = Type::$many;
        }
    )*};
}

typed! {
    bool => BOOL, BOOL_ARRAY;
    i32 => INT4, INT4_ARRAY;
    i64 => INT8, INT8_ARRAY;
    u32 => OID, OID_ARRAY;
    f64 => FLOAT8, FLOAT8_ARRAY;
    String => TEXT, TEXT_ARRAY;
    &str => TEXT, TEXT_ARRAY;
    Vec<u8> => BYTEA, BYTEA_ARRAY;
    &[u8] => BYTEA, BYTEA_ARRAY;
}

/// Values side by side with their types, as the protocol library takes them.
pub(super) fn typed<'a>(parameters: &[&'a dyn Parameter]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    parameters.iter().map(|parameter| (parameter.value(), parameter.pg_type())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_names_its_type_whether_owned_borrowed_optional_or_in_a_list() {
        let (text, bytes) = ("a", [1_u8]);
        let parameters: [&dyn Parameter; 7] =
            [&7_i64, &text, &Some(String::new()), &vec![text], &bytes.as_slice(), &vec![bytes.as_slice()], &&1_i32];
        let types: Vec<Type> = typed(&parameters).into_iter().map(|(_, ty)| ty).collect();
        let expected =
            [Type::INT8, Type::TEXT, Type::TEXT, Type::TEXT_ARRAY, Type::BYTEA, Type::BYTEA_ARRAY, Type::INT4];
        assert_eq!(types, expected);
    }
}
