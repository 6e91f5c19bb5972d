//! The words of the design as types; plain values that every other module speaks in.

mod block;
mod conflicts;
pub mod datetime;
mod event;
mod key;
mod mending;
mod object;
mod piece;
mod reject;
mod repeated;
mod rows;
mod window;
mod zone;

pub use block::{Block, RowHash};
pub use conflicts::Conflicts;
pub use event::{Event, Observer, Progress, Summary};
pub use key::{KeyKind, KeySpan, TimeKey};
pub use mending::{Mended, Ragged, RepeatedHeader, StrayQuotes};
pub use object::{FileIdentity, Format, Object};
pub use piece::{Extent, Piece, SourceRows};
pub use reject::{RawRecord, Reject, RejectCount};
pub use repeated::Repeated;
pub use rows::{Origin, OriginText, RowFault, Rows};
pub use window::Window;
pub use zone::Zone;
