//! Connections to real private servers, beside `connect.rs` because of its length.

#![cfg(unix)]

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::error::{Error, ErrorKind, Retry};
use crate::target::{Durability, Session};
use server::{Server, Stop};

// The harness that `demo` and the suite use too.
#[allow(dead_code, reason = "each user of the harness needs another part of it")]
#[path = "../cli/server/mod.rs"]
pub(in crate::target) mod server;

fn settings(target: &str, environment: &[(&str, &str)]) -> ConnectSettings {
    let map: HashMap<_, _> = environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    ConnectSettings::resolve(Some(target), &|name| map.get(name).cloned()).unwrap()
}

async fn refusal(target: &str) -> Error {
    match settings(target, &[]).connect("test").await {
        Ok(_) => panic!("{target} connects"),
        Err(error) => error,
    }
}

async fn value(client: &Client, query: &str) -> String {
    client.query_one(query, &[]).await.unwrap().get(0)
}

/// A server whose rules ask passwords of `alice` and refuse `bob`.
fn guarded() -> Server {
    let server = Server::start_listening(&[]).unwrap();
    let rules = "local all alice scram-sha-256\nlocal all bob reject\nlocal all all trust\n\
                 host all alice 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
    fs::write(server.data_folder().join("pg_hba.conf"), rules).unwrap();
    server.restart(Stop::Fast).unwrap();
    server
}

#[tokio::test]
async fn a_statement_means_the_same_whatever_the_roles_defaults_are() {
    let server = Server::start().unwrap();
    let session = Session::open(&settings(&server.url(), &[])).await.unwrap();
    let defaults = [
        ("datestyle", "German"),
        ("timezone", "Asia/Tokyo"),
        ("statement_timeout", "200ms"),
        ("extra_float_digits", "0"),
        ("idle_in_transaction_session_timeout", "1ms"),
    ];
    for (name, value) in defaults {
        session.run(&format!("alter role postgres set {name} = '{value}'")).await.unwrap();
    }
    let target = settings(&server.url(), &[]);
    let session = Session::open(&target).await.unwrap();
    let text = async |query: &str| session.query_one(query, &[]).await.unwrap().get::<_, String>(0);
    assert_eq!(text("select '2024-02-01 00:00:00+00'::timestamptz::text").await, "2024-02-01 00:00:00+00");
    assert_eq!(text("select (0.1::float8 + 0.2)::text").await, "0.30000000000000004");
    assert_eq!(text("select pg_sleep(0.3)::text || current_setting('statement_timeout')").await, "0");
    assert_eq!(text("show client_encoding").await, "UTF8");
    assert_eq!(text("show application_name").await, "pgbackfill");
    session.begin(Durability::WithTheLedger).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(text("show synchronous_commit").await, "off");
    session.commit().await.unwrap();
    assert_eq!(text("show synchronous_commit").await, "on");
}

#[tokio::test]
async fn nothing_of_ours_is_set_outside_of_a_transaction() {
    let server = Server::start().unwrap();
    let target = settings(&server.url(), &[]).with_application_name("pgbackfill it's mine");
    let session = Session::open(&target).await.unwrap();
    let all = "select string_agg(name || '=' || setting, ' ' order by name) from pg_settings where source in ('session', 'override')";
    let value = async |query: &str| value(&session.current().client, query).await;
    let before = value(all).await;
    let inside: String = session.query_one(all, &[]).await.unwrap().get(0);
    assert_ne!(inside, before);
    session.run("create table t (n int4)").await.unwrap();
    session.run("select none").await.unwrap_err();
    session
        .transact(Durability::WithTheLedger, session.execute("insert into public.t values ($1)", &[&1_i32]))
        .await
        .unwrap();
    assert_eq!(value(all).await, before);
    assert_eq!(
        value("select count(*)::text from pg_prepared_statements where statement not like '%pg_prepared%'").await,
        "0"
    );
}

