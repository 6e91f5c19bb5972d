//! What rows are loaded into: tables by any name, partitions, views, and columns that fill themselves.

use crate::harness::{Database, Folder, Gate, METRICS, metrics, run, run_args, run_as, start};

/// Two rows an hour apart.
const CSV: &str = "ts,host,value\n2024-01-01T00:00:00Z,a,1\n2024-01-01T01:30:00Z,b,2\n";

#[test]
fn schema_qualified_and_quoted_names_are_taken_as_sql_spells_them() {
    let setup = r#"
        create schema "My Schema";
        create table "My Schema"."My ""Table""" ("Time Stamp" timestamp not null, "select" int, "naïve ☃" text);
        create table "My Schema".plain (like "My Schema"."My ""Table""");
        create table public.plain (like "My Schema"."My ""Table""")"#;
    let (database, folder) = (Database::with(setup), Folder::new());
    let csv = "Time Stamp,select,naïve ☃\n2024-01-01 00:00,1,x\n2024-01-02 00:00,2,\n";
    let path = folder.write("a.csv", csv);
    let names = [r#""My Schema"."My ""Table""""#, r#""My Schema".plain"#, "public.plain", "Plain"];
    for (number, name) in names.iter().enumerate() {
        let job = format!("it's job {number}");
        let load = [
            "load",
            &path,
            "--table",
            name,
            "--time-column",
            "Time Stamp",
            "--window",
            "1d",
            "--existing",
            "keep",
            "--job",
            &job,
        ];
        run_args(&database, &load).exits(0);
        run_args(&database, &["verify", &job]).exits(0).prints(&["2 rows: equal"]);
        run_args(&database, &["undo", &job]).exits(0).prints(&["2 rows deleted"]);
    }
    let missing = [r#""My Schema"."my ""table""""#, r#""Plain""#, "nowhere.plain"];
    for name in missing {
        run_args(&database, &["load", &path, "--table", name, "--time-column", "Time Stamp"])
            .exits(2)
            .says(&["there is no table"]);
    }
}

const PARTITIONED: &str = "
    create table t (ts timestamptz not null, host text, value int) partition by range (ts);
    create table t1 partition of t for values from ('2024-01-01Z') to ('2024-02-01Z');
    create table t2 partition of t for values from ('2024-02-01Z') to ('2024-02-10Z');
    create table t3 partition of t for values from ('2024-02-10Z') to ('2024-04-01Z');
    create table expected (like t)";

#[test]
fn the_windows_of_a_partitioned_table_are_its_partitions() {
    let (database, folder) = (Database::with(PARTITIONED), Folder::new());
    let csv = "ts,host,value\n2024-03-31T23:59:59.999999Z,a,1\n2024-02-10T00:00:00Z,a,2\n2024-01-31T23:59:59Z,b,3\n2024-02-09,c,4\n2024-01-01,d,5\n";
    let path = folder.write("a.csv", csv);
    let load = format!("load {path} --table t --time-column ts --window auto --job parts");
    run(&database, &load).exits(0);
    let windows = database.rows(
        "select timestamptz '2000-01-01Z' + lower * interval '1 us', rows from pgbackfill.windows order by number",
    );
    assert_eq!(windows, ["2024-01-01 00:00:00+00|2", "2024-02-01 00:00:00+00|1", "2024-02-10 00:00:00+00|2"]);
    database.copy_csv("expected", "header true", csv.as_bytes());
    database.assert_same("t", "expected");
    run(&database, "verify parts").exits(0);
    database.sql("delete from t2");
    run(&database, "verify parts").exits(5).prints(&["[2024-02-01, 2024-02-10)"]);
    run(&database, "undo parts").exits(1).says(&["only 0 of the 1 rows"]);
    run(&database, "undo parts --missing-ok").exits(0);
    assert_eq!(database.count("t"), 0);
}

#[test]
fn a_row_without_a_partition_is_an_error_and_the_windows_before_it_stay() {
    let (database, folder) = (Database::with(PARTITIONED), Folder::new());
    let path = folder.write("a.csv", "ts,host,value\n2024-01-01,a,1\n2024-05-01,b,2\n");
    let load = format!("load {path} --table t --time-column ts --window '1 month' --workers 1");
    run(&database, &load).exits(1).says(&["no partition of relation", "23514", "[2024-05-01, 2024-06-01)"]);
    database.sql("create table t5 partition of t for values from ('2024-05-01Z') to ('2024-06-01Z')");
    run(&database, &load).exits(0);
    assert_eq!(database.count("t"), 2);
    run(&database, "verify").exits(0);
}

#[test]
fn identity_generated_and_default_columns_fill_themselves() {
    let setup = "
        create table t (
          id bigint generated always as identity, serial serial, ts timestamptz not null, value int not null,
          twice int generated always as (value * 2) stored, note text default 'none', at timestamptz not null default now())";
    let (database, folder) = (Database::with(setup), Folder::new());
    let path = folder.write("a.csv", "ts,value\n2024-01-01,1\n2024-01-02,2\n");
    run(&database, &format!("load {path} --table t --time-column ts --job fills")).exits(0);
    let rows = database.rows("select id, serial, value, twice, note, at > '2020-01-01' from t order by ts");
    assert_eq!(rows, ["1|1|1|2|none|t", "2|2|2|4|none|t"]);
    run(&database, "verify fills").exits(0);
    // A source may give values of its own, as COPY lets it; but not to a generated column.
    let path = folder.write("b.csv", "id,ts,value,note\n77,2025-01-01,3,\n");
    run(&database, &format!("load {path} --table t --time-column ts")).exits(0);
    assert_eq!(database.one("select id, note from t where value = 3"), "77|null");
    let path = folder.write("c.csv", "ts,value,twice\n2026-01-01,3,6\n");
    run(&database, &format!("load {path} --table t --time-column ts")).exits(2).says(&["twice is generated"]);
}

#[test]
fn a_view_is_loaded_one_transaction_a_window_and_its_jobs_cannot_be_undone() {
    let setup = "
        create table t (ts timestamptz not null, host text, value int, note text default 'base');
        create view v as select ts, host as name, value from t where value < 100 with check option";
    let (database, folder) = (Database::with(setup), Folder::new());
    let path = folder.write("a.csv", CSV);
    let load = format!("{path} --table v --time-column ts --window 1h --map host=name --job view");
    run(&database, &format!("plan {load}")).exits(0).prints(&["one transaction a window", "undo is not possible"]);
    run(&database, &format!("load {load}")).exits(0);
    assert_eq!(database.rows("select host, value, note from t order by ts"), ["a|1|base", "b|2|base"]);
    run(&database, "verify view").exits(0).prints(&["2 rows: equal"]);
    database.sql("update t set value = 50 where host = 'b'");
    run(&database, "verify view").exits(5).prints(&["[2024-01-01 01:00, 2024-01-01 02:00) differs: values differ"]);
    run(&database, "undo view").exits(2).says(&["carry no transaction id"]);
    assert_eq!(database.count("t"), 2);
    let path = folder.write("b.csv", "ts,name,value\n2025-01-01,c,99\n2025-01-01,d,100\n");
    run(&database, &format!("load {path} --table v --time-column ts")).exits(1).says(&["check option", "44000"]);
    assert_eq!(database.count("t"), 2);
}

#[test]
fn a_loader_killed_in_a_view_loads_every_row_once() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    database.sql("create view v as select * from metrics");
    let csv = metrics(60_000, 360);
    let path = folder.write("a.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let gate = Gate::close(&database, 20_000);
    let load = format!("load {path} --table v --time-column ts --window 3h --workers 1");
    let loader = gate.wait_for(start(&database, &load));
    loader.kill();
    gate.open();
    database.wait_until_alone();
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
    run(&database, "verify").exits(0);
}

#[test]
fn a_view_that_a_trigger_fills_takes_rows_and_is_counted() {
    let setup = "
        create table t (ts timestamptz not null, host text, value int);
        create view v as select ts, upper(host) as host, value from t;
        create function fill() returns trigger language plpgsql as $$
          begin insert into t values (new.ts, lower(new.host), new.value); return new; end $$;
        create trigger fill instead of insert on v for each row execute function fill()";
    let (database, folder) = (Database::with(setup), Folder::new());
    let path = folder.write("a.csv", CSV);
    run(&database, &format!("load {path} --table v --time-column ts --window 1h")).exits(0);
    assert_eq!(database.rows("select host, value from t order by ts"), ["a|1", "b|2"]);
    run(&database, "verify").exits(0).prints(&["cannot be foretold: ts, host, value"]);
    database.sql("delete from t where host = 'a'");
    run(&database, "verify").exits(5);
}

#[test]
fn what_cannot_be_inserted_into_is_refused_before_anything_is_written() {
    let setup = "
        create table t (ts timestamptz, host text, value int);
        create view grouped as select ts, host, sum(value) as value from t group by 1, 2;
        create materialized view made as select * from t;
        create sequence numbers";
    let (database, folder) = (Database::with(setup), Folder::new());
    let path = folder.write("a.csv", CSV);
    for name in ["grouped", "made", "numbers", "pg_class_oid_index"] {
        run(&database, &format!("load {path} --table {name} --time-column ts")).exits(2).says(&[name]);
    }
    assert_eq!(database.one("select to_regclass('pgbackfill.jobs') is null"), "t");
}

#[test]
fn a_trigger_may_rewrite_rows_and_verify_then_counts_them() {
    let setup = "
        create table t (ts timestamptz not null, host text, value int);
        create function rewrite() returns trigger language plpgsql as $$ begin new.value := new.value * 10; return new; end $$;
        create trigger rewrite before insert on t for each row execute function rewrite()";
    let (database, folder) = (Database::with(setup), Folder::new());
    let path = folder.write("a.csv", CSV);
    run(&database, &format!("load {path} --table t --time-column ts")).exits(0).says(&[]);
    assert_eq!(database.rows("select host, value from t order by ts"), ["a|10", "b|20"]);
    run(&database, "verify").exits(0).prints(&["cannot be foretold"]);
    database.sql("delete from t where host = 'a'");
    run(&database, "verify").exits(5);
}

#[test]
fn a_trigger_that_drops_rows_is_an_error_and_nothing_of_the_window_is_stored() {
    let setup = "
        create table t (ts timestamptz not null, host text, value int);
        create function drop_row() returns trigger language plpgsql as $$
          begin if new.value = 2 then return null; end if; return new; end $$;
        create trigger drop_row before insert on t for each row execute function drop_row()";
    let (database, folder) = (Database::with(setup), Folder::new());
    let path = folder.write("a.csv", CSV);
    let load = format!("load {path} --table t --time-column ts --window 1d");
    run(&database, &load).exits(1).says(&["the server stored 1 of 2 rows", "trigger"]);
    assert_eq!(database.count("t"), 0);
}

#[test]
fn row_level_security_is_obeyed_for_an_owner_that_it_binds() {
    let (database, folder) = (Database::new(), Folder::new());
    let role = format!("owner_{}", database.name());
    database.sql(&format!(
        "create role {role} login;
         grant create on database {} to {role};
         create table t (ts timestamptz not null, tenant text, value int);
         insert into t values ('2024-01-01 00:30Z', 'b', 7);
         alter table t owner to {role};
         alter table t enable row level security;
         alter table t force row level security;
         create policy tenants on t using (tenant = 'a') with check (tenant = 'a')",
        database.name()
    ));
    let path = folder.write("a.csv", "ts,tenant,value\n2024-01-01,a,1\n2024-01-01,a,2\n");
    run_as(&database, &role, &format!("load {path} --table t --time-column ts --window 1d --job a")).exits(0);
    run_as(&database, &role, "verify a").exits(0).prints(&["2 rows: equal"]);
    let foreign = folder.write("b.csv", "ts,tenant,value\n2024-01-02,a,1\n2024-01-02,b,2\n");
    run_as(&database, &role, &format!("load {foreign} --table t --time-column ts --window 1d --job b"))
        .exits(1)
        .says(&["42501"]);
    assert_eq!(database.rows("select tenant, value from t order by value"), ["a|1", "a|2", "b|7"]);
    run_as(&database, &role, "undo a").exits(0).prints(&["2 rows deleted"]);
    assert_eq!(database.rows("select tenant, value from t"), ["b|7"]);
    database.sql(&format!("drop owned by {role} cascade; drop role {role}"));
}

#[test]
fn a_foreign_table_is_loaded_one_transaction_a_window() {
    let database = Database::with(
        "create table base (ts timestamptz not null, host text, value int); create extension postgres_fdw",
    );
    let (folder, port) = database.address();
    database.sql(&format!(
        "create server here foreign data wrapper postgres_fdw options (host '{folder}', port '{port}', dbname '{}');
         create user mapping for postgres server here options (user 'postgres', password_required 'false');
         create foreign table t (ts timestamptz not null, host text, value int) server here options (table_name 'base')",
        database.name()
    ));
    let files = Folder::new();
    let path = files.write("a.csv", CSV);
    let load = format!("load {path} --table t --time-column ts --window 1h --workers 1");
    run(&database, &load).exits(0);
    assert_eq!(database.rows("select host, value from base order by ts"), ["a|1", "b|2"]);
    run(&database, "verify").exits(0).prints(&["2 rows: equal"]);
    assert_eq!(database.one("select commit_mode from pgbackfill.jobs"), "whole");
}

#[test]
fn a_row_that_the_server_refuses_leaves_nothing_half_visible_and_the_job_goes_on_once_it_is_taken() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    database.sql("alter table metrics add constraint small check (note <> 'row 50000')");
    let csv = metrics(60_000, 360);
    let path = folder.write("a.csv", &csv);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let load =
        format!("load {path} --table metrics --time-column ts --window 3h --batch-rows 2000 --workers 1 --job small");
    run(&database, &load).exits(1).says(&["[2024-01-01 03:00, 2024-01-01 06:00)", "\"small\"", "23514"]);
    run(&database, "status small").exits(0).prints(&["1 failed", "frontier  every window before 2024-01-01 03:00"]);
    database.sql("alter table metrics drop constraint small");
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
    run(&database, "verify small").exits(0);
}

#[test]
fn a_row_that_the_server_refuses_only_at_the_commit_is_an_error_and_is_not_stored() {
    let setup =
        "create table t (ts timestamptz not null, host text, value int, unique (value) deferrable initially deferred)";
    let (database, folder) = (Database::with(setup), Folder::new());
    let path = folder.write("a.csv", "ts,host,value\n2024-01-01,a,1\n2024-01-01,b,1\n");
    let load = format!("load {path} --table t --time-column ts --window 1d");
    run(&database, &load).exits(1).says(&["duplicate key", "23505", "[2024-01-01, 2024-01-02)"]);
    assert_eq!(database.count("t"), 0);
    database.sql("alter table t drop constraint t_value_key");
    run(&database, &load).exits(0);
    assert_eq!(database.count("t"), 2);
    run(&database, "verify").exits(0);
}

#[test]
fn a_value_that_cannot_be_stored_is_placed_and_its_job_can_be_taken_back_and_loaded_mended() {
    let (database, folder) = (Database::with(METRICS), Folder::new());
    let csv = metrics(60_000, 360);
    database.copy_csv("expected", "header true", csv.as_bytes());
    let bad = csv.replace("row 50000\n", "row 50000\n2024-01-01T05:00:00Z,host,1000,too much\n");
    let path = folder.write("a.csv", &bad);
    let load =
        format!("load {path} --table metrics --time-column ts --window 3h --batch-rows 2000 --workers 1 --job bad");
    let byte = bad.find("2024-01-01T05:00:00Z,host").unwrap();
    run(&database, &load).exits(1).says(&[
        "window [2024-01-01 03:00, 2024-01-01 06:00) of job bad failed after 1 attempt",
        "numeric(7,4)",
        "column \"value\"",
        &format!("{path} record 50002, byte {byte}"),
    ]);
    folder.write("a.csv", &csv);
    run(&database, &load).exits(1).says(&["a.csv has changed", "pgbackfill undo bad"]);
    run(&database, "undo bad").exits(0);
    assert_eq!(database.count("metrics"), 0);
    run(&database, &load).exits(0);
    database.assert_same("metrics", "expected");
}

#[test]
fn a_plan_touches_nothing() {
    let (database, folder) = (Database::with("create table t (ts timestamptz, host text, value int)"), Folder::new());
    let path = folder.write("a.csv", CSV);
    let plan = run(&database, &format!("plan {path} --table t --time-column ts --window 1h")).exits(0);
    plan.prints(&[
        "2 rows in 1 piece",
        "[2024-01-01, 2024-01-01 01:00)",
        "2 windows",
        "no index of public.t leads with ts",
    ]);
    assert_eq!(database.one("select to_regclass('pgbackfill.jobs') is null"), "t");
    assert_eq!(database.count("t"), 0);
    let plan = run(&database, &format!("plan {path} --table t --time-column ts --window 1h --json")).exits(0).json();
    assert_eq!((&plan["rows"], &plan["windows"][0]["window"]), (&2.into(), &"[2024-01-01, 2024-01-01 01:00)".into()));
}

#[test]
fn windows_of_partitions_without_a_bound_end_where_the_source_does() {
    let setup = "
        create table t (ts timestamptz not null, host text, value int) partition by range (ts);
        create table t1 partition of t for values from (minvalue) to ('2024-01-01Z');
        create table t2 partition of t for values from ('2024-01-01Z') to (maxvalue)";
    let (database, folder) = (Database::with(setup), Folder::new());
    let path = folder.write("a.csv", "ts,host,value\n2020-01-01,a,1\n2024-01-01,b,2\n");
    let load = format!("{path} --table t --time-column ts --window auto");
    run(&database, &format!("plan {load}"))
        .exits(0)
        .prints(&["[2020-01-01, 2024-01-01)", "[2024-01-01, 2024-01-01 00:00:00.000001)"]);
    run(&database, &format!("load {load}")).exits(0).says(&["frontier 2024-01-01 00:00:00.000001"]);
    assert_eq!((database.count("t1"), database.count("t2")), (1, 1));
}
