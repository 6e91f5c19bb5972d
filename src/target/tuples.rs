//! Rows out of a binary COPY stream, as the documentation of COPY describes its format.

use crate::error::{Error, ErrorKind, Result};

/// Signature, flags and the length of the header's extension.
const HEADER_BYTES: usize = 19;

/// Where in the stream the reader is.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    header_read: bool,
    trailer_read: bool,
}

impl Reader {
    /// Hands the fields of each row in `message` to `take`: lengths included, the field count not.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Target`] if the bytes are no whole rows; the server sends whole rows in each message.
    pub(crate) fn read(&mut self, message: &[u8], take: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut rest = message;
        if !self.header_read {
            if !rest.starts_with(b"PGCOPY\n\xff\r\n\0") || rest.len() < HEADER_BYTES {
                return Err(malformed());
            }
            rest = &rest[HEADER_BYTES..];
            self.header_read = true;
        }
        while !rest.is_empty() && !self.trailer_read {
            let count = i16::from_be_bytes(chunk(rest, 0)?);
            rest = &rest[2..];
            if count < 0 {
                self.trailer_read = true;
                break;
            }
            let length = fields_length(rest, count)?;
            take(&rest[..length])?;
            rest = &rest[length..];
        }
        Ok(())
    }

    /// # Errors
    ///
    /// [`ErrorKind::Target`] if the stream ended before its trailer.
    pub(crate) fn finish(&self) -> Result<()> {
        if self.trailer_read { Ok(()) } else { Err(malformed()) }
    }
}

/// Bytes of `count` fields, their lengths included.
fn fields_length(bytes: &[u8], count: i16) -> Result<usize> {
    let mut at = 0;
    for _ in 0..count {
        let length = i32::from_be_bytes(chunk(bytes, at)?);
        // A null has length -1 and no bytes.
        at += 4 + usize::try_from(length.max(0)).map_err(|_| malformed())?;
    }
    if at <= bytes.len() { Ok(at) } else { Err(malformed()) }
}

/// Takes a leading transaction id off the fields of a row.
pub(crate) fn split_xid(fields: &[u8]) -> Result<(u32, &[u8])> {
    if i32::from_be_bytes(chunk(fields, 0)?) != 4 {
        return Err(malformed());
    }
    Ok((u32::from_be_bytes(chunk(fields, 4)?), &fields[8..]))
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    bytes.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).ok_or_else(malformed)
}

fn malformed() -> Error {
    Error::new(ErrorKind::Target, "the server sent a binary COPY that is not well formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(messages: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
        let (mut reader, mut rows) = (Reader::default(), Vec::new());
        for message in messages {
            reader.read(message, &mut |fields: &[u8]| {
                rows.push(fields.to_vec());
                Ok(())
            })?;
        }
        reader.finish().map(|()| rows)
    }

    const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

    #[test]
    fn rows_are_read_whether_or_not_they_share_a_message_with_the_header() {
        let row: &[u8] = b"\0\x02\0\0\0\x01a\xff\xff\xff\xff";
        let together = [HEADER, row].concat();
        assert_eq!(rows(&[&together, row, b"\xff\xff"]).unwrap(), [&row[2..], &row[2..]]);
        assert_eq!(rows(&[&[HEADER, b"\xff\xff"].concat()]).unwrap(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_stream_that_is_cut_or_damaged_is_an_error() {
        assert!(rows(&[HEADER]).is_err());
        assert!(rows(&[HEADER, b"\0\x01\0\0\0\x09a"]).is_err());
        assert!(rows(&[b"not a copy stream at all"]).is_err());
    }

    #[test]
    fn a_leading_transaction_id_is_taken_off() {
        let (xid, rest) = split_xid(b"\0\0\0\x04\0\0\x01\x02rest").unwrap();
        assert_eq!((xid, rest), (258, b"rest".as_slice()));
    }
}
