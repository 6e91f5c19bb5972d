//! A search path with a hostile schema first: no statement of the program may look anything up in it.

use crate::harness::{Database, Folder, Gate, METRICS, Output, metrics, run, run_as, start_as};

/// A schema that has whatever `pg_catalog` has: functions, aggregates and operators that raise an error, and relations and
/// types that are of no use. First in the path, it breaks every statement that looks a name up there.
const TRAPS: &str = r"
create schema hostile;
do $do$
declare trap record; number int := 0;
begin
  for trap in select format('create function hostile.%I(%s) returns %s language plpgsql as ', proname,
                            pg_get_function_arguments(oid), pg_get_function_result(oid))
                     || quote_literal(format('begin raise exception %L; end', 'hijacked: ' || proname)) as sql
                from pg_proc where pronamespace = 'pg_catalog'::regnamespace and prokind = 'f' loop
    begin execute trap.sql; exception when others then null; end;
  end loop;
  for trap in select proname, array_to_string(array(select ', ' || format_type(t, null) from unnest(proargtypes) t), '') as types,
                     pg_get_function_arguments(oid) as arguments
                from pg_proc where pronamespace = 'pg_catalog'::regnamespace and prokind = 'a' loop
    begin
      execute format('create function hostile.step(pg_catalog.text %s) returns pg_catalog.text language plpgsql as ', trap.types)
              || quote_literal(format('begin raise exception %L; end', 'hijacked: ' || trap.proname));
    exception when others then null; end;
    begin
      execute format('create aggregate hostile.%I(%s) (sfunc = hostile.step, stype = pg_catalog.text)', trap.proname,
                     case when trap.arguments = '' then '*' else trap.arguments end);
    exception when others then null; end;
  end loop;
  for trap in select oprname, nullif(oprleft, 0)::regtype as l, nullif(oprright, 0)::regtype as r, oprresult::regtype as result
                from pg_operator where oprnamespace = 'pg_catalog'::regnamespace loop
    begin
      number := number + 1;
      execute format('create function hostile.operator_%s(%s) returns %s language plpgsql as ', number,
                     concat_ws(', ', trap.l, trap.r), trap.result)
              || quote_literal(format('begin raise exception %L; end', 'hijacked: ' || trap.oprname));
      execute format('create operator hostile.%s (%s, function = hostile.operator_%s)', trap.oprname,
                     concat_ws(', ', 'leftarg = ' || trap.l, 'rightarg = ' || trap.r), number);
    exception when others then null; end;
  end loop;
  for trap in select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v') loop
    execute format('create table hostile.%I ()', trap.relname);
  end loop;
  -- A table has a type of its name.
  for trap in select typname from pg_type
               where typnamespace = 'pg_catalog'::regnamespace and typtype in ('b', 'r') and typname not like '\_%'
                 and not exists (select from pg_type o where o.typnamespace = 'hostile'::regnamespace and o.typname = pg_type.typname) loop
    execute format('create domain hostile.%I as pg_catalog.point', trap.typname);
  end loop;
end $do$;
";

/// A database and a superuser whose path begins with the hostile schema.
struct Scene {
    database: Database,
    folder: Folder,
    admin: String,
}

fn scene(setup: &str) -> Scene {
    let (database, folder) = (Database::with(setup), Folder::new());
    let admin = format!("admin_{}", database.name());
    database.sql(TRAPS);
    database.sql(&format!(
        "create role {admin} superuser login;
         alter role {admin} in database {} set search_path = hostile, pg_catalog, public",
        database.name()
    ));
    let caught = database.connect_as(&admin).try_sql("select 1 = 1").unwrap_err();
    assert!(format!("{caught:?}").contains("hijacked: ="), "{caught:?}");
    Scene { database, folder, admin }
}

impl Scene {
    fn run(&self, line: &str) -> Output {
        run_as(&self.database, &self.admin, line)
    }

    /// Loads a file and reads it back in every way, then takes it out again.
    fn walk(&self, table: &str, csv: &str, options: &str) {
        let job = format!("j_{}", self.database.name());
        let path = self.folder.write("walk.csv", csv);
        let load = format!("{path} --table {table} --window 1d --workers 1 --job {job} {options}");
        self.run(&format!("plan {load}")).exits(0);
        self.run(&format!("load {load}")).exits(0);
        self.run(&format!("load {load}")).exits(0);
        self.run(&format!("verify {job}")).exits(0);
        self.run("status").exits(0);
        self.run(&format!("rejects {job}")).exits(0);
        // One window is cleared and loaded again, by a run that ends what others left.
        self.database.sql("update pgbackfill.windows set state = 'pending' where number = 0");
        self.run(&format!("load {load} --takeover")).exits(0);
        self.run(&format!("verify {job}")).exits(0);
        self.run(&format!("undo {job}")).exits(0);
        assert_eq!(self.database.count(table), 0);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Best effort: the role belongs to the server, which goes with the process.
        let _ = self.database.try_sql(&format!("drop owned by {0} cascade; drop role {0}", self.admin));
    }
}

