//! The job file: every option of the command line, in TOML.
//!
//! A flag beats the environment, and the environment beats the file. The file's settings become words of the command
//! line, so that one parser checks them all: the words are parsed once leniently, to learn which file is meant and what
//! is given already; then each setting of the file that is not given is added, and the caller parses again.
//!
//! A file serves every subcommand: a setting that only another one takes is passed over. Options that the file may set
//! must be the subcommand's own or global, and must not override each other by their order.

mod near;
mod words;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use pgbackfill::{Error, ErrorKind, Result};
use toml::{Table, Value};

/// A command line with a job file's settings in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merged {
    /// The words to parse.
    pub(crate) words: Vec<OsString>,
    /// The file, if one was named.
    pub(crate) file: Option<PathBuf>,
    /// The settings that came from it, for whoever has to explain where a refused value stands.
    pub(crate) taken: Vec<String>,
}

/// Long name of the option that names the file.
const CONFIG: &str = "config";

/// Adds to `words`, which start with the program's name, what the job file that they name says.
///
/// # Errors
///
/// [`ErrorKind::Settings`] if the file cannot be read, is not TOML, or has a setting that no subcommand takes.
pub(crate) fn merge(command: &Command, words: Vec<OsString>) -> Result<Merged> {
    let mut lenient = command.clone().ignore_errors(true);
    lenient.build();
    // Help and version come as errors even so; the caller's own parse meets them again.
    let Ok(matches) = lenient.try_get_matches_from_mut(&words) else { return Ok(Merged::without_file(words)) };
    let given = Given::new(&lenient, &matches);
    let Some(file) = given.config_file() else { return Ok(Merged::without_file(words)) };
    let settings = read(&file).and_then(normalized).map_err(|error| error.at_object(file.display().to_string()))?;
    let mut merged = Merged { words, file: Some(file), taken: Vec::new() };
    let mut additions = Additions::default();
    for (name, value) in &settings {
        match given.argument(name) {
            Some(argument) if given.is_given_or_ruled_out(argument) => {}
            Some(argument) => {
                additions.add(argument, value).map_err(|why| merged.refuse(name, &why))?;
                merged.taken.push(name.clone());
            }
            None if is_known(&lenient, name) => {}
            None => return Err(unknown(&lenient, name).at_object(merged.file_name())),
        }
    }
    additions.insert_into(&mut merged.words);
    Ok(merged)
}

impl Merged {
    fn without_file(words: Vec<OsString>) -> Self {
        Self { words, file: None, taken: Vec::new() }
    }

    fn file_name(&self) -> String {
        self.file.as_deref().unwrap_or(Path::new("")).display().to_string()
    }

    fn refuse(&self, name: &str, why: &str) -> Error {
        Error::new(ErrorKind::Settings, format!("setting '{name}' {why}")).at_object(self.file_name())
    }
}

/// The subcommand that was chosen, and what is given for it by flags and environment.
struct Given<'a> {
    command: &'a Command,
    matches: &'a ArgMatches,
}

impl<'a> Given<'a> {
    fn new(command: &'a Command, matches: &'a ArgMatches) -> Self {
        let inner = matches.subcommand().and_then(|(name, inner)| Some((command.find_subcommand(name)?, inner)));
        inner.map_or(Self { command, matches }, |(command, matches)| Self::new(command, matches))
    }

    fn config_file(&self) -> Option<PathBuf> {
        let argument = self.argument(CONFIG)?;
        let mut values = self.matches.get_raw(argument.get_id().as_str())?;
        values.next().map(PathBuf::from)
    }

