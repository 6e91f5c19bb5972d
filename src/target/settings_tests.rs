//! What is resolved from targets, environments and files, beside `settings.rs` because of its length.

use std::collections::HashMap;
use std::fs;

use super::*;
use crate::error::ErrorKind;

fn resolve(target: Option<&str>, environment: &[(&str, &str)]) -> Result<Settings> {
    let map: HashMap<_, _> = environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Settings::resolve(target, &|name| map.get(name).cloned())
}

fn resolved(target: &str, environment: &[(&str, &str)]) -> Settings {
    resolve(Some(target), environment).unwrap()
}

fn refusal(target: &str) -> String {
    let error = resolve(Some(target), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Settings);
    error.to_string()
}

fn password(settings: &Settings) -> Option<&str> {
    settings.endpoints[0].password.as_ref().map(|secret| secret.0.as_str())
}

#[test]
fn the_environment_gives_what_the_target_leaves_out() {
    let environment = [
        ("PGHOST", "other"),
        ("PGPORT", "6000"),
        ("PGUSER", "bob"),
        ("PGDATABASE", "d"),
        ("PGPASSWORD", "s"),
        ("PGAPPNAME", "a"),
    ];
    let settings = resolved("postgres://alice@db/metrics", &environment);
    assert_eq!((settings.user.as_str(), settings.database.as_str()), ("alice", "metrics"));
    assert_eq!(settings.endpoints[0].to_string(), "db:6000");
    assert_eq!(password(&settings), Some("s"));
    assert_eq!(settings.application_name.as_deref(), Some("a"));
}

#[test]
fn targets_are_looked_for_in_their_order() {
    let all =
        [("PGBACKFILL_TARGET", "postgres://u@a"), ("DATABASE_URL", "postgres://u@b"), ("PGHOST", "c"), ("PGUSER", "u")];
    let host = |target, environment: &[_]| resolve(target, environment).unwrap().endpoints[0].to_string();
    assert_eq!(host(Some("postgres://u@flag"), &all), "flag:5432");
    assert_eq!(host(None, &all), "a:5432");
    assert_eq!(host(None, &all[1..]), "b:5432");
    assert_eq!(host(None, &all[2..]), "c:5432");
    assert_eq!(host(None, &[("DATABASE_URL", ""), ("PGHOST", "c"), ("PGUSER", "u")]), "c:5432");
}

#[test]
fn the_database_is_named_after_the_user_and_the_user_after_the_account() {
    assert_eq!(resolved("postgres://alice@h", &[]).database, "alice");
    assert!(!resolved("postgres://h", &[]).user.is_empty());
}

#[test]
fn a_service_stands_between_target_and_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("services");
    fs::write(&file, "[m]\nhost=service\nport=6001\nuser=svc\n").unwrap();
    let environment =
        [("PGSERVICEFILE", file.to_str().unwrap()), ("PGPORT", "7000"), ("PGUSER", "env"), ("PGDATABASE", "d")];
    let settings = resolved("service=m port=6002", &environment);
    assert_eq!(settings.endpoints[0].to_string(), "service:6002");
    assert_eq!((settings.user.as_str(), settings.database.as_str()), ("svc", "d"));
    let named = [environment.as_slice(), &[("PGSERVICE", "m")]].concat();
    assert_eq!(resolved("postgres://", &named).endpoints[0].to_string(), "service:6001");
    fs::write(&file, "[m]\nhots=service\n").unwrap();
    assert!(resolve(Some("service=m"), &environment).unwrap_err().to_string().contains("'hots'"));
}

