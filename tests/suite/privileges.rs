//! What a role must be allowed: listed at once, granted as the message says, and no more than that.

use crate::harness::{Database, Folder, Output, run, run_as};

/// A role of the test's own, which goes with it.
struct Role<'a> {
    database: &'a Database,
    name: String,
}

impl<'a> Role<'a> {
    fn new(database: &'a Database) -> Self {
        let name = format!("loader_{}", database.name());
        // A role that was left behind by a test that was killed is taken over: names of databases are used again.
        database.sql(&format!(
            "create role {name} login; revoke temporary on database {} from public; revoke all on schema public from public",
            database.name()
        ));
        Self { database, name }
    }

    fn run(&self, line: &str) -> Output {
        run_as(self.database, &self.name, line)
    }

    /// Grants what a refusal printed, as a person would paste it.
    fn grant_what_is_said(&self, refusal: &Output) {
        let line = |line: &str| line.trim().trim_start_matches("hint: ").trim().to_owned();
        let grants: Vec<String> =
            refusal.stderr.lines().map(line).filter(|line| line.starts_with("grant ") && line.ends_with(';')).collect();
        assert!(!grants.is_empty(), "{refusal:?}");
        self.database.sql(&grants.concat());
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        // Best effort: the server goes with the process anyway.
        let _ = self.database.try_sql(&format!("drop owned by {0} cascade; drop role {0}", self.name));
    }
}

/// A table, and two files for it.
fn two_files() -> (Database, Folder) {
    let (database, folder) =
        (Database::with("create table t (ts timestamptz not null, host text, value text)"), Folder::new());
    folder.write("s/a.csv", "ts,host,value\n2024-01-01,a,1\n2024-01-02,b,2\n");
    folder.write("s/b.csv", "ts,host,value\n2024-01-03,c,3\n");
    (database, folder)
}

#[test]
fn all_that_a_role_lacks_is_said_at_once_before_anything_is_written_and_the_statements_mend_it() {
    let (database, folder) = two_files();
    let role = Role::new(&database);
    let load = format!("load {}/s --table public.t --time-column ts --window 1d --job j", folder.path());
    // Not even the table's schema may be looked into.
    let refusal = role.run(&load).exits(1).says(&[
        &format!("role {} lacks create on database {}; usage on schema public; ", role.name, database.name()),
        "insert on public.t; select on public.t; delete on public.t",
        "pgbackfill init --print",
    ]);
    assert_eq!(database.one("select to_regnamespace('pgbackfill') is null"), "t");
    role.grant_what_is_said(&refusal);
    role.run(&load).exits(0);
    for command in ["verify j", "status j", "undo j"] {
        role.run(command).exits(0);
    }
}

#[test]
fn a_ledger_that_an_administrator_made_needs_no_right_to_create_but_rights_on_its_tables() {
    let (database, folder) = two_files();
    let role = Role::new(&database);
    let load = format!("load {}/s --table t --time-column ts --window 1d --job j", folder.path());
    let statements = run(&database, "init --print").exits(0).stdout;
    database.sql(&statements);
    database.sql(&statements);
    run(&database, "init").exits(0);
    database.sql(&format!("grant usage on schema public to {}", role.name));
    let refusal = role.run(&load).exits(1).says(&[
        "lacks usage on schema pgbackfill; select, insert, update, delete on all tables in schema pgbackfill; \
         insert on public.t; select on public.t; delete on public.t",
    ]);
    assert!(!refusal.stderr.contains("create"), "{}", refusal.stderr);
    role.grant_what_is_said(&refusal);
    role.run(&load).exits(0);
    role.run("verify j").exits(0).prints(&["3 rows: equal"]);
    database.sql(&format!("revoke delete on t from {0}; revoke update on pgbackfill.windows from {0}", role.name));
    // A finished job is finished, whatever the role may do by now.
    role.run(&load).exits(0);
    role.run("undo j").exits(1).says(&["permission denied"]);
    assert_eq!(database.count("t"), 3);
    // One that is to be resumed is refused before it is touched.
    let runs = database.count("pgbackfill.runs");
    database.sql("update pgbackfill.windows set state = 'pending' where number = 0");
    role.run(&load)
        .exits(1)
        .says(&["lacks select, insert, update, delete on all tables in schema pgbackfill; delete on public.t"]);
    assert_eq!(database.count("pgbackfill.runs"), runs);
}

