//! A proxy between a loader and its server, which fails on purpose at exact points of what they say to each other.
//!
//! It listens on loopback and speaks to the server over its Unix socket. Each connection is one task that owns both sockets,
//! and forwards whole messages, one after the other; so whatever a fault does to them is done at a message's border, or
//! where it says in a message's middle.

mod wire;

use std::net::TcpListener as StdListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

use super::Database;
use super::database::runtime;
pub(crate) use wire::Point;
use wire::{Peer, Side, point_of};

/// What happens to a connection when one of its messages is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The message comes late.
    Delay(Duration),
    /// The message does not come: both sides are closed.
    Cut,
    /// Half of the message comes, then both sides are closed.
    Tear,
    /// The message does not come: the client's side is reset, the server's closed.
    Reset,
    /// The speaker is heard no more, but still hears.
    HalfClose,
    /// From now on, so many bytes a second.
    Throttle(u32),
    /// Nothing comes through for so long, in neither direction and with no word of it; then both sides are closed.
    BlackHole(Duration),
    /// The message does not come and the client is cut off, while the server's side lives on for a while: what the server
    /// was told to do, it does.
    Lose,
    /// The client is cut off, and the message comes so much later all the same: it was under way.
    Late(Duration),
}

/// How long the server's side of a connection lives on after the client's was lost.
const LIVES_ON: Duration = Duration::from_millis(300);

/// A proxy; ends with its owner.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    calm: watch::Sender<bool>,
}

/// A fault that waits for its moment, or has had it.
#[derive(Debug, Clone)]
pub(crate) struct Fault(Arc<AtomicBool>);

struct Shared {
    socket: PathBuf,
    armed: Mutex<Vec<Armed>>,
    /// Whether faults are over; closed with the proxy.
    calm: watch::Receiver<bool>,
}

struct Armed {
    point: Point,
    left: u32,
    action: Action,
    struck: Arc<AtomicBool>,
}

impl Fault {
    /// Whether it struck.
    pub(crate) fn has_struck(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Proxy {
    /// A proxy to the server of `database`.
    pub(crate) fn start(database: &Database) -> Self {
        let (folder, port) = database.address();
        let socket = PathBuf::from(folder).join(format!(".s.PGSQL.{port}"));
        let listener = StdListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a listener can be polled");
        let port = listener.local_addr().expect("it is bound").port();
        let (calm, calm_seen) = watch::channel(false);
        let shared = Arc::new(Shared { socket, armed: Mutex::default(), calm: calm_seen });
        runtime().spawn(accept(listener, Arc::clone(&shared)));
        Self { shared, port, calm }
    }

    /// What `--target` takes to go through the proxy.
    pub(crate) fn url(&self, database: &Database) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{}?sslmode=disable", self.port, database.name())
    }

    /// Sets a fault up for the `nth` message from now on, counted from 1, that stands for `point`, on any connection.
    pub(crate) fn arm(&self, point: Point, nth: u32, action: Action) -> Fault {
        let struck = Arc::new(AtomicBool::new(false));
        let armed = Armed { point, left: nth, action, struck: Arc::clone(&struck) };
        self.shared.armed.lock().expect("no thread panics with it").push(armed);
        Fault(struck)
    }

    /// Ends faults: those set up strike no more, throttles are lifted, and what hangs is closed.
    pub(crate) fn calm(&self) {
        self.shared.armed.lock().expect("no thread panics with it").clear();
        self.calm.send_replace(true);
    }
}

impl Shared {
    /// What a message's point, if it has one, brings upon it.
    fn strike(&self, from: Side, message: &[u8]) -> Option<Action> {
        let point = point_of(from, message)?;
        let mut armed = self.armed.lock().expect("no thread panics with it");
        armed
            .iter_mut()
            .filter(|fault| fault.point == point)
            .for_each(|fault| fault.left = fault.left.saturating_sub(1));
        let due = armed.iter().position(|fault| fault.left == 0)?;
        let fault = armed.remove(due);
        fault.struck.store(true, Ordering::SeqCst);
        Some(fault.action)
    }

    /// Waits for `time`, or until faults are over.
    async fn wait(&self, time: Duration) {
        let mut calm = self.calm.clone();
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = calm.wait_for(|calm| *calm) => {}
        }
    }

