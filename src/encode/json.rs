//! `json`: text that is sent as it stands, once it is known to be what the server takes for JSON.
//!
//! The scanner is our own because the server's notion is neither stricter nor laxer than others but different: it
//! allows `\u0000` and lone surrogates in `json`, which `jsonb` does not, and far deeper nesting than most parsers.

use super::text::Rule;
use super::values::shown;

/// Nesting that is refused. The server's parser gives up where its stack ends, which with its default of 2 MB is
/// somewhat above 10,000 levels; a value refused here is one row, a value refused there is a whole batch.
const DEPTH_MAX: usize = 6_400;

/// Is told what a scan comes across, in order.
pub(super) trait Visitor {
    /// An object (or else an array) begins.
    fn open(&mut self, object: bool);
    /// The innermost object or array ends.
    fn close(&mut self);
    /// The key of the next member, between its quotation marks.
    fn key(&mut self, raw: &str) -> Result<(), &'static str>;
    /// A string, between its quotation marks.
    fn string(&mut self, raw: &str) -> Result<(), &'static str>;
    /// A number.
    fn number(&mut self, raw: &str) -> Result<(), &'static str>;
    /// `true`, `false` or `null`.
    fn word(&mut self, word: &'static str);
}

/// Reads JSON texts; keeps its stack from one to the next.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// For each open object or array, outermost first, whether it is an object.
    open: Vec<bool>,
}

impl Scanner {
    /// Tells `visitor` what is in `text`; says what is wrong with it.
    pub(super) fn scan(&mut self, text: &str, visitor: &mut impl Visitor) -> Result<(), String> {
        self.open.clear();
        let mut cursor = Cursor { text, at: 0 };
        self.document(&mut cursor, visitor).map_err(|fault| format!("{} is not valid json: {fault}", shown(text)))
    }

    fn document(&mut self, cursor: &mut Cursor, visitor: &mut impl Visitor) -> Result<(), &'static str> {
        loop {
            let opened = self.value(cursor, visitor)?;
            if !opened && !self.after_value(cursor, visitor)? {
                return Ok(());
            }
        }
    }

    /// Reads a value, or the beginning of one; true if its first member or element comes next.
    fn value(&mut self, cursor: &mut Cursor, visitor: &mut impl Visitor) -> Result<bool, &'static str> {
        match cursor.peek() {
            Some(first @ (b'{' | b'[')) => return self.open(first == b'{', cursor, visitor),
            Some(b'"') => visitor.string(cursor.string()?)?,
            Some(b'-' | b'0'..=b'9') => visitor.number(cursor.number()?)?,
            Some(_) => visitor.word(cursor.word()?),
            None => return Err("it ends too early"),
        }
        Ok(false)
    }

    fn open(&mut self, object: bool, cursor: &mut Cursor, visitor: &mut impl Visitor) -> Result<bool, &'static str> {
        if self.open.len() == DEPTH_MAX {
            return Err("it is nested too deeply");
        }
        cursor.at += 1;
        visitor.open(object);
        let end = if object { b'}' } else { b']' };
        if cursor.peek() == Some(end) {
            cursor.at += 1;
            visitor.close();
            return Ok(false);
        }
        self.open.push(object);
        if object {
            visitor.key(cursor.key()?)?;
        }
        Ok(true)
    }

    /// Reads what may follow a value; true if another value comes next.
    fn after_value(&mut self, cursor: &mut Cursor, visitor: &mut impl Visitor) -> Result<bool, &'static str> {
        loop {
            let next = cursor.peek();
            let Some(&object) = self.open.last() else {
                return if next.is_none() { Ok(false) } else { Err("something follows its end") };
            };
            cursor.at += 1;
            match next {
                Some(b',') => {
                    if object {
                        visitor.key(cursor.key()?)?;
                    }
                    return Ok(true);
                }
                Some(b'}') if object => {}
                Some(b']') if !object => {}
                Some(_) => return Err("a comma or a closing bracket is missing"),
                None => return Err("it ends too early"),
            }
            self.open.pop();
            visitor.close();
        }
    }
}

