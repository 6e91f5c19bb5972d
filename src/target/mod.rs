//! The server: how it is reached, what its catalog says of the table, and how rows are put in and taken out.

mod catalog;
mod connect;
mod conninfo;
mod copy;
mod deadline;
mod fault;
mod keywords;
mod link;
mod parameter;
mod passfile;
mod privileges;
mod refusal;
mod search_path;
mod service;
mod session;
mod settings;
mod tls;
mod transaction;
pub(crate) mod tuples;
mod waiting;
mod writable;
mod zone;

pub use catalog::describe;
pub(crate) use catalog::{shape, uniqueness};
pub use connect::ConnectSettings;
pub(crate) use copy::CopyIn;
pub(crate) use deadline::CANCEL_TIMEOUT;
pub(crate) use fault::fault;
pub(crate) use parameter::Parameter;
pub(crate) use privileges::{Lacking, Needs, of_hidden_table};
pub(crate) use search_path::SearchPath;
pub use session::Session;
pub(crate) use session::xid_array;
pub(crate) use transaction::Durability;
pub use zone::{major_version, zone_of_server};
