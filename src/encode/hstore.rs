//! `hstore`: a count of pairs, then keys and values, each with its length.
//!
//! Texts are read as `hstore_in` of the extension reads them. Pairs are sorted by the length of their keys and then by
//! bytes, as the extension keeps them; of equal keys stays the one that its unstable sort puts first.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray};
use arrow_schema::{DataType, Field, FieldRef};

use super::choose::{Choice, choose};
use super::component::{Component, Gathered};
use super::composite::of_columns;
use super::field::{Fault, FieldEncoder, LENGTH_BYTES};
use super::lists::{compacted, row_of};
use super::sort::sort;
use super::values::shown;
use crate::schema::{PgType, Reading};

/// Puts pairs in the extension's form; keeps its buffers from one value to the next.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Keys and values, one after another.
    text: Vec<u8>,
    pairs: Vec<Pair>,
}

#[derive(Debug, Clone)]
struct Pair {
    key: Range<usize>,
    value: Option<Range<usize>>,
}

/// Appends the pairs of a field as a text that the extension reads back to them.
pub(super) fn print(field: &[u8], out: &mut Vec<u8>) {
    let (_count, mut rest) = field.split_at(LENGTH_BYTES);
    let mut is_key = true;
    while !rest.is_empty() {
        let (length, after) = rest.split_at(LENGTH_BYTES);
        let length = i32::from_be_bytes(length.try_into().expect("a length has four bytes"));
        let word = usize::try_from(length).ok().map(|length| after.split_at(length));
        rest = word.map_or(after, |(_, rest)| rest);
        match word {
            Some((word, _)) => print_quoted(word, out),
            None => out.extend_from_slice(b"NULL"),
        }
        out.extend_from_slice(if is_key { b"=>" } else { b", " });
        is_key = !is_key;
    }
    // A comma may follow the last value, and does.
}

fn print_quoted(word: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for letter in word {
        if matches!(letter, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*letter);
    }
    out.push(b'"');
}

impl Pairs {
    fn clear(&mut self) {
        self.text.clear();
        self.pairs.clear();
    }

    /// Appends the binary form of the pairs that `text` spells.
    pub(super) fn encode(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), String> {
        self.clear();
        let mut cursor = Cursor { rest: text.as_bytes() };
        self.read(&mut cursor).map_err(|fault| format!("{} is not an hstore: {fault}", shown(text)))?;
        self.put(out);
        Ok(())
    }

    fn read(&mut self, cursor: &mut Cursor) -> Result<(), &'static str> {
        while let Some((key, _)) = cursor.word(Part::Key, &mut self.text)? {
            cursor.skip_space();
            if !(cursor.take(b'=') && cursor.take(b'>')) {
                return Err("=> is missing after a key");
            }
            let (value, quoted) = cursor.word(Part::Value, &mut self.text)?.ok_or("a value is missing")?;
            let null = !quoted && self.text[value.clone()].eq_ignore_ascii_case(b"null");
            self.pairs.push(Pair { key, value: (!null).then_some(value) });
            cursor.skip_space();
            if !cursor.take(b',') {
                return if cursor.rest.is_empty() { Ok(()) } else { Err("a comma is missing after a value") };
            }
        }
        Ok(())
    }

    fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        let mut add = |text: &[u8]| {
            let start = self.text.len();
            self.text.extend_from_slice(text);
            start..self.text.len()
        };
        let key = add(key);
        let value = value.map(add);
        self.pairs.push(Pair { key, value });
    }

    /// Sorts the pairs, and of those with equal keys keeps the first.
    fn normalise(&mut self) {
        let Self { text, pairs } = self;
        let key = |pair: &Pair| (pair.key.len(), &text[pair.key.clone()]);
        sort(pairs, &|one: &Pair, next: &Pair| key(one).cmp(&key(next)));
        pairs.dedup_by(|next, kept| text[next.key.clone()] == text[kept.key.clone()]);
    }

    fn put(&mut self, out: &mut Vec<u8>) {
        self.normalise();
        put_length(self.pairs.len(), out);
        for pair in &self.pairs {
            put_length(pair.key.len(), out);
            out.extend_from_slice(&self.text[pair.key.clone()]);
            match &pair.value {
                Some(value) => {
                    put_length(value.len(), out);
                    out.extend_from_slice(&self.text[value.clone()]);
                }
                None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            }
        }
    }
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    // What is too long for 32 bits is too long for a field, which is found when it ends.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Ends at an equals sign, and does not begin with one.
    Key,
    /// Ends at a comma, but may begin with one.
    Value,
}

/// A place in a text.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn skip_space(&mut self) {
        let spaces = self.rest.iter().take_while(|letter| is_space(**letter)).count();
        self.rest = &self.rest[spaces..];
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.rest.first() == Some(&wanted);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Reads a key or value into `text`; its place there, and whether it was quoted. `None` if the text has ended.
    fn word(&mut self, part: Part, text: &mut Vec<u8>) -> Result<Option<(Range<usize>, bool)>, &'static str> {
        const TOO_EARLY: &str = "it ends too early";
        self.skip_space();
        let start = text.len();
        match self.rest.first() {
            None => return Ok(None),
            Some(b'=') if part == Part::Key => return Err("a key is missing"),
            Some(b'"') => {
                self.rest = &self.rest[1..];
                loop {
                    match self.next().ok_or(TOO_EARLY)? {
                        b'"' => return Ok(Some((start..text.len(), true))),
                        b'\\' => text.push(self.next().ok_or(TOO_EARLY)?),
                        letter => text.push(letter),
                    }
                }
            }
            Some(_) => {}
        }
        let end = if part == Part::Key { b'=' } else { b',' };
        let mut begun = false;
        while let Some(&letter) = self.rest.first() {
            if is_space(letter) || (begun && letter == end) {
                break;
            }
            if letter == VERTICAL_TAB {
                return Err("servers read a vertical tab in different ways");
            }
            self.rest = &self.rest[1..];
            text.push(if letter == b'\\' { self.next().ok_or(TOO_EARLY)? } else { letter });
            begun = true;
        }
        Ok(Some((start..text.len(), false)))
    }
}

