//! Settings of a role that change how SQL or the catalog reads: none changes what is loaded.

use crate::harness::{Database, Folder, run, run_as};

/// Settings that a role or a database may have, which change how literals, names or values read.
const SETTINGS: [(&str, &str); 12] = [
    ("quote_all_identifiers", "on"),
    ("array_nulls", "off"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "off"),
    ("bytea_output", "escape"),
    ("xmlbinary", "hex"),
    ("xmloption", "document"),
    ("transform_null_equals", "on"),
    ("exit_on_error", "on"),
    ("default_transaction_deferrable", "on"),
    ("client_min_messages", "debug1"),
    ("default_table_access_method", "other"),
];

/// A role with these settings, which goes with its test.
struct Role<'a> {
    database: &'a Database,
    name: String,
}

impl<'a> Role<'a> {
    fn with(database: &'a Database, settings: &[(&str, &str)]) -> Self {
        let name = format!("set_{}", database.name());
        database.sql(&format!("create role {name} superuser login"));
        for (setting, value) in settings {
            database.sql(&format!("alter role {name} set {setting} = {value}"));
        }
        Self { database, name }
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        // Best effort: the role belongs to the server, which goes with the process.
        let _ = self.database.try_sql(&format!("drop owned by {0} cascade; drop role {0}", self.name));
    }
}

#[test]
fn settings_of_a_role_change_neither_the_form_of_rows_nor_their_values() {
    let (database, folder) = (Database::new(), Folder::new());
    database.sql(
        r#"create access method other type table handler heap_tableam_handler;
           create type "Mood" as enum ('sad', 'ok');
           create table t (d date not null, a text, b bytea, c uuid, e json, f jsonb, g inet, h name, i text[], k "Mood",
                           l numeric(7,2), m bit(3), n xml, o text);
           create table expected (like t)"#,
    );
    let csv = "d,a,b,c,e,f,g,h,i,k,l,m,n,o\n\
        2024-01-01,x\\'y,\\x00ff,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,\"{\"\"a\"\": 1}\",{},10.0.0.1,n,\"{NULL,\"\"NULL\"\",a}\",ok,1.25,101,plain <a/> text,\n\
        2024-01-02,\\\\,,,,,,,{},sad,,,,z\n";
    let path = folder.write("a.csv", csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let role = Role::with(&database, &SETTINGS);
    let load = format!("{path} --table t --time-column d --window 1d --batch-rows 1 --job j");
    let plain = run(&database, &format!("plan {load}")).exits(0).stdout;
    let set = run_as(&database, &role.name, &format!("plan {load}")).exits(0).stdout;
    assert_eq!(set, plain);
    run_as(&database, &role.name, &format!("load {load}")).exits(0);
    database.assert_same("t", "expected");
    // Whoever has other settings finds the same table.
    run(&database, &format!("load {load}")).exits(0);
    run(&database, "verify j").exits(0).prints(&["2 rows: equal"]);
    run_as(&database, &role.name, "verify j").exits(0).prints(&["2 rows: equal"]);
    database.sql("update pgbackfill.windows set state = 'pending' where number = 0");
    run(&database, &format!("load {load}")).exits(0);
    let heaps = "select count(*) from pg_class c join pg_am m on m.oid = c.relam
                  where c.relnamespace = 'pgbackfill'::regnamespace and m.amname = 'other'";
    assert_eq!(database.one(heaps), "0");
    run_as(&database, &role.name, "undo j").exits(0);
    assert_eq!(database.count("t"), 0);
}

#[test]
fn a_refused_row_is_named_though_errors_end_the_sessions_of_the_role() {
    let (database, folder) = (Database::with("create table t (d date not null, v int check (v <> 2))"), Folder::new());
    let role = Role::with(&database, &[("exit_on_error", "on")]);
    let path = folder.write("a.csv", "d,v\n2024-01-01,1\n2024-01-01,2\n2024-01-01,3\n");
    let load = format!("load {path} --table t --time-column d --window 1d --job j");
    run_as(&database, &role.name, &load).exits(1).says(&["record 2"]);
    run_as(&database, &role.name, &format!("{load} --max-rejects 1")).exits(3);
    assert_eq!(database.rows("select v from t order by 1"), ["1", "3"]);
}
