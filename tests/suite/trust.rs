//! What other roles can put into the ledger, and what a predicate can hold: none of it runs as whoever uses them.

use crate::harness::{Database, Folder, Output, run, run_as};

const CSV: &str = "ts,tenant,value\n2024-01-01 01:00Z,1,1\n2024-01-02 01:00Z,1,2\n2024-01-03 01:00Z,1,3\n";

/// A table, a role that may load it, and a function of that role which makes whoever runs it make it a superuser.
struct Scene {
    database: Database,
    _folder: Folder,
    role: String,
    load: String,
}

fn scene(table: &str) -> Scene {
    let (database, folder) = (Database::new(), Folder::new());
    let (name, role) = (database.name(), format!("mallory_{}", database.name()));
    database.sql(&format!(
        "create table base (ts timestamptz not null, tenant int, value int);
         {table};
         create role {role} login;
         create schema hers authorization {role};
         grant select, insert, delete on all tables in schema public to {role};
         grant create, temporary on database {name} to {role};
         set role {role};
         create function hers.rise() returns boolean language plpgsql as
           $$ begin execute 'alter role {role} superuser'; return true; exception when insufficient_privilege then return true; end $$;
         create function hers.rise_by_trigger() returns trigger language plpgsql as
           $$ begin perform hers.rise(); return coalesce(new, old); end $$;
         reset role;"
    ));
    let path = folder.write("a.csv", CSV);
    let load = format!("load {path} --table t --time-column ts --window 1d --workers 1 --job j");
    Scene { database, _folder: folder, role, load }
}

const PLAIN: &str = "create table t (ts timestamptz not null, tenant int, value int)";
const VIEW: &str = "create view t as select * from base";

impl Scene {
    fn run(&self, line: &str) -> Output {
        run(&self.database, line)
    }

    fn run_as_her(&self, line: &str) -> Output {
        run_as(&self.database, &self.role, line)
    }

    /// The ledger as an administrator makes it, with the grants of the README.
    fn init(&self) {
        self.run("init").exits(0);
        self.database.sql(&format!(
            "grant usage on schema pgbackfill to {0};
             grant select, insert, update, delete on all tables in schema pgbackfill to {0}",
            self.role
        ));
    }

    fn as_her(&self, statements: &str) {
        self.database.sql(&format!("set role {}; {statements}; reset role", self.role));
    }

    #[track_caller]
    fn she_has_not_risen(&self) {
        let sql = format!("select rolsuper from pg_roles where rolname = '{}'", self.role);
        assert_eq!(self.database.one(&sql), "f");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Best effort: the role belongs to the server, which goes with the process.
        let _ = self.database.try_sql(&format!("drop owned by {0} cascade; drop role {0}", self.role));
    }
}

#[test]
fn a_scope_in_the_ledger_is_never_run_unless_the_caller_repeats_it() {
    let scene = scene(VIEW);
    scene.init();
    scene.run(&format!("{} --existing replace --scope 'tenant = 1'", scene.load)).exits(0);
    scene.run("verify j").exits(2).says(&["must be repeated", "--scope 'tenant = 1'"]);
    scene.run("verify j --scope 'tenant = 1'").exits(0).prints(&["3 rows: equal"]);
    scene.as_her("update pgbackfill.jobs set scope = 'hers.rise()'");
    scene.run("verify j").exits(2).says(&["must be repeated"]);
    scene.run("verify j --scope 'tenant = 1'").exits(2).says(&["has another scope: \"hers.rise()\""]);
    scene.run("status j").exits(0);
    scene.she_has_not_risen();
}

#[test]
fn a_scope_that_is_no_single_predicate_is_refused_before_anything_is_deleted() {
    let scene = scene(PLAIN);
    scene.database.sql("insert into t values ('2020-01-01Z', 9, 9), ('2024-01-01Z', 9, 9)");
    let refused = [
        "true) or (true",
        "true) or (true) --",
        "true); delete from t where (true",
        "1) into stolen from (select 1",
        "true, true",
        "true from t",
        "tenant as x",
        "true order by 1",
        "select true",
        "tenant",
        "tenant = 1 /* open",
        "note = 'open",
        "nowhere = 1",
        "count(*) > 0",
    ];
    for scope in refused {
        let load = format!("{} --existing replace", scene.load);
        let mut words: Vec<&str> = load.split(' ').collect();
        words.extend(["--scope", scope]);
        crate::harness::run_args(&scene.database, &words).exits(2).says(&["--scope is not a predicate", scope]);
        assert_eq!(scene.database.count("t"), 2, "{scope}");
    }
    scene
        .run(&format!("{} --existing replace --scope 'nowhere.f(tenant)'", scene.load))
        .exits(2)
        .says(&["need their schema"]);
    assert_eq!(scene.database.one("select to_regclass('stolen') is null"), "t");
    // What is one predicate is taken as it stands, comment and all.
    let taken = "tenant in (select 9) or (tenant > 8) -- theirs";
    let load = format!("{} --existing replace --scope '{taken}'", scene.load);
    scene.run(&load).exits(0);
    assert_eq!(scene.database.rows("select value from t order by ts"), ["9", "1", "2", "3"]);
}

