//! A setting's value as words of the command line.

use std::ffi::OsString;

use clap::{Arg, ArgAction};
use toml::Value;

/// The words that give `value` to an option; the error says what the option takes.
pub(super) fn option(argument: &Arg, long: &str, value: &Value) -> Result<Vec<OsString>, String> {
    let flag = || OsString::from(format!("--{long}"));
    match argument.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => match value {
            Value::Boolean(true) => Ok(vec![flag()]),
            Value::Boolean(false) => Ok(Vec::new()),
            _ => Err("takes true or false".to_owned()),
        },
        ArgAction::Count => match value {
            Value::Boolean(on) => Ok(vec![flag(); usize::from(*on)]),
            Value::Integer(times @ 0..=9) => Ok((0..*times).map(|_| flag()).collect()),
            _ => Err("takes true, false or a small number".to_owned()),
        },
        _ => Ok(texts(argument, value)?.into_iter().map(|text| format!("--{long}={text}").into()).collect()),
    }
}

/// The words that give `value` to an argument without a name.
pub(super) fn positional(argument: &Arg, value: &Value) -> Result<Vec<OsString>, String> {
    Ok(texts(argument, value)?.into_iter().map(OsString::from).collect())
}

/// One text for each time that the argument is to be given.
fn texts(argument: &Arg, value: &Value) -> Result<Vec<String>, String> {
    let many = match value {
        Value::Array(items) => items.iter().map(scalar).collect::<Result<Vec<_>, _>>()?,
        // A table is short for a list of `name=value`.
        Value::Table(pairs) => pairs
            .iter()
            .map(|(name, value)| Ok(format!("{name}={}", scalar(value)?)))
            .collect::<Result<Vec<_>, String>>()?,
        single => return Ok(vec![scalar(single)?]),
    };
    if is_repeatable(argument) {
        return Ok(many);
    }
    match argument.get_value_delimiter() {
        Some(delimiter) => Ok(vec![many.join(&delimiter.to_string())]),
        None => Err("takes one value, not a list".to_owned()),
    }
}

fn is_repeatable(argument: &Arg) -> bool {
    let many_at_once = argument.get_num_args().is_some_and(|range| range.max_values() > 1);
    matches!(argument.get_action(), ArgAction::Append) || (many_at_once && argument.is_positional())
}

fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        Value::Datetime(time) => Ok(time.to_string()),
        Value::Array(_) | Value::Table(_) => Err("has a list inside a list".to_owned()),
    }
}
