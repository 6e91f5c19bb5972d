//! How a server is reached: settings as libpq spells them, and what every connection of a run has in common.
//!
//! Hosts are tried in their order, each with all its addresses, and each address with the ways of encryption that
//! `sslmode` allows. A connection is not set up any further: what statements rely on comes with each transaction.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::{CancelToken, Client, Config, Connection, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::fault;
use super::peer;
use super::refusal::{Attempt, Failure, refuse};
use super::settings::{Endpoint, Host, Settings};
use super::tls::Mode;
use crate::error::Result;
use crate::model::{Event, Observer};

/// What the server shows sessions under, unless settings or the run name them.
const APPLICATION_NAME: &str = "pgbackfill";

/// How to reach a server. Neither `Debug` nor `Display` shows a password.
#[derive(Clone)]
pub struct ConnectSettings {
    settings: Settings,
    tls: Option<MakeRustlsConnect>,
    statement_timeout: Option<Duration>,
    application_name: Option<String>,
    run_name: Option<String>,
    observer: Option<Arc<dyn Observer>>,
}

/// A connection that was just made.
pub(super) struct Opened {
    pub(super) client: Client,
    /// The task that drives the connection, and ends with it.
    pub(super) driver: JoinHandle<Result<()>>,
    /// Whether the database's encoding is UTF-8, or is not told.
    pub(super) is_utf8: bool,
    /// The server's major version; 0 where it tells none.
    pub(super) version: u32,
    /// Host and port, or socket folder and port.
    pub(super) place: String,
}

/// One way to encrypt, or not, in one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    TlsIfOffered,
    Tls,
}

impl ConnectSettings {
    /// Resolves `target`: a `postgres://` URL, `keyword=value` words or the name of a database. Without one,
    /// `PGBACKFILL_TARGET` and `DATABASE_URL` are looked up in `env`; what is then still left out comes from libpq's
    /// `PG*` variables, the service file, the password file and libpq's defaults.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Settings`] if the settings are wrong, contradict each other, or ask for something that is
    /// not supported; if a certificate or key cannot be read.
    pub fn resolve(target: Option<&str>, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let settings = Settings::resolve(target, env)?;
        let over_tcp = settings.endpoints.iter().any(|endpoint| !matches!(endpoint.host, Host::Socket(_)));
        let encrypts = over_tcp && settings.tls.mode != Mode::Disable;
        let tls = encrypts.then(|| settings.tls.connector()).transpose()?;
        if let Some(why) = &settings.passfile_refusal {
            tracing::warn!("{why}");
        }
        Ok(Self { settings, tls, statement_timeout: None, application_name: None, run_name: None, observer: None })
    }

    /// [`ConnectSettings::resolve`] with nothing but this process's environment.
    ///
    /// # Errors
    ///
    /// As [`ConnectSettings::resolve`].
    pub fn from_environment() -> Result<Self> {
        Self::resolve(None, &|name| std::env::var(name).ok())
    }

    /// Limits how long the server may take to answer one statement, or to take one block of a COPY; `None`, which is the
    /// default, waits for ever. A connection that does not answer in time is closed.
    #[must_use]
    pub fn with_statement_timeout(mut self, limit: Option<Duration>) -> Self {
        self.statement_timeout = limit;
        self
    }

    /// Limits the same to `limit`, where it is not limited to less.
    #[must_use]
    pub(crate) fn with_statements_within(self, limit: Duration) -> Self {
        let within = self.statement_timeout.map_or(limit, |own| own.min(limit));
        self.with_statement_timeout(Some(within))
    }

