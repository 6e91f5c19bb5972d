//! The encoding that an object's text is declared to be in: its names, its byte order mark, and what its bytes mean.
//!
//! `PostgreSQL`'s `convert_from` is the oracle for the encodings that it has: what it refuses is refused. Structure
//! (delimiters, quotes, line ends) is found in the bytes as they stand where ASCII bytes mean themselves; values are
//! transcoded once they are fields. UTF-16 alone is transcoded as a whole before (`super::utf16`).

mod legacy;

use std::borrow::Cow;
use std::sync::Arc;

pub(super) use legacy::Legacy;
use legacy::{PLANS, Plan};

use super::dialect::Dialect;
use super::offset;
use super::utf16::Utf16;
use crate::error::{Error, ErrorKind, Result};

/// The encoding of an object's text. It is declared, never guessed.
#[derive(Clone)]
pub struct Encoding {
    name: &'static str,
    form: Form,
}

#[derive(Clone)]
enum Form {
    Utf8,
    /// With its byte order; `None` where the byte order mark must tell it.
    Utf16(Option<Utf16>),
    Legacy(Arc<Legacy>),
}

/// A byte order mark, with what it says and how long it is.
struct Mark {
    bytes: &'static [u8],
    name: &'static str,
    /// The encoding that the mark is one of; `None` for encodings that are not read here.
    form: Option<Form>,
}

/// In an order in which none is taken for another.
const MARKS: [Mark; 5] = [
    Mark { bytes: b"\xff\xfe\0\0", name: "UTF-32LE", form: None },
    Mark { bytes: b"\0\0\xfe\xff", name: "UTF-32BE", form: None },
    Mark { bytes: b"\xef\xbb\xbf", name: UTF_8, form: Some(Form::Utf8) },
    Mark { bytes: b"\xff\xfe", name: UTF_16LE, form: Some(Form::Utf16(Some(Utf16::LittleEndian))) },
    Mark { bytes: b"\xfe\xff", name: UTF_16BE, form: Some(Form::Utf16(Some(Utf16::BigEndian))) },
];

/// Bytes of the longest byte order mark.
pub(super) const MARK_BYTES: usize = 4;

const UTF_8: &str = "UTF-8";
const UTF_16: &str = "UTF-16";
const UTF_16LE: &str = "UTF-16LE";
const UTF_16BE: &str = "UTF-16BE";

/// Encodings that are known and not read, as they are spelled without hyphens: the server disagrees with every table of
/// them, or a byte's meaning depends on all that stand before it.
const NOT_READ: [&str; 12] = [
    "big5",
    "eucjp",
    "euccn",
    "euctw",
    "gb2312",
    "gb18030",
    "hzgb2312",
    "iso2022jp",
    "iso2022kr",
    "johab",
    "utf7",
    "utf32",
];

impl Default for Encoding {
    fn default() -> Self {
        Self { name: UTF_8, form: Form::Utf8 }
    }
}

impl Encoding {
    /// What to do about bytes that are no text.
    pub const HINT: &str = "say what encoding the text is in: `--encoding windows-1252`, latin1, utf-16 and others";

    /// The encoding of this name, in any of its usual spellings: `windows-1252`, `cp1252`, `WIN1252`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] for a name that is none, or of an encoding that is not read.
    pub fn named(name: &str) -> Result<Self> {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        let form = |name, form| Ok(Self { name, form });
        match plain.as_str() {
            "utf8" => return Ok(Self::default()),
            "utf16" => return form(UTF_16, Form::Utf16(None)),
            "utf16le" => return form(UTF_16LE, Form::Utf16(Some(Utf16::LittleEndian))),
            "utf16be" => return form(UTF_16BE, Form::Utf16(Some(Utf16::BigEndian))),
            _ => {}
        }
        if let Some(plan) = PLANS.iter().find(|plan| plan.spellings.contains(&plain.as_str())) {
            return Ok(Self { name: plan.name, form: Form::Legacy(Legacy::of(plan)) });
        }
        let (message, hint) = if NOT_READ.contains(&plain.as_str()) {
            (
                format!("text in {name} is not read"),
                "convert the object to UTF-8 first, with iconv for example".to_owned(),
            )
        } else {
            (format!("there is no encoding called {name}"), format!("encodings are: {}", Self::names().join(", ")))
        };
        Err(Error::new(ErrorKind::Settings, message).with_hint(hint))
    }

