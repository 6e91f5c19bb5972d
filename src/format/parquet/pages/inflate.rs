//! Whether a page inflates to no more than its header says, for the codecs whose decoders go on to the end of the stream
//! before they look.

use std::io::Read;

use parquet::basic::Compression;

/// Deflate makes at most this many bytes out of one.
const DEFLATE_RATIO_MAX: u64 = 1_032;

/// What a frame of LZ4 begins with. Only such pages inflate without limit: those of other forms are decoded into a
/// buffer of the size that the header says.
const LZ4_FRAME: [u8; 4] = 0x184d_2204_u32.to_le_bytes();

/// Whether `page` inflates to more than `claimed` bytes, where that is found out: pages that can be no danger within
/// `bytes_max` are not looked at.
pub(super) fn inflates_beyond(claimed: u64, page: &[u8], codec: Compression, bytes_max: u64) -> bool {
    match codec {
        Compression::GZIP(_) if page.len() as u64 * DEFLATE_RATIO_MAX > bytes_max => {
            is_longer(flate2::read::MultiGzDecoder::new(page), claimed)
        }
        Compression::BROTLI(_) => is_longer(brotli::Decompressor::new(page, 4096), claimed),
        Compression::LZ4 if page.starts_with(&LZ4_FRAME) => {
            is_longer(lz4_flex::frame::FrameDecoder::new(page), claimed)
        }
        _ => false,
    }
}

/// Whether a stream has more than `claimed` bytes. A broken one has as many as come before the break.
fn is_longer(stream: impl Read, claimed: u64) -> bool {
    let mut stream = stream.take(claimed.saturating_add(1));
    let mut buffer = [0; 16 << 10];
    let mut seen = 0;
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        seen += count as u64; // usize has at most 64 bits
    }
    seen > claimed
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use parquet::basic::{BrotliLevel, GzipLevel};

    use super::*;

    #[test]
    fn a_stream_that_is_longer_than_it_says_is_found() {
        let zeros = vec![0; 1 << 20];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&zeros).unwrap();
        let gzip = gzip.finish().unwrap();
        let mut brotli = Vec::new();
        brotli::CompressorWriter::new(&mut brotli, 4096, 5, 22).write_all(&zeros).unwrap();
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(&zeros).unwrap();
        let pages = [
            (Compression::GZIP(GzipLevel::default()), gzip),
            (Compression::BROTLI(BrotliLevel::default()), brotli),
            (Compression::LZ4, lz4.finish().unwrap()),
        ];
        for (codec, page) in pages {
            assert!(!inflates_beyond(1 << 20, &page, codec, 1 << 20), "{codec}");
            assert!(inflates_beyond((1 << 20) - 1, &page, codec, 1 << 20), "{codec}");
            assert!(!inflates_beyond(10, &page[..2], codec, 0), "{codec}");
        }
    }
}
