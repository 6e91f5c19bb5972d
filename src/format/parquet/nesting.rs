//! How deep the schema in a footer nests, told before the crate `parquet` follows it: that goes down by recursion, and
//! makes room for as many children as an element says that it has. Neither an end of the stack nor a failed allocation
//! can be caught.

use super::thrift::{Compact, Field, Kind};
use crate::error::{Error, ErrorKind, Result};

/// Elements in elements. Lists and maps take two or three each, so that this is deeper than any sound table.
const DEPTH_MAX: usize = 100;

/// Checks the schema in `metadata`, the bytes of a footer.
///
/// # Errors
///
/// [`ErrorKind::Source`] if it contradicts itself, [`ErrorKind::Limit`] if it nests too deep; the caller names the object.
pub(super) fn check(metadata: &[u8]) -> Result<()> {
    let children = children(metadata).ok_or_else(|| corrupt("it is not in the form of a footer"))?;
    // For each element that is open, how many of its children have not begun.
    let mut open: Vec<usize> = Vec::new();
    let elements = children.len();
    for count in children {
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if count > elements {
            return Err(corrupt("an element of its schema has more children than there are elements"));
        }
        if count > 0 {
            open.push(count);
        }
        if open.len() > DEPTH_MAX {
            let message = format!("the Parquet schema nests deeper than {DEPTH_MAX} levels");
            return Err(Error::new(ErrorKind::Limit, message).with_hint("write the file with flatter columns"));
        }
    }
    Ok(())
}

fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Source, format!("the Parquet metadata is corrupt: {what}"))
}

/// Of each element of the schema, in its order, how many children it says it has. `parquet.thrift` of the format has the
/// numbers of the fields: 2 of a footer is the list of elements, 5 of an element the count.
fn children(metadata: &[u8]) -> Option<Vec<usize>> {
    let (mut reader, mut last, mut children) = (Compact(metadata), 0, Vec::new());
    while let Field::Of(id, kind) = reader.field(&mut last)? {
        if id != 2 || kind != Kind::LIST {
            reader.skip(kind)?;
            continue;
        }
        let (count, _) = reader.list()?;
        for _ in 0..count {
            children.push(element(&mut reader)?);
        }
    }
    Some(children)
}

fn element(reader: &mut Compact<'_>) -> Option<usize> {
    let (mut last, mut children) = (0, 0);
    while let Field::Of(id, kind) = reader.field(&mut last)? {
        match id {
            // Less than none is none of this check's business.
            5 => children = usize::try_from(reader.integer()?).unwrap_or(0),
            _ => reader.skip(kind)?,
        }
    }
    Some(children)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A footer of nothing but elements with as many children each.
    fn footer(children: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x29, 0xfc];
        bytes.extend([u8::try_from(children.len() & 0x7f).unwrap() | 0x80, u8::try_from(children.len() >> 7).unwrap()]);
        children.iter().for_each(|count| bytes.extend([0x55, count * 2, 0]));
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_schema_that_nests_without_end_is_refused() {
        assert!(check(&footer(&[3, 0, 2, 0, 0, 1, 0])).is_ok());
        assert!(check(&footer(&[1; 100])).is_ok());
        assert_eq!(check(&footer(&[1; 101])).unwrap_err().kind(), ErrorKind::Limit);
        // As many elements side by side are no matter.
        let flat: Vec<u8> = std::iter::once(60).chain([2; 60]).chain([0; 120]).collect();
        assert!(check(&footer(&flat)).is_ok());
    }

    #[test]
    fn children_that_cannot_be_there_are_refused() {
        let error = check(&footer(&[60, 0])).unwrap_err();
        assert!(error.to_string().contains("more children"), "{error}");
        assert!(check(&[0x29]).is_err());
    }
}
