//! `jsonb`: sent as text, printed as the server prints what it has stored.
//!
//! The server keeps the members of an object sorted by the length of their keys and then by their bytes, of equal keys
//! the last, and numbers as numerics; it prints `, ` and `: ` between, and no escape that is not needed.

use std::ops::Range;

use super::json::{Scanner, Visitor};
use super::numeric::Numeric;

/// The version that precedes the text in the binary form.
const VERSION: u8 = 1;
/// The longest string that the server's format can hold (28 bits).
const STRING_BYTES_MAX: usize = 0x0fff_ffff;

/// Prints JSON in the server's canonical form.
#[derive(Debug, Default)]
pub(super) struct Canonical {
    scanner: Scanner,
    printer: Printer,
}

#[derive(Debug, Default)]
struct Printer {
    /// The canonical text so far; members of open objects still in the order of the source.
    text: Vec<u8>,
    /// Open objects and arrays, outermost first.
    open: Vec<Frame>,
    /// The members of all open objects.
    members: Vec<Member>,
    /// The keys of those members, unescaped, one after another.
    keys: Vec<u8>,
    /// A copy of an object's members while they are put in order.
    unsorted: Vec<u8>,
    number: Numeric,
    unescaped: Vec<u8>,
}

/// An object or array that has begun.
#[derive(Debug)]
struct Frame {
    object: bool,
    empty: bool,
    /// Where its text, its members and their keys begin.
    text: usize,
    members: usize,
    keys: usize,
}

#[derive(Debug, Clone)]
struct Member {
    key: Range<usize>,
    /// Its text, key included.
    text: Range<usize>,
}

impl Canonical {
    /// Appends the binary form of the JSON in `text`.
    pub(super) fn encode(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), String> {
        let printer = &mut self.printer;
        printer.text.clear();
        printer.open.clear();
        printer.members.clear();
        printer.keys.clear();
        self.scanner.scan(text, printer)?;
        out.push(VERSION);
        out.extend_from_slice(&printer.text);
        Ok(())
    }
}

impl Printer {
    /// Separates an array's element from the one before; members are separated by their keys.
    fn begin_value(&mut self) {
        if let Some(frame) = self.open.last_mut().filter(|frame| !frame.object) {
            if !frame.empty {
                self.text.extend_from_slice(b", ");
            }
            frame.empty = false;
        }
    }

    /// Notes where the last member of the innermost object ends.
    fn end_member(&mut self) {
        let Some(frame) = self.open.last() else { return };
        if frame.object && !frame.empty {
            let member = self.members.last_mut().expect("an object that is not empty has a member");
            member.text.end = self.text.len();
        }
    }

    /// Puts the members of an object in order, if they are not.
    fn sort_members(&mut self, frame: &Frame) {
        let keys = &self.keys;
        let rank = |member: &Member| (member.key.len(), &keys[member.key.clone()]);
        let members = &mut self.members[frame.members..];
        if members.is_sorted_by(|a, b| rank(a) < rank(b)) {
            return;
        }
        members.sort_unstable_by(|a, b| rank(a).cmp(&rank(b)).then(a.text.start.cmp(&b.text.start)));
        self.unsorted.clear();
        self.unsorted.extend_from_slice(&self.text[frame.text..]);
        self.text.truncate(frame.text);
        let members = &self.members[frame.members..];
        for (at, member) in members.iter().enumerate() {
            let replaced = members.get(at + 1).is_some_and(|next| rank(next) == rank(member));
            if replaced {
                continue;
            }
            if self.text.len() > frame.text {
                self.text.extend_from_slice(b", ");
            }
            let text = member.text.start - frame.text..member.text.end - frame.text;
            self.text.extend_from_slice(&self.unsorted[text]);
        }
    }
}

impl Visitor for Printer {
    fn open(&mut self, object: bool) {
        self.begin_value();
        self.text.push(if object { b'{' } else { b'[' });
        self.open.push(Frame {
            object,
            empty: true,
            text: self.text.len(),
            members: self.members.len(),
            keys: self.keys.len(),
        });
    }

    fn close(&mut self) {
        self.end_member();
        let frame = self.open.pop().expect("the scanner closes what it has opened");
        if frame.object {
            self.sort_members(&frame);
            self.members.truncate(frame.members);
            self.keys.truncate(frame.keys);
        }
        self.text.push(if frame.object { b'}' } else { b']' });
    }

