//! Batches to blocks, and back by an independent reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pgbackfill_fuzz::check("block", data));
