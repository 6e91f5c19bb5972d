//! The projection: which columns of an object become columns of a batch, and in what order.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::error::{Error, ErrorKind, Result};

/// Which columns of an object become columns of a batch, all of them `Utf8`.
#[derive(Debug, Clone)]
pub struct Projection {
    columns: usize,
    feeds: Vec<Feed>,
    schema: SchemaRef,
}

/// What feeds a column of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// The field at this position of each record, from 0.
    Field(usize),
    /// The same value in each row, such as one spelled in the object's path; `None` is null.
    Constant(Option<String>),
}

impl Projection {
    /// For records of `columns` fields: the names and feeds of the batch's columns, in order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] if a field's position is past the last column.
    pub fn try_new(columns: usize, feeds: Vec<(String, Feed)>) -> Result<Self> {
        for (name, feed) in &feeds {
            if let Feed::Field(position) = feed
                && *position >= columns
            {
                let message = format!("column \"{name}\" is number {} of {columns}", position + 1);
                return Err(Error::new(ErrorKind::Schema, message));
            }
        }
        let fields: Vec<_> = feeds.iter().map(|(name, _)| Field::new(name, DataType::Utf8, true)).collect();
        let feeds = feeds.into_iter().map(|(_, feed)| feed).collect();
        Ok(Self { columns, feeds, schema: Arc::new(Schema::new(fields)) })
    }

    /// How many fields a record has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// What feeds each column of the batch.
    #[must_use]
    pub fn feeds(&self) -> &[Feed] {
        &self.feeds
    }

    /// Names and types of the batch's columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_past_the_last_column_is_refused() {
        let feed = |position| vec![("host".to_owned(), Feed::Field(position))];
        assert!(Projection::try_new(2, feed(1)).is_ok());
        let error = Projection::try_new(2, feed(2)).expect_err("no third column");
        assert_eq!(error.to_string(), "column \"host\" is number 3 of 2");
    }
}