    fn key(&mut self, raw: &str) -> Result<(), &'static str> {
        self.end_member();
        let frame = self.open.last_mut().expect("a key stands in an object");
        if !frame.empty {
            self.text.extend_from_slice(b", ");
        }
        frame.empty = false;
        let key = self.keys.len();
        let text = self.text.len();
        unescape(raw, &mut self.keys)?;
        if self.keys.len() - key > STRING_BYTES_MAX {
            return Err("a key is too long for jsonb");
        }
        self.members.push(Member { key: key..self.keys.len(), text: text..text });
        print_string(&self.keys[key..], &mut self.text);
        self.text.extend_from_slice(b": ");
        Ok(())
    }

    fn string(&mut self, raw: &str) -> Result<(), &'static str> {
        self.begin_value();
        self.unescaped.clear();
        unescape(raw, &mut self.unescaped)?;
        if self.unescaped.len() > STRING_BYTES_MAX {
            return Err("a string is too long for jsonb");
        }
        print_string(&self.unescaped, &mut self.text);
        Ok(())
    }

    fn number(&mut self, raw: &str) -> Result<(), &'static str> {
        self.begin_value();
        self.number
            .read(raw)
            .and_then(|()| self.number.fit(None))
            .map_err(|_| "a number is out of range for numeric")?;
        self.number.print(&mut self.text);
        Ok(())
    }

    fn word(&mut self, word: &'static str) {
        self.begin_value();
        self.text.extend_from_slice(word.as_bytes());
    }
}

/// Appends the string that `raw`, which the scanner has found well formed, stands for.
fn unescape(raw: &str, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let letter = rest.as_bytes()[at + 1];
        rest = &rest[at + 2..];
        match letter {
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let (character, after) = unescape_unicode(rest)?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
            itself => out.push(itself),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(())
}

/// The character of the digits after `\u`, with a second escape where it takes two, and what follows.
fn unescape_unicode(rest: &str) -> Result<(char, &str), &'static str> {
    const LONE: &str = "a Unicode surrogate stands alone";
    let unit = |digits: &str| u32::from_str_radix(&digits[..4], 16).expect("the scanner has seen four digits");
    let first = unit(rest);
    let (code, after) = match first {
        0 => return Err("\\u0000 cannot be stored as jsonb"),
        0xd800..=0xdbff => {
            let low = rest[4..].strip_prefix("\\u").ok_or(LONE)?;
            let second = unit(low);
            if !(0xdc00..=0xdfff).contains(&second) {
                return Err(LONE);
            }
            (0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00), &low[4..])
        }
        other => (other, &rest[4..]),
    };
    Ok((char::from_u32(code).ok_or(LONE)?, after))
}

/// Appends `string` in quotation marks, with the escapes that the server prints.
pub(super) fn print_string(string: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut plain = 0;
    for (at, byte) in string.iter().enumerate() {
        if !matches!(byte, b'"' | b'\\' | 0..=0x1f) {
            continue;
        }
        out.extend_from_slice(&string[plain..at]);
        plain = at + 1;
        match byte {
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&string[plain..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<String, String> {
        let mut out = Vec::new();
        Canonical::default().encode(text, &mut out).map(|()| {
            assert_eq!(out[0], VERSION);
            String::from_utf8(out[1..].to_vec()).unwrap()
        })
    }

    #[test]
    fn members_are_sorted_by_length_and_bytes_and_the_last_of_equal_keys_stays() {
        for (text, printed) in [
            (r#"{"b":1,"a":2,"a":3,"aa":-0.0, "":1e5}"#, r#"{"": 100000, "a": 3, "b": 1, "aa": 0.0}"#),
            (r#"{"a":{"z":1,"y":[{"d":1,"c":2}]},"A":[]}"#, r#"{"A": [], "a": {"y": [{"c": 2, "d": 1}], "z": 1}}"#),
            (r#"{"a":1,"\u0061":2}"#, r#"{"a": 2}"#),
            (r"[1,[2,{}],{} ,[ ]]", r"[1, [2, {}], {}, []]"),
            (r#"{"x":[1,2],"y":null}"#, r#"{"x": [1, 2], "y": null}"#),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(printed));
        }
    }

    #[test]
    fn numbers_are_printed_as_numerics() {
        assert_eq!(
            canonical("[1.10,1E-3,-0,1e2,12345678901234567890.5]").as_deref(),
            Ok("[1.10, 0.001, 0, 100, 12345678901234567890.5]")
        );
        assert!(canonical("1e131072").is_err());
    }

    #[test]
    fn strings_are_unescaped_as_far_as_they_can_be() {
        assert_eq!(canonical(r#""\u00e9\/\u0001\"\\\b\ud83d\ude00\t""#).as_deref(), Ok(r#""é/\u0001\"\\\b😀\t""#));
        assert_eq!(canonical("\"\u{7f}\"").as_deref(), Ok("\"\u{7f}\""));
        for text in [r#""\u0000""#, r#""\ud800""#, r#""\udc00""#, r#""\ud83dx""#, r#""\ud83d\u0041""#] {
            assert!(canonical(text).is_err(), "{text}");
        }
    }
}
