//! A layout: how objects with the same columns feed the table, down to decoder and encoder.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use crate::encode::{ColumnPlan, CopyFormat, Encoder, Role, Support, stored_text, support_as};
use crate::error::{Error, ErrorKind, Result, listed};
use crate::format::{csv, parquet};
use crate::schema::{Column, MappedColumn, Mapping, ObjectColumns, PgKind, PgType, Reading, Table, WhenAbsent};

/// How rows reach the table, whichever object they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// Loaded columns in COPY order: those that take part in the row hash first.
    pub(crate) columns: Vec<String>,
    /// How many take part in the row hash.
    pub(crate) hashed: usize,
    /// Positions of columns that refuse nulls, and that no trigger can fill.
    pub(crate) not_null: Vec<usize>,
    pub(crate) format: CopyFormat,
    /// Types with no binary form here, as `column (type)`.
    pub(crate) text_columns: Vec<String>,
}

/// How objects with the same columns feed the table.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) route: Arc<Route>,
    /// In COPY order.
    pub(crate) columns: Vec<MappedColumn>,
    /// Position of the time column in COPY order.
    pub(crate) time: Option<usize>,
    reading: Reading,
}

impl Route {
    /// Decides, over all mappings, which columns take part in the row hash, and whether rows can go in binary.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] if a source type cannot feed its target type.
    pub(crate) fn try_new(
        table: &Table,
        mappings: &[Mapping],
        time_column: Option<&str>,
        reading: &Reading,
    ) -> Result<Self> {
        let (mut unhashed, mut text_columns) = (Vec::new(), Vec::new());
        let first: &[MappedColumn] = mappings.first().map_or(&[], |mapping| &mapping.columns);
        for (position, mapped) in first.iter().enumerate() {
            let mut hashed = table.rewriting_triggers.is_empty();
            for mapping in mappings {
                if let Support::Binary { hashed: foretold } =
                    supported(&mapping.columns[position], time_column, reading)?
                {
                    hashed &= foretold;
                } else {
                    hashed = false;
                    text_columns.push(format!("{} ({})", mapped.target.name, mapped.target.ty));
                }
            }
            if !hashed {
                unhashed.push(mapped.target.name.clone());
            }
        }
        text_columns.dedup();
        let name = |mapped: &MappedColumn| mapped.target.name.clone();
        let hashed: Vec<String> = first.iter().map(name).filter(|name| !unhashed.contains(name)).collect();
        let format = if text_columns.is_empty() { CopyFormat::Binary } else { CopyFormat::Text };
        let hashed_count = hashed.len();
        let columns: Vec<String> = hashed.into_iter().chain(unhashed).collect();
        let refuses_null = |name: &String| table.column(name).is_some_and(|column| column.not_null);
        let fillable = !table.rewriting_triggers.is_empty();
        let not_null = (0..columns.len()).filter(|i| !fillable && refuses_null(&columns[*i])).collect();
        Ok(Self { columns, hashed: hashed_count, not_null, format, text_columns })
    }

    pub(crate) fn hashed_columns(&self) -> &[String] {
        &self.columns[..self.hashed]
    }

    pub(crate) fn unhashed_columns(&self) -> &[String] {
        &self.columns[self.hashed..]
    }
}

fn supported(mapped: &MappedColumn, time_column: Option<&str>, reading: &Reading) -> Result<Support> {
    let Column { name, ty, .. } = &mapped.target;
    let reading = reading.of_column(name);
    if time_column == Some(name) {
        let kind = ty.key_kind()?;
        let fits = crate::schema::can_be_key(&mapped.source_type, kind, &reading);
        let refused = || Support::None(format!("{} holds no {kind}", mapped.source_type));
        return if fits { Ok(Support::Binary { hashed: true }) } else { refuse(mapped, refused()) };
    }
    refuse(mapped, support_as(&mapped.source_type, ty, &reading))
}

fn refuse(mapped: &MappedColumn, found: Support) -> Result<Support> {
    let Support::None(why) = found else { return Ok(found) };
    let (source, target) = (&mapped.source, &mapped.target);
    Err(Error::new(
        ErrorKind::Schema,
        format!("source column {source} cannot feed {} of type {}: {why}", target.name, target.ty),
    )
    .with_hint(format!("change the column's type, or leave it out: --ignore {source}")))
}

