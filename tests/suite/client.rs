//! Faults of the machine that the loader runs on: disks, folders, outputs, handles, clocks and panics. Each is told with what
//! to do next, and leaves a ledger in which nothing is under way.
//!
//! They are made with what a shell on Linux has: `ulimit`, `/dev/full`, `unshare`, `setpriv`.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use pgbackfill::{Backfill, Batches, ErrorKind, Event, Input, Options, Part, Result, Source, Stop, WindowSize};

use crate::harness::{Database, Folder, Output, Random, block_on, run, start};

const TABLE: &str = "create table t (ts timestamptz not null, host text, value int); create index on t (ts)";

/// Rows of four days in no order of time, in one file: enough to be read once, into a spool of more than 100 KiB.
fn shuffled(folder: &Folder) -> String {
    let (mut random, mut csv) = (Random(7), String::from("ts,host,value\n"));
    for row in 0..20_000 {
        let second = random.below(4 * 86_400);
        let (day, hour, minute) = (1 + second / 86_400, second / 3600 % 24, second / 60 % 60);
        let host = random.next();
        writeln!(csv, "2024-01-{day:02}T{hour:02}:{minute:02}:{:02}Z,{host:x},{row}", second % 60)
            .expect("a String takes any text");
    }
    folder.write("shuffled.csv", csv)
}

/// A load that spools.
fn spooling() -> (Database, Folder, String) {
    let (database, folder) = (Database::with(TABLE), Folder::new());
    let load = format!("load {} --table t --time-column ts --window 1h --job j", shuffled(&folder));
    (database, folder, load)
}

/// Runs a shell script in which `"$@"` stands for the program and the words of `line`.
#[track_caller]
fn shell(database: &Database, script: &str, line: &str) -> Output {
    finish(command(database, script, line).stdout(Stdio::piped()))
}