    /// Names the sessions in `pg_stat_activity`, where the settings name none; the server keeps 63 bytes of it.
    #[must_use]
    pub fn with_application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = Some(name.into());
        self
    }

    /// Names the transactions of a run, whatever the settings name their sessions: by this name another run finds what one that
    /// is over has left in its way.
    #[must_use]
    pub(crate) fn with_run_name(mut self, name: String) -> Self {
        self.run_name = Some(name);
        self
    }

    /// Tells `observer` what sessions wait for, as [`Event::Waiting`], when a wait lasts longer than some seconds.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    pub(super) fn statement_timeout(&self) -> Option<Duration> {
        self.statement_timeout
    }

    /// What the server is to show sessions under, unless the settings have another name.
    pub(super) fn session_name(&self) -> &str {
        self.run_name.as_deref().or(self.application_name.as_deref()).unwrap_or(APPLICATION_NAME)
    }

    /// What the server is to show each transaction under: a pooler may have its connections under another name.
    pub(super) fn transaction_name(&self) -> Option<&str> {
        let named = self.settings.application_name.is_some() || self.settings.fallback_application_name.is_some();
        self.run_name.as_deref().or(self.application_name.as_deref().filter(|_| !named))
    }

    /// Whether only a server that takes writes will do, of those that are listed.
    pub(super) fn wants_read_write(&self) -> bool {
        self.settings.read_write
    }

    pub(super) fn is_observed(&self) -> bool {
        self.observer.is_some()
    }

    pub(super) fn observe(&self, event: &Event) {
        if let Some(observer) = &self.observer {
            observer.observe(event);
        }
    }

    /// User, places and database, such as `postgres@/run/postgresql:5432/metrics`; nothing secret.
    #[must_use]
    pub fn describe(&self) -> String {
        let places: Vec<_> = self.settings.endpoints.iter().map(ToString::to_string).collect();
        format!("{}@{}/{}", self.settings.user, places.join(","), self.settings.database)
    }

    /// Connects. The server shows the session under `application_name`, unless the settings have another name. The
    /// connection is driven by a task of its own, which ends when the client is dropped.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Permission`] if the server refuses the role, [`crate::ErrorKind::Settings`] if TLS cannot
    /// be agreed on, else [`crate::ErrorKind::Connection`]; the message names what was tried.
    pub(super) async fn connect(&self, application_name: &str) -> Result<Opened> {
        let mut attempts = Vec::new();
        for endpoint in &self.settings.endpoints {
            if let Some(session) = self.try_endpoint(endpoint, application_name, &mut attempts).await {
                return Ok(session);
            }
            if attempts.last().is_some_and(|attempt| attempt.failure.is_final()) {
                break;
            }
        }
        Err(refuse(&self.settings, &attempts))
    }

    /// Asks the server to cancel what the session of `token` is doing.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached.
    pub async fn cancel(&self, token: &CancelToken) -> Result<()> {
        if let Some(peer) = &self.settings.peer {
            for endpoint in &self.settings.endpoints {
                if let Host::Socket(folder) = &endpoint.host {
                    let Ok(stream) = peer::connect(folder, endpoint.port, peer).await else { continue };
                    return token.cancel_query_raw(stream, NoTls).await.map_err(fault);
                }
            }
        }
        let outcome = match &self.tls {
            Some(tls) => token.cancel_query(tls.clone()).await,
            None => token.cancel_query(NoTls).await,
        };
        outcome.map_err(fault)
    }

    /// Tries every address of one host; notes each failure.
    async fn try_endpoint(&self, endpoint: &Endpoint, name: &str, attempts: &mut Vec<Attempt>) -> Option<Opened> {
        let addresses = match addresses(endpoint, self.settings.connect_timeout).await {
            Ok(addresses) => addresses,
            Err(failure) => {
                attempts.push(Attempt { place: endpoint.to_string(), failure });
                return None;
            }
        };
        for address in addresses {
            for way in self.ways(endpoint) {
                let config = self.config(endpoint, address, *way, name);
                match self.open_in_time(config, *way, endpoint).await {
                    Ok(session) => return Some(session),
                    Err(failure) => {
                        let (is_final, other_way_helps) = (failure.is_final(), failure.other_encryption_may_help());
                        attempts.push(Attempt { place: endpoint.to_string(), failure });
                        if !other_way_helps && is_final {
                            return None;
                        }
                        if !other_way_helps {
                            break;
                        }
                    }
                }
            }
        }
        None
    }

    /// The ways of encryption to try, in their order.
    fn ways(&self, endpoint: &Endpoint) -> &'static [Way] {
        if matches!(endpoint.host, Host::Socket(_)) {
            return &[Way::Plain];
        }
        match self.settings.tls.mode {
            Mode::Disable => &[Way::Plain],
            Mode::Allow => &[Way::Plain, Way::Tls],
            Mode::Prefer => &[Way::TlsIfOffered, Way::Plain],
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => &[Way::Tls],
        }
    }

    fn config(&self, endpoint: &Endpoint, address: Option<IpAddr>, way: Way, name: &str) -> Config {
        let settings = &self.settings;
        let mut config = Config::new();
        match &endpoint.host {
            Host::Socket(folder) => config.host_path(folder),
            Host::Name(name) | Host::Address(_, name) => config.host(name),
        };
        if let Some(address) = address {
            config.hostaddr(address);
        }
        config.port(endpoint.port).user(&settings.user).dbname(&settings.database);
        if let Some(password) = &endpoint.password {
            config.password(&password.0);
        }
        if let Some(options) = &settings.options {
            config.options(options);
        }
        let fallback = settings.fallback_application_name.as_deref().unwrap_or(name);
        config.application_name(settings.application_name.as_deref().unwrap_or(fallback));
        self.set_transport(&mut config, way);
        config
    }

    fn set_transport(&self, config: &mut Config, way: Way) {
        let settings = &self.settings;
        config.ssl_mode(match way {
            Way::Plain => SslMode::Disable,
            Way::TlsIfOffered => SslMode::Prefer,
            Way::Tls => SslMode::Require,
        });
        if settings.tls.direct {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        config.channel_binding(settings.channel_binding);
        if settings.read_write {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.keepalives(settings.keepalive.is_some());
        if let Some(keepalive) = settings.keepalive {
            config.keepalives_idle(keepalive.idle);
            config.keepalives_interval(keepalive.interval).keepalives_retries(keepalive.tries);
        }
        if let Some(timeout) = settings.tcp_user_timeout {
            config.tcp_user_timeout(timeout);
        }
    }

    /// Connects and logs in within the time for one address.
    async fn open_in_time(&self, config: Config, way: Way, endpoint: &Endpoint) -> Result<Opened, Failure> {
        let place = endpoint.to_string();
        let open = async {
            if let (Host::Socket(folder), Some(peer)) = (&endpoint.host, &self.settings.peer) {
                return self.open_of_peer(&config, peer::connect(folder, endpoint.port, peer).await?, place).await;
            }
            let opened = match self.tls.as_ref().filter(|_| way != Way::Plain) {
                Some(tls) => config.connect(tls.clone()).await.map(|made| drive(made, place)),
                None => config.connect(NoTls).await.map(|made| drive(made, place)),
            };
            opened.map_err(Failure::Refused)
        };
        in_time(self.settings.connect_timeout, open).await?
    }

    /// Logs in over a socket whose peer was checked. Whether the server takes writes the protocol library asks only over
    /// connections that it opens itself.
    async fn open_of_peer<S>(&self, config: &Config, stream: S, place: String) -> Result<Opened, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let opened = drive(config.connect_raw(stream, NoTls).await.map_err(Failure::Refused)?, place);
        if !self.settings.read_write {
            return Ok(opened);
        }
        let answer = opened.client.simple_query("show transaction_read_only").await.map_err(Failure::Refused)?;
        let is_off =
            |message: &SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("off"));
        if answer.iter().any(is_off) { Ok(opened) } else { Err(Failure::ReadOnly) }
    }
}

