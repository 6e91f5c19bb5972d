//! Sessions on real private servers: transactions, deadlines and what is told of waits.

#![cfg(unix)]

use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;

use super::*;
use crate::model::Event;
use crate::target::Durability;
use crate::target::connect::tests::server::Server;

fn settings(server: &Server) -> ConnectSettings {
    ConnectSettings::resolve(Some(&server.url()), &|_| None).unwrap()
}

async fn number(session: &Session, query: &str) -> i64 {
    session.query_one(query, &[]).await.unwrap().get(0)
}

/// A server with a table `t (n bigint)`, and a session with it.
async fn scene() -> (Server, Session) {
    let server = Server::start().unwrap();
    let session = Session::open(&settings(&server)).await.unwrap();
    session
        .run("create table public.t (n bigint check (n > 0), unique (n) deferrable initially deferred)")
        .await
        .unwrap();
    (server, session)
}

#[tokio::test]
async fn a_statement_outside_of_a_transaction_is_one_and_its_own_failure_is_told() {
    let (_server, session) = scene().await;
    let xids = "select count(distinct xmin::text) from public.t";
    session.run("insert into public.t values (1); insert into public.t values (2)").await.unwrap();
    session.execute("insert into public.t values ($1)", &[&3_i64]).await.unwrap();
    assert_eq!(number(&session, xids).await, 2);
    for (statement, code) in [
        ("insert into public.t values (0)", "23514"),
        ("insert into public.t values (4); select 1/0", "22012"),
        ("nonsense", "42601"),
    ] {
        let error = session.run(statement).await.unwrap_err();
        assert_eq!(error.place().sqlstate.as_deref(), Some(code), "{statement}");
    }
    // What only the commit finds out is told too.
    let error = session.execute("insert into public.t values ($1)", &[&3_i64]).await.unwrap_err();
    assert_eq!(error.place().sqlstate.as_deref(), Some("23505"));
    assert_eq!(number(&session, "select sum(n)::bigint from public.t").await, 6);
    assert_eq!(session.query_one("select 1 where false", &[]).await.unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(number(&session, "select count(*) from pg_stat_activity where state = 'idle in transaction'").await, 0);
}

#[tokio::test]
async fn a_transaction_whose_statement_failed_cannot_be_committed() {
    let (_server, session) = scene().await;
    let work = async {
        session.execute("insert into public.t values (1)", &[]).await?;
        let refused = session.execute("insert into public.t values (0)", &[]).await;
        assert!(refused.is_err());
        Ok(())
    };
    let error = session.transact(Durability::Synchronous, work).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    let work = async {
        drop(session.copy_in("copy public.t from stdin").await?);
        Ok(())
    };
    assert!(session.transact(Durability::Synchronous, work).await.is_err());
    assert_eq!(number(&session, "select count(*) from public.t").await, 0);
}

#[tokio::test]
async fn a_transaction_that_is_not_awaited_to_its_end_leaves_nothing_behind() {
    let (_server, session) = scene().await;
    let work = session.transact(Durability::Synchronous, async {
        session.execute("insert into public.t values (1)", &[]).await?;
        std::future::pending::<Result<()>>().await
    });
    tokio::time::timeout(Duration::from_millis(200), work).await.unwrap_err();
    assert_eq!(number(&session, "select count(*) from public.t").await, 0);
    session.execute("insert into public.t values (2)", &[]).await.unwrap();
    assert_eq!(number(&session, "select sum(n)::bigint from public.t").await, 2);
}

#[tokio::test]
async fn a_transaction_within_another_is_refused_and_neither_is_committed() {
    let (_server, session) = scene().await;
    let error = session
        .transact(Durability::Synchronous, async {
            session.execute("insert into public.t values (1)", &[]).await?;
            session.begin(Durability::Synchronous).await
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(number(&session, "select count(*) from public.t").await, 0);
}

#[tokio::test]
async fn a_copy_out_has_a_transaction_of_its_own_and_may_be_left_midway() {
    let (_server, session) = scene().await;
    session.run("insert into public.t select generate_series(1, 100000)").await.unwrap();
    let copy = "copy (select n from public.t) to stdout";
    let lines: Vec<Bytes> = session.copy_out(copy, SearchPath::Own).await.unwrap().try_collect().await.unwrap();
    assert_eq!(lines.len(), 100_000);
    let mut stream = Box::pin(session.copy_out(copy, SearchPath::Own).await.unwrap());
    assert!(stream.try_next().await.unwrap().is_some());
    drop(stream);
    assert!(session.copy_out("copy (select nothing) to stdout", SearchPath::Pinned).await.is_err());
    session.execute("insert into public.t values (200000)", &[]).await.unwrap();
    assert_eq!(number(&session, "select count(*) from public.t").await, 100_001);
}

#[tokio::test]
async fn a_session_whose_connection_ended_between_transactions_goes_on_over_another() {
    let (_server, session) = scene().await;
    let other = Session::open(&session.settings).await.unwrap();
    let pid = "select pg_backend_pid()::bigint";
    for _ in 0..3 {
        let doomed = number(&session, pid).await;
        number(&other, &format!("select 1::bigint where pg_terminate_backend({doomed}, 5000)")).await;
        session.begin(Durability::Synchronous).await.unwrap();
        assert_ne!(number(&session, pid).await, doomed);
        session.commit().await.unwrap();
    }
    // In the midst of a transaction the loss is told: what it did is gone.
    session.begin(Durability::Synchronous).await.unwrap();
    let doomed = number(&session, pid).await;
    number(&other, &format!("select 1::bigint where pg_terminate_backend({doomed}, 5000)")).await;
    assert_eq!(session.run("insert into public.t values (1)").await.unwrap_err().kind(), ErrorKind::Connection);
    session.rollback().await.unwrap();
    assert_eq!(number(&session, "select count(*) from public.t").await, 0);
}

#[tokio::test]
async fn a_statement_without_an_answer_in_time_is_cancelled_and_its_connection_given_up() {
    let (server, other) = scene().await;
    let limited = settings(&server).with_statement_timeout(Some(Duration::from_millis(300)));
    let session = Session::open(&limited).await.unwrap();
    let error = session.query("select 'secret', pg_sleep(60)", &[]).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Connection, crate::Retry::Backoff));
    assert!(error.to_string().contains("did not answer within 0.3 s: select …"), "{error}");
    assert!(error.hint().unwrap().contains("--statement-timeout"));
    assert!(session.is_closed());
    let sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    while number(&other, sleeping).await > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(server.log().contains("canceling statement due to user request"), "it ended by itself");
    // A COPY that the server takes no more of, and one that it does not end.
    other
        .run(
            "create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(60); return new; end';
               create trigger slow before insert on t for each row execute function slow()",
        )
        .await
        .unwrap();
    for end in [false, true] {
        session.begin(Durability::Synchronous).await.unwrap();
        let mut copy = session.copy_in("copy public.t from stdin").await.unwrap();
        let block = Bytes::from("1\n".repeat(1 << 20));
        let mut sent = copy.send(Bytes::from_static(b"1\n")).await;
        while sent.is_ok() && !end {
            sent = copy.send(block.clone()).await;
        }
        let error = if end { copy.finish(1).await.unwrap_err() } else { sent.unwrap_err() };
        assert!(error.to_string().contains("did not answer within 0.3 s: copy public.t from stdin"), "{error}");
        session.rollback().await.unwrap();
    }
    assert_eq!(number(&session, "select count(*) from public.t").await, 0);
}

#[tokio::test]
async fn a_wait_names_what_is_waited_for_and_who_holds_it() {
    let (server, holder) = scene().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    let observer = Arc::new(move |event: &Event| {
        if let Event::Waiting { reason, .. } = event {
            seen.lock().unwrap().push(reason.clone());
        }
    });
    let session = Session::open(&settings(&server).with_observer(observer)).await.unwrap();
    session.run("insert into public.t values (1)").await.unwrap();
    holder.begin(Durability::Synchronous).await.unwrap();
    holder.run("update public.t set n = 2; select pg_advisory_xact_lock(7)").await.unwrap();
    let pid = holder.query_one("select pg_backend_pid()", &[]).await.unwrap().get::<_, i32>(0);
    let others = [settings(&server), settings(&server)];
    let (row, advisory) = (Session::open(&others[0]).await.unwrap(), Session::open(&others[1]).await.unwrap());
    // The lock on the table is asked for last: who comes after it waits for it, and not for the row.
    let lock = async {
        let waits_for_row = async || match row.current().process() {
            Some(pid) => super::super::waiting::look(&others[0], pid, "x", std::time::Instant::now()).await.is_some(),
            None => false,
        };
        while !waits_for_row().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        session.run("lock table public.t").await
    };
    let waits = async {
        tokio::join!(row.run("update public.t set n = 3"), advisory.run("select pg_advisory_xact_lock(7)"), lock)
    };
    let release = async {
        while told.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let looks = [row.current(), advisory.current()].map(|link| link.process().unwrap());
        let mut reasons = told.lock().unwrap().clone();
        for process in looks {
            reasons.extend(super::super::waiting::look(&others[0], process, "x", std::time::Instant::now()).await);
        }
        holder.rollback().await.unwrap();
        reasons
    };
    let (waited, reasons) = tokio::join!(waits, release);
    [waited.0, waited.1, waited.2].into_iter().for_each(Result::unwrap);
    let expected = ["a lock on public.t", "a lock on a row of public.t", "an advisory lock"];
    for (reason, expected) in reasons.iter().zip(expected) {
        let holder = format!("process {pid} (pgbackfill of postgres, idle in transaction for ");
        assert!(reason.starts_with(&format!("{expected}, held by ")) && reason.contains(&holder), "{reason}");
    }
    assert_eq!(reasons.len(), 3, "{reasons:?}");
}

#[tokio::test]
async fn after_a_copy_that_was_refused_each_answer_is_to_what_was_asked() {
    let (_server, session) = scene().await;
    for sql in
        ["copy nowhere from stdin", "copy public.t (nothing) from stdin", "copy public.t from stdin (format none)"]
    {
        let work = async { session.copy_in(sql).await.map(drop) };
        let error = session.transact(Durability::Synchronous, work).await.unwrap_err();
        assert!(error.place().sqlstate.is_some(), "{sql}: {error}");
        for n in 1..4 {
            assert_eq!(number(&session, &format!("select {n}::bigint")).await, n, "after {sql}");
        }
        session.transact(Durability::Synchronous, session.run("insert into public.t values (7)")).await.unwrap();
        assert_eq!(session.execute("delete from public.t where n = 7", &[]).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_commit_waits_for_the_disk_whatever_the_default_is_and_for_standbys_as_the_default_says() {
    let (server, other) = scene().await;
    for (default, expected) in [("off", "on"), ("false", "on"), ("local", "local"), ("remote_apply", "remote_apply")] {
        other.run(&format!("alter role all set synchronous_commit = {default}")).await.unwrap();
        let session = Session::open(&settings(&server)).await.unwrap();
        let show = async || {
            let row = session.query_one("show synchronous_commit", &[]).await?;
            Ok(row.get::<_, String>(0))
        };
        assert_eq!(show().await.unwrap(), expected, "{default}");
        assert_eq!(session.transact(Durability::Synchronous, show()).await.unwrap(), expected, "{default}");
        assert_eq!(session.transact(Durability::WithTheLedger, show()).await.unwrap(), "off", "{default}");
    }
}
