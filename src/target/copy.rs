//! COPY into the server and out of it, in a transaction.
//!
//! The protocol library prepares a COPY under a name. It is closed behind the COPY's last message, before anything else is
//! sent, and so within the transaction: on whichever connection a pooler gave that, nothing prepared stays behind.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::try_unfold;
use futures_util::{SinkExt, Stream, TryStreamExt};
use tokio_postgres::{CopyInSink, CopyOutStream};

use super::link::{Link, Phase};
use super::search_path::SearchPath;
use super::{Durability, Session};
use crate::error::{Error, ErrorKind, Result};

/// A running COPY into the server. Dropped before [`CopyIn::finish`] it fails on the server, which stores nothing.
pub(crate) struct CopyIn {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    link: Arc<Link>,
    sql: String,
    finished: bool,
}

/// A running COPY out of the server.
struct CopyOut {
    stream: Pin<Box<CopyOutStream>>,
    link: Arc<Link>,
    sql: String,
    /// Whether its transaction is its own, and ends with it.
    alone: bool,
    finished: bool,
}

impl Session {
    /// Starts `copy … from stdin` in the transaction that is open, with the session's own search path. Refused, it takes the connection with it.
    pub(crate) async fn copy_in(&self, sql: &str) -> Result<CopyIn> {
        let link = self.current();
        if link.phase() == Phase::Outside {
            return Err(Error::new(ErrorKind::Internal, "a COPY into the server outside of a transaction"));
        }
        match link.wait(sql, link.with_path(SearchPath::Own, link.client.copy_in(sql))).await {
            Ok(sink) => Ok(CopyIn { sink: Box::pin(sink), link, sql: sql.to_owned(), finished: false }),
            Err(error) => {
                // The protocol library ends a COPY that never began, and takes the server's answer to that for its answer to
                // what is asked next.
                link.abandon();
                Err(error)
            }
        }
    }

    /// Runs `copy … to stdout` and yields its messages: in binary format the header, then a row each, then the trailer.
    /// Outside of a transaction it has its own, which ends with the last message, or with the connection where the stream
    /// is dropped before.
    pub(crate) async fn copy_out(
        &self,
        sql: &str,
        path: SearchPath,
    ) -> Result<impl Stream<Item = Result<Bytes>> + use<>> {
        let alone = self.current().phase() == Phase::Outside;
        if alone {
            self.begin(Durability::Synchronous).await?;
        }
        let link = self.current();
        let stream = match link.wait(sql, link.with_path(path, link.client.copy_out(sql))).await {
            Ok(stream) => Box::pin(stream),
            Err(error) => {
                if alone {
                    self.end_failed().await;
                }
                return Err(error);
            }
        };
        let copy = CopyOut { stream, link, sql: sql.to_owned(), alone, finished: false };
        Ok(Box::pin(try_unfold(copy, CopyOut::next)))
    }
}

impl CopyIn {
    /// Sends bytes. Large buffers go to the socket uncopied.
    pub(crate) async fn send(&mut self, bytes: Bytes) -> Result<()> {
        let Self { sink, link, sql, .. } = self;
        let sent = async {
            match sink.feed(bytes).await {
                Ok(()) => Ok(()),
                Err(error) => Err(cause(sink.as_mut(), error).await),
            }
        };
        link.wait(sql, sent).await
    }

    /// Ends the COPY and checks that the server stored `rows` rows.
    pub(crate) async fn finish(mut self, rows: u64) -> Result<()> {
        self.finished = true;
        let stored = self.link.wait(&self.sql, self.sink.as_mut().finish()).await?;
        if stored == rows {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Target, format!("the server stored {stored} of {rows} rows"))
            .with_hint("a trigger that returns null drops rows; disable it for the load, or load into another table"))
    }
}

impl Drop for CopyIn {
    fn drop(&mut self) {
        if !self.finished {
            self.link.note_failure();
        }
    }
}

/// The next message of a COPY out of the server; `None` once it has ended well.
///
/// The server calls the data done before the statement is: what its triggers and constraints find at its end comes later. The
/// protocol library's stream ends with the data, and asked once more it answers with what came then: with the server's error,
/// or, where there is none, with its own, for it does not expect the word that the statement is complete.
async fn message(mut stream: Pin<&mut CopyOutStream>) -> Result<Option<Bytes>, tokio_postgres::Error> {
    if let Some(message) = stream.try_next().await? {
        return Ok(Some(message));
    }
    match stream.try_next().await {
        Err(error) if error.as_db_error().is_some() || error.is_closed() => Err(error),
        _ => Ok(None),
    }
}

/// The server's own reason, where it ended the COPY while bytes were still being sent.
async fn cause(sink: Pin<&mut CopyInSink<Bytes>>, error: tokio_postgres::Error) -> tokio_postgres::Error {
    match sink.finish().await {
        Err(cause) if cause.code().is_some() => cause,
        _ => error,
    }
}

impl CopyOut {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>> {
        let next = message(self.stream.as_mut());
        if let Some(message) = self.link.wait(&self.sql, next).await? {
            return Ok(Some((message, self)));
        }
        self.finished = true;
        if self.alone {
            self.link.end("commit").await?;
        }
        Ok(None)
    }
}

impl Drop for CopyOut {
    fn drop(&mut self) {
        if self.alone && !self.finished {
            self.link.abandon();
            self.link.enter(Phase::Outside);
        }
    }
}
