//! What every test stands on: a private server, a database of its own, files to load, and the real binary.

#[path = "../../../src/cli/server/mod.rs"]
#[allow(dead_code, reason = "the binary uses what the tests do not")]
pub(crate) mod server;

mod data;
mod database;
mod gate;
mod run;

pub(crate) use data::{Folder, METRICS, Random, flights, metrics, seed, weather, wide_metrics};
pub(crate) use database::{Database, Session, block_on, start_server};
pub(crate) use gate::Gate;
pub(crate) use run::{Output, Running, run, run_args, run_as, run_with, start};