fn command(database: &Database, script: &str, line: &str) -> Command {
    // A run that hangs fails its test, and does not outlast it.
    let mut command = Command::new("timeout");
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command.args(["120", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_pgbackfill")]).args(words(line));
    command.env("PGBACKFILL_TARGET", database.url()).stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

#[track_caller]
fn finish(command: &mut Command) -> Output {
    let output = command.spawn().expect("there is a shell").wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    let code = output.status.code().expect("no signal ends it");
    Output { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Panics if a run or a window is under way in the ledger.
#[track_caller]
fn is_clean(database: &Database) {
    assert_eq!(database.count("pgbackfill.runs where ended_at is null"), 0);
    assert_eq!(database.count("pgbackfill.windows where state = 'loading'"), 0);
}

/// Panics unless the load fails with 1 and says all of `texts`, and the same command then loads every row once.
#[track_caller]
fn fails_and_resumes(script: &str, options: &str, texts: &[&str]) {
    let (database, _folder, load) = spooling();
    shell(&database, script, &format!("{load} {options}")).exits(1).says(texts);
    is_clean(&database);
    assert_eq!(database.count("t"), 0);
    run(&database, &load).exits(0);
    is_clean(&database);
    assert_eq!(database.one("select count(*), count(distinct value) from t"), "20000|20000");
    run(&database, "verify j").exits(0);
}

#[test]
fn a_spool_that_may_not_grow_is_told_with_its_folder_and_the_load_resumes() {
    // The signal that comes with the error would end the process.
    let texts = ["write to the spool in /", "File too large", "--spool-folder", "the same command again"];
    for blocks in [100, 0] {
        fails_and_resumes(&format!("ulimit -f {blocks}; exec \"$@\""), "", &texts);
    }
}

#[test]
fn a_file_that_may_not_be_written_to_loses_a_result_with_an_error() {
    let (database, folder, path) = loaded();
    for line in printing(&path) {
        let script = format!("ulimit -f 0; exec \"$@\" >{}/out", folder.path());
        shell(&database, &script, &line).exits(1).says(&["error: the result could not be printed", "File too large"]);
    }
}

#[test]
fn too_few_files_for_a_start_are_told_without_a_panic() {
    let (database, _folder, path) = loaded();
    for files in [4, 6, 8, 10, 12, 14] {
        for line in [format!("load {path} --table t --time-column ts --job other"), "status".to_owned()] {
            let refused = shell(&database, &format!("ulimit -n {files}; exec \"$@\""), &line).exits(1);
            let refused = refused.says(&["Too many open files", "ulimit -n"]);
            assert!(!refused.stderr.contains("panicked"), "{files}: {refused:?}");
        }
    }
    assert_eq!(database.count("t"), 2);
}

#[test]
fn a_spool_on_a_full_disk_is_told_with_its_folder_and_the_load_resumes() {
    let folder = Folder::new();
    let mount = format!("mount -t tmpfs -o size=100k tmpfs {}", folder.path());
    let probe = Command::new("unshare").args(["--mount", "sh", "-c", &mount]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("not tested: no file system can be mounted here; a limit on the size of files stands in for it");
        return;
    }
    let script = format!("exec unshare --mount sh -c '{mount} && exec \"$@\"' sh \"$@\"");
    let texts =
        [&format!("write to the spool in {}, after ", folder.path()), "No space left on device", "--spool-folder"];
    fails_and_resumes(&script, &format!("--spool-folder {}", folder.path()), &texts);
}

#[test]
fn a_spool_past_its_limit_is_told_with_the_option_that_gives_it_more() {
    let texts = ["takes more than 100000 bytes", "--spool-bytes", "sort the source by time"];
    fails_and_resumes("exec \"$@\"", "--spool-bytes 100kB", &texts);
}

#[test]
fn a_spool_folder_that_is_not_there_is_named() {
    let folder = Folder::new();
    let (missing, file) = (format!("{}/missing", folder.path()), folder.write("file", ""));
    let make = |folder: &str| format!("make a temporary file in {folder}");
    fails_and_resumes("exec \"$@\"", &format!("--spool-folder {missing}"), &[&make(&missing), "--spool-folder"]);
    fails_and_resumes("exec \"$@\"", &format!("--spool-folder {file}/x"), &[&make(&file), "Not a directory"]);
    fails_and_resumes(&format!("TMPDIR={missing} exec \"$@\""), "", &[&make(&missing), "TMPDIR"]);
}

#[test]
fn a_spool_folder_that_may_not_be_written_to_is_named() {
    let folder = Folder::new();
    let (database, source, load) = spooling();
    // Root may write anywhere, so the loader runs as whom the server runs as.
    let server = std::fs::metadata(database.address().0).unwrap();
    let account = format!("setpriv --reuid={} --regid={} --clear-groups", server.uid(), server.gid());
    let unprivileged = format!("if [ $(id -u) -eq 0 ]; then exec {account} \"$@\"; else exec \"$@\"; fi");
    let open = format!("chmod 755 {0}; mkdir {0}/closed; chmod 555 {0}/closed", folder.path());
    shell(&database, &format!("{open}; chmod -R a+rX {}", source.path()), "").exits(0);
    if shell(&database, &unprivileged, "--version").code != 0 {
        eprintln!("not tested: only root can reach the program where it was built");
        return;
    }
    let refused = shell(&database, &unprivileged, &format!("{load} --spool-folder {}/closed", folder.path())).exits(1);
    refused.says(&["make a temporary file in", "/closed", "Permission denied", "that this user may write to"]);
    is_clean(&database);
    run(&database, &load).exits(0);
}

/// A table with a loaded job `j`.
fn loaded() -> (Database, Folder, String) {
    let (database, folder) = (Database::with(TABLE), Folder::new());
    let path = folder.write("a.csv", "ts,host,value\n2024-01-01,a,1\n2024-01-02,b,2\n");
    run(&database, &format!("load {path} --table t --time-column ts --window 1d --job j")).exits(0);
    (database, folder, path)
}

/// Commands whose result is what they print.
fn printing(path: &str) -> Vec<String> {
    let plan = format!("plan {path} --table t --time-column ts");
    let lines = [
        "status",
        "status --json",
        "status j",
        "verify j",
        "verify j --json",
        "init --print",
        "--help",
        "help",
        "load --help",
        "--version",
    ];
    let more = [format!("{plan} --json"), format!("inspect {path}"), format!("inspect {path} --json"), plan];
    lines.into_iter().map(str::to_owned).chain(more).collect()
}

/// Adds a job `r` with a rejected row, and gives the commands that print it.
fn rejecting(database: &Database, folder: &Folder) -> Vec<String> {
    let bad = folder.write("r.csv", "ts,host,value\n2024-03-01,a,x\n2024-03-01,a,1\n");
    run(database, &format!("load {bad} --table t --time-column ts --job r --max-rejects 1")).exits(3);
    ["rejects r", "rejects r --details", "rejects r --json"].map(str::to_owned).to_vec()
}

#[test]
fn a_result_that_cannot_be_printed_is_a_failure() {
    let (database, folder, path) = loaded();
    let rejecting = rejecting(&database, &folder);
    for line in printing(&path).iter().chain(&rejecting) {
        for (to, why) in
            [(">/dev/full", "No space left on device"), (">&-", "stdout is closed"), ("<&- >&-", "is closed")]
        {
            let output = shell(&database, &format!("exec \"$@\" {to}"), line).exits(1);
            output.says(&["error: the result could not be printed", why]);
        }
    }
}

#[test]
fn nothing_that_was_thrown_away_on_purpose_is_a_failure() {
    let (database, _folder, path) = loaded();
    for line in printing(&path) {
        // Some programs open it for reading too, as the standard library does in the place of a closed stdout.
        for to in [">/dev/null", "1<>/dev/null"] {
            shell(&database, &format!("exec \"$@\" {to}"), &line).exits(0);
        }
    }
}

/// Runs a command whose reader has gone before it prints.
#[track_caller]
fn unread(database: &Database, line: &str) -> Output {
    let (reader, writer) = std::io::pipe().expect("pipes can be made");
    drop(reader);
    finish(command(database, "exec \"$@\"", line).stdout(writer))
}

#[test]
fn a_reader_that_has_gone_fails_a_result_without_a_word() {
    let (database, folder, path) = loaded();
    let rejecting = rejecting(&database, &folder);
    for line in printing(&path).iter().chain(&rejecting) {
        let output = unread(&database, line).exits(1);
        assert!(!output.stderr.contains("error"), "{line}: {output:?}");
    }
    // A job that is not complete is watched for as long as somebody reads.
    let bad = folder.write("bad.csv", "ts,host,value\n2024-02-01,a,x\n");
    run(&database, &format!("load {bad} --table t --time-column ts --job bad")).exits(1);
    unread(&database, "status bad --watch").exits(1);
}

#[test]
fn a_load_without_stdout_ends_as_the_load_does() {
    let (database, _folder, path) = loaded();
    let load = format!("load {path} --table t --time-column ts --existing keep --job");
    let quiet = shell(&database, "exec \"$@\" >&-", &format!("{load} a")).exits(0);
    assert!(!quiet.stderr.contains("could not be printed"), "a load prints nothing to stdout: {quiet:?}");
    let json = shell(&database, "exec \"$@\" >&-", &format!("{load} b --json")).exits(0);
    json.says(&["warning: events are no longer printed: stdout is closed"]);
    assert_eq!(database.count("t"), 6);
    let undone = shell(&database, "exec \"$@\" >&-", "undo b").exits(0);
    undone.says(&["warning: what was done could not be printed: stdout is closed"]);
    shell(&database, "exec \"$@\" >&-", "init").exits(0).says(&["warning: what was done could not be printed"]);
}

#[test]
fn a_difference_that_cannot_be_printed_is_still_a_difference() {
    let (database, ..) = loaded();
    database.sql("delete from t");
    shell(&database, "exec \"$@\" >/dev/full", "verify j").exits(5);
    unread(&database, "verify j").exits(5);
}

#[test]
fn a_load_whose_events_cannot_be_printed_ends_as_the_load_does() {
    let load = |path: &str| format!("load {path} --table t --time-column ts --window 1d --job j --json");
    let (database, folder) = (Database::with(TABLE), Folder::new());
    let path = folder.write("a.csv", "ts,host,value\n2024-01-01,a,1\n2024-01-02,b,2\n");
    let full = shell(&database, "exec \"$@\" >/dev/full", &load(&path)).exits(0);
    full.says(&["warning: events are no longer printed: No space left on device"]);
    is_clean(&database);
    assert_eq!(database.count("t"), 2);
    unread(&database, &load(&path)).exits(0);
    let bad = folder.write("b.csv", "ts,host,value\n2024-02-01,a,x\n");
    let failed = shell(&database, "exec \"$@\" >/dev/full", &load(&bad).replace("job j", "job b")).exits(1);
    failed.says(&["\"x\" is not"]);
    is_clean(&database);
}

#[test]
fn an_undo_that_cannot_be_printed_is_done_and_says_so() {
    let (database, ..) = loaded();
    shell(&database, "exec \"$@\" >/dev/full", "undo j")
        .exits(0)
        .says(&["warning: what was done could not be printed"]);
    assert_eq!((database.count("t"), database.count("pgbackfill.jobs")), (0, 0));
}

#[test]
fn messages_that_cannot_be_printed_change_no_exit_code() {
    let (database, folder, path) = loaded();
    database.sql("truncate t");
    let bad = folder.write("b.csv", "ts,host,value\n2024-02-01,a,x\n");
    let load = "load --table t --time-column ts";
    for to in ["2>/dev/full", "2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"] {
        let script = format!("exec \"$@\" {to}");
        for (line, code) in [
            (format!("{load} {path} --job new -vv"), 0),
            (format!("{load} {bad} --job bad"), 1),
            (format!("{load} {bad} --job bad --json -vv"), 1),
            ("status nonesuch".to_owned(), 2),
            ("--nonesuch".to_owned(), 2),
            ("undo new".to_owned(), 0),
        ] {
            let output = shell(&database, &script, &line);
            assert_eq!(output.code, code, "{line} {to}: {output:?}");
            is_clean(&database);
        }
    }
    assert_eq!(database.count("t"), 0);
}

#[test]
fn hundreds_of_files_are_read_with_few_handles_and_too_few_are_told() {
    let (database, folder) = (Database::with(TABLE), Folder::new());
    for file in 0..300 {
        let (hour, minute) = (file % 24, file % 60);
        let rows = (1..=4).map(|day| format!("2024-01-{day:02}T{hour:02}:{minute:02}Z,h,{file}\n"));
        folder.write(&format!("many/{file}.csv"), format!("ts,host,value\n{}", rows.collect::<String>()));
    }
    let load = format!("load {}/many --table t --time-column ts --window 1d --job j --workers 2", folder.path());
    let refused = shell(&database, "ulimit -n 20; exec \"$@\"", &load).exits(1);
    refused.says(&["Too many open files", "ulimit -n"]);
    assert_eq!(database.count("t"), 0);
    shell(&database, "ulimit -n 64; exec \"$@\"", &load).exits(0);
    is_clean(&database);
    assert_eq!(database.count("t"), 1200);
    run(&database, "verify j").exits(0);
}

#[test]
fn a_bare_environment_without_home_or_input_is_enough() {
    let (database, _folder, load) = spooling();
    let bare = format!("cd / && exec env -i PGBACKFILL_TARGET='{}' \"$@\" <&-", database.url());
    shell(&database, &bare, &load).exits(0);
    is_clean(&database);
    assert_eq!(database.count("t"), 20_000);
}

/// A shell script that runs the program with a clock that is off by so much; how long things take stays true.
fn clock_off(by: &str) -> Option<String> {
    let found = Command::new("faketime").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        assert!(std::env::var_os("CI").is_none(), "faketime is missing; it is in Debian's package of that name");
        eprintln!("not tested: faketime is missing; it is in Debian's package of that name");
        return None;
    }
    Some(format!("FAKETIME_DONT_FAKE_MONOTONIC=1 exec faketime -f {by} \"$@\""))
}

#[test]
fn a_clock_that_is_off_takes_no_live_run_for_dead() {
    let (database, _folder, path) = loaded();
    let load = format!("load {path} --table t --time-column ts --job other --existing keep --lease 3s --json");
    let keeper = database.connect();
    keeper.sql("begin; lock table t in share mode");
    let mut loader = start(&database, &load);
    assert!(loader.event_named("claimed").is_some());
    for by in ["+1y", "-1y"] {
        let Some(script) = clock_off(by) else { return };
        shell(&database, &script, &load).exits(7).says(&["is being loaded by process"]);
    }
    keeper.sql("commit");
    loader.finish().exits(0);
    assert_eq!(database.count("t"), 4);
}

#[test]
fn a_loader_whose_clock_is_off_keeps_its_lease() {
    for by in ["+1y", "-1y"] {
        let Some(script) = clock_off(by) else { return };
        let (database, _folder, path) = loaded();
        let load = format!("load {path} --table t --time-column ts --job other --existing keep --lease 3s --json");
        let keeper = database.connect();
        keeper.sql("begin; lock table t in share mode");
        let loader = command(&database, &script, &load).stdout(Stdio::piped()).spawn().expect("there is a shell");
        // Past the lease that it began with, it has renewed it, by the server's clock.
        database.wait_until("the lease is renewed past its first end", || {
            let known = "to_regclass('pgbackfill.runs') is not null";
            let renewed =
                "pgbackfill.runs where ended_at is null and now() > started_at + '4 s' and lease_until > now()
                           and lease_until < now() + '10 s'";
            database.one(&format!("select {known}")) == "t" && database.count(renewed) == 1
        });
        run(&database, &load).exits(7);
        keeper.sql("commit");
        let output = loader.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(database.count("t"), 4);
        is_clean(&database);
    }
}

#[test]
fn days_ago_are_counted_by_the_clock_of_the_first_run() {
    let Some(script) = clock_off("+365d") else { return };
    let (database, _folder, path) = loaded();
    let load = [
        &format!("load {path} --table t --time-column ts --job ago --existing keep --allow-empty --from"),
        "30 days ago",
    ];
    let mut first = command(&database, &script, load[0]);
    finish(first.arg(load[1]).stdout(Stdio::piped())).exits(0);
    // Keys of a timestamptz are microseconds since 2000.
    let bound =
        "select round(extract(epoch from timestamptz '2000-01-01Z' + range_from * interval '1 us' - now()) / 86400)
                   from pgbackfill.jobs where name = 'ago'";
    assert_eq!(database.one(bound), "335");
    run(&database, &format!("{} '{}'", load[0], load[1])).exits(0);
    assert_eq!(database.one(bound), "335");
}

/// Two parts of one row each, a day apart; the second panics where it is read again after the profile.
struct Panics {
    reads: AtomicU32,
    armed: bool,
}

impl Panics {
    fn new(armed: bool) -> Arc<Self> {
        Arc::new(Self { reads: AtomicU32::new(0), armed })
    }
}

impl Source for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn schema(&self) -> SchemaRef {
        let field = |name: &str, data_type| Field::new(name, data_type, false);
        Arc::new(Schema::new(vec![field("ts", DataType::Utf8), field("value", DataType::Int32)]))
    }

    fn parts(&self) -> Result<Vec<Part>> {
        Ok((1..=2).map(|number| Part { number, version: "1".to_owned(), bytes: 100 }).collect())
    }

    fn read(&self, part: &Part) -> Result<Batches> {
        let reads = self.reads.fetch_add(1, Ordering::SeqCst);
        assert!(!self.armed || part.number == 1 || reads < 2, "the driver is broken");
        let day = format!("2024-01-0{}", part.number);
        let value = i32::try_from(part.number).unwrap();
        let columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from(vec![day])), Arc::new(Int32Array::from(vec![value]))];
        Ok(Box::new(std::iter::once(Ok(RecordBatch::try_new(self.schema(), columns).unwrap()))))
    }
}

fn backfill(database: &Database, source: Arc<Panics>) -> Backfill {
    let mut options = Options::new("t").with_time_column("ts").with_job("j");
    options.window = WindowSize::Span(std::time::Duration::from_secs(86_400));
    options.mapping.ignored = vec!["host".to_owned()];
    options.limits.workers = Some(1);
    Backfill::new(database.settings(), Input::Custom(source), options)
}

/// Panics unless the job goes on where it broke off.
#[track_caller]
fn resumes(database: &Database) {
    is_clean(database);
    assert_eq!(database.count("pgbackfill.jobs"), 1);
    let summary = block_on(backfill(database, Panics::new(false)).load(|_: &Event| (), &Stop::new())).unwrap();
    assert!(summary.is_complete(), "{summary:?}");
    assert_eq!(database.rows("select value from t order by ts"), ["1", "2"]);
}

#[test]
fn a_panic_in_a_source_is_an_error_and_the_job_resumes() {
    let database = Database::with(TABLE);
    let failed = block_on(backfill(&database, Panics::new(true)).load(|_: &Event| (), &Stop::new())).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Internal);
    let told = format!("{failed:?}");
    assert!(told.contains("a worker panicked: the driver is broken"), "{told}");
    assert_eq!(database.rows("select value from t"), ["1"]);
    resumes(&database);
}

#[test]
fn a_panic_in_an_observer_is_an_error_and_the_job_resumes() {
    let database = Database::with(TABLE);
    let observer = |event: &Event| assert!(!matches!(event, Event::Loaded { .. }), "the display is broken");
    let failed = block_on(backfill(&database, Panics::new(false)).load(observer, &Stop::new())).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Internal);
    resumes(&database);
}
