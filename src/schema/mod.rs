//! Target columns and source columns, and how the one is fed from the other.

mod arbiter;
mod keys;
mod mapping;
mod reading;
mod shape;
mod sql;
mod table;
mod types;

pub(crate) use arbiter::Merge;
pub use arbiter::{UniqueKey, Uniqueness};
pub use keys::{ValueFault, can_be_key, may_lack_keys_inside, stored_keys, stored_keys_or_null};
pub(crate) use keys::{is_instant, key_of_text};
pub use mapping::{MappedColumn, Mapping, ObjectColumns};
pub use reading::Reading;
pub use shape::{Shape, ShapeColumn};
pub use sql::quote_identifier;
pub(crate) use sql::{column_list, scope_predicate, time_predicate, written_by};
pub use table::{Column, Partitions, Relation, Table, TableName, WhenAbsent};
pub use types::{PgAttribute, PgKind, PgType};
