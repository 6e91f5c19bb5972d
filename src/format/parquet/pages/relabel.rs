//! Pages of version 2 whose headers say that they are not compressed, and are.
//!
//! Before version 3 of Arrow, its C++ library compressed such pages and wrote `is_compressed = false`. The crate
//! `parquet` believes the header and reads the compressed bytes as values. A page that is not compressed has equal sizes
//! in its header, so unequal sizes prove that the header is wrong. The flag is then corrected in a copy of the bytes: it
//! is a part of one byte, so nothing moves, and a checksum does not cover it.

use bytes::{Bytes, BytesMut};
use parquet::basic::Compression;
use parquet::file::metadata::ColumnChunkMetaData;

use super::header::PageHeader;

/// What the writers with the defect call themselves; later ones are `parquet-cpp-arrow`. They compressed every page, so
/// also one whose sizes are equal by chance.
const WRITERS: [&str; 2] = ["parquet-cpp version 0.", "parquet-cpp version 1."];

/// The pages of a column with the flags corrected; `None` where none is wrong.
pub(in super::super) fn relabelled(
    metadata: &ColumnChunkMetaData,
    bytes: &Bytes,
    created_by: Option<&str>,
) -> Option<Bytes> {
    if metadata.compression() == Compression::UNCOMPRESSED {
        return None;
    }
    let by_writer = created_by.is_some_and(|name| WRITERS.iter().any(|writer| name.starts_with(writer)));
    let mut relabelled: Option<BytesMut> = None;
    let mut at = 0;
    while let Some((header, length)) = PageHeader::read(&bytes[at..]) {
        if let Some(flag) = header.plain_flag
            && (by_writer || header.compressed != header.uncompressed)
        {
            let byte = &mut relabelled.get_or_insert_with(|| BytesMut::from(&bytes[..]))[at + flag];
            *byte = *byte & 0xf0 | 1; // `true` as the type of a boolean field
        }
        let Some(next) = usize::try_from(header.compressed).ok().and_then(|size| (at + length).checked_add(size))
        else {
            break;
        };
        at = next;
        if at >= bytes.len() {
            break;
        }
    }
    relabelled.map(BytesMut::freeze)
}
