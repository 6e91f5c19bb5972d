//! Delimited text: from the bytes of an object to record-aligned pieces, and from the bytes of a piece to rows.
//!
//! `PostgreSQL`'s `copy … (format csv)` is the oracle for what a text means; the differences are listed at [`Dialect`].
//! Nothing here does I/O or starts a thread. In the order in which a driver uses it:
//!
//! 1. [`read_header`] on the first bytes of an object: column names, where the records begin, and the [`Dialect`] as it
//!    holds for this object.
//!    [`footer()`] on its last ones, where lines at the end are to be left out.
//! 2. [`survey()`] on every chunk of the rest, in parallel: where do records start, whatever came before the chunk?
//!    [`Seams`] joins the surveys into pieces that begin and end on record boundaries.
//! 3. [`profile()`] on every piece, in parallel: rows and time keys.
//! 4. [`CsvDecoder`] on the pieces that a window needs: rows as Arrow columns of text.

mod decode;
mod dialect;
mod encoding;
mod footer;
mod header;
mod masks;
mod print;
mod profile;
mod projection;
mod record;
mod sniff;
mod stray;
mod survey;
mod tape;
mod text;
mod utf16;

#[cfg(test)]
mod tests;

pub use decode::{CsvDecoder, first_record};
pub use dialect::{Delimiter, Dialect, LineEnd};
pub use encoding::Encoding;
pub use footer::footer;
pub use header::{Header, read_header};
pub use print::{print_field, print_names, print_record};
pub use profile::{KeyColumn, PieceProfile, ProfileContext, profile, renumber};
pub use projection::{Feed, Projection};
pub use sniff::{HEAD_BYTES, Settled, Sniffed, SniffedColumn, TAIL_BYTES, sniff};
pub use survey::{Seams, State, Survey, survey};

/// An offset in a buffer as an offset in an object.
fn offset(at: usize) -> u64 {
    at as u64 // usize has at most 64 bits
}
