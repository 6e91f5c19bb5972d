//! Folders as they are found: names of any bytes, and what is no regular file. Each concerns a load only where the source
//! that was named means it, and nothing that is meant is left out in silence.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Database, Folder, Output, run};

/// A table, and a folder with one file of one row.
struct Scene {
    database: Database,
    folder: Folder,
}

const ROW: &str = "ts,host,value\n2024-01-01,a,1\n";

impl Scene {
    fn new() -> Self {
        let database = Database::with("create table t (ts timestamptz not null, host text, value int)");
        let folder = Folder::new();
        folder.write("a.csv", ROW);
        Self { database, folder }
    }

    fn path(&self, name: &[u8]) -> PathBuf {
        Path::new(self.folder.path()).join(OsStr::from_bytes(name))
    }

    /// Loads what `pattern`, below the folder, means, and gives the rows that came of it.
    fn load(&self, pattern: &str) -> (Output, u64) {
        self.database.sql("drop schema if exists pgbackfill cascade; truncate t");
        let line = format!("load '{}/{pattern}' --table t --time-column ts --existing keep", self.folder.path());
        let output = run(&self.database, &line);
        (output, self.database.count("t"))
    }

    #[track_caller]
    fn loads(&self, pattern: &str, rows: u64) {
        let (output, found) = self.load(pattern);
        output.exits(0);
        assert_eq!(found, rows, "{pattern}");
    }

    #[track_caller]
    fn refuses(&self, pattern: &str, texts: &[&str]) {
        let (output, found) = self.load(pattern);
        output.exits(1).says(texts);
        assert_eq!(found, 0, "{pattern}");
    }
}

#[test]
fn a_name_that_is_not_utf8_concerns_only_what_the_pattern_means() {
    let scene = Scene::new();
    std::fs::write(scene.path(b"b\xff.txt"), ROW).unwrap();
    std::fs::create_dir(scene.path(b"dir\xfe")).unwrap();
    std::fs::write(scene.path(b"dir\xfe/c.txt"), ROW).unwrap();
    std::fs::write(scene.path(b".hidden\xff"), ROW).unwrap();
    scene.loads("*.csv", 1);
    scene.loads("**/*.csv", 1);
    scene.loads("a.csv", 1);
    scene.refuses("*.txt", &["the name is not UTF-8", "b\u{fffd}.txt", "rename it"]);
    scene.refuses("*/*.txt", &["the name is not UTF-8", "dir\u{fffd}/c.txt"]);
    scene.refuses("", &["the name is not UTF-8"]);
}

#[test]
fn a_name_with_a_line_end_concerns_only_what_the_pattern_means() {
    let scene = Scene::new();
    std::fs::write(scene.path(b"b\nerror: gone\x1b[31m.txt"), ROW).unwrap();
    std::fs::create_dir(scene.path(b"dir\n")).unwrap();
    std::fs::write(scene.path(b"dir\n/c.log"), ROW).unwrap();
    scene.loads("*.csv", 1);
    scene.loads("**/*.csv", 1);
    let told = "the name holds a control character";
    scene.refuses("*.txt", &[told, r"b\nerror: gone\u{1b}[31m.txt", "rename it"]);
    scene.refuses("*/*.log", &[told, r"dir\n/c.log"]);
    scene.refuses("", &[told]);
}

#[test]
fn what_is_no_file_is_named_where_the_pattern_means_it() {
    let scene = Scene::new();
    assert!(Command::new("mkfifo").arg(scene.path(b"pipe.txt")).status().unwrap().success());
    let _socket = UnixListener::bind(scene.path(b"socket.log")).unwrap();
    symlink("/dev/null", scene.path(b"device.dat")).unwrap();
    symlink(scene.path(b"pipe.txt"), scene.path(b"link.lnk")).unwrap();
    scene.loads("*.csv", 1);
    scene.loads("**/*.csv", 1);
    for (pattern, what) in
        [("*.txt", "is a pipe"), ("*.log", "is a socket"), ("*.dat", "is a device"), ("*.lnk", "is a pipe")]
    {
        scene.refuses(pattern, &[what, pattern.trim_start_matches('*'), "move it out of the folder"]);
    }
    scene.refuses("", &["which cannot be read again and in parts"]);
    for (name, what) in [("pipe.txt", "is a pipe"), ("socket.log", "is a socket"), ("device.dat", "is a device")] {
        scene.refuses(name, &[what, "write what comes out of it to a file"]);
    }
}

#[test]
fn a_file_of_size_0_that_holds_bytes_is_not_taken_for_an_empty_one() {
    let scene = Scene::new();
    symlink("/proc/cpuinfo", scene.path(b"cpu.txt")).unwrap();
    let texts = ["holds bytes although its size is told as 0", "/proc/cpuinfo", "write it to a file"];
    scene.refuses("*.txt", &texts);
    scene.refuses("", &texts);
    run(&scene.database, "inspect /proc/cpuinfo").exits(1).says(&texts);
    scene.loads("*.csv", 1);
    scene.folder.write("empty.csv", "");
    scene.loads("*.csv", 1);
}

#[test]
fn links_to_themselves_and_to_nothing_concern_only_what_the_pattern_means() {
    let scene = Scene::new();
    symlink("loop.txt", scene.path(b"loop.txt")).unwrap();
    symlink("two", scene.path(b"one")).unwrap();
    symlink("one", scene.path(b"two")).unwrap();
    symlink("nothing", scene.path(b"broken.log")).unwrap();
    symlink(".", scene.path(b"again")).unwrap();
    scene.loads("*.csv", 1);
    scene.loads("**/*.csv", 1);
    scene.refuses("*.txt", &["loop.txt", "symbolic links"]);
    scene.refuses("*.log", &["broken.log", "does not exist, or is a link to nothing"]);
    scene.refuses("", &["cannot be listed"]);
}