#[test]
fn a_ledger_that_another_role_made_is_refused_with_the_role_and_what_to_do() {
    let scene = scene(PLAIN);
    scene.run_as_her("init").exits(0);
    let says = ["schema pgbackfill belongs to role", scene.role.as_str(), "pgbackfill init"];
    for line in [scene.load.as_str(), "status", "verify j", "undo j", "init"] {
        scene.run(line).exits(2).says(&says);
    }
    // It is her own.
    scene.run_as_her(&scene.load).exits(0);
    scene.run_as_her("undo j").exits(0);
    // A schema alone is enough: its owner can put tables there.
    scene.database.sql("drop schema pgbackfill cascade");
    scene.as_her("create schema pgbackfill");
    scene.run(&scene.load).exits(2).says(&says);
    scene.database.sql("drop schema pgbackfill cascade");
    scene.run(&scene.load).exits(0);
    scene.she_has_not_risen();
}

#[test]
fn code_of_others_in_the_ledger_is_refused_whoever_owns_the_tables() {
    let dangers = [
        (
            "create trigger rise before insert on pgbackfill.runs for each row execute function hers.rise_by_trigger()",
            "trigger rise on pgbackfill.runs calls a function of role",
        ),
        (
            "create rule rise as on update to pgbackfill.windows do also select hers.rise()",
            "rule rise on pgbackfill.windows",
        ),
        (
            "alter table pgbackfill.jobs alter created_at set default case when hers.rise() then now() end",
            "the default of pgbackfill.jobs.created_at",
        ),
        (
            "alter table pgbackfill.objects alter header set default query_to_xml('select hers.rise()', true, true, '')::text::bytea",
            "the default of pgbackfill.objects.header",
        ),
        (
            "alter table pgbackfill.windows add constraint rise check (hers.rise())",
            "constraint rise on pgbackfill.windows",
        ),
        (
            "create domain hers.word as text; alter table pgbackfill.jobs alter scope type hers.word",
            "the type of pgbackfill.jobs.scope",
        ),
        (
            "alter table pgbackfill.jobs rename to real; create view pgbackfill.jobs as select * from pgbackfill.real where hers.rise()",
            "pgbackfill.jobs is not a plain table",
        ),
        ("alter table pgbackfill.windows enable row level security", "pgbackfill.windows is not a plain table"),
        ("grant all on all tables in schema pgbackfill to ROLE", "may add triggers to pgbackfill.batches"),
    ];
    let scene = scene(PLAIN);
    for (statement, danger) in dangers {
        scene.init();
        scene.database.sql(&statement.replace("ROLE", &scene.role));
        for line in [scene.load.as_str(), "status", "init"] {
            scene.run(line).exits(2).says(&["the ledger could run code of others as role postgres", danger]);
        }
        scene.she_has_not_risen();
        scene.database.sql("drop schema pgbackfill cascade");
    }
    // A trigger of a role that is trusted is its own affair.
    scene.init();
    scene.database.sql(
        "create function watch() returns trigger language plpgsql as 'begin return new; end';
         create trigger watch before insert on pgbackfill.runs for each row execute function watch();
         create index on pgbackfill.windows (loaded_at)",
    );
    scene.run(&scene.load).exits(0);
}

#[test]
fn advice_about_a_ledger_is_followed_and_the_load_goes_on() {
    let scene = scene(PLAIN);
    scene.init();
    scene.database.sql(&format!(
        "grant all on all tables in schema pgbackfill to {};
         create trigger rise before insert on pgbackfill.runs for each row execute function hers.rise_by_trigger()",
        scene.role
    ));
    for _ in 0..2 {
        let refused = scene.run(&scene.load).exits(2);
        let hint = refused.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
        scene.database.sql(hint);
    }
    scene.run(&scene.load).exits(0);
}

#[test]
fn a_table_that_the_ledger_names_is_a_name_and_its_code_is_not_run_unless_it_is_repeated() {
    let scene = scene(PLAIN);
    scene.init();
    scene.run(&scene.load).exits(0);
    scene.as_her(
        "create view hers.t as select now() as ts, 1 as tenant, 1 as value, '0'::xid as xmin where hers.rise()",
    );
    let stolen = ["(select hers.rise()) x", "hers.t", "\"hers\".\"t\" where hers.rise() or"];
    for target in stolen {
        scene.as_her(&format!("update pgbackfill.jobs set target = '{target}'"));
        for line in ["verify j", "undo j", "status j"] {
            scene.run(line).exits(1).says(&["the table of job j in the ledger"]);
        }
    }
    scene.as_her("update pgbackfill.jobs set target = '\"hers\".\"t\"'");
    for line in ["verify j", "undo j"] {
        scene.run(line).exits(2).says(&["view hers.t", "as role postgres", "--table"]);
    }
    scene.run("verify j --table t").exits(2).says(&["has another table"]);
    scene.she_has_not_risen();
    // A trigger that another role has put on the table itself.
    scene.database.sql("update pgbackfill.jobs set target = '\"public\".\"t\"'; grant trigger on t to public");
    scene.as_her("create trigger rise before delete on public.t for each row execute function hers.rise_by_trigger()");
    scene.run("undo j").exits(2).says(&["trigger rise on", "repeat it: --table"]);
    scene.she_has_not_risen();
    scene.run("verify j").exits(0);
    scene.database.sql("drop trigger rise on t");
    scene.run("undo j --table t").exits(0).prints(&["3 rows deleted"]);
}
