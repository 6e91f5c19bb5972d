//! Texts of arrays.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pgbackfill_fuzz::check("array", data));
