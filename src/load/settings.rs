//! The settings that decide which rows a job loads: kept in the ledger, compared on resume.

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::supply::Input;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Object;
use crate::options::{Commit, Existing, Options, WindowSize};
use crate::schema::TableName;

/// The settings of a job that a resume must share, each under the name of its option.
pub(crate) fn of(options: &Options, input: &Input, table: &TableName) -> Value {
    let csv = &options.csv;
    let byte = |byte: Option<u8>| byte.map(|byte| char::from(byte).to_string());
    json!({
        "source": sources(input),
        "table": table.to_string(),
        "time-column": options.time_column,
        "from": options.from.as_ref().map(ToString::to_string),
        "until": options.until.as_ref().map(ToString::to_string),
        "window": window(options.window),
        "scope": options.scope,
        "existing": match options.existing {
            Existing::Error => "error",
            Existing::Replace => "replace",
            Existing::Keep => "keep",
            Existing::Skip => "skip",
        },
        "commit": match options.commit {
            Commit::Batch => "batch",
            Commit::Window => "window",
        },
        "map": options.mapping.renames,
        "ignore": options.mapping.ignored,
        "null": csv.null_marks,
        "delimiter": byte(Some(csv.delimiter)),
        "quote": byte(csv.quote),
        "escape": byte(csv.escape),
        "comment": byte(csv.comment),
        "columns": csv.columns,
        "skip-lines": csv.skip_lines,
        "timezone": options.zone.to_string(),
    })
}

fn sources(input: &Input) -> Vec<String> {
    match input {
        Input::Files(patterns) => patterns.clone(),
        Input::Custom(custom) => vec![custom.name().to_owned()],
    }
}

fn window(size: WindowSize) -> String {
    match size {
        WindowSize::Auto => "auto".to_owned(),
        WindowSize::Span(span) => format!("{} s", span.as_secs_f64()),
        WindowSize::Months(months) => format!("{months} months"),
        WindowSize::Keys(keys) => keys.to_string(),
    }
}

/// The name of a job that was given none: the table's, and a number that follows from what is loaded into it.
pub(crate) fn job_name(settings: &Value, table: &TableName) -> String {
    let parts = ["source", "table", "time-column", "from", "until", "scope"].map(|name| settings[name].to_string());
    let number = xxh3_64(parts.join("\n").as_bytes()) >> 40;
    // The name is typed in a shell later.
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    format!("{}-{number:06x}", table.name.chars().map(plain).collect::<String>())
}

/// Settings that a resume may change: they decide how windows are loaded, not which rows.
const CHANGEABLE: [&str; 2] = ["existing", "commit"];

/// Refuses a resume with settings that would load other rows.
///
/// # Errors
///
/// [`ErrorKind::Settings`] that names every difference.
pub(crate) fn check(job: &str, recorded: &Value, wanted: &Value) -> Result<()> {
    let empty = Map::new();
    let (recorded, wanted) = (recorded.as_object().unwrap_or(&empty), wanted.as_object().unwrap_or(&empty));
    let names: std::collections::BTreeSet<&String> = recorded.keys().chain(wanted.keys()).collect();
    let value = |of: &Map<String, Value>, name: &str| of.get(name).unwrap_or(&Value::Null).clone();
    let differs = |name: &&String| !CHANGEABLE.contains(&name.as_str()) && value(recorded, name) != value(wanted, name);
    let differences: Vec<String> = names
        .into_iter()
        .filter(differs)
        .map(|name| format!("--{name} was {} and is {}", value(recorded, name), value(wanted, name)))
        .collect();
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Settings, format!("job {job} was begun with other settings: {}", differences.join("; ")))
        .with_hint(format!(
            "run it with its own settings to resume it; to begin anew, choose another name (--job), or take back what it \
             loaded: `pgbackfill undo {job}`"
        )))
}

/// Refuses a resume over objects that are not those that the job was planned from.
///
/// # Errors
///
/// [`ErrorKind::Changed`] that names what was added, changed or has vanished.
pub(crate) fn check_objects(job: &str, recorded: &[(String, u64, String)], found: &[Object]) -> Result<()> {
    let mut differences = Vec::new();
    for (uri, bytes, version) in recorded {
        match found.binary_search_by(|object| object.uri.cmp(uri)) {
            Err(_) => differences.push(format!("{uri} has vanished")),
            Ok(place) if (found[place].bytes, &found[place].version) != (*bytes, version) => {
                differences.push(format!("{uri} has changed"));
            }
            Ok(_) => {}
        }
    }
    let known = |object: &Object| recorded.binary_search_by(|(uri, ..)| uri.cmp(&object.uri)).is_ok();
    differences.extend(found.iter().filter(|object| !known(object)).map(|object| format!("{} is new", object.uri)));
    if differences.is_empty() {
        return Ok(());
    }
    let shown = differences.iter().take(DIFFERENCES_SHOWN).cloned().collect::<Vec<_>>().join("; ");
    let more = differences.len().saturating_sub(DIFFERENCES_SHOWN);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Err(Error::new(ErrorKind::Changed, format!("the source of job {job} is not what it was: {shown}{more}")).with_hint(
        format!(
            "put the source back as it was to resume; new objects are loaded by a job of their own (--job), and \
         `pgbackfill undo {job}` takes back what this one loaded"
        ),
    ))
}

/// Differences that a message names before it just counts them.
const DIFFERENCES_SHOWN: usize = 5;

/// The fingerprint of objects that may hold a window's rows.
pub(crate) fn fingerprint<'a>(objects: impl Iterator<Item = &'a Object>) -> [u8; 16] {
    let lines: Vec<String> =
        objects.map(|object| format!("{}\n{}\n{}\n", object.uri, object.bytes, object.version)).collect();
    xxh3_128(lines.concat().as_bytes()).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Format;

    fn object(uri: &str, version: &str) -> Object {
        Object { uri: uri.into(), bytes: 7, version: version.into(), format: Format::Csv, path_columns: Vec::new() }
    }

    #[test]
    fn every_difference_in_settings_is_named() {
        let (one, two) = (json!({"null": ["NA"], "from": null}), json!({"null": [], "from": "2024-01-01"}));
        assert!(check("j", &one, &one).is_ok());
        assert!(check("j", &json!({"existing": "error"}), &json!({"existing": "keep"})).is_ok());
        let text = check("j", &one, &two).unwrap_err().to_string();
        assert!(text.contains("--null was [\"NA\"] and is []"), "{text}");
        assert!(text.contains("--from was null and is \"2024-01-01\""), "{text}");
    }

    #[test]
    fn objects_that_changed_vanished_or_came_are_named() {
        let recorded = [("a".into(), 7, "1".into()), ("b".into(), 7, "1".into())];
        assert!(check_objects("j", &recorded, &[object("a", "1"), object("b", "1")]).is_ok());
        let text = check_objects("j", &recorded, &[object("b", "2"), object("c", "1")]).unwrap_err().to_string();
        assert!(text.contains("a has vanished; b has changed; c is new"), "{text}");
    }
}
