//! What every test stands on: a private server, a database of its own, files to load, and the real binary.

#[path = "../../../src/cli/server/mod.rs"]
#[allow(dead_code, reason = "the binary uses what the tests do not")]
pub(crate) mod server;

mod data;
mod database;
mod gate;
mod pooler;
mod proxy;
mod run;

pub(crate) use data::{Folder, METRICS, Random, flights, metrics, seed, weather, wide_metrics};
pub(crate) use database::{Database, Session, block_on, start_server};
pub(crate) use gate::Gate;
pub(crate) use pooler::Pooler;
pub(crate) use proxy::{Action, Fault, Point, Proxy};
#[cfg(feature = "failpoints")]
pub(crate) use run::start_with;
#[allow(unused_imports, reason = "only examples have to name the program")]
pub(crate) use run::use_binary;
pub(crate) use run::{Output, Running, run, run_args, run_as, run_at, run_with, start, start_as, start_at};
