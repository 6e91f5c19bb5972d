//! Bit masks: which of 64 bytes are delimiters, line ends and quotes, without looking at each byte alone.
//!
//! Plain arithmetic on words of eight bytes; a prefix sum of the quote bits then tells which of the others are data.

use super::dialect::Symbols;

/// Bytes that one mask stands for.
pub(super) const BLOCK_BYTES: usize = 64;

/// The same as a step of positions on the tape.
pub(super) const MASK_BITS: u32 = u64::BITS;

/// The blocks of `bytes`; the last one is filled up with zero bytes, which no dialect gives a meaning.
pub(super) fn blocks(bytes: &[u8]) -> impl Iterator<Item = [u8; BLOCK_BYTES]> {
    let (blocks, tail) = bytes.as_chunks::<BLOCK_BYTES>();
    let last = (!tail.is_empty()).then(|| {
        let mut block = [0; BLOCK_BYTES];
        block[..tail.len()].copy_from_slice(tail);
        block
    });
    blocks.iter().copied().chain(last)
}

/// Which bytes of a block have a meaning: bit `n` stands for byte `n`.
pub(super) struct Masks {
    pub(super) delimiters: u64,
    pub(super) terminators: u64,
    pub(super) quotes: u64,
}

/// The bytes that are looked for, each repeated over a word.
pub(super) struct Needles {
    delimiter: u64,
    terminator: u64,
    quote: Option<u64>,
}

impl Needles {
    pub(super) fn new(symbols: &Symbols) -> Self {
        let repeat = |byte: u8| u64::from_ne_bytes([byte; 8]);
        Self {
            delimiter: repeat(symbols.delimiter.as_bytes()[0]),
            terminator: repeat(symbols.terminator),
            quote: symbols.quote.map(repeat),
        }
    }

    #[inline]
    pub(super) fn masks(&self, block: &[u8; BLOCK_BYTES]) -> Masks {
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Masks {
            delimiters: equal_bytes(&words, self.delimiter),
            terminators: equal_bytes(&words, self.terminator),
            quotes: self.quote.map_or(0, |quote| equal_bytes(&words, quote)),
        }
    }
}

/// A bit for each byte of `words`, the first word's first, that equals the byte repeated in `needle`.
#[inline]
fn equal_bytes(words: &[u64; 8], needle: u64) -> u64 {
    const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // Multiplied with one bit in each byte, this gathers the eight bits in the highest byte without a carry.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    words.iter().rev().fold(0, |mask, word| {
        let difference = word ^ needle;
        let high_bits = !(((difference & LOW_BITS) + LOW_BITS) | difference | LOW_BITS);
        mask << 8 | (high_bits >> 7).wrapping_mul(GATHER) >> 56
    })
}

/// Bit `n` is the parity of the bits up to `n`.
#[inline]
pub(super) fn prefix_parity(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].into_iter().fold(bits, |bits, shift| bits ^ bits << shift)
}

/// What the next block's parity begins with: all ones if `inside` ends inside quotes.
#[inline]
pub(super) fn carry_of(inside: u64) -> u64 {
    0u64.wrapping_sub(inside >> 63)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_mask_has_a_bit_for_each_equal_byte(bytes in prop::array::uniform32(any::<u8>()), needle: u8) {
            let mut block = [0; BLOCK_BYTES];
            block[..32].copy_from_slice(&bytes);
            block[32..].copy_from_slice(&bytes.map(|byte| byte & 1 ^ needle));
            let mut words = [0; 8];
            for (word, bytes) in words.iter_mut().zip(block.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            let mask = equal_bytes(&words, u64::from_ne_bytes([needle; 8]));
            for (bit, byte) in block.into_iter().enumerate() {
                prop_assert_eq!(mask >> bit & 1 == 1, byte == needle);
            }
        }

        #[test]
        fn prefix_parity_counts_the_bits_up_to_each(bits: u64) {
            let parity = prefix_parity(bits);
            for bit in 0..64 {
                prop_assert_eq!(parity >> bit & 1, u64::from((bits << (63 - bit)).count_ones() % 2));
            }
        }
    }
}
