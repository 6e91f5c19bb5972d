//! Geometries of `PostGIS`, which read themselves: well-known text as it stands, and well-known binary as the hexadecimal
//! digits that their input function takes for it. Either goes as COPY TEXT, for what the server stores of it (byte order,
//! spatial reference, whether a ring is closed) is for the extension to say.

use arrow_array::BinaryViewArray;

use super::bytea::print_hex;
use super::choose::Choice;
use super::field::Built;
use super::text;
use super::values::Bytes as _;

/// Geometries out of well-known binary, as `GeoParquet` holds them.
pub(super) fn from_bytes() -> Choice {
    let encoder = Built::<BinaryViewArray, _>::boxed(|array: &BinaryViewArray, row, out: &mut Vec<u8>| {
        print_hex(array.bytes(row), out);
        Ok(())
    });
    Choice::Text(encoder).behind(|column| Ok(text::viewed(column)))
}
