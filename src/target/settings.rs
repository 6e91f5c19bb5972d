//! Connection settings, resolved to plain values with libpq's defaults.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use super::keywords::{Environment, Layers, fault};
use super::passfile::{Passfile, Wanted};
use super::tls::{Mode, Roots, TlsSettings};
use crate::error::{Error, Result};

/// Connection settings as plain values.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// In the order in which they are tried; never empty.
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) options: Option<String>,
    pub(super) application_name: Option<String>,
    pub(super) fallback_application_name: Option<String>,
    /// For each address; `None` waits for ever.
    pub(super) connect_timeout: Option<Duration>,
    pub(super) keepalive: Option<Keepalive>,
    pub(super) tcp_user_timeout: Option<Duration>,
    pub(super) tls: TlsSettings,
    pub(super) channel_binding: tokio_postgres::config::ChannelBinding,
    /// Whether only a server that takes writes will do.
    pub(super) read_write: bool,
    /// Why the password file was not used, if it is there.
    pub(super) passfile_refusal: Option<String>,
    /// Whose process must listen at a socket.
    pub(super) peer: Option<Peer>,
}

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) user: String,
    pub(super) uid: u32,
}

/// Where one server may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) password: Option<Secret>,
}

/// How one server is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// A folder with the server's Unix socket.
    Socket(PathBuf),
    /// A name to look up, or an address as text.
    Name(String),
    /// An address, and the name that the server's certificate bears.
    Address(IpAddr, String),
}

/// When TCP asks whether the server is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keepalive {
    pub(super) idle: Duration,
    pub(super) interval: Duration,
    pub(super) tries: u32,
}

