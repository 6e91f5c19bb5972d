//! The settings that decide which rows a job loads, and in which windows: kept in the ledger, compared on resume.

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::supply::Input;
use crate::error::{Error, ErrorKind, Result};
use crate::format::csv::Encoding;
use crate::model::datetime::TimeFormat;
use crate::model::{KeyKind, Object, Piece, Ragged, RepeatedHeader, StrayQuotes};
use crate::options::{Commit, EmptyFields, Existing, OnConflict, Options, WindowSize};
use crate::plan::Grid;
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
        "existing": match options.existing() {
            Existing::Error => "error",
            Existing::Replace => "replace",
            Existing::Keep => "keep",
            Existing::Skip => "skip",
        },
        // Left out where it is the default, as it was before there was a choice.
        "on-conflict": match options.on_conflict {
            OnConflict::Fail => None,
            OnConflict::Skip => Some("skip"),
            OnConflict::Update => Some("update"),
        },
        "conflict-key": (!options.conflict_key.is_empty()).then_some(&options.conflict_key),
        "commit": match options.commit {
            Commit::Batch => "batch",
            Commit::Window => "window",
        },
        "max-rejects": options.max_rejects.to_string(),
        "map": options.mapping.renames,
        "ignore": options.mapping.ignored,
        "encoding": Encoding::named(&csv.encoding).ok().filter(|known| *known != Encoding::default()).map(|known| known.name()),
        "null": csv.null_marks,
        "empty-as-null": (csv.empty_fields == EmptyFields::Null).then_some(true),
        "empty-as-text": (csv.empty_fields == EmptyFields::Text).then_some(true),
        "delimiter": csv.delimiter,
        "quote": byte(csv.quote),
        "escape": byte(csv.escape),
        "comment": byte(csv.comment),
        "columns": csv.columns,
        "skip-lines": csv.skip_lines,
        "footer-lines": (csv.footer_lines > 0).then_some(csv.footer_lines),
        "ragged": ragged(csv.ragged),
        "trim": csv.trim.then_some(true),
        "stray-quotes": (csv.stray_quotes == StrayQuotes::Keep).then_some("keep"),
        "repeated-header": (csv.repeated_header == RepeatedHeader::Skip).then_some("skip"),
        "timezone": options.zone.to_string(),
        "timestamp-format": time_formats(options),
        "allow-lossy": options.times.allow_lossy.then_some(true),
    })
}

fn sources(input: &Input) -> Vec<String> {
    match input {
        Input::Files(patterns) => patterns.clone(),
        Input::Custom(custom) => vec![custom.name().to_owned()],
    }
}

fn time_formats(options: &Options) -> Option<Vec<String>> {
    let spelled = |(column, format): &(Option<String>, TimeFormat)| match column {
        Some(column) => format!("{column}={format}"),
        None => format.to_string(),
    };
    let formats: Vec<String> = options.times.formats.iter().map(spelled).collect();
    (!formats.is_empty()).then_some(formats)
}

fn ragged(ragged: Ragged) -> Option<Vec<&'static str>> {
    let mended: Vec<_> =
        [(ragged.pad, "pad"), (ragged.trim, "trim")].into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect();
    (!mended.is_empty()).then_some(mended)
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
const CHANGEABLE: [&str; 3] = ["existing", "commit", "max-rejects"];

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

/// The grid of a job's windows, for the ledger: a source that grows must not change the width of windows.
pub(crate) fn grid(grid: Option<&Grid>) -> Value {
    match grid {
        None => Value::Null,
        Some(Grid::Even { origin, width }) => json!({ "origin": origin, "width": width }),
        Some(Grid::Months { months, .. }) => json!({ "months": months }),
        Some(Grid::Bounds(bounds)) => json!({ "bounds": bounds }),
    }
}

/// The same, read from the ledger.
pub(crate) fn recorded_grid(recorded: &Value, kind: KeyKind) -> Option<Grid> {
    let number = |name: &str| recorded[name].as_i64();
    if let Some(months) = number("months") {
        return Some(Grid::Months { kind, months: u32::try_from(months).ok()? });
    }
    if let Some(bounds) = recorded["bounds"].as_array() {
        return Some(Grid::Bounds(bounds.iter().map(Value::as_i64).collect::<Option<_>>()?));
    }
    Some(Grid::Even { origin: number("origin")?, width: number("width").filter(|width| *width > 0)? })
}

/// The fingerprint of an object. That of a window is the sum of those of the objects that may hold its rows.
pub(crate) fn fingerprint(object: &Object) -> u128 {
    xxh3_128(identity(object).as_bytes())
}

/// The fingerprint of a run of pieces, which tells that run from every other, wherever it stands in the source.
pub(crate) fn fingerprint_of_pieces<'a>(pieces: impl Iterator<Item = (&'a Object, &'a Piece)>) -> [u8; 16] {
    let line = |(object, piece): (&Object, &Piece)| format!("{}{:?}\n", identity(object), piece.extent);
    xxh3_128(pieces.map(line).collect::<String>().as_bytes()).to_be_bytes()
}

fn identity(object: &Object) -> String {
    format!("{}\n{}\n{}\n", object.uri, object.bytes, object.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Extent, Format};

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
    fn a_grid_survives_the_ledger() {
        let kind = KeyKind::Date;
        let grids = [
            Grid::Even { origin: -2, width: 7 },
            Grid::Months { kind, months: 3 },
            Grid::Bounds(vec![i64::MIN, 0, i64::MAX]),
        ];
        for each in grids {
            let recorded = serde_json::from_str(&grid(Some(&each)).to_string()).unwrap();
            assert_eq!(recorded_grid(&recorded, kind), Some(each));
        }
        assert_eq!(recorded_grid(&grid(None), kind), None);
    }

    #[test]
    fn pieces_of_one_object_are_told_apart() {
        let object = Object {
            uri: "a".into(),
            bytes: 7,
            version: "1".into(),
            format: Format::Csv,
            path_columns: Vec::new(),
            file: None,
        };
        let piece = |start| {
            let extent = Extent::Bytes { start, end: 7, first_record: 1 };
            Piece { object: 0, extent, rows: 1, bytes: 1, keys: None, unkeyed: 0 }
        };
        let of = |start| fingerprint_of_pieces([(&object, &piece(start))].into_iter());
        assert_eq!(of(0), of(0));
        assert_ne!(of(0), of(1));
    }
}
