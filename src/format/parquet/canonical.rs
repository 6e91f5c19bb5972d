//! A footer written again in the one form that the crate `parquet` reads rightly, checked against itself on the way.
//!
//! That crate does not compare the type of a field with the one that it expects, so a field of another writer's own makes
//! it misread what follows. It ignores what a column chunk says of its path and type, and reads an empty list only where
//! its element type is right. So here every field that is needed is copied with its expected type, and everything else is
//! left out: histograms, bloom filters, page indexes and statistics of encodings are not used, and would take memory.

use super::thrift::{Compact, Field, Kind, Writer};
use crate::error::{Error, ErrorKind, Result};

/// A footer in canonical form.
#[derive(Debug, Default)]
pub(super) struct Canonical {
    pub(super) bytes: Vec<u8>,
    /// Positions of the leaf columns that are encrypted in some row group, in ascending order.
    pub(super) encrypted: Vec<usize>,
    pub(super) row_groups: usize,
    pub(super) chunks: usize,
}

/// A leaf of the schema: the names that lead to it, and its physical type.
#[derive(Debug, PartialEq, Eq)]
struct Leaf<'a> {
    path: Vec<&'a [u8]>,
    physical: Option<i64>,
}

/// Writes the footer `metadata` again.
///
/// # Errors
///
/// [`ErrorKind::Source`] if it is no footer, or contradicts itself; the caller names the object.
pub(super) fn canonical(metadata: &[u8]) -> Result<Canonical> {
    let mut footer = Rewriting { leaves: Vec::new(), done: Canonical::default(), fault: None, rows: 0 };
    let written = footer.file(&mut Compact(metadata));
    match (footer.fault, written) {
        (Some(fault), _) => Err(corrupt(&fault)),
        (None, None) => Err(corrupt("it is not in the form of a footer")),
        (None, Some(bytes)) => {
            let mut done = footer.done;
            done.encrypted.sort_unstable();
            done.encrypted.dedup();
            Ok(Canonical { bytes, ..done })
        }
    }
}

fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Source, format!("the Parquet metadata is corrupt: {what}"))
}

/// A footer that is being written again. Methods give `None` where bytes are not of the protocol, or `fault` says why.
struct Rewriting<'a> {
    leaves: Vec<Leaf<'a>>,
    done: Canonical,
    fault: Option<String>,
    /// Rows of all row groups.
    rows: i64,
}

impl<'a> Rewriting<'a> {
    fn fail<T>(&mut self, what: String) -> Option<T> {
        self.fault.get_or_insert(what);
        None
    }

    fn file(&mut self, reader: &mut Compact<'a>) -> Option<Vec<u8>> {
        let (mut writer, mut last) = (Writer::default(), 0);
        let mut rows = None;
        while let Field::Of(id, kind) = reader.field(&mut last)? {
            match id {
                1 if kind.is_integer() => writer.integer(1, Kind::I32, reader.integer()?),
                2 if kind == Kind::LIST => {
                    self.leaves = leaves(&mut reader.clone())?;
                    writer.list(2, Kind::STRUCT, reader)?;
                }
                3 if kind.is_integer() => rows = Some(reader.integer()?),
                4 if kind == Kind::LIST => self.row_groups(reader, &mut writer)?,
                5 if kind == Kind::LIST => writer.list(5, Kind::STRUCT, reader)?,
                6 if kind == Kind::BINARY => writer.copy(6, kind, reader)?,
                7 if kind == Kind::LIST => writer.list(7, Kind::STRUCT, reader)?,
                _ => reader.skip(kind)?,
            }
        }
        let (rows, sum) = (rows?, self.rows);
        // Zero is what parquet-rs wrote before version 4, whatever the file held.
        if rows != sum && rows != 0 {
            return self.fail(format!("it says that the file has {rows} rows, and its row groups have {sum}"));
        }
        writer.integer(3, Kind::I64, sum);
        Some(writer.end())
    }

    fn row_groups(&mut self, reader: &mut Compact<'a>, writer: &mut Writer) -> Option<()> {
        let (count, kind) = reader.list()?;
        if count > 0 && kind != Kind::STRUCT {
            return None;
        }
        writer.list_head(4, Kind::STRUCT, count);
        for index in 0..count {
            let group = self.row_group(index, reader)?;
            writer.element(&group);
        }
        self.done.row_groups = count;
        Some(())
    }