/// A place in a text.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.byte(self.at)
    }

    /// Reads a key and the colon behind it.
    fn key(&mut self) -> Result<&'a str, &'static str> {
        if self.peek() != Some(b'"') {
            return Err("a key is missing");
        }
        let key = self.string()?;
        if self.peek() != Some(b':') {
            return Err("a colon is missing");
        }
        self.at += 1;
        Ok(key)
    }

    /// Reads a string; gives what is between its quotation marks.
    fn string(&mut self) -> Result<&'a str, &'static str> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.byte(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) => return Err("a string holds a control character"),
                Some(_) => self.at += 1,
                None => return Err("it ends too early"),
            }
        }
        self.at += 1;
        Ok(&self.text[start..self.at - 1])
    }

    fn escape(&mut self) -> Result<(), &'static str> {
        self.at += match self.byte(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.text.as_bytes().get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err("a \\u is not followed by four hexadecimal digits");
                }
                6
            }
            _ => return Err("a backslash is followed by something else than an escape"),
        };
        Ok(())
    }

    fn number(&mut self) -> Result<&'a str, &'static str> {
        let start = self.at;
        self.at += usize::from(self.byte(self.at) == Some(b'-'));
        match self.byte(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte(self.at) == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<(), &'static str> {
        let start = self.at;
        while self.byte(self.at).is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err("a number lacks a digit") } else { Ok(()) }
    }

    fn word(&mut self) -> Result<&'static str, &'static str> {
        let rest = &self.text.as_bytes()[self.at..];
        let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word.as_bytes()));
        let word = word.ok_or("a value is missing")?;
        self.at += word.len();
        Ok(word)
    }
}

/// Admits what the server takes for `json`.
#[derive(Debug, Default)]
pub(super) struct JsonText {
    scanner: Scanner,
}

impl Rule for JsonText {
    fn admit<'a>(&mut self, value: &'a [u8]) -> Result<&'a [u8], String> {
        let text = std::str::from_utf8(value).map_err(|_| "the text is not UTF-8".to_owned())?;
        self.scanner.scan(text, &mut Nobody)?;
        Ok(value)
    }
}

/// Takes no interest in what is in a text.
struct Nobody;

impl Visitor for Nobody {
    fn open(&mut self, _object: bool) {}
    fn close(&mut self) {}
    fn key(&mut self, _raw: &str) -> Result<(), &'static str> {
        Ok(())
    }
    fn string(&mut self, _raw: &str) -> Result<(), &'static str> {
        Ok(())
    }
    fn number(&mut self, _raw: &str) -> Result<(), &'static str> {
        Ok(())
    }
    fn word(&mut self, _word: &'static str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(text: &str) -> bool {
        JsonText::default().admit(text.as_bytes()).is_ok()
    }

    #[test]
    fn json_is_what_the_server_takes_for_it() {
        for text in [
            " {\"a\" : [1, -0.5e+3, true, null, \"x\\n\"] , \"a\":{}} ",
            "[]",
            "\"\\u0000\"",
            "\"\\ud800\"",
            "0",
            "\"\u{7f}\"",
        ] {
            assert!(admitted(text), "{text}");
        }
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\"}",
            "{\"a\":1,}",
            "{a:1}",
            "01",
            "1.",
            "-",
            "+1",
            ".5",
            "1e",
            "nan",
            "truex",
            "'a'",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\t\"",
            "[1] 2",
            "]",
            "[1}",
            "\"",
            "\u{a0}1",
        ] {
            assert!(!admitted(text), "{text}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(admitted(&nested(DEPTH_MAX)));
        let fault = JsonText::default().admit(nested(DEPTH_MAX + 1).as_bytes()).unwrap_err();
        assert_eq!(fault, format!("\"{}…\" is not valid json: it is nested too deeply", "[".repeat(40)));
    }
}