#[tokio::test]
async fn the_settings_name_a_session_before_the_run_does() {
    let server = Server::start().unwrap();
    let named = settings(&server.url(), &[("PGAPPNAME", "mine"), ("PGOPTIONS", "-c work_mem=7MB")]);
    for (settings, name) in [(named, "mine"), (settings(&server.url(), &[]), "pgbackfill it's mine")] {
        let session = Session::open(&settings.with_application_name("pgbackfill it's mine")).await.unwrap();
        assert_eq!(value(&session.current().client, "show application_name").await, name);
        assert_eq!(session.query_one("show application_name", &[]).await.unwrap().get::<_, &str>(0), name);
        let memory: String = session.query_one("show work_mem", &[]).await.unwrap().get(0);
        assert_eq!(memory == "7MB", name == "mine");
    }
}

#[tokio::test]
async fn transactions_of_a_run_are_named_by_it_whatever_the_settings_name_the_session() {
    let server = Server::start().unwrap();
    for (name, outside) in [("mine", "mine"), ("", "pgbackfill/7")] {
        let environment: &[_] = if name.is_empty() { &[] } else { &[("PGAPPNAME", name)] };
        let named = settings(&server.url(), environment).with_run_name("pgbackfill/7".to_owned());
        let session = Session::open(&named).await.unwrap();
        assert_eq!(value(&session.current().client, "show application_name").await, outside);
        assert_eq!(session.query_one("show application_name", &[]).await.unwrap().get::<_, &str>(0), "pgbackfill/7");
    }
}

#[tokio::test]
async fn passwords_come_from_target_environment_and_file_and_a_wrong_one_is_a_matter_of_permission() {
    let server = guarded();
    let client = settings(&server.url(), &[]).connect("test").await.unwrap().client;
    client.batch_execute("create role alice login password 'open sesame'; create role bob login").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let passfile = folder.path().join("pgpass");
    fs::write(&passfile, "*:*:postgres:alice:open sesame\n").unwrap();
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).unwrap();
    let tcp = format!("alice@127.0.0.1:{}/postgres", server.port());
    let with_file = [("PGPASSFILE", passfile.to_str().unwrap())];
    for (target, environment) in [
        (format!("postgres://{}", tcp.replace('@', ":open%20sesame@")), &[][..]),
        (format!("postgres://{tcp}"), &[("PGPASSWORD", "open sesame")][..]),
        (format!("postgres://{tcp}"), &with_file[..]),
        (
            format!("host={} port={} user=alice dbname=postgres", server.socket_folder().display(), server.port()),
            &with_file[..],
        ),
    ] {
        let client = settings(&target, environment).connect("test").await.unwrap().client;
        assert_eq!(value(&client, "select current_user::text").await, "alice");
    }
    let wrong = refusal(&format!("postgres://{}", tcp.replace('@', ":abracadabra@"))).await;
    assert_eq!(wrong.kind(), ErrorKind::Permission);
    assert_eq!(wrong.place().sqlstate.as_deref(), Some("28P01"));
    assert!(wrong.hint().unwrap().contains(&format!("127.0.0.1:{}:postgres:alice:PASSWORD", server.port())));
    let missing = refusal(&format!("postgres://{tcp}")).await;
    assert_eq!(missing.kind(), ErrorKind::Permission);
    assert!(missing.hint().unwrap().contains("PGPASSWORD"));
    for error in [&wrong, &missing] {
        assert!(!format!("{error:?} {:?}", error.hint()).contains("abracadabra"));
    }
    let rejected = refusal(&server.url().replace("postgres@", "bob@")).await;
    assert_eq!((rejected.kind(), rejected.place().sqlstate.as_deref()), (ErrorKind::Permission, Some("28000")));
}