#[cfg(unix)]
#[test]
fn the_password_file_serves_each_host_its_own_password() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".pgpass");
    fs::write(&file, "a:1:*:u:first\nb:*:d:u:second\nlocalhost:*:*:u:local\n10.0.0.7:*:*:u:addressed\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let home = [("HOME", folder.path().to_str().unwrap())];
    let settings = resolved("postgres://u@a:1,b:2,c/d", &home);
    let passwords: Vec<_> = settings.endpoints.iter().map(|it| it.password.as_ref().map(|it| it.0.as_str())).collect();
    assert_eq!(passwords, [Some("first"), Some("second"), None]);
    assert_eq!(password(&resolved("postgres://u:own@a:1/d", &home)), Some("own"));
    assert_eq!(password(&resolved("host=/var/run/postgresql user=u", &home)), Some("local"));
    assert_eq!(password(&resolved("host=/srv/sockets user=u", &home)), None);
    assert_eq!(password(&resolved("hostaddr=10.0.0.7 user=u", &home)), Some("addressed"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let settings = resolved("postgres://u@a:1/d", &home);
    assert_eq!(password(&settings), None);
    assert!(settings.passfile_refusal.unwrap().contains("chmod 0600"));
}

#[test]
fn lists_of_hosts_go_side_by_side() {
    let shown =
        |target| resolved(target, &[("PGUSER", "u")]).endpoints.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown("host=a,b port=1,2"), ["a:1", "b:2"]);
    assert_eq!(shown("host=a,b port=1"), ["a:1", "b:1"]);
    assert_eq!(shown("postgres://a,[::1]:6/d"), ["a:5432", "[::1]:6"]);
    assert_eq!(shown("host=/srv/s"), ["/srv/s:5432"]);
    let both = resolved("host=db hostaddr=10.0.0.7 user=u", &[]);
    assert_eq!(both.endpoints[0].host, Host::Address("10.0.0.7".parse().unwrap(), "db".to_owned()));
    assert!(refusal("host=a,b hostaddr=10.0.0.1").contains("different numbers"));
    assert!(refusal("host=a,b,c port=1,2").contains("different numbers"));
    assert!(refusal("host=a hostaddr=db").contains("not an IP address"));
    assert!(refusal("host=a port=70000").contains("port"));
}

#[cfg(unix)]
#[test]
fn without_a_host_only_the_folder_of_libpq_is_looked_in_and_never_another_or_the_network() {
    let folder = if cfg!(target_os = "linux") { "/var/run/postgresql" } else { "/tmp" };
    for target in ["user=u", "user=u port=4711", "postgres://u@/d"] {
        assert_eq!(resolved(target, &[]).endpoints[0].host, Host::Socket(PathBuf::from(folder)), "{target}");
    }
    assert_eq!(resolved("host=/tmp user=u", &[]).endpoints[0].host, Host::Socket(PathBuf::from("/tmp")));
}

#[cfg(unix)]
#[test]
fn the_user_whose_process_must_listen_is_one_of_this_machine() {
    let root = Some(Peer { user: "root".to_owned(), uid: 0 });
    assert_eq!(resolved("host=/srv/s user=u requirepeer=root", &[]).peer, root);
    assert_eq!(resolve(Some("host=/srv/s user=u"), &[("PGREQUIREPEER", "root")]).unwrap().peer, root);
    assert_eq!(resolved("host=/srv/s user=u", &[]).peer, None);
    assert!(refusal("host=/srv/s user=u requirepeer=no_such_user").contains("no_such_user"));
}

#[test]
fn timeouts_and_keepalives_have_defaults_and_can_be_turned_off() {
    let settings = resolved("host=a user=u", &[]);
    assert_eq!(settings.connect_timeout, Some(Duration::from_secs(10)));
    assert_eq!(settings.keepalive, Some(KEEPALIVE));
    assert_eq!(settings.tcp_user_timeout, Some(Duration::from_secs(60)));
    let user_timeout = |text: &str| resolved(&format!("host=a user=u tcp_user_timeout={text}"), &[]).tcp_user_timeout;
    assert_eq!((user_timeout("0"), user_timeout("1500")), (None, Some(Duration::from_millis(1500))));
    let off = resolved("host=a user=u connect_timeout=0 keepalives=0", &[("PGCONNECT_TIMEOUT", "3")]);
    assert_eq!((off.connect_timeout, off.keepalive), (None, None));
    let set = resolved("host=a user=u keepalives_idle=7 keepalives_count=9", &[("PGCONNECT_TIMEOUT", "3")]);
    assert_eq!(set.connect_timeout, Some(Duration::from_secs(3)));
    assert_eq!(set.keepalive.unwrap(), Keepalive { idle: Duration::from_secs(7), tries: 9, ..KEEPALIVE });
    assert!(refusal("host=a user=u connect_timeout=soon").contains("connect_timeout"));
}

#[test]
fn tls_settings_are_read_and_contradictions_refused() {
    let tls = |target| resolved(target, &[("PGUSER", "u")]).tls;
    assert_eq!(tls("host=a").mode, Mode::Prefer);
    assert_eq!(resolved("host=a user=u", &[("PGSSLMODE", "verify-ca")]).tls.mode, Mode::VerifyCa);
    assert_eq!(tls("host=a sslrootcert=system").mode, Mode::VerifyFull);
    assert_eq!(tls("host=a sslrootcert=/r.crt sslmode=require").roots, Roots::File(PathBuf::from("/r.crt")));
    assert_eq!(tls("host=a ssl_min_protocol_version=TLSv1.3").versions.len(), 1);
    assert!(tls("host=a sslnegotiation=direct sslmode=require").direct);
    assert!(refusal("host=a sslmode=full").contains("verify-full"));
    assert!(refusal("host=a sslrootcert=system sslmode=require").contains("verify-full"));
    assert!(refusal("host=a sslnegotiation=direct").contains("require"));
    assert!(refusal("host=a ssl_max_protocol_version=TLSv1.1").contains("TLS versions"));
}

#[test]
fn a_setting_that_cannot_be_honoured_is_refused_and_never_passed_over() {
    assert!(refusal("host=a sslcrl=/x.crl").contains("sslcrl"));
    assert!(refusal("host=a require_auth=scram-sha-256").contains("require_auth"));
    assert!(refusal("host=a gssencmode=require").contains("gssencmode"));
    assert!(refusal("host=a target_session_attrs=standby").contains("no writes"));
    assert!(refusal("host=a sslmod=require").contains("'sslmod'"));
    assert!(resolved("host=a user=u gssencmode=prefer client_encoding=UTF8", &[]).endpoints.len() == 1);
    assert!(resolved("host=a user=u target_session_attrs=read-write", &[]).read_write);
}

#[test]
fn no_output_shows_a_password() {
    let settings = resolved("postgres://u:sesame@h/d", &[]);
    assert_eq!(password(&settings), Some("sesame"));
    assert!(!format!("{settings:?}").contains("sesame"));
    assert!(!refusal("user=u password=open sesame=1").contains("sesame"));
}
