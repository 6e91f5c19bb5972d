//! Row-level security on the target: what its policies hide from the loader's role is never taken for gone.

use crate::harness::{Database, Folder, Output, run, run_as};

/// A table of two tenants with a row of each that somebody else wrote, and a role that the policies of the table bind.
struct Scene {
    database: Database,
    folder: Folder,
    role: String,
}

fn scene(policies: &str) -> Scene {
    let database = Database::new();
    let role = format!("bound_{}", database.name());
    database.sql(&format!(
        "create table t (ts timestamptz not null, tenant text, value int);
         create index on t (ts);
         insert into t values ('2024-01-01 12:00Z', 'a', 7), ('2024-01-01 12:00Z', 'b', 8);
         alter table t enable row level security;
         create role {role} login;
         grant create, temporary on database {} to {role};
         grant select, insert, delete on t to {role};
         {policies}",
        database.name()
    ));
    // A ledger of the role's own would be one that the administrator does not trust.
    run(&database, "init").exits(0);
    database.sql(&format!(
        "grant usage on schema pgbackfill to {role};
         grant select, insert, update, delete on all tables in schema pgbackfill to {role}"
    ));
    Scene { database, folder: Folder::new(), role }
}

const SEES_A_WRITES_ALL: &str = "create policy sees on t for select using (tenant = 'a');
                                 create policy writes on t for insert with check (true);
                                 create policy deletes on t for delete using (true)";

/// One window with rows of both tenants, and one with a row of the tenant that is seen.
const CSV: &str = "ts,tenant,value\n2024-01-02 01:00Z,a,1\n2024-01-02 02:00Z,b,2\n2024-01-03 01:00Z,a,3\n";

impl Scene {
    fn bound(&self, line: &str) -> Output {
        run_as(&self.database, &self.role, line)
    }

    fn load(&self, csv: &str, options: &str) -> Output {
        let path = format!("{}/a.csv", self.folder.path());
        // A file that is written again is another version of it.
        if std::fs::read_to_string(&path).ok().as_deref() != Some(csv) {
            self.folder.write("a.csv", csv);
        }
        self.bound(&format!("load {path} --table t --time-column ts --window 1d --workers 1 --job j {options}"))
    }

    #[track_caller]
    fn holds(&self, rows: &[&str]) {
        assert_eq!(self.database.rows("select tenant, value from t order by value"), rows);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Best effort: the role belongs to the server, which goes with the process.
        let _ = self.database.try_sql(&format!("drop owned by {0} cascade; drop role {0}", self.role));
    }
}

#[test]
fn rows_that_policies_hide_count_as_missing_and_keep_their_job_from_being_forgotten() {
    let scene = scene(SEES_A_WRITES_ALL);
    scene.load(CSV, "").exits(0).says(&["row-level security binds this role"]);
    scene.holds(&["a|1", "b|2", "a|3", "a|7", "b|8"]);
    scene.bound("verify j").exits(5).prints(&[
        "window [2024-01-02, 2024-01-03) differs: 2 rows were loaded, 1 are there",
        "rows that its policies hide count as missing",
    ]);
    let refused = scene.bound("undo j").exits(1);
    refused.says(&["sees 1 of the 2 rows", "window [2024-01-02, 2024-01-03)", "bypassrls"]);
    // The newest window was taken back; of the other nothing was.
    scene.holds(&["a|1", "b|2", "a|7", "b|8"]);
    run(&scene.database, "verify j").exits(4);
    run(&scene.database, "undo j").exits(0).prints(&["2 rows deleted"]);
    scene.holds(&["a|7", "b|8"]);
}

#[test]
fn who_is_not_bound_sees_the_same_job_whole() {
    let scene = scene(SEES_A_WRITES_ALL);
    scene.load(CSV, "").exits(0);
    run(&scene.database, "verify j").exits(0).prints(&["3 rows: equal"]);
    run(&scene.database, "undo j").exits(0).prints(&["3 rows deleted"]);
    scene.holds(&["a|7", "b|8"]);
}

