//! What a run did and does, as plain text for people: numbers, a progress line, and the summary at the end.
//!
//! Nothing here knows a terminal or a clock: whoever shows a [`Tally`] says what time it is.

mod number;
mod summary;
mod tally;

pub use crate::error::{escaped, is_hidden, shortened};
pub use number::{bytes, count, counted, duration};
pub use summary::{mended, summary};
pub use tally::Tally;