    fn row_group(&mut self, index: usize, reader: &mut Compact<'a>) -> Option<Vec<u8>> {
        let (mut writer, mut last) = (Writer::default(), 0);
        while let Field::Of(id, kind) = reader.field(&mut last)? {
            match id {
                1 if kind == Kind::LIST => self.chunks(index, reader, &mut writer)?,
                2 if kind.is_integer() => writer.integer(2, Kind::I64, reader.integer()?),
                3 if kind.is_integer() => {
                    let rows = reader.integer()?;
                    self.rows = self.rows.saturating_add(rows);
                    writer.integer(3, Kind::I64, rows);
                }
                _ => reader.skip(kind)?,
            }
        }
        Some(writer.end())
    }

    fn chunks(&mut self, group: usize, reader: &mut Compact<'a>, writer: &mut Writer) -> Option<()> {
        let (count, kind) = reader.list()?;
        if count > 0 && kind != Kind::STRUCT {
            return None;
        }
        if count != self.leaves.len() {
            let leaves = self.leaves.len();
            return self.fail(format!("row group {group} has {count} columns, and the schema has {leaves}"));
        }
        writer.list_head(1, Kind::STRUCT, count);
        for leaf in 0..count {
            let chunk = self.chunk(group, leaf, reader)?;
            writer.element(&chunk);
        }
        self.done.chunks += count;
        Some(())
    }

    fn chunk(&mut self, group: usize, leaf: usize, reader: &mut Compact<'a>) -> Option<Vec<u8>> {
        let (mut writer, mut last) = (Writer::default(), 0);
        let (mut metadata, mut is_encrypted) = (None, false);
        while let Field::Of(id, kind) = reader.field(&mut last)? {
            match id {
                1 if kind == Kind::BINARY => writer.copy(1, kind, reader)?,
                3 if kind == Kind::STRUCT => metadata = Some(self.metadata(group, leaf, reader)?),
                8 | 9 => {
                    is_encrypted = true;
                    reader.skip(kind)?;
                }
                _ => reader.skip(kind)?,
            }
        }
        // The offset of the chunk is deprecated, and expected all the same.
        writer.integer(2, Kind::I64, 0);
        if is_encrypted {
            self.done.encrypted.push(leaf);
            metadata = Some(nothing());
        }
        match metadata {
            Some(metadata) => writer.structure(3, &metadata),
            None => return self.fail(format!("row group {group} does not describe column {}", self.named(leaf))),
        }
        Some(writer.end())
    }

    fn metadata(&mut self, group: usize, leaf: usize, reader: &mut Compact<'a>) -> Option<Vec<u8>> {
        let (mut writer, mut last) = (Writer::default(), 0);
        let (mut data, mut dictionary) = (None, None);
        while let Field::Of(id, kind) = reader.field(&mut last)? {
            match id {
                1 if kind.is_integer() => {
                    let physical = reader.integer()?;
                    if self.leaves[leaf].physical != Some(physical) {
                        let name = self.named(leaf);
                        return self
                            .fail(format!("row group {group} has another type of column {name} than the schema"));
                    }
                    writer.integer(1, Kind::I32, physical);
                }
                2 if kind == Kind::LIST => writer.list(2, Kind::I32, reader)?,
                3 if kind == Kind::LIST => self.path(group, leaf, reader)?,
                4 if kind.is_integer() => writer.integer(4, Kind::I32, reader.integer()?),
                5..=7 if kind.is_integer() => writer.integer(id, Kind::I64, reader.integer()?),
                9 if kind.is_integer() => data = Some(reader.integer()?),
                11 if kind.is_integer() => dictionary = Some(reader.integer()?),
                12 if kind == Kind::STRUCT => writer.copy(12, kind, reader)?,
                _ => reader.skip(kind)?,
            }
        }
        if let Some(data) = data {
            writer.integer(9, Kind::I64, data);
            // Some writers give 0, or the offset of the data, where there is no dictionary.
            if let Some(dictionary) = dictionary.filter(|dictionary| (1..data).contains(dictionary)) {
                writer.integer(11, Kind::I64, dictionary);
            }
        }
        Some(writer.end())
    }

    /// Compares the path that a column chunk gives with the one of its place in the schema.
    fn path(&mut self, group: usize, leaf: usize, reader: &mut Compact<'a>) -> Option<()> {
        let (count, kind) = reader.list()?;
        if count > 0 && kind != Kind::BINARY {
            return None;
        }
        let mut given = Vec::new();
        for _ in 0..count {
            given.push(reader.binary()?);
        }
        if given != self.leaves[leaf].path {
            let given: Vec<_> = given.iter().map(|name| String::from_utf8_lossy(name)).collect();
            let (given, name) = (given.join("."), self.named(leaf));
            return self.fail(format!("row group {group} has column '{given}' in the place of column {name}"));
        }
        Some(())
    }

    fn named(&self, leaf: usize) -> String {
        let names: Vec<_> = self.leaves[leaf].path.iter().map(|name| String::from_utf8_lossy(name)).collect();
        format!("'{}'", names.join("."))
    }
}