impl Layout {
    pub(crate) fn new(route: &Arc<Route>, mapping: Mapping, time_column: Option<&str>, reading: &Reading) -> Self {
        let mut columns = mapping.columns;
        columns.sort_by_key(|mapped| route.columns.iter().position(|name| *name == mapped.target.name));
        let time = columns.iter().position(|mapped| Some(mapped.target.name.as_str()) == time_column);
        Self { route: Arc::clone(route), columns, time, reading: reading.clone() }
    }

    /// The layout of objects that are only described: their time column feeds nothing but the profile.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] if they have no such column.
    pub(crate) fn bare(source: &ObjectColumns, time_column: Option<&str>, reading: &Reading) -> Result<Self> {
        let route = Route {
            columns: Vec::new(),
            hashed: 0,
            not_null: Vec::new(),
            format: CopyFormat::Binary,
            text_columns: Vec::new(),
        };
        let mut columns = Vec::new();
        if let Some(wanted) = time_column {
            // As columns are matched: to the letter, else ignoring the case of ASCII letters.
            let named = |is: fn(&str, &str) -> bool| source.columns.iter().find(|(name, _)| is(name, wanted));
            let found = named(|name, wanted| name == wanted).or_else(|| named(str::eq_ignore_ascii_case));
            let found = found.ok_or_else(|| {
                let names = source.columns.iter().map(|(name, _)| name.as_str());
                Error::new(ErrorKind::Schema, format!("there is no column {wanted}"))
                    .at_object(source.object.clone())
                    .with_hint(format!("its columns are: {}", listed(names)))
            })?;
            let ty = PgType { oid: 0, name: "timestamp with time zone".to_owned(), kind: PgKind::TimestampTz(None) };
            let target = Column { name: wanted.to_owned(), ty, not_null: false, when_absent: WhenAbsent::Null };
            let (source, source_type) = (found.0.clone(), found.1.clone());
            columns.push(MappedColumn { source, source_type, in_path: false, target });
        }
        let time = (!columns.is_empty()).then_some(0);
        Ok(Self { route: Arc::new(route), columns, time, reading: reading.clone() })
    }

    /// Names of the source columns, in COPY order.
    pub(crate) fn sources(&self) -> Vec<String> {
        self.columns.iter().map(|mapped| mapped.source.clone()).collect()
    }

    /// The source column of the time column.
    pub(crate) fn time_source(&self) -> Option<&MappedColumn> {
        self.time.map(|position| &self.columns[position])
    }

    /// What column `position` would store of the first value of `column`, if its own text would not do.
    pub(crate) fn stored_text(&self, position: usize, column: &ArrayRef) -> Option<Vec<u8>> {
        let target = &self.columns.get(position)?.target;
        stored_text(column, &target.ty, &self.reading.of_column(&target.name))
    }

    pub(crate) fn encoder(&self) -> Result<Encoder> {
        let column = |(position, mapped): (usize, &MappedColumn)| {
            let is_time = self.time == Some(position);
            ColumnPlan {
                name: mapped.target.name.clone(),
                source: if is_time { DataType::Int64 } else { mapped.source_type.clone() },
                target: mapped.target.ty.clone(),
                role: if is_time { Role::StoredKey } else { Role::Value },
            }
        };
        let columns = self.columns.iter().enumerate().map(column).collect();
        Encoder::try_new(columns, self.route.hashed, self.route.format, self.reading.clone())
    }

    /// Which fields of a record feed the COPY.
    pub(crate) fn csv_projection(
        &self,
        names: &[String],
        path: &[(String, Option<String>)],
    ) -> Result<csv::Projection> {
        let feed = |mapped: &MappedColumn| {
            let field = names.iter().position(|name| *name == mapped.source).filter(|_| !mapped.in_path);
            let feed = field.map_or_else(|| csv::Feed::Constant(path_value(path, &mapped.source)), csv::Feed::Field);
            (mapped.source.clone(), feed)
        };
        csv::Projection::try_new(names.len(), self.columns.iter().map(feed).collect())
    }

    /// Which columns of a Parquet object feed the COPY.
    pub(crate) fn parquet_projection(&self, path: &[(String, Option<String>)]) -> parquet::Projection {
        let feed = |mapped: &MappedColumn| match mapped.in_path {
            true => parquet::Feed::Constant(mapped.source.clone(), path_value(path, &mapped.source)),
            false => parquet::Feed::Column(mapped.source.clone()),
        };
        parquet::Projection::new(self.columns.iter().map(feed).collect())
    }
}

/// A value spelled in an object's path; null where the folder says so.
fn path_value(path: &[(String, Option<String>)], name: &str) -> Option<String> {
    path.iter().find(|(each, _)| each == name).and_then(|(_, value)| value.clone())
}
