//! Batches of rows to blocks: the bytes that COPY takes, with the row hash that the server's own bytes will give.
//!
//! [`support`] tells how a source column of an Arrow type reaches a target column of a `PostgreSQL` type. An
//! [`Encoder`] is made once for the columns of a table; it appends the rows of each batch to a [`BlockBuilder`], whose
//! [`finish`](BlockBuilder::finish) gives a [`Block`](crate::model::Block).
//!
//! What is sent is byte for byte what the server returns for it from `copy … to stdout (format binary)`: numerics
//! without superfluous digits, `char(n)` padded, `jsonb` printed as the server prints it. A value that the server would
//! refuse, or change, is a [`ValueFault`](crate::schema::ValueFault) instead.

mod array;
mod array_literal;
mod bits;
mod boolean;
mod builder;
mod bytea;
mod catalog;
mod choose;
mod component;
mod composite;
mod copy_text;
mod encoder;
mod field;
mod float;
mod geometry;
mod hstore;
mod integer;
mod interval;
mod json;
mod json_value;
mod jsonb;
mod lists;
mod mac;
mod money;
mod multirange;
mod network;
mod numeric;
mod order;
mod printed;
mod quoted;
mod range;
mod sort;
mod temporal;
mod text;
mod time;
mod uuid;
mod values;

#[cfg(test)]
mod tests;

pub use builder::BlockBuilder;
pub(crate) use choose::support_as;
pub use choose::{Support, support};
pub use encoder::{ColumnPlan, CopyFormat, Encoder, Role};
pub(crate) use printed::stored_text;

/// What a COPY BINARY stream starts with: signature, flags, and the length of the (empty) header extension.
pub const BINARY_HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What a COPY BINARY stream ends with: a field count of -1.
pub const BINARY_TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
