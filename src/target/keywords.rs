//! Where connection settings are looked for: the target, then its service, then the environment.
//!
//! One table names every keyword of libpq, with its environment variable and what is done with it, so that none is
//! passed over in silence: a setting that would make the connection safer, and that this program cannot honour, is
//! refused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::conninfo::{self, Pairs};
use super::service;
use crate::error::{Error, ErrorKind, Result};

/// Looks up an environment variable.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What is done with a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It is honoured.
    Taken,
    /// It changes nothing here.
    Ignored,
    /// It asks for something that cannot be honoured, unless its value is one of these.
    RefusedUnless(&'static [&'static str]),
}

/// Every keyword of libpq, with its environment variable.
const KEYWORDS: [(&str, &str, Use); 45] = [
    ("host", "PGHOST", Use::Taken),
    ("hostaddr", "PGHOSTADDR", Use::Taken),
    ("port", "PGPORT", Use::Taken),
    ("dbname", "PGDATABASE", Use::Taken),
    ("user", "PGUSER", Use::Taken),
    ("password", "PGPASSWORD", Use::Taken),
    ("passfile", "PGPASSFILE", Use::Taken),
    ("service", "PGSERVICE", Use::Taken),
    ("servicefile", "PGSERVICEFILE", Use::Taken),
    ("options", "PGOPTIONS", Use::Taken),
    ("application_name", "PGAPPNAME", Use::Taken),
    ("fallback_application_name", "", Use::Taken),
    ("connect_timeout", "PGCONNECT_TIMEOUT", Use::Taken),
    ("keepalives", "", Use::Taken),
    ("keepalives_idle", "", Use::Taken),
    ("keepalives_interval", "", Use::Taken),
    ("keepalives_count", "", Use::Taken),
    ("tcp_user_timeout", "", Use::Taken),
    ("sslmode", "PGSSLMODE", Use::Taken),
    ("sslrootcert", "PGSSLROOTCERT", Use::Taken),
    ("sslcert", "PGSSLCERT", Use::Taken),
    ("sslkey", "PGSSLKEY", Use::Taken),
    ("sslnegotiation", "PGSSLNEGOTIATION", Use::Taken),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Use::Taken),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Use::Taken),
    ("channel_binding", "PGCHANNELBINDING", Use::Taken),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", Use::Taken),
    ("requirepeer", "PGREQUIREPEER", Use::Taken),
    ("sslcrl", "PGSSLCRL", Use::RefusedUnless(&[])),
    ("sslcrldir", "PGSSLCRLDIR", Use::RefusedUnless(&[])),
    ("sslpassword", "", Use::RefusedUnless(&[])),
    ("sslcertmode", "PGSSLCERTMODE", Use::RefusedUnless(&["allow"])),
    ("require_auth", "PGREQUIREAUTH", Use::RefusedUnless(&[])),
    ("replication", "", Use::RefusedUnless(&["false"])),
    // No GSSAPI here: `prefer` falls back to what there is.
    ("gssencmode", "PGGSSENCMODE", Use::RefusedUnless(&["disable", "prefer"])),
    ("krbsrvname", "PGKRBSRVNAME", Use::Ignored),
    ("gsslib", "PGGSSLIB", Use::Ignored),
    ("gssdelegation", "PGGSSDELEGATION", Use::Ignored),
    // Hosts are tried in the order in which they are listed.
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", Use::Ignored),
    // The session speaks UTF-8 whatever they say; rustls never compresses, and always names the host it asks for.
    ("client_encoding", "PGCLIENTENCODING", Use::Ignored),
    ("sslcompression", "PGSSLCOMPRESSION", Use::Ignored),
    ("sslsni", "PGSSLSNI", Use::Ignored),
    ("min_protocol_version", "PGMINPROTOCOLVERSION", Use::Ignored),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION", Use::Ignored),
    ("sslkeylogfile", "", Use::Ignored),
];

/// Where settings are looked for, the nearest first.
pub(super) struct Layers<'a> {
    target: HashMap<String, String>,
    service: HashMap<String, String>,
    environment: Environment<'a>,
}

impl<'a> Layers<'a> {
    /// What `target` says, and the service that it or the environment names.
    pub(super) fn new(target: Option<&str>, environment: Environment<'a>) -> Result<Self> {
        let target = target.map(conninfo::parse).transpose()?.unwrap_or_default();
        let mut layers = Self { target: known(target, "the target")?, service: HashMap::new(), environment };
        if let Some(name) = layers.get("service") {
            let own = layers.get("servicefile").map(PathBuf::from).or_else(|| layers.home(".pg_service.conf"));
            let pairs = service::find(&name, own, environment("PGSYSCONFDIR").as_deref())?;
            layers.service = known(pairs, "the service file")?;
        }
        for (keyword, _, what) in KEYWORDS {
            if let (Use::RefusedUnless(harmless), Some(value)) = (what, layers.get(keyword))
                && !harmless.contains(&value.as_str())
            {
                return Err(fault(format!("the connection setting {keyword} is not supported")));
            }
        }
        Ok(layers)
    }

    /// The value of a keyword; an empty one counts as none.
    pub(super) fn get(&self, keyword: &str) -> Option<String> {
        let variable = KEYWORDS.iter().find(|(name, ..)| *name == keyword).map_or("", |(_, variable, _)| variable);
        let from_environment = || (!variable.is_empty()).then(|| (self.environment)(variable)).flatten();
        let found = self.target.get(keyword).or_else(|| self.service.get(keyword)).cloned();
        found.or_else(from_environment).filter(|value| !value.is_empty())
    }

    /// The value of a keyword that takes a number.
    pub(super) fn number<N: std::str::FromStr>(&self, keyword: &str) -> Result<Option<N>> {
        let parse = |text: String| {
            text.trim().parse().map_err(|_| fault(format!("the connection setting {keyword} is not a number")))
        };
        self.get(keyword).map(parse).transpose()
    }

    /// A path under the person's home folder.
    pub(super) fn home(&self, name: &str) -> Option<PathBuf> {
        let home = (self.environment)("HOME").filter(|home| !home.is_empty())?;
        Some(Path::new(&home).join(name))
    }
}

/// The pairs as a map, if every keyword is one that libpq has.
fn known(pairs: Pairs, place: &str) -> Result<HashMap<String, String>> {
    let is_known = |keyword: &str| KEYWORDS.iter().any(|(name, ..)| *name == keyword);
    let Some(at) = pairs.iter().position(|(keyword, _)| !is_known(keyword)) else {
        return Ok(pairs.into_iter().collect());
    };
    // After a password the word may be the rest of one with an unquoted blank.
    if pairs[..at].iter().any(|(keyword, _)| keyword == "password") {
        return Err(fault(format!("{place} has an unknown connection setting after the password")));
    }
    Err(fault(format!("{place} has an unknown connection setting '{}'", pairs[at].0)))
}

pub(super) fn fault(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Settings, message)
}
