//! Texts of intervals.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pgbackfill_fuzz::check("interval", data));
