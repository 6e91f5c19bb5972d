//! COPY into the server and out of it.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{SinkExt, Stream, StreamExt, TryStreamExt};
use tokio_postgres::CopyInSink;

use super::{Session, fault};
use crate::error::{Error, ErrorKind, Result};

/// A running COPY into the server. Dropped before [`CopyIn::finish`] it fails on the server, which stores nothing.
pub(crate) struct CopyIn {
    sink: Pin<Box<CopyInSink<Bytes>>>,
}

impl Session {
    /// Starts `copy … from stdin`.
    pub(crate) async fn copy_in(&self, sql: &str) -> Result<CopyIn> {
        let sink = self.client.copy_in(sql).await.map_err(fault)?;
        Ok(CopyIn { sink: Box::pin(sink) })
    }

    /// Runs `copy … to stdout` and yields its messages: in binary format the header, then a row each, then the trailer.
    pub(crate) async fn copy_out(&self, sql: &str) -> Result<impl Stream<Item = Result<Bytes>> + use<>> {
        let stream = self.client.copy_out(sql).await.map_err(fault)?;
        Ok(Box::pin(stream).map_err(fault).into_stream().fuse())
    }
}

impl CopyIn {
    /// Sends bytes. Large buffers go to the socket uncopied.
    pub(crate) async fn send(&mut self, bytes: Bytes) -> Result<()> {
        if let Err(error) = self.sink.feed(bytes).await {
            return Err(self.cause(error).await);
        }
        Ok(())
    }

    /// Ends the COPY and checks that the server stored `rows` rows.
    pub(crate) async fn finish(mut self, rows: u64) -> Result<()> {
        let stored = self.sink.as_mut().finish().await.map_err(fault)?;
        if stored == rows {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Target, format!("the server stored {stored} of {rows} rows"))
            .with_hint("a trigger that returns null drops rows; disable it for the load, or load into another table"))
    }

    /// The server's own reason, where it ended the COPY while bytes were still being sent.
    async fn cause(&mut self, error: tokio_postgres::Error) -> Error {
        match self.sink.as_mut().finish().await {
            Err(cause) if cause.code().is_some() => fault(cause),
            _ => fault(error),
        }
    }
}