/// The description of a column chunk that holds nothing.
fn nothing() -> Vec<u8> {
    let mut writer = Writer::default();
    writer.integer(1, Kind::I32, 0);
    writer.list_head(2, Kind::I32, 0);
    writer.integer(4, Kind::I32, 0);
    (5..=7).for_each(|id| writer.integer(id, Kind::I64, 0));
    writer.integer(9, Kind::I64, 4);
    writer.end()
}

/// The leaves of the schema, in their order. Its nesting was checked before.
fn leaves<'a>(reader: &mut Compact<'a>) -> Option<Vec<Leaf<'a>>> {
    let (count, _) = reader.list()?;
    let mut leaves = Vec::new();
    // Names of the groups that are open, each with how many of its children have not begun.
    let mut open: Vec<(&[u8], usize)> = Vec::new();
    for at in 0..count {
        while open.len() > 1 && open.last().is_some_and(|(_, left)| *left == 0) {
            open.pop();
        }
        if let Some((_, left)) = open.last_mut() {
            *left = left.checked_sub(1)?;
        }
        let (name, physical, children) = element(reader)?;
        if at == 0 || children > 0 {
            open.push((name, children));
            continue;
        }
        let path = open.iter().skip(1).map(|(name, _)| *name).chain([name]).collect();
        leaves.push(Leaf { path, physical });
    }
    Some(leaves)
}

