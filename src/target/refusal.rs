//! Why no session could be opened, and what a person can do about it.

use std::io;
use std::time::Duration;

use super::fault;
use super::settings::{Endpoint, Host, Settings};
use crate::error::{Error, ErrorKind, SqlClass, classify};

/// One failed attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    /// Host and port, or socket folder and port.
    pub(super) place: String,
    pub(super) failure: Failure,
}

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The host's name has no address.
    Unresolved(io::Error),
    /// No session within this time.
    TimedOut(Duration),
    /// The socket could not be opened.
    NoSocket(io::Error),
    /// The process at the socket is not of the user that `requirepeer` names.
    Peer(String),
    /// The server takes no writes, and was to take some.
    ReadOnly,
    /// The server, the network or TLS said no.
    Refused(tokio_postgres::Error),
}

/// What the next step depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Unresolved,
    TimedOut,
    NoServer,
    Tls,
    Peer,
    NoPassword,
    WrongPassword,
    NotAllowed,
    NoDatabase,
    TooMany,
    /// The database keeps its text in an encoding that UTF-8 is not converted to.
    NoUtf8,
    Other,
}

impl Failure {
    /// Whether the next host would only hide this: the server was there and knows better.
    pub(super) fn is_final(&self) -> bool {
        let class = self.sqlstate().and_then(|code| code.get(..2));
        matches!(class, Some("28" | "3D" | "42")) || matches!(self.reason(), Reason::NoPassword | Reason::Peer)
    }

    /// Whether the same address may take a session with encryption where there was none, or without it.
    pub(super) fn other_encryption_may_help(&self) -> bool {
        match self {
            Self::Unresolved(_) | Self::TimedOut(_) | Self::NoSocket(_) | Self::Peer(_) | Self::ReadOnly => false,
            // 28000: the server's rules ask for another encryption, or none.
            Self::Refused(_) => {
                self.sqlstate().is_none_or(|code| code == "28000") && self.reason() != Reason::NoPassword
            }
        }
    }

    fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Refused(error) => error.code().map(tokio_postgres::error::SqlState::code),
            Self::Unresolved(_) | Self::TimedOut(_) | Self::NoSocket(_) | Self::Peer(_) | Self::ReadOnly => None,
        }
    }

    fn reason(&self) -> Reason {
        let error = match self {
            Self::Refused(error) => error,
            Self::Unresolved(_) => return Reason::Unresolved,
            Self::TimedOut(_) => return Reason::TimedOut,
            Self::NoSocket(error) => return socket_reason(error),
            Self::Peer(_) => return Reason::Peer,
            Self::ReadOnly => return Reason::Other,
        };
        match self.sqlstate() {
            Some("28P01") => Reason::WrongPassword,
            Some("28000") => Reason::NotAllowed,
            Some("3D000") => Reason::NoDatabase,
            Some("53300") => Reason::TooMany,
            Some("0A000") if self.text().contains("UTF8") => Reason::NoUtf8,
            Some(_) => Reason::Other,
            None => local_reason(error),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Unresolved(error) | Self::NoSocket(error) => error.to_string(),
            Self::Peer(why) => why.clone(),
            Self::ReadOnly => "the server takes no writes".to_owned(),
            Self::TimedOut(time) => format!("no answer within {} s", time.as_secs()),
            Self::Refused(error) => match error.as_db_error() {
                Some(refusal) => fault::message(refusal),
                None => innermost(error).to_string(),
            },
        }
    }
}

/// The reason of a failure that did not come from the server's own words.
fn local_reason(error: &tokio_postgres::Error) -> Reason {
    let cause = innermost(error);
    if cause.is::<rustls::Error>() || cause.to_string() == "server does not support TLS" {
        return Reason::Tls;
    }
    if cause.to_string() == "password missing" {
        return Reason::NoPassword;
    }
    cause.downcast_ref::<io::Error>().map_or(Reason::Other, socket_reason)
}

fn socket_reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Reason::NoServer,
        io::ErrorKind::TimedOut => Reason::TimedOut,
        _ => Reason::Other,
    }
}

/// The last error in the chain of causes; an `io::Error` hides what it wraps from the chain.
fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let wrapped = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
    let inner = wrapped.map(|inner| inner as &'a (dyn std::error::Error + 'static)).or_else(|| error.source());
    inner.map_or(error, innermost)
}

/// The error for attempts that all failed.
pub(super) fn refuse(settings: &Settings, attempts: &[Attempt]) -> Error {
    let last = attempts.last().expect("settings have an endpoint, and a failed endpoint notes an attempt");
    let reason = last.failure.reason();
    let mut places: Vec<&str> = attempts.iter().map(|attempt| attempt.place.as_str()).collect();
    places.dedup();
    let message = format!("cannot connect to {} as {}", places.join(" or "), settings.user);
    let mut error = Error::new(kind(reason, last.failure.sqlstate()), message)
        .with_source(causes(attempts, places.len() > 1))
        .with_hint(hint(settings, reason));
    if let Some(code) = last.failure.sqlstate() {
        error = error.with_sqlstate(code);
    }
    error
}