/// A text that no output shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Socket(folder) => write!(f, "{}:{}", folder.display(), self.port),
            Host::Name(name) | Host::Address(_, name) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Host::Name(name) | Host::Address(_, name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// A server that does not answer within this is taken for gone: an unreachable host otherwise hangs for minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A dead peer is found within a minute, well inside a lease.
const KEEPALIVE: Keepalive = Keepalive { idle: Duration::from_secs(30), interval: Duration::from_secs(10), tries: 3 };

/// Keepalive is silent while data is under way, and Linux sends that again for a quarter of an hour.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(60);

const PORT: u16 = 5432;

/// Where libpq looks for a socket when no host is given: it has one folder, and packages for Linux set it. In another folder,
/// such as /tmp, anybody may listen.
const SOCKET_FOLDER: &str = if cfg!(target_os = "linux") { "/var/run/postgresql" } else { "/tmp" };

static ONLY_TLS12: [&SupportedProtocolVersion; 1] = [&TLS12];
static ONLY_TLS13: [&SupportedProtocolVersion; 1] = [&TLS13];

impl Settings {
    /// Resolves what `target` says, completed from `environment`.
    pub(super) fn resolve(target: Option<&str>, environment: Environment<'_>) -> Result<Self> {
        let text = |name| environment(name).filter(|text| !text.is_empty());
        let target = target.map(str::to_owned).or_else(|| text("PGBACKFILL_TARGET")).or_else(|| text("DATABASE_URL"));
        let layers = Layers::new(target.as_deref(), environment)?;
        let user = layers.get("user").or_else(operating_system_user).ok_or_else(no_user)?;
        let database = layers.get("dbname").unwrap_or_else(|| user.clone());
        let passfile = layers.passfile();
        let mut endpoints = layers.endpoints()?;
        for endpoint in &mut endpoints {
            let wanted =
                Wanted { host: endpoint.passfile_host(), port: endpoint.port, database: &database, user: &user };
            endpoint.password = layers.get("password").or_else(|| passfile.find(wanted)).map(Secret);
        }
        Ok(Self {
            endpoints,
            user,
            database,
            options: layers.get("options"),
            application_name: layers.get("application_name"),
            fallback_application_name: layers.get("fallback_application_name"),
            connect_timeout: layers.connect_timeout()?,
            keepalive: layers.keepalive()?,
            tcp_user_timeout: layers.tcp_user_timeout()?,
            tls: layers.tls()?,
            channel_binding: layers.channel_binding()?,
            read_write: layers.read_write()?,
            peer: layers.peer()?,
            passfile_refusal: match passfile {
                Passfile::Refused(why) => Some(why),
                Passfile::Missing | Passfile::Text(_) => None,
            },
        })
    }
}

impl Endpoint {
    /// What a line of the password file calls this host.
    fn passfile_host(&self) -> &str {
        match &self.host {
            Host::Socket(folder) if folder == Path::new(SOCKET_FOLDER) => "localhost",
            Host::Socket(folder) => folder.to_str().unwrap_or_default(),
            Host::Name(name) | Host::Address(_, name) => name,
        }
    }
}

impl Layers<'_> {
    fn passfile(&self) -> Passfile {
        let path = self.get("passfile").map(PathBuf::from).or_else(|| self.home(".pgpass"));
        path.map_or(Passfile::Missing, |path| Passfile::read(&path))
    }

    /// The lists of hosts, addresses and ports, side by side.
    fn endpoints(&self) -> Result<Vec<Endpoint>> {
        let list = |keyword| -> Vec<String> {
            self.get(keyword)
                .map(|text| text.split(',').map(|item| item.trim().to_owned()).collect())
                .unwrap_or_default()
        };
        let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
        let count = hosts.len().max(addresses.len()).max(1);
        let fits = |length: usize| length == 0 || length == count;
        if !fits(hosts.len()) || !fits(addresses.len()) || (!fits(ports.len()) && ports.len() != 1) {
            return Err(fault("host, hostaddr and port list different numbers of servers"));
        }
        let item = |list: &[String], at: usize| list.get(at).filter(|item| !item.is_empty()).cloned();
        let endpoint = |at| -> Result<Endpoint> {
            let port = item(&ports, if ports.len() == 1 { 0 } else { at });
            let port = port.map_or(Ok(PORT), |text| {
                text.parse().map_err(|_| fault("a port of the target is not a port number"))
            })?;
            Ok(Endpoint { host: host(item(&hosts, at), item(&addresses, at))?, port, password: None })
        };
        (0..count).map(endpoint).collect()
    }

    fn connect_timeout(&self) -> Result<Option<Duration>> {
        Ok(match self.number::<i64>("connect_timeout")? {
            None => Some(CONNECT_TIMEOUT),
            // libpq waits for ever on zero and less.
            Some(seconds) => u64::try_from(seconds).ok().filter(|&it| it > 0).map(Duration::from_secs),
        })
    }

    fn tcp_user_timeout(&self) -> Result<Option<Duration>> {
        Ok(match self.number("tcp_user_timeout")? {
            None => Some(TCP_USER_TIMEOUT),
            // The system's own, as in libpq.
            Some(0) => None,
            Some(milliseconds) => Some(Duration::from_millis(milliseconds)),
        })
    }

    fn keepalive(&self) -> Result<Option<Keepalive>> {
        if self.number::<u32>("keepalives")? == Some(0) {
            return Ok(None);
        }
        let seconds = |keyword, default| -> Result<Duration> {
            Ok(self.number::<u64>(keyword)?.filter(|&it| it > 0).map_or(default, Duration::from_secs))
        };
        Ok(Some(Keepalive {
            idle: seconds("keepalives_idle", KEEPALIVE.idle)?,
            interval: seconds("keepalives_interval", KEEPALIVE.interval)?,
            tries: self.number("keepalives_count")?.filter(|&it| it > 0).unwrap_or(KEEPALIVE.tries),
        }))
    }

    fn tls(&self) -> Result<TlsSettings> {
        let roots = match self.get("sslrootcert") {
            Some(word) if word == "system" => Roots::System,
            Some(file) => Roots::File(PathBuf::from(file)),
            None => self.home(".postgresql/root.crt").filter(|file| file.exists()).map_or(Roots::None, Roots::File),
        };
        let mode = match self.get("sslmode") {
            Some(text) => {
                Mode::parse(&text).ok_or_else(|| fault(format!("sslmode is one of {}, not '{text}'", Mode::NAMES)))?
            }
            None if roots == Roots::System => Mode::VerifyFull,
            None => Mode::Prefer,
        };
        if roots == Roots::System && mode != Mode::VerifyFull {
            return Err(fault(
                "sslrootcert=system asks for sslmode=verify-full: anybody may have a certificate of those",
            ));
        }
        let direct = match self.get("sslnegotiation").as_deref() {
            None | Some("postgres") => false,
            Some("direct") if mode >= Mode::Require => true,
            Some("direct") => return Err(fault("sslnegotiation=direct asks for sslmode=require or stronger")),
            Some(_) => return Err(fault("sslnegotiation is one of postgres and direct")),
        };
        Ok(TlsSettings { mode, roots, identity: self.identity(), versions: self.tls_versions()?, direct })
    }

    /// This client's certificate and key: those named, or the default files where they are there.
    fn identity(&self) -> Option<(PathBuf, PathBuf)> {
        let default = || self.home(".postgresql/postgresql.crt").filter(|file| file.exists());
        let certificate = self.get("sslcert").map(PathBuf::from).or_else(default)?;
        let key = self.get("sslkey").map(PathBuf::from).or_else(|| self.home(".postgresql/postgresql.key"))?;
        Some((certificate, key))
    }

    fn tls_versions(&self) -> Result<&'static [&'static SupportedProtocolVersion]> {
        let rank = |keyword| -> Result<Option<u8>> {
            let text = self.get(keyword).map(|text| text.to_ascii_lowercase());
            Ok(match text.as_deref() {
                None => None,
                Some("tlsv1" | "tlsv1.1") => Some(1),
                Some("tlsv1.2") => Some(2),
                Some("tlsv1.3") => Some(3),
                Some(_) => return Err(fault(format!("{keyword} is one of TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3"))),
            })
        };
        let (min, max) =
            (rank("ssl_min_protocol_version")?.unwrap_or(2), rank("ssl_max_protocol_version")?.unwrap_or(3));
        match (min.max(2), max) {
            (2, 3) => Ok(rustls::ALL_VERSIONS),
            (3, 3) => Ok(&ONLY_TLS13),
            (2, 2) => Ok(&ONLY_TLS12),
            _ => Err(fault("the TLS versions that the target allows are none of TLSv1.2 and TLSv1.3")),
        }
    }

    fn channel_binding(&self) -> Result<tokio_postgres::config::ChannelBinding> {
        use tokio_postgres::config::ChannelBinding;
        match self.get("channel_binding").as_deref() {
            None | Some("prefer") => Ok(ChannelBinding::Prefer),
            Some("disable") => Ok(ChannelBinding::Disable),
            Some("require") => Ok(ChannelBinding::Require),
            Some(_) => Err(fault("channel_binding is one of disable, prefer and require")),
        }
    }

    fn peer(&self) -> Result<Option<Peer>> {
        let Some(user) = self.get("requirepeer") else { return Ok(None) };
        let uid = id(&["-u", "--", &user]).and_then(|uid| uid.parse().ok());
        let uid = uid.ok_or_else(|| fault(format!("requirepeer names {user}, and this machine has no such user")))?;
        Ok(Some(Peer { user, uid }))
    }

    fn read_write(&self) -> Result<bool> {
        match self.get("target_session_attrs").as_deref() {
            None | Some("any" | "prefer-standby") => Ok(false),
            Some("read-write" | "primary") => Ok(true),
            Some("read-only" | "standby") => Err(fault("target_session_attrs asks for a server that takes no writes")),
            Some(_) => Err(fault("target_session_attrs is one of any, read-write and primary")),
        }
    }
}

