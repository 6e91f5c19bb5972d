//! Texts of dates and times.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pgbackfill_fuzz::check("timestamp", data));