/// White space to servers from 16 on, a letter to those before.
const VERTICAL_TAB: u8 = 0x0b;

fn is_space(letter: u8) -> bool {
    letter != VERTICAL_TAB && super::values::is_space(char::from(letter))
}

/// Encodes maps, whose keys and values are brought to texts.
struct Maps {
    keys: Component,
    values: Component,
    pairs: Pairs,
    gathered: Gathered,
}

/// The encoder that feeds `hstore` from maps of these entries.
pub(super) fn from_map(entries: &FieldRef, target: &PgType, reading: &Reading) -> Choice {
    let DataType::Struct(fields) = entries.data_type() else { return Choice::none(entries.data_type(), target) };
    let text = |at: usize| match choose(fields[at].data_type(), &super::text::plain(), reading) {
        Choice::Binary(encoder) => Ok(Component::new(encoder)),
        Choice::Text(_) | Choice::None(_) => {
            Err(Choice::None(format!("no rule makes a text of {target} out of {}", fields[at].data_type())))
        }
    };
    match (text(0), text(1)) {
        (Ok(keys), Ok(values)) => {
            Choice::Binary(Box::new(Maps { keys, values, pairs: Pairs::default(), gathered: Gathered::default() }))
        }
        (Err(none), _) | (_, Err(none)) => none,
    }
}

impl FieldEncoder for Maps {
    fn prepare(&self, column: &ArrayRef) -> Result<ArrayRef, Fault> {
        let list = compacted(&ListArray::from(column.as_map().clone()));
        let entries = list.values().as_struct();
        let at_map = |fault: Fault| Fault { row: row_of(list.offsets(), fault.row), reason: fault.reason };
        let keys = self.keys.prepare(entries.column(0)).map_err(at_map)?;
        let values = self.values.prepare(entries.column(1)).map_err(at_map)?;
        let entries = of_columns(vec![keys, values], entries.len(), None);
        let item = Arc::new(Field::new_list_field(entries.data_type().clone(), true));
        Ok(Arc::new(ListArray::new(item, list.offsets().clone(), Arc::new(entries), list.nulls().cloned())))
    }

    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        let list = column.as_list::<i32>();
        let entries = list.values().as_struct();
        let place = |row: usize| usize::try_from(list.offsets()[row]).expect("offsets are not negative");
        let group = place(rows.start)..place(rows.end);
        let at_map = |fault: Fault| Fault { row: row_of(list.offsets(), fault.row), reason: fault.reason };
        self.keys.encode(entries.column(0), group.clone()).map_err(at_map)?;
        self.values.encode(entries.column(1), group.clone()).map_err(at_map)?;
        self.gathered.clear();
        for (row, length) in rows.zip(lengths) {
            if list.is_valid(row) {
                self.pairs.clear();
                for entry in place(row) - group.start..place(row + 1) - group.start {
                    let value = self.values.field(entry);
                    let null = entries.column(1).is_null(group.start + entry);
                    self.pairs.push(self.keys.value(entry), (!null).then(|| &value[LENGTH_BYTES..]));
                }
                let held = self.pairs.pairs.len();
                self.pairs.put(self.gathered.buffer());
                if self.pairs.pairs.len() < held {
                    return Err(Fault { row, reason: "a key of the map stands there twice".to_owned() });
                }
            }
            *length += self.gathered.end().map_err(|reason| Fault { row, reason })?;
        }
        Ok(())
    }

    fn write(&mut self, column: &dyn Array, rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        self.gathered.write(column, rows, out, cursors);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    fn sent(text: &str) -> Result<String, String> {
        let mut out = Vec::new();
        Pairs::default().encode(text, &mut out).map(|()| hex(&out))
    }

    /// The server's own bytes, from `select hstore_send('…')`.
    #[test]
    fn pairs_are_sent_as_the_extension_sends_them() {
        for (text, bytes) in [
            ("", "00000000"),
            ("a=>1", "00000001000000016100000001 31"),
            ("bb=>1, a=>NULL", "000000020000000161ffffffff00000002626200000001 31"),
            (" \"a\" => \"null\" ,", "000000010000000161000000046e756c6c"),
            ("a=>1,a=>2", "00000001000000016100000001 31"),
            (r"a\=b=>\,", "0000000100000003613d6200000001 2c"),
            ("a=>,b", "00000001000000016100000002 2c62"),
        ] {
            let bytes = bytes.replace(' ', "");
            assert_eq!(sent(text).as_ref(), Ok(&bytes), "{text}");
        }
    }

    #[test]
    fn pairs_print_to_what_reads_back_to_them() {
        for text in ["", "a=>1", r#""a b"=>NULL, "\"\\"=>"null", c=>"""#] {
            let (mut field, mut printed, mut again) = (Vec::new(), Vec::new(), Vec::new());
            Pairs::default().encode(text, &mut field).unwrap();
            print(&field, &mut printed);
            Pairs::default().encode(std::str::from_utf8(&printed).unwrap(), &mut again).unwrap();
            assert_eq!(field, again, "{text}");
        }
    }

    #[test]
    fn ill_formed_texts_are_refused() {
        for text in ["a", "a=", "a=1", "=>1", "a=>", "a=>1 b=>2", "\"a=>1", "a=>\"1", "a=>1\\", "a=>b c"] {
            assert!(sent(text).is_err(), "{text}");
        }
    }
}