const CSV: &str =
    "ts,host,value\n2024-01-01 01:00,a,1\n2024-01-01 02:00,b,2\n2024-01-02 01:00,a,3\n2024-01-03 01:00,c,4\n";

#[test]
fn no_statement_of_a_load_a_check_or_an_undo_looks_into_a_hostile_schema() {
    let scene = scene("create table t (ts timestamptz not null, host text, value int); create index on t (ts)");
    scene.walk("t", CSV, "--time-column ts --timezone Europe/Berlin");
    scene.walk("t", CSV, "--no-time-column");
    scene.walk("t", CSV, "--time-column ts --commit window --existing replace --scope 'host <> $$z$$ -- theirs'");
}

#[test]
fn no_statement_about_missing_rows_looks_into_a_hostile_schema() {
    let scene = scene("create table t (ts timestamptz not null, host text, value int); create index on t (ts)");
    let job = format!("j_{}", scene.database.name());
    let path = scene.folder.write("walk.csv", CSV);
    let load = format!("load {path} --table t --time-column ts --timezone UTC --window 1d --workers 1 --job {job}");
    let lose = || {
        scene.run(&load).exits(0);
        scene.database.sql("delete from t where value = 1; update pgbackfill.jobs set counted = false");
    };
    lose();
    scene.run(&load).exits(1).says(&["1 row of job"]);
    scene.run(&format!("verify {job}")).exits(5);
    scene.run(&format!("{load} --reload-missing")).exits(0);
    assert_eq!(scene.database.count("t"), 4);
    lose();
    scene.run(&format!("undo {job}")).exits(1).says(&["only 1 of the 2 rows"]);
    scene.run(&format!("undo {job} --missing-ok")).exits(0);
    assert_eq!(scene.database.count("t"), 0);
    lose();
    scene.run(&format!("forget {job} --leave-rows")).exits(0);
    assert_eq!(scene.database.count("t"), 3);
}

#[test]
fn no_statement_for_a_table_with_triggers_and_defaults_looks_into_a_hostile_schema() {
    let scene = scene(
        "create table t (ts timestamptz not null, host text, value int, id int generated always as identity,
                         note text default lower('X'));
         create function act() returns trigger language plpgsql set search_path = pg_catalog, public as
           'begin update t set note = ''seen'' where ts = new.ts; return null; end';
         create trigger act after insert on t for each row execute function act()",
    );
    scene.walk("t", CSV, "--time-column ts");
}

#[test]
fn no_statement_for_a_view_looks_into_a_hostile_schema() {
    let scene = scene(
        "create table base (ts timestamptz not null, host text, value int);
         create view t as select * from base where value > 0",
    );
    let path = scene.folder.write("a.csv", CSV);
    for options in ["", "--existing replace --scope 'value >= 1 and host in ($$a$$, $$b$$, $$c$$)'"] {
        let load = format!("{path} --table t --time-column ts --window 1d {options}");
        scene.run(&format!("plan {load}")).exits(0);
        scene.run(&format!("load {load}")).exits(0);
        assert_eq!(scene.database.count("base"), 4);
    }
}

#[test]
fn no_statement_for_rows_whose_key_is_there_looks_into_a_hostile_schema() {
    let scene = scene("create table t (ts timestamptz not null, host text, value int unique)");
    let path = scene.folder.write("a.csv", CSV);
    let load = format!("load {path} --table t --time-column ts --window 1d --workers 2 --existing keep");
    scene.run(&format!("{load} --on-conflict skip --job skip")).exits(0);
    scene.run("verify skip").exits(0);
    scene.run(&format!("{load} --on-conflict update --conflict-key value --job update")).exits(0);
    scene.run("verify update").exits(0);
    scene.run("undo update").exits(2).says(&["took values"]);
}

#[test]
fn no_statement_about_rejects_looks_into_a_hostile_schema() {
    let scene = scene("create table t (ts timestamptz not null, host text, value int check (value <> 2))");
    let path = scene.folder.write("a.csv", format!("{CSV}x,y,5\n"));
    let load = format!("load {path} --table t --time-column ts --window 1d --job j");
    scene.run(&load).exits(1);
    scene.run(&format!("{load} --max-rejects 5")).exits(3);
    scene.run("rejects j").exits(0);
    scene.run("status j").exits(0);
    assert_eq!(scene.database.count("t"), 3);
    scene.run("undo j").exits(0);
}

