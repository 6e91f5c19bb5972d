//! `boolean`: one byte.

use arrow_array::BooleanArray;
use arrow_schema::DataType;

use super::choose::Choice;
use super::field::Built;
use super::text::Limit;
use super::values::{shown, trimmed};
use crate::schema::{PgKind, PgType};

/// Words that the server takes, and their values; the number of letters that tell one from the others comes last.
const WORDS: [(&str, bool, usize); 8] = [
    ("true", true, 1),
    ("false", false, 1),
    ("yes", true, 1),
    ("no", false, 1),
    ("on", true, 2),
    ("off", false, 2),
    ("1", true, 1),
    ("0", false, 1),
];

/// Appends the value that `text` spells: a word in any case, or enough of its beginning to tell it from the others.
pub(super) fn parse(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let word = trimmed(text);
    let named = WORDS.iter().find(|(name, _, least)| {
        word.len() >= *least && name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    });
    let (_, value, _) = named.ok_or_else(|| format!("{} is not a boolean", shown(text)))?;
    out.push(u8::from(*value));
    Ok(())
}

/// The encoder that feeds `target` from booleans.
pub(super) fn from_boolean(source: &DataType, target: &PgType) -> Choice {
    Choice::Binary(match target.kind {
        PgKind::Bool => Built::<BooleanArray, _>::boxed(|array: &BooleanArray, row, out: &mut Vec<u8>| {
            out.push(u8::from(array.value(row)));
            Ok(())
        }),
        PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_) => {
            let limit = Limit::of(&target.kind);
            Built::<BooleanArray, _>::boxed(move |array: &BooleanArray, row, out: &mut Vec<u8>| {
                limit.put(if array.value(row) { "true" } else { "false" }, out)
            })
        }
        _ => return Choice::none(source, target),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_words_or_what_tells_them_from_other_words() {
        let value = |text| {
            let mut out = Vec::new();
            parse(text, &mut out).map(|()| out[0] == 1)
        };
        for text in ["t", "TR", "true", " y ", "yEs", "on", "1", "\ttru\n"] {
            assert_eq!(value(text), Ok(true), "{text:?}");
        }
        for text in ["f", "Fals", "n", "NO", "of", "off", "0"] {
            assert_eq!(value(text), Ok(false), "{text:?}");
        }
        for text in ["", "o", "truex", "2", "yesno", "10"] {
            assert_eq!(value(text), Err(format!("\"{text}\" is not a boolean")));
        }
    }
}