#[test]
fn each_window_is_one_transaction_so_that_nothing_hidden_is_ever_left_to_clear() {
    let scene = scene(SEES_A_WRITES_ALL);
    scene.database.sql("alter table t add constraint stop check (value <> 3)");
    let csv = CSV.replace("2024-01-03 01", "2024-01-02 03");
    scene.load(&csv, "--batch-rows 1").exits(1).says(&["\"stop\""]);
    scene.holds(&["a|7", "b|8"]);
    assert_eq!(scene.database.one("select commit_mode from pgbackfill.jobs"), "window");
    scene.database.sql("alter table t drop constraint stop");
    scene.load(&csv, "--batch-rows 1").exits(0);
    scene.holds(&["a|1", "b|2", "a|3", "a|7", "b|8"]);
}

#[test]
fn rows_of_others_are_seen_as_far_as_the_policies_show_them() {
    let scene = scene(SEES_A_WRITES_ALL);
    let path = scene.folder.write("a.csv", CSV);
    let plan = scene.bound(&format!("plan {path} --table t --time-column ts --window 1d"));
    plan.exits(0).prints(&["one transaction a window", "not seen by --existing, verify and undo"]);
    let over = CSV.replace("2024-01-02", "2024-01-01");
    scene.load(&over, "").exits(1).says(&["already holds rows", "[2024-01-01, 2024-01-02)"]);
    // What is hidden is neither seen nor replaced.
    scene.load(&over, "--existing replace").exits(0);
    scene.holds(&["a|1", "b|2", "a|3", "b|8"]);
}

#[test]
fn a_row_that_a_policy_refuses_leaves_nothing_of_its_window() {
    let scene = scene("create policy tenants on t using (tenant = 'a') with check (tenant = 'a')");
    scene.load(CSV, "").exits(1).says(&["row-level security policy", "42501", "[2024-01-02, 2024-01-03)"]);
    scene.holds(&["a|7", "b|8"]);
}

#[test]
fn rows_that_are_seen_and_may_not_be_deleted_are_an_error_for_undo_and_replace() {
    let scene = scene(
        "create policy sees on t for select using (true);
         create policy writes on t for insert with check (true);
         create policy deletes on t for delete using (tenant = 'a')",
    );
    scene.load(CSV, "").exits(0);
    scene.bound("verify j").exits(0).prints(&["3 rows: equal"]);
    scene.bound("undo j").exits(1).says(&["1 rows of the job stay", "a rule, a trigger or a policy"]);
    scene.holds(&["a|1", "b|2", "a|7", "b|8"]);
    let over = scene.folder.write("b.csv", CSV.replace("2024-01-02", "2024-01-01"));
    let replace = format!("load {over} --table t --time-column ts --window 1d --existing replace");
    scene.bound(&replace).exits(1).says(&["stay where they are"]);
    scene.holds(&["a|1", "b|2", "a|7", "b|8"]);
}

#[test]
fn an_owner_whom_no_policy_binds_loads_as_usual() {
    let scene = scene(SEES_A_WRITES_ALL);
    scene.database.sql(&format!("alter table t owner to {}", scene.role));
    let loaded = scene.load(CSV, "--batch-rows 1").exits(0);
    assert!(!loaded.stderr.contains("row-level security"), "{loaded:?}");
    assert_eq!(
        scene.database.one("select commit_mode, max(batches) from pgbackfill.jobs, pgbackfill.windows group by 1"),
        "batch|2"
    );
    scene.bound("verify j").exits(0).prints(&["3 rows: equal"]);
    scene.bound("undo j").exits(0).prints(&["3 rows deleted"]);
    scene.holds(&["a|7", "b|8"]);
}

#[test]
fn policies_that_bind_a_role_whose_row_security_is_off_are_named_before_anything_is_read() {
    let scene = scene(SEES_A_WRITES_ALL);
    scene.load(CSV, "").exits(0);
    scene.database.sql(&format!("alter role {} set row_security = off", scene.role));
    let reason = ["policies of \"public\".\"t\" bind role", "row_security is off", "set row_security = on"];
    let path = format!("{}/a.csv", scene.folder.path());
    for line in [
        &format!("plan {path} --table t --time-column ts"),
        &format!("load {path} --table t --time-column ts --window 1d"),
        "verify j",
        "undo j",
    ] {
        scene.bound(line).exits(1).says(&reason);
    }
    scene.database.sql(&format!("alter role {} set row_security = on", scene.role));
    scene.bound("verify j").exits(5);
    // Whom no policy binds is not concerned.
    scene.database.sql("alter role postgres set row_security = off");
    run(&scene.database, "verify j").exits(0);
    scene.database.sql("alter role postgres reset row_security");
}