#[test]
fn no_statement_about_a_changed_source_looks_into_a_hostile_schema() {
    let scene = scene("create table t (ts timestamptz not null, host text, value int)");
    let path = scene.folder.write("a.csv", CSV);
    let load = format!("load {path} --table t --time-column ts --window 1d --job j");
    scene.run(&load).exits(0);
    scene.folder.write("a.csv", "ts,host,value\n2023-12-31 01:00,n,0\n2024-01-01 01:00,a,7\n2024-01-03 01:00,c,4\n");
    scene.run(&load).exits(1);
    scene.run(&format!("{load} --accept-changed-source")).exits(0);
    scene.run("verify j").exits(0);
    assert_eq!(scene.database.rows("select value from t order by 1"), ["0", "4", "7"]);
}

#[test]
fn no_statement_that_truncates_partitions_looks_into_a_hostile_schema() {
    let scene = scene(
        "create table t (ts timestamptz not null, host text, value float8) partition by range (ts);
         create table t1 partition of t for values from ('2024-01-01Z') to ('2024-02-01Z')",
    );
    let rows = |i: u32| format!("2024-01-{:02} 00:00,h,{i}\n", i % 28 + 1);
    let csv: String = (0..101_000).map(rows).collect();
    let path = scene.folder.write("a.csv", format!("ts,host,value\n{csv}"));
    scene.run(&format!("load {path} --table t --time-column ts --window '1 month' --job j")).exits(0);
    let before = scene.database.one("select pg_relation_filenode('t1')");
    scene.run("undo j").exits(0);
    assert_eq!(scene.database.count("t"), 0);
    assert_ne!(scene.database.one("select pg_relation_filenode('t1')"), before, "it was not truncated");
}

#[test]
fn no_statement_about_other_runs_looks_into_a_hostile_schema() {
    let scene = scene(METRICS);
    let path = scene.folder.write("a.csv", metrics(60_000, 360));
    let gate = Gate::close(&scene.database, 20_000);
    scene.database.sql("alter function wait_at_gate() set search_path = pg_catalog, public");
    let load = format!("load {path} --table metrics --time-column ts --window 3h --workers 1 --job j");
    let first = gate.wait_for(start_as(&scene.database, &scene.admin, &load));
    scene.run(&load).exits(7);
    // It loads what is left, and then tells what it waits for.
    let mut second = start_as(&scene.database, &scene.admin, &format!("{load} --join --json"));
    assert!(second.event_named("waiting").is_some());
    gate.open();
    first.finish().exits(0);
    second.finish().exits(0);
    assert_eq!(scene.database.count("metrics"), 60_000);
}

#[test]
fn the_ledger_that_an_administrator_makes_has_nothing_of_a_hostile_schema() {
    let scene = scene("create table t (ts timestamptz not null, host text, value int)");
    let statements = scene.run("init --print").exits(0).stdout;
    let hijacked = "select d.refobjid from pg_depend d where d.refobjid in
                      (select oid from pg_proc where pronamespace = 'hostile'::regnamespace
                       union all select oid from pg_operator where oprnamespace = 'hostile'::regnamespace
                       union all select oid from pg_type where typnamespace = 'hostile'::regnamespace)
                      and d.objid in (select oid from pg_class where relnamespace = 'pgbackfill'::regnamespace
                                      union all select oid from pg_attrdef
                                      union all select oid from pg_constraint)";
    for made in [statements.as_str(), "init"] {
        if made == "init" {
            scene.run("init").exits(0);
        } else {
            scene.database.connect_as(&scene.admin).sql(made);
        }
        assert!(scene.database.rows(hijacked).is_empty(), "{made}");
        scene.walk("t", CSV, "--time-column ts");
        scene.database.sql("drop schema pgbackfill cascade");
    }
}

#[test]
fn a_role_that_may_create_in_public_gains_nothing_from_what_a_superuser_runs() {
    let (database, folder) =
        (Database::with("create table t (ts timestamptz not null, host text, value int)"), Folder::new());
    let mallory = format!("mallory_{}", database.name());
    // A function of pg_catalog takes text and bigint: this one suits the arguments of a statement better.
    database.sql(&format!(
        "create role {mallory}; grant create on schema public to {mallory}; set role {mallory};
         create function public.hashtextextended(text, int) returns bigint language plpgsql as
           'begin execute ''alter role {mallory} superuser''; return 1; end';
         create function public.reaches(numeric, int) returns boolean language plpgsql as
           'begin execute ''alter role {mallory} superuser''; return true; end';
         create operator public.> (leftarg = numeric, rightarg = int, function = public.reaches);
         reset role;
         alter table t alter value type numeric; insert into t values ('2024-01-01 05:00Z', 'theirs', 9)"
    ));
    let path = folder.write("a.csv", CSV);
    let load = format!("{path} --table t --time-column ts --window 1d --existing replace --scope 'value > 0' --job j");
    for command in [&format!("plan {load}"), &format!("load {load}"), "verify j", "undo j"] {
        run(&database, command).exits(0);
        assert_eq!(
            database.one(&format!("select rolsuper from pg_roles where rolname = '{mallory}'")),
            "f",
            "{command}"
        );
    }
    database.sql(&format!("drop owned by {mallory} cascade; drop role {mallory}"));
}
