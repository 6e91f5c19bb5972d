//! Tables that are published for logical replication: what the server would refuse to delete is told beforehand.

use crate::harness::{Database, Folder, METRICS, Output, metrics, run};

const COMMIT: &str = "--commit window";

/// A table `m` and what else `statements` make.
struct Scene {
    database: Database,
    load: String,
    plan: String,
    _folder: Folder,
}

impl Scene {
    fn new(table: &str, statements: &str) -> Self {
        let (database, folder) = (Database::with(METRICS), Folder::new());
        database.sql(&format!(
            "create table m (id bigint generated always as identity, ts timestamptz not null, host text, value float8,
                             note text {table}; {statements}"
        ));
        let path = folder.write("a.csv", metrics(100, 36_000));
        let words = |command: &str| format!("{command} {path} --table m --time-column ts --job j");
        Self { database, load: words("load"), plan: words("plan"), _folder: folder }
    }

    #[track_caller]
    fn is_refused(&self, says: &[&str]) -> Output {
        run(&self.database, &self.plan).exits(0).prints(&["a load would be refused: publication"]).prints(says);
        run(&self.database, &self.load).exits(2).says(says)
    }

    #[track_caller]
    fn loads(&self, options: &str) {
        run(&self.database, &format!("{} {options}", self.load)).exits(0);
    }
}

#[test]
fn a_published_table_without_replica_identity_is_refused_unless_a_window_is_one_transaction() {
    for publication in ["for all tables", "for table m", "for table m with (publish = 'delete')"] {
        let scene = Scene::new(")", &format!("create publication p {publication}"));
        scene.is_refused(&["publication p publishes deletes of public.m", "replica identity full", COMMIT]);
        run(&scene.database, &format!("{} {COMMIT} --existing replace", scene.load)).exits(2);
        scene.loads(COMMIT);
    }
}

#[test]
fn the_way_out_that_is_named_works() {
    for way_out in ["alter table public.m replica identity full", "alter table m add primary key (id)"] {
        let scene = Scene::new(")", "create publication p for all tables");
        scene.is_refused(&[]);
        scene.database.sql(way_out);
        scene.loads("");
        run(&scene.database, "undo j").exits(0);
    }
}

#[test]
fn tables_whose_deletes_are_not_published_or_have_an_identity_load() {
    let scenes = [
        (")", "create publication p for table m with (publish = 'insert, update, truncate')"),
        (", primary key (id))", "create publication p for all tables"),
        (")", "alter table m replica identity full; create publication p for table m"),
        (
            ")",
            "create unique index u on m (id); alter table m replica identity using index u; create publication p for table m",
        ),
        (")", "create table other (x int); create publication p for table other"),
        (")", "alter table m set unlogged; create publication p for all tables"),
    ];
    for (table, statements) in scenes {
        let scene = Scene::new(table, statements);
        scene.loads("");
        run(&scene.database, "undo j").exits(0);
    }
}

#[test]
fn an_identity_that_is_nothing_or_whose_index_is_gone_is_refused() {
    let nothing =
        Scene::new(", primary key (id))", "alter table m replica identity nothing; create publication p for table m");
    nothing.is_refused(&["public.m"]);
    let gone = "create unique index u on m (id); alter table m replica identity using index u; drop index u;
                create publication p for table m";
    Scene::new(")", gone).is_refused(&["public.m"]);
}

const PARTITIONS: &str = "create table m_1 partition of m for values from (minvalue) to ('2024-01-01 12:00Z');
                          create table m_2 partition of m for values from ('2024-01-01 12:00Z') to (maxvalue);";

#[test]
fn a_partition_is_published_with_its_parents_and_needs_an_identity_of_its_own() {
    let by_range = ") partition by range (ts)";
    for publication in
        ["for table m", "for table m with (publish_via_partition_root = true)", "for all tables", "for table m_2"]
    {
        // The parent has one, which says nothing of the partitions.
        let scene = Scene::new(
            by_range,
            &format!(
                "{PARTITIONS} create publication p {publication};
                                                   alter table m_1 replica identity full"
            ),
        );
        scene.is_refused(&["public.m_2"]);
        scene.database.sql("alter table m_2 replica identity full");
        scene.loads("");
    }
    let partition = Scene::new(by_range, &format!("{PARTITIONS} create publication p for table m"));
    let to_part = |words: &str| words.replace("--table m ", "--table m_2 ");
    run(&partition.database, &to_part(&partition.load)).exits(2).says(&["public.m_2"]);
}

#[test]
fn a_row_filter_or_a_column_list_that_does_not_fit_the_identity_is_refused() {
    let version = Scene::new(")", "").database.one("select current_setting('server_version_num')::int / 10000");
    if version.parse::<u32>().unwrap() < 15 {
        return;
    }
    let filter = "create publication p for table m where (host = 'a')";
    Scene::new(", primary key (id))", filter).is_refused(&["public.m"]);
    Scene::new(", primary key (id))", "create publication p for table m (ts, host)").is_refused(&["public.m"]);
    Scene::new(", primary key (id))", "create publication p for table m where (id > 5)").loads("");
    Scene::new(")", "create publication p for tables in schema public").is_refused(&["public.m"]);
}

#[test]
fn a_job_that_updates_rows_needs_an_identity_for_published_updates() {
    let scene = Scene::new(", unique (ts, host))", "create publication p for table m with (publish = 'update')");
    run(&scene.database, &format!("{} --on-conflict update", scene.load)).exits(2).says(&["publishes updates"]);
    scene.loads("--on-conflict skip");
}