    fn is_calm(&self) -> bool {
        *self.calm.borrow()
    }
}

/// Takes connections until the proxy is dropped.
async fn accept(listener: StdListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).expect("the runtime polls sockets");
    let mut calm = shared.calm.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = dropped(&mut calm) => return,
        };
        if let Ok((stream, _)) = accepted {
            tokio::spawn(connect(stream, Arc::clone(&shared)));
        }
    }
}

/// Ends when the proxy is dropped.
async fn dropped(calm: &mut watch::Receiver<bool>) {
    while calm.changed().await.is_ok() {}
}

/// Carries one connection. A server that is not there is a connection that closes at once.
async fn connect(stream: TcpStream, shared: Arc<Shared>) {
    // Messages are forwarded one by one: held back until the last was acknowledged, each would take 40 ms.
    stream.set_nodelay(true).expect("an open socket takes the option");
    let mut client = Peer::client(stream);
    let Some(greeting) = client.greeting().await else { return };
    let Ok(stream) = UnixStream::connect(&shared.socket).await else { return };
    let server = Peer::server(stream);
    if server.socket.send(&greeting).await.is_ok() {
        let mut calm = shared.calm.clone();
        tokio::select! {
            () = Link { client, server, shared, rate: None, deaf_to: None }.relay() => {}
            () = dropped(&mut calm) => {}
        }
    }
}

/// A connection through the proxy.
struct Link {
    client: Peer,
    server: Peer,
    shared: Arc<Shared>,
    /// Bytes a second.
    rate: Option<u32>,
    /// Who is heard no more.
    deaf_to: Option<Side>,
}

impl Link {
    /// Forwards messages until either side closes, which closes the other.
    ///
    /// While a message is written, none is read: each side answers little to much, so neither can block the other.
    async fn relay(mut self) {
        loop {
            let (from, message) = tokio::select! {
                message = self.client.next() => (Side::Client, message),
                message = self.server.next() => (Side::Server, message),
            };
            let Some(message) = message else { return };
            if self.deaf_to == Some(from) {
                continue;
            }
            let goes_on = match self.shared.strike(from, &message) {
                None => self.forward(from, &message).await,
                Some(action) => self.act(action, from, &message).await,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Whether the connection goes on.
    async fn forward(&mut self, from: Side, message: &[u8]) -> bool {
        if let Some(rate) = self.rate.filter(|_| !self.shared.is_calm()) {
            let length = u32::try_from(message.len()).expect("messages are shorter than 4 GiB");
            self.shared.wait(Duration::from_secs(1) * length / rate).await;
        }
        self.listener(from).socket.send(message).await.is_ok()
    }

    /// Does a fault to a message. Whether the connection goes on.
    async fn act(&mut self, action: Action, from: Side, message: &[u8]) -> bool {
        match action {
            Action::Delay(time) => self.shared.wait(time).await,
            Action::Throttle(rate) => self.rate = Some(rate),
            Action::HalfClose => {
                self.deaf_to = Some(from);
                self.listener(from).socket.shut().await;
                return true;
            }
            Action::Cut => return false,
            Action::Reset => {
                self.client.socket.reset_when_closed();
                return false;
            }
            Action::Tear => {
                let _ = self.listener(from).socket.send(&message[..message.len() / 2]).await;
                return false;
            }
            Action::BlackHole(time) => {
                self.shared.wait(time).await;
                return false;
            }
            Action::Lose => {
                self.client.socket.shut().await;
                self.outlive_client().await;
                return false;
            }
            Action::Late(time) => {
                self.client.socket.shut().await;
                self.shared.wait(time).await;
                if self.forward(from, message).await {
                    self.outlive_client().await;
                }
                return false;
            }
        }
        self.forward(from, message).await
    }

    /// Hears the server out, and keeps its side open for a while. The client hears nothing of it.
    async fn outlive_client(&mut self) {
        let hear_out = async { while self.server.next().await.is_some() {} };
        let _ = tokio::time::timeout(LIVES_ON, hear_out).await;
    }

    fn listener(&mut self, from: Side) -> &mut Peer {
        match from {
            Side::Client => &mut self.server,
            Side::Server => &mut self.client,
        }
    }
}