/// What each attempt met, once each.
fn causes(attempts: &[Attempt], name_places: bool) -> String {
    let mut texts = Vec::new();
    for attempt in attempts {
        let text = attempt.failure.text();
        let text = if name_places { format!("{}: {text}", attempt.place) } else { text };
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join("; ")
}

fn kind(reason: Reason, sqlstate: Option<&str>) -> ErrorKind {
    match reason {
        Reason::NoPassword | Reason::Peer => ErrorKind::Permission,
        Reason::Tls => ErrorKind::Settings,
        Reason::NoUtf8 => ErrorKind::Schema,
        _ => match sqlstate.map(classify) {
            Some(SqlClass::Permission) => ErrorKind::Permission,
            // No server was there, or one that may take the connection later.
            None | Some(SqlClass::Transient | SqlClass::Resource) => ErrorKind::Connection,
            // A database that is not there, a setting that the server does not know: it will say the same again.
            Some(SqlClass::Data | SqlClass::Schema | SqlClass::Bug) => ErrorKind::Target,
        },
    }
}

fn hint(settings: &Settings, reason: Reason) -> String {
    match reason {
        Reason::Unresolved => "check the host's name in --target or PGHOST".to_owned(),
        Reason::TimedOut => {
            "check host and port, and what stands between; connect_timeout=30 in --target waits longer".to_owned()
        }
        Reason::NoServer => {
            "is a server running there? --target postgres://USER@HOST:PORT/DATABASE, or PGHOST and PGPORT, name another"
                .to_owned()
        }
        Reason::Tls => {
            "sslrootcert=FILE in --target names who signed the server's certificate, verify-full asks for the host's \
             name in it, and sslmode chooses the encryption"
                .to_owned()
        }
        Reason::Peer => {
            "nothing was sent to it. Name the folder of the server's own socket (host=/FOLDER in --target), or the \
                         user that runs the server (requirepeer)"
                .to_owned()
        }
        Reason::NoPassword | Reason::WrongPassword => password_hint(settings),
        Reason::NotAllowed => {
            "the server's pg_hba.conf decides who may connect from where; try another user, host or sslmode in --target"
                .to_owned()
        }
        Reason::NoDatabase => {
            "name an existing database: --target postgres://USER@HOST:PORT/DATABASE, or PGDATABASE".to_owned()
        }
        Reason::TooMany => "fewer --workers need fewer connections; or raise the limit that is named: `alter role` or `alter database … \
             connection limit N`, or max_connections of the server"
                .to_owned(),
        Reason::NoUtf8 => {
            "texts are sent in UTF-8; load into a database with another encoding, best of all UTF8: create \
             database … encoding 'UTF8' template template0"
                .to_owned()
        }
        Reason::Other => "--target postgres://USER@HOST:PORT/DATABASE names the server".to_owned(),
    }
}

fn password_hint(settings: &Settings) -> String {
    let line = settings.endpoints.first().map_or_else(String::new, |endpoint| passfile_line(endpoint, settings));
    let hint = format!("set PGPASSWORD, or put the line {line} into ~/.pgpass");
    match &settings.passfile_refusal {
        Some(why) => format!("{why}; or {hint}"),
        None => hint,
    }
}

fn passfile_line(endpoint: &Endpoint, settings: &Settings) -> String {
    let host = match &endpoint.host {
        Host::Socket(_) => "*",
        Host::Name(name) | Host::Address(_, name) => name,
    };
    let escape = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
    let (host, database, user) = (escape(host), escape(&settings.database), escape(&settings.user));
    format!("{host}:{}:{database}:{user}:PASSWORD", endpoint.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(target: &str) -> Settings {
        Settings::resolve(Some(target), &|_| None).unwrap()
    }

    fn attempt(place: &str, failure: Failure) -> Attempt {
        Attempt { place: place.to_owned(), failure }
    }

    #[test]
    fn every_place_that_was_tried_is_named_once_with_what_it_met() {
        let unresolved = || Failure::Unresolved(io::Error::new(io::ErrorKind::NotFound, "no such name"));
        let attempts = [
            attempt("a:1", unresolved()),
            attempt("a:1", unresolved()),
            attempt("b:2", Failure::TimedOut(Duration::from_secs(10))),
        ];
        let error = refuse(&settings("postgres://u:sesame@a:1,b:2/d"), &attempts);
        assert_eq!(error.to_string(), "cannot connect to a:1 or b:2 as u");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "a:1: no such name; b:2: no answer within 10 s");
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(error.hint().unwrap().contains("connect_timeout"));
        assert!(!format!("{error:?}").contains("sesame"));
    }

    #[test]
    fn a_refusal_that_waiting_does_not_help_is_no_lost_connection() {
        let kinds = [
            ("28000", ErrorKind::Permission),
            ("28P01", ErrorKind::Permission),
            ("42501", ErrorKind::Permission),
            ("3D000", ErrorKind::Target),
            ("55000", ErrorKind::Target),
            ("57P04", ErrorKind::Target),
            ("42704", ErrorKind::Target),
            ("22023", ErrorKind::Target),
            ("53300", ErrorKind::Connection),
            ("57P01", ErrorKind::Connection),
            ("57P03", ErrorKind::Connection),
            ("08P01", ErrorKind::Connection),
        ];
        for (code, expected) in kinds {
            assert_eq!(kind(Reason::Other, Some(code)), expected, "{code}");
        }
        assert_eq!(kind(Reason::NoServer, None), ErrorKind::Connection);
        assert_eq!(kind(Reason::Unresolved, None), ErrorKind::Connection);
        assert_eq!(kind(Reason::Tls, None), ErrorKind::Settings);
    }

    #[test]
    fn the_line_for_the_password_file_is_one_that_would_fit() {
        let settings = settings(r"host=db port=6432 user='a:b' dbname='c\\d'");
        assert_eq!(passfile_line(&settings.endpoints[0], &settings), r"db:6432:c\\d:a\:b:PASSWORD");
    }
}