fn host(name: Option<String>, address: Option<String>) -> Result<Host> {
    if let Some(text) = address {
        let address = text.parse().map_err(|_| fault(format!("hostaddr '{text}' is not an IP address")))?;
        return Ok(Host::Address(address, name.unwrap_or(text)));
    }
    Ok(match name {
        Some(folder) if folder.starts_with('/') => Host::Socket(PathBuf::from(folder)),
        Some(name) => Host::Name(name),
        None if cfg!(unix) => Host::Socket(PathBuf::from(SOCKET_FOLDER)),
        None => Host::Name("localhost".to_owned()),
    })
}

/// What `id` says: it asks the system's name services, which std cannot.
fn id(arguments: &[&str]) -> Option<String> {
    let told = Command::new("id").args(arguments).output().ok().filter(|output| output.status.success());
    let told = told.and_then(|output| String::from_utf8(output.stdout).ok()).map(|name| name.trim().to_owned());
    told.filter(|name| !name.is_empty())
}

/// The name of the account that runs this program.
fn operating_system_user() -> Option<String> {
    id(&["-un"]).or_else(|| std::env::var("USER").ok()).or_else(|| std::env::var("USERNAME").ok())
}

fn no_user() -> Error {
    fault("the target names no user, and this account has no name")
        .with_hint("--target postgres://USER@HOST/DATABASE, or PGUSER")
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