    /// The argument that a setting is for.
    fn argument(&self, name: &str) -> Option<&'a Arg> {
        self.command.get_arguments().find(|argument| setting_name(argument).as_deref() == Some(name))
    }

    /// Whether the person gave the argument, or one that excludes it.
    fn is_given_or_ruled_out(&self, argument: &Arg) -> bool {
        self.is_given(argument)
            || self.command.get_arguments().any(|other| self.is_given(other) && self.exclude(argument, other))
    }

    fn is_given(&self, argument: &Arg) -> bool {
        let id = argument.get_id().as_str();
        let is_present = self.matches.try_contains_id(id).unwrap_or(false);
        is_present && matches!(self.matches.value_source(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    }

    fn exclude(&self, one: &Arg, other: &Arg) -> bool {
        let lists =
            |a: &Arg, b: &Arg| self.command.get_arg_conflicts_with(a).iter().any(|it| it.get_id() == b.get_id());
        lists(one, other) || lists(other, one)
    }
}

/// Words to add: options, and values without a name.
#[derive(Default)]
struct Additions {
    options: Vec<OsString>,
    positionals: Vec<OsString>,
}

impl Additions {
    fn add(&mut self, argument: &Arg, value: &Value) -> Result<(), String> {
        match argument.get_long() {
            Some(long) => self.options.extend(words::option(argument, long, value)?),
            None => self.positionals.extend(words::positional(argument, value)?),
        }
        Ok(())
    }

    /// Options go before a `--`, after which every word is a value; values go to the end.
    fn insert_into(self, words: &mut Vec<OsString>) {
        let separator = words.iter().position(|word| word == OsStr::new("--"));
        let end = separator.unwrap_or(words.len());
        words.splice(end..end, self.options);
        if separator.is_none() && !self.positionals.is_empty() {
            words.push("--".into());
        }
        words.extend(self.positionals);
    }
}

/// What the file calls an argument: its long name, or for a value without one its own.
fn setting_name(argument: &Arg) -> Option<String> {
    if matches!(
        argument.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    ) {
        return None;
    }
    match argument.get_long() {
        Some(long) => Some(long.to_owned()),
        None => argument.is_positional().then(|| argument.get_id().as_str().to_lowercase().replace('_', "-")),
    }
}

/// The names of all settings of a command and its subcommands, but for the file's own.
fn setting_names(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(setting_name);
    let inner = command.get_subcommands().filter(|it| it.get_name() != "help").flat_map(setting_names);
    own.chain(inner).filter(|name| name != CONFIG).collect()
}

fn is_known(command: &Command, name: &str) -> bool {
    setting_names(command).iter().any(|known| known == name)
}

fn unknown(command: &Command, name: &str) -> Error {
    let error = Error::new(ErrorKind::Settings, format!("unknown setting '{name}'"));
    let near = near::names(name, setting_names(command));
    if near.is_empty() {
        return error.with_hint("settings are the long names of the options: `pgbackfill load --help` lists them");
    }
    let near: Vec<_> = near.iter().map(|name| format!("'{name}'")).collect();
    error.with_hint(format!("did you mean {}?", near.join(" or ")))
}

/// The longest job file: several thousand rules of a mapping.
const FILE_BYTES_MAX: u64 = 4 << 20;

fn read(file: &Path) -> Result<Table> {
    let fault = |message: String| Error::new(ErrorKind::Settings, message);
    let mut text = String::new();
    // One byte more tells a file that is too long, and a device never ends.
    File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| fault("cannot read the job file".to_owned()).with_source(error))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        // usize has at most 64 bits
        return Err(fault(format!("the job file is longer than {FILE_BYTES_MAX} bytes")));
    }
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        // Not the error's own text: it quotes the line, which may hold a password.
        let line =
            error.span().map_or(1, |span| text.bytes().take(span.start).filter(|&byte| byte == b'\n').count() + 1);
        fault(format!("the job file is not TOML in line {line}: {}", error.message()))
    })
}

/// The settings by their names as the options spell them, with `-`.
fn normalized(table: Table) -> Result<BTreeMap<String, Value>> {
    let mut settings = BTreeMap::new();
    for (key, value) in table {
        let name = key.replace('_', "-");
        if name == CONFIG {
            return Err(Error::new(ErrorKind::Settings, "a job file cannot name another"));
        }
        if settings.insert(name.clone(), value).is_some() {
            return Err(Error::new(
                ErrorKind::Settings,
                format!("setting '{name}' stands twice, with '-' and with '_'"),
            ));
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests;
