//! Whether levels in the hybrid of runs and packed groups take all the bytes that a header gives them. Where they do not,
//! the values behind them begin elsewhere than the header says.

use super::super::thrift::Compact;

/// Whether `levels` are exactly `values` levels of at most `level_max`. Where there is only one level, most writers leave
/// them out, and some write runs without values.
pub(super) fn are_whole(levels: &[u8], values: u64, level_max: i16) -> bool {
    if level_max == 0 && levels.is_empty() {
        return true;
    }
    let width = u8::try_from(16 - level_max.cast_unsigned().leading_zeros());
    width.is_ok_and(|width| left_over(levels, values, width) == Some(0))
}

/// Bytes behind the last level; `None` where there are fewer levels than that.
fn left_over(levels: &[u8], values: u64, width: u8) -> Option<usize> {
    let (mut reader, mut left) = (Compact(levels), values);
    while left > 0 {
        let head = reader.unsigned()?;
        let count = head >> 1;
        if head & 1 == 0 {
            reader.take(usize::from(width).div_ceil(8))?;
            left = left.saturating_sub(count);
        } else {
            reader.take(usize::try_from(count).ok()?.checked_mul(width.into())?)?;
            left = left.saturating_sub(count.saturating_mul(8));
        }
        if count == 0 {
            return None;
        }
    }
    Some(reader.0.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_take_all_their_bytes_or_are_refused() {
        // A packed group of two bits each, then a run of five.
        let levels = [3, 0b1110_0100, 0b0001_1011, 10, 1];
        assert!(are_whole(&levels, 13, 2));
        assert!(are_whole(&levels, 9, 3));
        assert!(!are_whole(&levels, 8, 2) && !are_whole(&levels, 14, 2));
        assert!(!are_whole(&levels[..4], 13, 2) && !are_whole(&levels[..2], 4, 2));
        assert!(!are_whole(&[0, 0, 0, 0], 1, 1));
        assert!(are_whole(&[], 5, 0) && are_whole(&[0x88, 1], 68, 0));
        assert!(!are_whole(&[2, 0], 1, 0) && !are_whole(&[2], 2, 0));
    }
}
