//! What passes through the proxy: whole messages of the server's protocol, and the points of a load that they stand for.
//!
//! A message is known by its type and by the first word of its statement or tag, never by its exact bytes: how the loader
//! sends its statements is its own affair.

use std::io;
use std::pin::Pin;

use tokio::io::AsyncWrite;
use tokio::net::{TcpStream, UnixStream};

/// A moment of a load that a fault can strike at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// The client begins a transaction.
    Begin,
    /// The client asks for a COPY.
    Copy,
    /// The client sends rows.
    CopyData,
    /// The client has sent all rows.
    CopyDone,
    /// The client commits.
    Commit,
    /// The server has begun a transaction.
    BeginReply,
    /// The server has stored the rows of a COPY.
    CopyReply,
    /// The server has committed.
    CommitReply,
    /// The server waits for the next statement.
    Ready,
}

impl Point {
    pub(crate) const ALL: [Self; 9] = [
        Self::Begin,
        Self::Copy,
        Self::CopyData,
        Self::CopyDone,
        Self::Commit,
        Self::BeginReply,
        Self::CopyReply,
        Self::CommitReply,
        Self::Ready,
    ];
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// The point that a message stands for, if it stands for one.
pub(super) fn point_of(from: Side, message: &[u8]) -> Option<Point> {
    let body = message.get(5..)?;
    match (from, message[0]) {
        (Side::Client, b'Q') => statement(body),
        // Parse: the statement's name, then its text.
        (Side::Client, b'P') => statement(body.splitn(2, |byte| *byte == 0).nth(1)?),
        (Side::Client, b'd') => Some(Point::CopyData),
        (Side::Client, b'c') => Some(Point::CopyDone),
        (Side::Server, b'C') => tag(body),
        (Side::Server, b'Z') => Some(Point::Ready),
        _ => None,
    }
}

fn statement(text: &[u8]) -> Option<Point> {
    [("begin", Point::Begin), ("copy", Point::Copy), ("commit", Point::Commit)]
        .into_iter()
        .find_map(|(word, point)| text.trim_ascii_start().starts_with(word.as_bytes()).then_some(point))
}

fn tag(text: &[u8]) -> Option<Point> {
    [("BEGIN", Point::BeginReply), ("COPY", Point::CopyReply), ("COMMIT", Point::CommitReply)]
        .into_iter()
        .find_map(|(word, point)| text.starts_with(word.as_bytes()).then_some(point))
}

/// One end of a connection.
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            Self::Unix(stream) => stream.readable().await,
        }
    }

    fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(into),
            Self::Unix(stream) => stream.try_read(into),
        }
    }

    async fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.writable().await.and_then(|()| stream.try_write(bytes)),
            Self::Unix(stream) => stream.writable().await.and_then(|()| stream.try_write(bytes)),
        }
    }

    /// Writes all of `bytes`.
    pub(super) async fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_some(bytes).await {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says that nothing more will be sent.
    pub(super) async fn shut(&mut self) {
        // A peer that is gone has no use for it.
        let _ = std::future::poll_fn(|cx| match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        })
        .await;
    }

    /// Makes its close a reset. Over a Unix socket there is none, and a close it is.
    pub(super) fn reset_when_closed(&self) {
        if let Self::Tcp(stream) = self {
            stream.set_zero_linger().expect("an open socket takes the option");
        }
    }
}

/// One side of a connection, with what was read of its next message.
pub(super) struct Peer {
    pub(super) socket: Socket,
    buffer: Vec<u8>,
    /// Messages have a type, which all have but a client's first.
    typed: bool,
}

/// Bytes taken from a socket at once.
const READ_BYTES: usize = 64 << 10;

impl Peer {
    pub(super) fn client(stream: TcpStream) -> Self {
        Self { socket: Socket::Tcp(stream), buffer: Vec::new(), typed: false }
    }

    pub(super) fn server(stream: UnixStream) -> Self {
        Self { socket: Socket::Unix(stream), buffer: Vec::new(), typed: true }
    }

    /// A client's first message after its requests for encryption, which are refused.
    pub(super) async fn greeting(&mut self) -> Option<Vec<u8>> {
        loop {
            let message = self.next().await?;
            // 1234.5679 asks for TLS, 1234.5680 for GSS.
            if !matches!(message.get(4..8)?, [4, 210, 22, 47 | 48]) {
                self.typed = true;
                return Some(message);
            }
            self.socket.send(b"N").await.ok()?;
        }
    }

    /// The next whole message; `None` at the end. May be dropped while it waits: what was read stays.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(length) = self.length().filter(|length| self.buffer.len() >= *length) {
                let rest = self.buffer.split_off(length);
                return Some(std::mem::replace(&mut self.buffer, rest));
            }
            self.socket.readable().await.ok()?;
            let filled = self.buffer.len();
            self.buffer.resize(filled + READ_BYTES, 0);
            let read = self.socket.try_read(&mut self.buffer[filled..]);
            self.buffer.truncate(filled + read.as_ref().map_or(0, |read| *read));
            match read {
                Ok(0) => return None,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return None,
                _ => {}
            }
        }
    }

    /// Length of the message at the front of the buffer, as far as it is known.
    fn length(&self) -> Option<usize> {
        let kind = usize::from(self.typed);
        let length = self.buffer.get(kind..kind + 4)?.try_into().expect("four bytes were taken");
        Some(kind + usize::try_from(u32::from_be_bytes(length)).expect("a usize holds 32 bits"))
    }
}
