//! The quoting that range and row literals share: parts that may stand in quotation marks, in which one is doubled, and
//! a backslash before any letter that is meant as it is.

use super::values::is_space;

/// A place in a literal.
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a str,
}

impl Cursor<'_> {
    pub(super) fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches(is_space);
    }

    /// Whether this comes next; it is passed then.
    pub(super) fn take(&mut self, wanted: u8) -> bool {
        let found = self.rest.as_bytes().first() == Some(&wanted);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    /// Reads a part, up to one of `ends` (ASCII), into `part`; false if it is not there at all.
    pub(super) fn part(&mut self, ends: &[u8], part: &mut String) -> Result<bool, &'static str> {
        part.clear();
        let bytes = self.rest.as_bytes();
        if bytes.first().is_some_and(|first| ends.contains(first)) {
            return Ok(false);
        }
        let (mut at, mut plain, mut quoted) = (0, 0, false);
        loop {
            let letter = *bytes.get(at).ok_or(TOO_EARLY)?;
            if !quoted && ends.contains(&letter) {
                break;
            }
            let doubled = quoted && letter == b'"' && bytes.get(at + 1) == Some(&b'"');
            if letter == b'\\' || doubled {
                part.push_str(&self.rest[plain..at]);
                plain = at + 1;
                at += 1 + self.rest[at + 1..].chars().next().ok_or(TOO_EARLY)?.len_utf8();
                continue;
            }
            if letter == b'"' {
                part.push_str(&self.rest[plain..at]);
                plain = at + 1;
                quoted = !quoted;
            }
            at += 1;
        }
        part.push_str(&self.rest[plain..at]);
        self.rest = &self.rest[at..];
        Ok(true)
    }
}

const TOO_EARLY: &str = "it ends too early";

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> Result<(Option<String>, &str), &'static str> {
        let (mut cursor, mut part) = (Cursor { rest: text }, String::new());
        let found = cursor.part(b",)", &mut part)?;
        Ok((found.then_some(part), cursor.rest))
    }

    #[test]
    fn a_part_ends_at_a_delimiter_that_is_neither_quoted_nor_escaped() {
        for (text, read, rest) in [
            ("a b ,c", "a b ", ",c"),
            (r#""a,b",c"#, "a,b", ",c"),
            (r#"x"a,"y"b)"z)"#, "xa,yb)z", ")"),
            (r#""a""b")"#, "a\"b", ")"),
            (r#""a\"b\\")"#, "a\"b\\", ")"),
            (r"a\,b\é)", "a,bé", ")"),
            (r#""")"#, "", ")"),
        ] {
            assert_eq!(part(text), Ok((Some(read.to_owned()), rest)), "{text}");
        }
        assert_eq!(part(",x"), Ok((None, ",x")));
        for text in ["", "a", "\"a)", "a\\", "\"a\\\""] {
            assert_eq!(part(text), Err(TOO_EARLY), "{text}");
        }
    }
}