/// Name, physical type and number of children of an element of the schema.
fn element<'a>(reader: &mut Compact<'a>) -> Option<(&'a [u8], Option<i64>, usize)> {
    let (mut name, mut physical, mut children, mut last) = (&[][..], None, 0, 0);
    while let Field::Of(id, kind) = reader.field(&mut last)? {
        match id {
            1 if kind.is_integer() => physical = Some(reader.integer()?),
            4 if kind == Kind::BINARY => name = reader.binary()?,
            5 if kind.is_integer() => children = usize::try_from(reader.integer()?).unwrap_or(0),
            _ => reader.skip(kind)?,
        }
    }
    Some((name, physical, children))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    use parquet::file::properties::WriterProperties;

    use super::super::Projection;
    use super::super::fixture::File;
    use super::*;

    fn file() -> File {
        let numbers = |from: i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(from..from + 4)) };
        let batch = RecordBatch::try_from_iter([("one", numbers(1)), ("two", numbers(5))]).unwrap();
        File::with_properties(&batch, WriterProperties::default())
    }

    /// The file with another footer.
    fn with_footer(file: &File, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> File {
        let end = file.bytes.len() - 8;
        let length = u32::from_le_bytes(file.bytes[end..end + 4].try_into().unwrap());
        let start = end - usize::try_from(length).unwrap();
        let footer = change(file.bytes[start..end].to_vec());
        let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
        File::of_bytes([&file.bytes[..start], &footer, &length, b"PAR1"].concat())
    }

    /// Puts `new` in the place of what stands there once, or the last time.
    fn replaced(mut footer: Vec<u8>, old: &[u8], new: &[u8]) -> Vec<u8> {
        let at = footer.windows(old.len()).rposition(|bytes| bytes == old).expect("it is there");
        footer.splice(at..at + old.len(), new.iter().copied());
        footer
    }

    fn values(file: &File, column: &str) -> Result<Vec<i64>> {
        use arrow_array::cast::AsArray;
        let rows = file.decode(&Projection::of_columns([column]), 10)?;
        let batches = rows
            .iter()
            .flat_map(|rows| rows.batch.column(0).as_primitive::<arrow_array::types::Int64Type>().values().to_vec());
        Ok(batches.collect())
    }

    fn refusal(file: &File) -> String {
        let error = file.metadata().unwrap_err();
        assert_eq!((error.kind(), error.place().object.as_deref()), (ErrorKind::Source, Some("/data/test.parquet")));
        error.to_string()
    }

    #[test]
    fn a_footer_in_canonical_form_says_the_same() {
        let file = file();
        assert_eq!(values(&file, "one").unwrap(), [1, 2, 3, 4]);
        assert_eq!(values(&file, "two").unwrap(), [5, 6, 7, 8]);
    }

    #[test]
    fn a_list_of_no_elements_is_empty_whatever_type_it_gives() {
        // Version 1, a schema of a root with one column, no rows, no row groups: as old fastparquet wrote it.
        let schema = [0x29, 0x2c, 0x48, 1, b'm', 0x15, 2, 0, 0x15, 4, 0x25, 2, 0x18, 1, b'v', 0];
        for empty in [0x00, 0x0c, 0x03] {
            let footer = [&[0x15, 2][..], &[0x19], &schema[1..], &[0x16, 0, 0x19, empty, 0x19, empty, 0]].concat();
            let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
            let file = File::of_bytes([&b"PAR1"[..], &footer, &length, b"PAR1"].concat());
            let metadata = file.metadata().unwrap();
            assert_eq!((metadata.rows(), metadata.row_group_count(), metadata.columns().len()), (0, 0, 1), "{empty}");
        }
    }

    #[test]
    fn the_number_of_rows_is_that_of_the_row_groups() {
        let with_rows = |rows: u8| {
            with_footer(&file(), |footer| replaced(footer, &[0x16, 8, 0x19, 0x1c], &[0x16, rows * 2, 0x19, 0x1c]))
        };
        assert_eq!(values(&with_rows(0), "one").unwrap(), [1, 2, 3, 4]);
        let message = refusal(&with_rows(5));
        assert!(message.contains("the file has 5 rows, and its row groups have 4"), "{message}");
    }

    #[test]
    fn columns_of_a_row_group_in_another_order_than_the_schema_are_refused() {
        let path = |name: &[u8]| [&[0x19, 0x18, 3], name].concat();
        let swapped = with_footer(&file(), |footer| {
            let footer = replaced(footer, &path(b"one"), &path(b"xxx"));
            let footer = replaced(footer, &path(b"two"), &path(b"one"));
            replaced(footer, &path(b"xxx"), &path(b"two"))
        });
        let message = refusal(&swapped);
        assert!(message.contains("row group 0 has column 'two' in the place of column 'one'"), "{message}");
    }

    /// The file with column `one` encrypted, described as `metadata` in the open or not at all, and with fields in the
    /// description of column `two` that another writer has for itself.
    fn encrypted(metadata: Option<&[u8]>) -> File {
        let file = file();
        let parquet = file.metadata().unwrap().parquet().clone();
        let chunk = parquet.row_group(0).column(1);
        let mut sound = Writer::default();
        sound.integer(1, Kind::I32, 2);
        sound.list_head(2, Kind::I32, 1);
        sound.element(&[16]);
        [(4, 0), (5, 4), (6, chunk.uncompressed_size()), (7, chunk.compressed_size()), (9, chunk.data_page_offset())]
            .into_iter()
            .for_each(|(id, value)| sound.integer(id, Kind::I64, value));
        sound.integer(11, Kind::I64, chunk.dictionary_page_offset().unwrap());
        // A list where the length of a bloom filter is expected, and a number where a structure is.
        sound.list_head(15, Kind::STRUCT, 1);
        sound.element(&[0x15, 2, 0]);
        sound.integer(16, Kind::I64, 7);
        let (mut one, mut two) = (Writer::default(), Writer::default());
        one.integer(2, Kind::I64, 4);
        metadata.into_iter().for_each(|metadata| one.structure(3, metadata));
        one.structure(8, &[0x1c, 0, 0]);
        two.integer(2, Kind::I64, 4);
        two.structure(3, &sound.end());
        let mut group = Writer::default();
        group.list_head(1, Kind::STRUCT, 2);
        group.element(&one.end());
        group.element(&two.end());
        group.integer(2, Kind::I64, 0);
        group.integer(3, Kind::I64, 4);
        let group = group.end();
        with_footer(&file, |footer| {
            let (mut reader, mut writer, mut last) = (Compact(&footer), Writer::default(), 0);
            while let Some(Field::Of(id, kind)) = reader.field(&mut last) {
                match id {
                    4 => {
                        reader.skip(kind).unwrap();
                        writer.list_head(4, Kind::STRUCT, 1);
                        writer.element(&group);
                    }
                    1..=3 => writer.copy(id, kind, &mut reader).unwrap(),
                    _ => reader.skip(kind).unwrap(),
                }
            }
            writer.end()
        })
    }

    #[test]
    fn a_field_of_another_type_than_expected_is_passed_over() {
        assert_eq!(values(&encrypted(None), "two").unwrap(), [5, 6, 7, 8]);
    }

    #[test]
    fn a_column_that_is_encrypted_under_a_plain_footer_is_refused_by_name_and_the_others_are_read() {
        let mut described = nothing();
        described[1] = 4; // the type of both columns
        for metadata in [None, Some(&described[..])] {
            let file = encrypted(metadata);
            assert_eq!(file.metadata().unwrap().columns().len(), 2);
            assert_eq!(values(&file, "two").unwrap(), [5, 6, 7, 8]);
            let error = values(&file, "one").unwrap_err();
            assert!(error.to_string().contains("column 'one' is encrypted"), "{error}");
            assert!(error.hint().unwrap().contains("--ignore"), "{error:?}");
        }
    }
}
