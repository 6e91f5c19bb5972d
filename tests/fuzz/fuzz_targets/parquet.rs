//! Parquet, from its footer to its rows.
#![no_main]

libfuzzer_sys::fuzz_target!(init: pgbackfill_fuzz::let_panics_be_caught(), |data: &[u8]| pgbackfill_fuzz::check("parquet", data));
