//! The suite: the real binary and the public API against a real, private `PostgreSQL`, which is also the oracle.
//!
//! Each test has a database of its own on one server that is shared by the process (`harness`). What a test says of the
//! stored rows is said by the server: the same text goes through `copy … (format csv)` and through `pgbackfill`, and both
//! tables must hold the same rows.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its harness too")]

mod harness;

mod changed_by_others;
mod changes;
mod clear;
mod cli;
#[cfg(target_os = "linux")]
mod client;
mod conflicts;
mod copy_csv;
mod counts;
mod custom;
mod database_encodings;
mod dialects;
mod durability;
mod encodings;
mod existing;
mod existing_matrix;
mod failpoints;
mod faults;
mod frozen;
mod fuzz;
mod groups;
mod hazards;
mod hostile;
mod hostile_text;
mod independent;
mod inspect;
mod kill;
mod ledger;
mod library;
mod limits;
mod load;
mod nasty;
mod network;
#[cfg(target_os = "linux")]
mod odd_files;
mod oracle;
mod parquet_nested;
mod parquet_values;
mod policies;
mod pooled;
mod privileges;
mod protocol;
mod publications;
mod redo;
mod refusals;
mod rejects;
mod resources;
mod role_settings;
mod runs;
mod scale;
mod searches;
mod sessions;
mod shape;
mod sources;
mod targets;
mod time_columns;
mod time_formats;
mod torture;
mod triggers;
mod trust;
mod types_table;
mod values;
mod values_composites;
mod values_geometry;
mod values_hstore;
mod values_network;
mod values_ranges;
