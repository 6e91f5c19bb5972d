//! What comes of job files, on a command line made for the purpose.

use std::fs;

use super::*;

/// A small command with every kind of argument that the real one has.
fn command() -> Command {
    let option = |name: &'static str| Arg::new(name).long(name);
    let load = Command::new("load")
        .arg(Arg::new("source").num_args(1..).action(ArgAction::Append).required(true))
        .arg(option("table").required(true))
        .arg(option("time-column").conflicts_with("no-time-column"))
        .arg(option("no-time-column").action(ArgAction::SetTrue))
        .arg(Arg::new("batch_rows").long("batch-rows").value_parser(clap::value_parser!(u64)))
        .arg(option("null").action(ArgAction::Append))
        .arg(option("map").action(ArgAction::Append))
        .arg(option("columns").value_delimiter(','))
        .arg(option("workers").default_value("4"))
        // A variable that is always set stands in for PGBACKFILL_WINDOW.
        .arg(option("window").env("PATH"));
    Command::new("pgbackfill")
        .subcommand_required(true)
        .arg(option("config").global(true))
        .arg(option("verbose").short('v').action(ArgAction::Count).global(true))
        .subcommand(load)
        .subcommand(Command::new("status").arg(Arg::new("job")).arg(option("watch").action(ArgAction::SetTrue)))
}

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("job.toml"), text).unwrap();
        Self { folder }
    }

    /// The command line `pgbackfill … --config job.toml …`, where `@` stands for the file.
    fn merge(&self, line: &str) -> Result<Merged> {
        let file = self.folder.path().join("job.toml");
        let words = line.split_whitespace().map(|word| if word == "@" { file.clone().into() } else { word.into() });
        merge(&command(), std::iter::once(OsString::from("pgbackfill")).chain(words).collect())
    }

    /// What the second parse of the merged line gives for `load`.
    fn load(&self, line: &str) -> ArgMatches {
        let merged = self.merge(line).unwrap();
        let matches = command().try_get_matches_from(merged.words).unwrap_or_else(|error| panic!("{error}"));
        matches.subcommand_matches("load").unwrap().clone()
    }

    fn refusal(&self, line: &str) -> Error {
        let error = self.merge(line).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Settings);
        error
    }
}

fn values(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).unwrap_or_default().cloned().collect()
}

#[test]
fn a_file_gives_every_kind_of_setting() {
    let case = Case::new(
        "table = 'metrics'\nsource = ['a.csv', '-odd.csv']\ntime_column = 'ts'\nbatch-rows = 5000\n\
         null = ['NA', '']\ncolumns = ['a', 'b']\nworkers = 8\nverbose = 2\nmap = { from = 'to', x = 'y' }\n",
    );
    let matches = case.load("load --config @");
    assert_eq!(values(&matches, "table"), ["metrics"]);
    assert_eq!(values(&matches, "source"), ["a.csv", "-odd.csv"]);
    assert_eq!(values(&matches, "time-column"), ["ts"]);
    assert_eq!(matches.get_one::<u64>("batch_rows"), Some(&5000));
    assert_eq!(values(&matches, "null"), ["NA", ""]);
    assert_eq!(values(&matches, "columns"), ["a", "b"]);
    assert_eq!(values(&matches, "map"), ["from=to", "x=y"]);
    assert_eq!(values(&matches, "workers"), ["8"]);
    assert_eq!(matches.get_count("verbose"), 2);
}

#[test]
fn a_flag_beats_the_file_and_the_file_beats_a_default() {
    let case = Case::new("table = 'file'\nsource = 'file.csv'\nnull = ['NA']\nworkers = 8\n");
    let matches = case.load("load --config @ --table flag --null=- flag.csv");
    assert_eq!(values(&matches, "table"), ["flag"]);
    assert_eq!(values(&matches, "source"), ["flag.csv"]);
    assert_eq!(values(&matches, "null"), ["-"]);
    assert_eq!(values(&matches, "workers"), ["8"]);
    let merged = case.merge("load --config @ --table flag --null=- flag.csv").unwrap();
    assert_eq!(merged.taken, ["workers"]);
}

#[test]
fn the_environment_beats_the_file() {
    let merged = Case::new("window = '1d'\nworkers = 8\n").merge("load --config @").unwrap();
    assert_eq!(merged.taken, ["workers"]);
}