#[tokio::test]
async fn what_cannot_be_reached_is_named_with_a_next_step() {
    let server = Server::start().unwrap();
    let nobody = refusal("postgres://u@127.0.0.1:1/d").await;
    assert_eq!((nobody.kind(), nobody.retry()), (ErrorKind::Connection, Retry::Backoff));
    assert_eq!(nobody.to_string(), "cannot connect to 127.0.0.1:1 as u");
    assert!(nobody.hint().unwrap().contains("--target"));
    let no_socket = refusal("host=/nowhere user=u").await;
    assert_eq!(no_socket.to_string(), "cannot connect to /nowhere:5432 as u");
    let no_name = refusal("postgres://u@no-such-host.invalid/d").await;
    assert_eq!(no_name.kind(), ErrorKind::Connection);
    let no_database = refusal(&server.url().replace("/postgres?", "/gone?")).await;
    assert_eq!(no_database.place().sqlstate.as_deref(), Some("3D000"));
    assert_eq!(no_database.retry(), Retry::Never);
    assert!(no_database.hint().unwrap().contains("DATABASE"));
}

#[tokio::test]
async fn hosts_are_tried_in_their_order_until_one_takes_writes() {
    let server = Server::start_listening(&[]).unwrap();
    let target =
        format!("postgres://postgres@127.0.0.1:1,127.0.0.1:{}/postgres?target_session_attrs=read-write", server.port());
    let client = settings(&target, &[]).connect("test").await.unwrap().client;
    client
        .batch_execute("alter system set default_transaction_read_only = on; select pg_reload_conf()")
        .await
        .unwrap_err();
    client.batch_execute("alter system set default_transaction_read_only = on").await.unwrap();
    server.restart(Stop::Fast).unwrap();
    let error = refusal(&target).await;
    assert!(error.to_string().contains(&format!("127.0.0.1:1 or 127.0.0.1:{}", server.port())), "{error}");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("does not allow writes"));
}

#[tokio::test]
async fn a_server_without_tls_is_reached_with_prefer_and_not_with_require() {
    let server = Server::start_listening(&[]).unwrap();
    let tcp = server.tcp_url().unwrap();
    for mode in ["disable", "allow", "prefer"] {
        settings(&format!("{tcp}?sslmode={mode}"), &[]).connect("test").await.unwrap();
    }
    let error = refusal(&format!("{tcp}?sslmode=require")).await;
    assert_eq!(error.kind(), ErrorKind::Settings);
    assert!(error.hint().unwrap().contains("sslmode"));
    // Over a socket there is no TLS to ask for.
    settings(&format!("{}&sslmode=require", server.url()), &[]).connect("test").await.unwrap();
}

#[tokio::test]
async fn a_silent_server_is_given_up_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = refusal(&format!("postgres://u@127.0.0.1:{port}/d?connect_timeout=1")).await;
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("no answer within 1 s"));
}

#[tokio::test]
async fn a_failed_statement_tells_code_column_context_and_hint_and_a_lost_session_is_told_apart() {
    let server = Server::start().unwrap();
    let target = settings(&server.url(), &[]);
    let client = target.connect("test").await.unwrap().client;
    client.batch_execute("create table t (host text not null, n int4)").await.unwrap();
    let error = fault(client.batch_execute("insert into t values (null, 1)").await.unwrap_err());
    assert_eq!((error.kind(), error.place().sqlstate.as_deref()), (ErrorKind::Target, Some("23502")));
    assert_eq!(error.place().column.as_deref(), Some("host"));
    assert!(error.to_string().contains("Failing row contains (null, 1)"), "{error}");
    let error = fault(client.batch_execute("select hots from t").await.unwrap_err());
    assert!(error.hint().unwrap().contains("t.host"));

    let sink = client.copy_in("copy t from stdin").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    futures_util::SinkExt::send(&mut sink, bytes::Bytes::from_static(b"a\t1\nb\tx\n")).await.unwrap();
    let error = sink.finish().await.unwrap_err();
    let error = fault(error);
    assert_eq!(error.refusal().and_then(|refusal| refusal.row), Some(2));
    assert_eq!(error.place().column.as_deref(), Some("n"));
    assert!(error.to_string().contains("COPY t, line 2, column n"), "{error}");

    let other = target.connect("test").await.unwrap().client;
    let doomed: i32 = other.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    client.execute("select pg_terminate_backend($1, 5000)", &[&doomed]).await.unwrap();
    let error = fault(other.batch_execute("select 1").await.unwrap_err());
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Connection, Retry::Backoff));
    let denied = "create role carol; set role carol; insert into t values ('a', 1)";
    assert_eq!(fault(client.batch_execute(denied).await.unwrap_err()).kind(), ErrorKind::Permission);
}

