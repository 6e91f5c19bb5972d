//! A file's schema with some columns stripped of the types that the decoder would convert them to.

use std::sync::Arc;

use parquet::basic::ConvertedType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, ParquetMetaData, ParquetMetaDataBuilder};
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

/// How the values of a column are decoded, instead of as its type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// As numbers or bytes of the physical type.
    Physical,
    /// As texts that are checked to be UTF-8, which the decoder does for no other type.
    Text,
}

/// The metadata with each column decoded as `stored` says; `None` leaves it as it is.
pub(super) fn with_stored(
    metadata: ParquetMetaData,
    stored: &[Option<Stored>],
) -> Result<ParquetMetaData, ParquetError> {
    if stored.iter().all(Option::is_none) {
        return Ok(metadata);
    }
    let file = metadata.file_metadata();
    let schema = stripped(&file.schema_descr().root_schema_ptr(), &mut stored.iter())?;
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        Arc::new(SchemaDescriptor::new(schema)),
        file.column_orders().cloned(),
    );
    let row_groups = metadata.into_builder().take_row_groups();
    Ok(ParquetMetaDataBuilder::new(file).set_row_groups(row_groups).build())
}

/// The type with its leaves as the next of `stored` say.
fn stripped(whole: &TypePtr, stored: &mut std::slice::Iter<'_, Option<Stored>>) -> Result<TypePtr, ParquetError> {
    let info = whole.get_basic_info();
    let id = info.has_id().then(|| info.id());
    if whole.is_primitive() {
        let Some(stored) = stored.next().copied().flatten() else { return Ok(Arc::clone(whole)) };
        let Type::PrimitiveType { physical_type, type_length, .. } = whole.as_ref() else {
            unreachable!("a group is no primitive type");
        };
        let converted = if stored == Stored::Text { ConvertedType::UTF8 } else { ConvertedType::NONE };
        let leaf = Type::primitive_type_builder(info.name(), *physical_type)
            .with_repetition(info.repetition())
            .with_converted_type(converted)
            .with_length(*type_length)
            .with_id(id);
        return leaf.build().map(Arc::new);
    }
    let fields = whole.get_fields().iter().map(|field| stripped(field, stored)).collect::<Result<Vec<_>, _>>()?;
    let mut group = Type::group_type_builder(info.name())
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned())
        .with_fields(fields)
        .with_id(id);
    if info.has_repetition() {
        group = group.with_repetition(info.repetition());
    }
    group.build().map(Arc::new)
}