    /// The names of all encodings.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        let unicode = ["utf-8", "utf-16", "utf-16le", "utf-16be"];
        unicode.into_iter().chain(PLANS.iter().map(|plan: &Plan| plan.name)).collect()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The bytes of `text` as they stand in the object, but in UTF-8 for UTF-16; `None` if it has no such text.
    #[must_use]
    pub fn encode(&self, text: &str) -> Option<Vec<u8>> {
        match &self.form {
            Form::Utf8 | Form::Utf16(_) => Some(text.as_bytes().to_vec()),
            Form::Legacy(legacy) => legacy.encode(text),
        }
    }

    /// The text of `bytes`, which are UTF-8 for UTF-16.
    ///
    /// # Errors
    ///
    /// The position of the first byte that is no text.
    pub fn decode<'a>(&self, bytes: &'a [u8]) -> Result<Cow<'a, str>, usize> {
        match &self.form {
            Form::Utf8 | Form::Utf16(_) => {
                std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| error.valid_up_to())
            }
            Form::Legacy(legacy) => {
                let mut text = Vec::new();
                legacy.decode(bytes, &mut text)?;
                Ok(Cow::Owned(String::from_utf8(text).expect("characters were encoded")))
            }
        }
    }

    /// The text of `bytes` as far as they are some, to be shown.
    pub(super) fn decode_lossy<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        self.decode(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes))
    }

    /// The first bytes of an object as its records are read: UTF-8 without its mark for UTF-16, any other as they stand.
    #[must_use]
    pub fn as_read<'a>(&self, head: &'a [u8]) -> Cow<'a, [u8]> {
        match (self.utf16(), self.resolve(head)) {
            (Some(utf16), Ok((_, mark))) => Cow::Owned(utf16.to_utf8(&head[mark..])),
            _ => Cow::Borrowed(head),
        }
    }

    /// The encoding whose values have to be transcoded.
    pub(super) fn legacy(&self) -> Option<&Arc<Legacy>> {
        if let Form::Legacy(legacy) = &self.form { Some(legacy) } else { None }
    }

    /// Whether an object has to be transcoded as a whole.
    pub(super) fn utf16(&self) -> Option<Utf16> {
        if let Form::Utf16(order) = self.form { order } else { None }
    }

    /// Looks at the first bytes of an object, four or all of them: the encoding with its byte order, and the length of the
    /// byte order mark.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`] if there is another mark than that of the encoding, or none where it has to tell the order.
    pub(super) fn resolve(&self, head: &[u8]) -> Result<(Self, usize)> {
        let Some(mark) = MARKS.iter().find(|mark| head.starts_with(mark.bytes)) else {
            return match self.form {
                Form::Utf16(None) if !head.is_empty() => Err(self.without_mark()),
                _ => Ok((self.clone(), 0)),
            };
        };
        match (&self.form, &mark.form) {
            (Form::Utf8, Some(Form::Utf8)) => {}
            (Form::Utf16(wanted), Some(Form::Utf16(found))) if wanted.is_none() || wanted == found => {}
            _ => return Err(self.contradicted(mark)),
        }
        let form = mark.form.clone().unwrap_or(Form::Utf8);
        Ok((Self { name: mark.name, form }, mark.bytes.len()))
    }

    fn without_mark(&self) -> Error {
        Error::new(ErrorKind::Data, format!("there is no byte order mark, which {} needs", self.name))
            .at_byte(0)
            .with_hint(
                "say which order it is: `--encoding utf-16le` is that of Windows, `--encoding utf-16be` the other",
            )
    }

    fn contradicted(&self, mark: &Mark) -> Error {
        let message =
            format!("the object begins with the byte order mark of {}, and is to be read as {}", mark.name, self.name);
        let hint = match mark.form {
            Some(Form::Utf16(_)) => "`--encoding utf-16` reads it",
            Some(_) => "`--encoding utf-8` reads it, which is the default",
            None => "convert it to UTF-8 first, with iconv for example",
        };
        Error::new(ErrorKind::Data, message).at_byte(0).with_hint(hint)
    }

    /// Refuses what cannot be told from parts of characters, or would not fit once it is transcoded.
    pub(super) fn validate(&self, dialect: &Dialect) -> Result<()> {
        let settings = |message: String| Err(Error::new(ErrorKind::Settings, message));
        let Some(legacy) = self.legacy() else { return Ok(()) };
        if dialect.record_bytes_max > Self::LEGACY_RECORD_BYTES_LIMIT {
            let (limit, name) = (Self::LEGACY_RECORD_BYTES_LIMIT, self.name);
            return settings(format!("the longest record in {name} must be 1 to {limit} bytes: text grows in UTF-8"));
        }
        let delimiter = dialect.delimiter.as_bytes().iter().copied();
        let mut symbols = delimiter.chain([dialect.quote, dialect.escape, dialect.comment].into_iter().flatten());
        match symbols.find(|byte| legacy.is_ambiguous(*byte)) {
            Some(byte) => settings(format!(
                "'{}' cannot be delimiter, quote, escape or comment in {}: it may be the second half of a character",
                byte.escape_ascii(),
                self.name
            )),
            None => Ok(()),
        }
    }

    /// A record in a legacy encoding grows to at most three times its length in UTF-8, and then must fit 32-bit offsets.
    const LEGACY_RECORD_BYTES_LIMIT: u64 = 512 << 20;

    /// An error whose byte is a position in `text`, the UTF-8 of UTF-16 from offset `start` on, as one of the object.
    pub(super) fn relocated(error: Error, start: u64, text: &[u8]) -> Error {
        match error.place().byte.and_then(|byte| usize::try_from(byte).ok()) {
            Some(byte) => {
                let byte = start
                    + super::utf16::bytes_of(&text[..byte.min(text.len())])
                    + offset(byte.saturating_sub(text.len()));
                error.at_byte(byte)
            }
            None => error,
        }
    }
}

