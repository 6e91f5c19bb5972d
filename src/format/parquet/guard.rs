//! Panics of the decoder as errors: some corrupt files make the crate `parquet` panic where it should refuse them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;

/// Runs `work` of the crate `parquet`; a panic in it is the error of a corrupt file. What `work` has touched must not be
/// used after an error.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(ParquetError::General(format!("the decoder panicked: {}", text.unwrap_or("no message"))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_says_what_it_said() {
        let error = guarded::<()>(|| panic!("level {}", 7)).expect_err("it panicked");
        assert_eq!(error.to_string(), "Parquet error: the decoder panicked: level 7");
        assert_eq!(guarded(|| Ok(7)).expect("it did not"), 7);
    }
}
