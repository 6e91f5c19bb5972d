//! Parquet without I/O: a footer to metadata, statistics to time keys, row groups to batches of rows.
//!
//! The only module that knows the crate `parquet`. In the order of use: [`Footer`] asks for the bytes of an object's
//! metadata and gives [`Metadata`]; [`key_spans`] reads from it the keys of each row group, where its statistics can
//! be trusted; [`ParquetDecoder`] decodes row groups, for the load and for the keys where they cannot.

mod canonical;
mod decode;
mod footer;
mod group;
mod guard;
mod int96;
mod meaning;
mod metadata;
mod nesting;
mod pages;
mod statistics;
mod thrift;
mod write;

pub use decode::{Feed, ParquetDecoder, Projection};
pub use footer::{Footer, FooterStep};
pub use metadata::{Metadata, RowGroup};
pub use statistics::{RowGroupKeys, key_spans};
pub use write::file_of;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
