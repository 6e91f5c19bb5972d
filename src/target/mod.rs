//! The server: how it is reached, what its catalog says of the table, and how rows are put in and taken out.

mod catalog;
mod connect;
mod conninfo;
mod copy;
mod fault;
mod keywords;
mod passfile;
mod refusal;
mod service;
mod session;
mod settings;
mod tls;

pub use catalog::describe;
pub use connect::ConnectSettings;
pub(crate) use copy::CopyIn;
pub(crate) use fault::fault;
pub use session::Session;
pub(crate) use session::{Durability, xid_array};