#[test]
fn the_documented_grants_are_enough() {
    let (database, folder) = two_files();
    let role = Role::new(&database);
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("### Privileges").unwrap();
    let (_, block) = section.split_once("```sql\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let adapt = |line: &str| {
        let line = line.split("--").next().unwrap_or(line).replace(" public.metrics", " public.t");
        line.replace(" loader", &format!(" {}", role.name))
            .replace("database metrics", &format!("database {}", database.name()))
    };
    run(&database, "init").exits(0);
    database.sql(&block.lines().map(adapt).collect::<String>());
    let load = format!("load {}/s --table t --time-column ts --window 1d --job j", folder.path());
    role.run(&load).exits(0);
    role.run("verify j").exits(0);
    role.run("undo j").exits(0);
}

#[test]
fn rights_on_the_columns_that_are_loaded_are_enough() {
    let (database, folder) = two_files();
    database.sql("alter table t add secret text default 'x'");
    let role = Role::new(&database);
    run(&database, "init").exits(0);
    database.sql(&format!(
        "grant usage on schema public, pgbackfill to {0};
         grant select, insert, update, delete on all tables in schema pgbackfill to {0};
         grant insert (ts, host), select (ts, host) on t to {0}; grant delete on t to {0}",
        role.name
    ));
    let load = format!("load {}/s --table t --time-column ts --window 1d --job j", folder.path());
    let refusal =
        role.run(&load).exits(1).says(&["lacks insert (value) on public.t; select (xmin, value) on public.t"]);
    role.grant_what_is_said(&refusal);
    role.run(&load).exits(0);
    role.run("verify j").exits(0).prints(&["3 rows: equal"]);
}

#[test]
fn what_a_way_of_loading_does_not_need_is_not_asked_for() {
    let (database, folder) = two_files();
    database.sql("create sequence numbers; alter table t add id bigint default nextval('numbers')");
    let role = Role::new(&database);
    run(&database, "init").exits(0);
    database.sql(&format!(
        "grant usage on schema public, pgbackfill to {0};
         grant select, insert, update, delete on all tables in schema pgbackfill to {0};
         grant insert, select on t to {0}",
        role.name
    ));
    let load = format!("load {}/s --table t --time-column ts --window 1d", folder.path());
    role.run(&load).exits(1).says(&["lacks delete on public.t; usage on sequence public.numbers\n"]);
    role.run(&format!("{load} --commit window --existing replace")).exits(1).says(&["delete on public.t"]);
    // A window that is one transaction leaves nothing to clear.
    role.run(&format!("{load} --commit window"))
        .exits(1)
        .says(&[&format!("role {} lacks usage on sequence public.numbers\n", role.name)]);
    database.sql(&format!("grant usage on sequence numbers to {}", role.name));
    role.run(&format!("{load} --commit window")).exits(0);
    assert_eq!(database.count("t where id is not null"), 3);
}

#[test]
fn rows_that_go_through_a_stage_need_temporary_tables_and_rights_on_the_view_are_enough() {
    let (database, folder) = two_files();
    database.sql("create view v as select * from t where host <> 'z'");
    let role = Role::new(&database);
    database.sql(&format!(
        "grant usage on schema public to {0}; grant create on database {1} to {0}",
        role.name,
        database.name()
    ));
    let load = format!("load {}/s --table v --time-column ts --window 1d", folder.path());
    let lacks = format!("lacks insert on public.v; select on public.v; temporary on database {}", database.name());
    let refusal = role.run(&load).exits(1).says(&[&lacks]);
    role.grant_what_is_said(&refusal);
    role.run(&load).exits(0);
    assert_eq!(database.count("t"), 3);
}

#[test]
fn rights_on_a_partitioned_table_are_those_on_its_root() {
    let (database, folder) = two_files();
    database.sql(
        "create table p (ts timestamptz not null, host text, value text) partition by range (ts);
         create table p1 partition of p for values from ('2024-01-01Z') to ('2024-02-01Z')",
    );
    let role = Role::new(&database);
    database.sql(&format!(
        "grant usage on schema public to {0}; grant create on database {1} to {0}; grant insert, select, delete on p to {0}",
        role.name,
        database.name()
    ));
    role.run(&format!("load {}/s --table p --time-column ts --window 1d", folder.path())).exits(0);
    assert_eq!(database.count("p1"), 3);
}

#[test]
fn a_plan_warns_of_what_a_load_would_be_refused_for() {
    let (database, folder) = two_files();
    let role = Role::new(&database);
    database.sql(&format!("grant usage on schema public to {0}; grant select on t to {0}", role.name));
    let plan = format!("plan {}/s --table t --time-column ts --window 1d", folder.path());
    role.run(&plan).exits(0).prints(&[
        "a load would be refused, for role",
        "insert on public.t; delete on public.t",
        &format!("grant delete on public.t to {};", role.name),
    ]);
    let plan = run(&database, &plan).exits(0).stdout;
    assert!(!plan.contains("would be refused"), "{plan}");
}
