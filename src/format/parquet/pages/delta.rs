//! How many values a stream of `DELTA_BINARY_PACKED` says that it has, and their sum: the decoder makes room for as many
//! lengths of texts as the stream says, whatever the page says.

use super::super::thrift::Compact;

/// A stream of 32-bit numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stream {
    /// How many numbers there are.
    pub(super) count: u64,
    /// Their sum.
    pub(super) sum: i64,
    /// Bytes that the stream takes.
    pub(super) bytes: usize,
}

/// Reads a stream from the start of `bytes`, of at most `count_max` numbers, none of which may be negative. `None` where
/// it is none.
pub(super) fn read(bytes: &[u8], count_max: u64) -> Option<Stream> {
    let mut reader = Compact(bytes);
    let block_values = usize::try_from(reader.unsigned()?).ok()?;
    let miniblocks = usize::try_from(reader.unsigned()?).ok().filter(|count| *count > 0)?;
    let count = reader.unsigned()?;
    let mut value = i32::try_from(reader.integer()?).ok()?;
    let values = block_values / miniblocks;
    if count > count_max || block_values % miniblocks != 0 || values % 32 != 0 || values == 0 {
        return None;
    }
    let mut sum = if count > 0 { i64::from(u32::try_from(value).ok()?) } else { 0 };
    let mut left = usize::try_from(count).ok()?.saturating_sub(1);
    while left > 0 {
        // Wraps as the decoder's numbers do.
        let least = i32::try_from(reader.integer()?).ok()?;
        for &width in reader.take(miniblocks)? {
            if left == 0 {
                break;
            }
            let packed = reader.take(values.checked_mul(width.into())? / 8)?;
            for at in 0..values.min(left) {
                value = value.wrapping_add(least).wrapping_add(bits(packed, at, width)?.cast_signed());
                sum += i64::from(u32::try_from(value).ok()?);
            }
            left = left.saturating_sub(values);
        }
    }
    Some(Stream { count, sum, bytes: bytes.len() - reader.0.len() })
}

/// Number `at` of those that `packed` has in `width` bits each, lowest bits first.
pub(super) fn bits(packed: &[u8], at: usize, width: u8) -> Option<u32> {
    let (start, width) = (at * usize::from(width), usize::from(width));
    if width > 32 {
        return None;
    }
    let mut word = [0; 8];
    let touched = packed.get(start / 8..(start + width).div_ceil(8))?;
    word[..touched.len()].copy_from_slice(touched);
    let value = u64::from_le_bytes(word) >> (start % 8);
    u32::try_from(value & ((1 << width) - 1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_width_are_taken_out_of_their_bits() {
        assert_eq!((0..3).map(|at| bits(&[0b1101_0110, 1], at, 3)).collect::<Vec<_>>(), [Some(6), Some(2), Some(7)]);
        assert_eq!(bits(&[0xff; 8], 1, 32), Some(u32::MAX));
        assert_eq!((bits(&[], 0, 0), bits(&[1], 1, 8), bits(&[0; 9], 0, 33)), (Some(0), None, None));
    }

    #[test]
    fn a_stream_is_as_long_as_it_says() {
        // 128 values in a block of 4, 3 of them: 7, 7 + 2, 9 + 2; the widths of unused parts are of no account.
        let bytes = [0x80, 1, 4, 3, 14, 4, 0, 9, 9, 9];
        assert_eq!(read(&bytes, 3), Some(Stream { count: 3, sum: 27, bytes: 10 }));
        assert_eq!(read(&bytes, 2), None);
        assert_eq!(read(&bytes[..6], 3), None);
        // As many as 2^62 of them.
        assert_eq!(read(&[0x80, 1, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0], 1 << 40), None);
    }
}