#[test]
fn a_flag_beats_a_setting_that_it_excludes() {
    let case = Case::new("table = 't'\nsource = 's'\ntime-column = 'ts'\n");
    let matches = case.load("load --no-time-column --config @");
    assert!(matches.get_flag("no-time-column"));
    assert_eq!(values(&matches, "time-column"), [""; 0]);
    let case = Case::new("table = 't'\nsource = 's'\nno-time-column = true\n");
    assert_eq!(values(&case.load("load --time-column ts --config @"), "time-column"), ["ts"]);
}

#[test]
fn options_go_before_a_separator_wherever_the_file_is_named() {
    let case = Case::new("table = 't'\n");
    let matches = case.load("--config @ load -- a.csv --table");
    assert_eq!(values(&matches, "table"), ["t"]);
    assert_eq!(values(&matches, "source"), ["a.csv", "--table"]);
    let case = Case::new("table = 't'\nsource = ['a.csv']\n");
    assert_eq!(values(&case.load("load --config @ --"), "source"), ["a.csv"]);
}

#[test]
fn a_file_serves_every_subcommand() {
    let case = Case::new("table = 't'\nworkers = 3\nwatch = true\njob = 'nightly'\n");
    let merged = case.merge("status --config @").unwrap();
    let matches = command().try_get_matches_from(merged.words).unwrap();
    let status = matches.subcommand_matches("status").unwrap();
    assert!(status.get_flag("watch"));
    assert_eq!(values(status, "job"), ["nightly"]);
}

#[test]
fn an_unknown_setting_lists_the_near_ones() {
    let error = Case::new("tabel = 't'\n").refusal("load --config @");
    assert!(error.to_string().contains("unknown setting 'tabel'"), "{error}");
    assert!(error.to_string().contains("job.toml"));
    assert_eq!(error.hint(), Some("did you mean 'table'?"));
    assert!(Case::new("zzzzzz = 1\n").refusal("load --config @").hint().unwrap().contains("--help"));
    assert!(Case::new("help = true\n").refusal("load --config @").to_string().contains("'help'"));
}

#[test]
fn a_wrong_file_is_told_with_its_line_and_without_its_text() {
    let error = Case::new("table = 't'\ntarget = 'postgres://u:sesame@h\n").refusal("load --config @");
    assert!(error.to_string().contains("line 2") && !format!("{error:?}").contains("sesame"), "{error}");
    let case = Case::new("");
    fs::remove_file(case.folder.path().join("job.toml")).unwrap();
    assert!(case.refusal("load --config @").to_string().contains("cannot read the job file"));
}

#[test]
fn a_value_of_the_wrong_shape_is_refused() {
    let message = |text: &str| Case::new(text).refusal("load --config @").to_string();
    assert!(message("table = ['a', 'b']\n").contains("'table' takes one value, not a list"));
    assert!(message("no-time-column = 'yes'\n").contains("'no-time-column' takes true or false"));
    assert!(message("null = [['a']]\n").contains("'null' has a list inside a list"));
    assert!(message("config = 'b.toml'\n").contains("cannot name another"));
    assert!(message("time-column = 'a'\ntime_column = 'b'\n").contains("stands twice"));
}

#[test]
fn without_a_file_or_with_help_the_words_stay_as_they_are() {
    let case = Case::new("unknown = 1\n");
    for line in ["load --table t a.csv", "load --help", "--version", "", "nonsense --config"] {
        let merged = case.merge(line).unwrap();
        assert_eq!(merged.file, None, "{line}");
        assert_eq!(merged.words.len(), 1 + line.split_whitespace().count());
    }
}

#[test]
fn a_job_file_has_a_longest_and_a_device_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job.toml");
    fs::write(&path, " ".repeat(usize::try_from(FILE_BYTES_MAX).unwrap())).unwrap();
    assert!(read(&path).unwrap().is_empty());
    fs::write(&path, " ".repeat(usize::try_from(FILE_BYTES_MAX).unwrap() + 1)).unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("longer than"));
    // Zeros are no TOML, and there is no end of them.
    assert!(cfg!(not(unix)) || read(Path::new("/dev/zero")).is_err());
}