/// Hands the connection to a task of its own.
fn drive<S, T>((client, connection): (Client, Connection<S, T>), place: String) -> Opened
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let version = connection.parameter("server_version").map_or(0, major);
    let is_utf8 = connection.parameter("server_encoding").is_none_or(|encoding| encoding == "UTF8");
    Opened { client, driver: tokio::spawn(async move { connection.await.map_err(fault) }), is_utf8, version, place }
}

/// The first number of a version such as `15.18 (Debian 15.18-0+deb12u1)` or `17beta1`.
fn major(version: &str) -> u32 {
    version.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

async fn in_time<F: Future>(timeout: Option<Duration>, work: F) -> Result<F::Output, Failure> {
    match timeout {
        Some(timeout) => tokio::time::timeout(timeout, work).await.map_err(|_| Failure::TimedOut(timeout)),
        None => Ok(work.await),
    }
}

/// The addresses of a host, in the order of the system's resolver; a single `None` for a socket.
async fn addresses(endpoint: &Endpoint, timeout: Option<Duration>) -> Result<Vec<Option<IpAddr>>, Failure> {
    let name = match &endpoint.host {
        Host::Socket(_) => return Ok(vec![None]),
        Host::Address(address, _) => return Ok(vec![Some(*address)]),
        Host::Name(name) => name,
    };
    let found = in_time(timeout, tokio::net::lookup_host((name.as_str(), endpoint.port))).await?;
    let mut addresses: Vec<_> = found.map_err(Failure::Unresolved)?.map(|address| Some(address.ip())).collect();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(Failure::Unresolved(std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address")));
    }
    Ok(addresses)
}

impl fmt::Display for ConnectSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl fmt::Debug for ConnectSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectSettings").field(&self.describe()).finish()
    }
}

#[cfg(test)]
#[path = "connect_tests.rs"]
pub(super) mod tests;
