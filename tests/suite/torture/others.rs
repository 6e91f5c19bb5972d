//! Somebody else who writes into the table while it is loaded: inserts, updates and deletes rows of their own, and keeps a
//! second copy of them in `foreign_rows`, written in the same transactions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;
use std::time::Duration;

use crate::harness::{Database, Session};

/// Tells the writers to end when it goes, however it goes.
pub(super) struct Writers<'a>(&'a AtomicBool);

impl Drop for Writers<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Starts those who write outside of the source's range, and if the windows are `shared`, those who write inside.
pub(super) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    database: &'scope Database,
    stop: &'scope AtomicBool,
    shared: bool,
    minutes: u64,
) -> Writers<'scope> {
    let inside = format!("timestamptz '2024-01-01' + random() * interval '{minutes} minutes'");
    scope.spawn(|| write(database, stop, "outside", "timestamptz '2023-01-01' + n * interval '1 second'"));
    if shared {
        scope.spawn(move || write(database, stop, "inside", &inside));
    }
    Writers(stop)
}

/// Writes until told to end. A transaction that fails, or whose outcome is unknown, is in both tables or in neither.
fn write(database: &Database, stop: &AtomicBool, name: &str, time: &str) {
    let mut session: Option<Session> = None;
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        number += 1;
        let open = session.take().or_else(|| database.try_connect().ok());
        session = open.filter(|open| open.try_sql(&transaction(name, time, number)).is_ok());
        std::thread::sleep(Duration::from_millis(15));
    }
}

/// Several statements sent at once are one transaction.
fn transaction(name: &str, time: &str, number: u64) -> String {
    let (changed, gone) = (number.saturating_sub(3), number.saturating_sub(7));
    let both = ["metrics", "foreign_rows"];
    let change = |table: &str| match number % 3 {
        0 => format!(
            "update {table} set note = 'changed' where host = 'other' and reading = {changed} and note = '{name}'"
        ),
        1 => format!("delete from {table} where host = 'other' and reading = {gone} and note = '{name}'"),
        _ => "select".to_owned(),
    };
    format!(
        "with made as (
           insert into metrics select {time}, 'other', {number}, '{name}' from generate_series(1, 20) n returning *)
         insert into foreign_rows table made;
         {}; {}",
        change(both[0]),
        change(both[1]),
    )
}
