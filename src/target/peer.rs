//! Whose process listens at a Unix socket: `requirepeer`, as libpq checks it, before a password or anything else is sent.

use std::path::Path;

use super::refusal::Failure;
use super::settings::Peer;

/// Connects to the socket of the server at `port`, if the process that listens there is one of `peer`.
#[cfg(unix)]
pub(super) async fn connect(folder: &Path, port: u16, peer: &Peer) -> Result<tokio::net::UnixStream, Failure> {
    let socket = folder.join(format!(".s.PGSQL.{port}"));
    let stream = tokio::net::UnixStream::connect(&socket).await.map_err(Failure::NoSocket)?;
    let found = stream.peer_cred().map_err(Failure::NoSocket)?.uid();
    if found == peer.uid {
        return Ok(stream);
    }
    Err(Failure::Peer(format!(
        "the process at {} is of user number {found}, and requirepeer asks for {} (number {})",
        socket.display(),
        peer.user,
        peer.uid
    )))
}

/// Other systems do not tell whose process listens.
#[cfg(not(unix))]
pub(super) async fn connect(_: &Path, _: u16, _: &Peer) -> Result<tokio::net::TcpStream, Failure> {
    Err(Failure::Peer("requirepeer is not supported on this system".to_owned()))
}
