//! Delimited text, wherever it is cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pgbackfill_fuzz::check("csv", data));