impl PartialEq for Encoding {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Encoding {}

impl PartialEq for Form {
    fn eq(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Utf16(one), Self::Utf16(two)) if one == two)
    }
}

impl std::fmt::Debug for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encoding({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_have_the_names_that_people_type() {
        for (typed, name) in [
            ("UTF-8", "UTF-8"),
            ("utf_16", "UTF-16"),
            ("UTF-16LE", "UTF-16LE"),
            ("cp1252", "windows-1252"),
            ("WIN1252", "windows-1252"),
            ("latin1", "iso-8859-1"),
            ("ISO_8859-15", "iso-8859-15"),
            ("latin9", "iso-8859-15"),
            ("latin5", "iso-8859-9"),
            ("KOI8R", "koi8-r"),
            ("MacRoman", "macintosh"),
            ("SJIS", "shift_jis"),
            ("cp949", "euc-kr"),
        ] {
            assert_eq!(Encoding::named(typed).unwrap().name(), name);
        }
        for name in Encoding::names() {
            assert!(Encoding::named(name).is_ok(), "{name}");
        }
        let error = Encoding::named("iso-2022-jp").unwrap_err();
        assert!(error.to_string().contains("is not read") && error.hint().unwrap().contains("iconv"), "{error}");
        assert!(Encoding::named("ebcdic").unwrap_err().hint().unwrap().contains("windows-1252"));
    }

    #[test]
    fn latin_1_is_not_windows_1252_and_what_the_server_refuses_is_refused() {
        let decode = |name: &str, bytes: &[u8]| Encoding::named(name).unwrap().decode(bytes).map(Cow::into_owned);
        assert_eq!(decode("latin1", b"\x80\xe9"), Ok("\u{80}\u{e9}".to_owned()));
        assert_eq!(decode("windows-1252", b"\x80\xe9"), Ok("\u{20ac}\u{e9}".to_owned()));
        assert_eq!(decode("windows-1252", b"ab\x81"), Err(2));
        assert_eq!(decode("koi8-u", b"\xae"), Ok("\u{255d}".to_owned()));
        assert_eq!(decode("shift_jis", b"a\x83\x5c\xb1"), Ok("a\u{30bd}\u{ff71}".to_owned()));
        assert_eq!(decode("shift_jis", b"a\x83"), Err(1));
        assert_eq!(decode("gbk", b"\x81\x40\xfe\x50"), Err(2));
        assert_eq!(decode("euc-kr", b"\xc9\xa1"), Ok("\u{e000}".to_owned()));
        assert_eq!(Encoding::named("cp1252").unwrap().encode("€"), Some(vec![0x80]));
        assert_eq!(Encoding::named("cp1252").unwrap().encode("Ж"), None);
        assert_eq!(Encoding::named("sjis").unwrap().encode("aソ"), Some(b"a\x83\x5c".to_vec()));
    }

    #[test]
    fn a_mark_that_contradicts_is_refused_with_both_names() {
        let resolve = |name: &str, head: &[u8]| {
            Encoding::named(name).unwrap().resolve(head).map(|(encoding, mark)| (encoding.name(), mark))
        };
        assert_eq!(resolve("utf-8", b"\xef\xbb\xbfa").unwrap(), ("UTF-8", 3));
        assert_eq!(resolve("utf-16", b"\xff\xfea\0").unwrap(), ("UTF-16LE", 2));
        assert_eq!(resolve("utf-16", b"\xfe\xff\0a").unwrap(), ("UTF-16BE", 2));
        assert_eq!(resolve("utf-16le", b"a\0b\0").unwrap(), ("UTF-16LE", 0));
        assert_eq!(resolve("utf-16", b"").unwrap(), ("UTF-16", 0));
        for (name, head, message, hint) in [
            ("utf-8", &b"\xff\xfea\0"[..], "UTF-16LE, and is to be read as UTF-8", "--encoding utf-16`"),
            ("utf-16le", b"\xfe\xff\0a", "UTF-16BE, and is to be read as UTF-16LE", "--encoding utf-16`"),
            ("windows-1252", b"\xef\xbb\xbfa", "UTF-8, and is to be read as windows-1252", "--encoding utf-8"),
            ("utf-16", b"\xff\xfe\0\0", "UTF-32LE", "iconv"),
            ("utf-16", b"a\0", "no byte order mark, which UTF-16 needs", "--encoding utf-16le"),
        ] {
            let error = resolve(name, head).unwrap_err();
            assert!(error.to_string().contains(message) && error.hint().unwrap().contains(hint), "{error}");
        }
    }

    #[test]
    fn bytes_that_may_be_halves_of_characters_structure_nothing() {
        let with =
            |name: &str, dialect: Dialect| Dialect { encoding: Encoding::named(name).unwrap(), ..dialect }.validate();
        assert!(with("gbk", Dialect::default()).is_ok());
        assert!(with("gbk", Dialect { delimiter: b';'.into(), ..Dialect::default() }).is_ok());
        assert!(with("gbk", Dialect { delimiter: b'|'.into(), ..Dialect::default() }).is_err());
        assert!(with("shift_jis", Dialect { escape: Some(b'\\'), ..Dialect::default() }).is_err());
        assert!(with("cp1252", Dialect { delimiter: 0xa7.into(), ..Dialect::default() }).is_ok());
        assert!(with("cp1252", Dialect { record_bytes_max: 1 << 30, ..Dialect::default() }).is_err());
    }
}