#[tokio::test]
async fn a_running_statement_can_be_cancelled() {
    let server = Server::start().unwrap();
    let target = settings(&server.url(), &[]);
    let client = target.connect("test").await.unwrap().client;
    let token = client.cancel_token();
    let sleep = client.batch_execute("select pg_sleep(60)");
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        target.cancel(&token).await.unwrap();
    };
    let (slept, ()) = tokio::join!(sleep, cancel);
    assert_eq!(slept.unwrap_err().code().unwrap().code(), "57014");
}

#[test]
fn settings_describe_themselves_without_secrets() {
    let settings = settings("postgres://alice:sesame@db,[::1]:6/metrics?sslmode=disable", &[]);
    assert_eq!(settings.describe(), "alice@db:5432,[::1]:6/metrics");
    assert!(!format!("{settings} {settings:?}").contains("sesame"));
}

/// A user's name by number, as the system tells it.
#[cfg(unix)]
fn user_named(uid: u32) -> String {
    let told = std::process::Command::new("id").args(["-un", &uid.to_string()]).output().unwrap();
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_of_the_user_that_is_asked_for_is_connected_to_and_cancels_statements() {
    use std::os::unix::fs::MetadataExt as _;
    let server = Server::start().unwrap();
    let owner =
        user_named(fs::metadata(server.socket_folder().join(format!(".s.PGSQL.{}", server.port()))).unwrap().uid());
    let other = if owner == "root" { "daemon" } else { "root" };
    let target = settings(&server.url(), &[("PGREQUIREPEER", &owner), ("PGTARGETSESSIONATTRS", "read-write")]);
    let client = target.connect("test").await.unwrap().client;
    let token = client.cancel_token();
    let (slept, cancelled) = tokio::join!(client.batch_execute("select pg_sleep(600)"), async {
        // The statement is under way when another session sees it.
        let watcher = settings(&server.url(), &[]).connect("test").await.unwrap().client;
        let is_running = "select count(*)::text from pg_stat_activity where query like '%pg_sleep(600)%' and pid <> pg_backend_pid()";
        while value(&watcher, is_running).await == "0" {
            tokio::task::yield_now().await;
        }
        target.cancel(&token).await
    });
    cancelled.unwrap();
    assert_eq!(slept.unwrap_err().code().unwrap().code(), "57014");
    let refused = settings(&server.url(), &[("PGREQUIREPEER", other)]).connect("test").await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Permission);
    let said = std::error::Error::source(&refused).unwrap().to_string();
    assert!(said.contains(&format!("requirepeer asks for {other}")), "{said}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_socket_of_another_user_is_sent_nothing_where_a_peer_is_required() {
    use tokio::io::AsyncReadExt as _;
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
    let own = std::process::Command::new("id").arg("-un").output().unwrap().stdout;
    let other = if own.trim_ascii() == b"root" { "daemon" } else { "root" };
    let target = format!("host={} user=u password=sesame requirepeer={other}", folder.path().display());
    let target = settings(&target, &[]);
    let (refused, received) = tokio::join!(target.connect("test"), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        received
    });
    assert_eq!(refused.err().unwrap().kind(), ErrorKind::Permission);
    assert_eq!(received, b"");
}
