//! Arrays out of the server's array literals, such as `{1,NULL,"a b"}` or `[0:1]={{1},{2}}`.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, ArrayRef};

use super::array::{ArrayField, DIMENSIONS_MAX, Dimension, Dimensions, Shape};
use super::field::{Fault, FieldEncoder};
use super::values::{Texts, is_space, shown};

/// Encodes array literals: their elements become an array of texts for the element type's own encoder.
pub(super) struct ArrayLiteral<V> {
    field: ArrayField,
    elements: ArrayRef,
    token: String,
    values: PhantomData<fn(V)>,
}

impl<V: Texts> ArrayLiteral<V> {
    /// For elements of the type `oid`, which `encoder` encodes from `Utf8`.
    pub(super) fn boxed(oid: u32, encoder: Box<dyn FieldEncoder>) -> Box<dyn FieldEncoder> {
        let elements = Arc::new(StringBuilder::new().finish());
        let field = ArrayField::new(oid, encoder);
        Box::new(Self { field, elements, token: String::new(), values: PhantomData })
    }
}

impl<V: Texts> FieldEncoder for ArrayLiteral<V> {
    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        let array = V::of(column);
        let mut elements = Elements { texts: StringBuilder::new(), count: 0, token: std::mem::take(&mut self.token) };
        let first = rows.start;
        self.field.clear();
        for row in rows {
            if array.is_null(row) {
                self.field.push(None);
                continue;
            }
            let text = array.text(row);
            let shape = read(text, &mut elements)
                .map_err(|reason| Fault { row, reason: format!("{} is not an array: {reason}", shown(text)) })?;
            self.field.push(Some(shape));
        }
        self.token = elements.token;
        let elements: ArrayRef = Arc::new(elements.texts.finish());
        let measured = self.field.prepare_elements(&elements).and_then(|prepared| {
            self.elements = prepared;
            self.field.measure(&self.elements, lengths)
        });
        measured.map_err(|fault| Fault { row: first + fault.row, reason: fault.reason })
    }

    fn write(&mut self, _column: &dyn Array, _rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        self.field.write(&self.elements, out, cursors);
    }
}

/// The elements of a group's literals, in order.
struct Elements {
    texts: StringBuilder,
    count: usize,
    /// The element that is being read, without its escapes.
    token: String,
}

/// Reads a literal: its elements into `elements`; gives its shape.
fn read(text: &str, elements: &mut Elements) -> Result<Shape, &'static str> {
    let mut cursor = Cursor { rest: text.trim_start_matches(is_space) };
    let declared = cursor.declared_dimensions()?;
    let start = elements.count;
    let mut body = Body::default();
    body.read(&mut cursor, elements)?;
    if !cursor.rest.trim_start_matches(is_space).is_empty() {
        return Err("something follows its closing brace");
    }
    let dimensions = body.dimensions(declared)?;
    Ok(Shape { elements: start..elements.count, dimensions })
}

/// The braces of a literal while they are read.
#[derive(Default)]
struct Body {
    /// For each open brace, outermost first, how many members it has so far.
    counts: [i32; DIMENSIONS_MAX],
    /// How many braces are open.
    open: usize,
    /// For each depth, how many members every brace there has; `None` until the first of them is closed.
    lengths: [Option<i32>; DIMENSIONS_MAX],
    /// How many braces are around an element, once there was one.
    depth: Option<usize>,
}

impl Body {
    fn read(&mut self, cursor: &mut Cursor, elements: &mut Elements) -> Result<(), &'static str> {
        self.open(cursor)?;
        if cursor.take('}') {
            return Ok(()); // empty, and no other brace may be
        }
        loop {
            while cursor.peek() == Some('{') {
                self.open(cursor)?;
            }
            self.element(cursor, elements)?;
            while cursor.take('}') {
                if self.close()? {
                    return Ok(());
                }
            }
            if !cursor.take(',') {
                return Err("a comma or a brace is missing");
            }
        }
    }

    fn open(&mut self, cursor: &mut Cursor) -> Result<(), &'static str> {
        if !cursor.take('{') {
            return Err("an opening brace is missing");
        }
        if self.open == DIMENSIONS_MAX {
            return Err(TOO_DEEP);
        }
        if self.depth == Some(self.open) {
            return Err("its braces are not equally deep");
        }
        self.counts[self.open] = 0;
        self.open += 1;
        Ok(())
    }

    fn element(&mut self, cursor: &mut Cursor, elements: &mut Elements) -> Result<(), &'static str> {
        let null = cursor.element(&mut elements.token)?;
        if *self.depth.get_or_insert(self.open) != self.open {
            return Err("its braces are not equally deep");
        }
        elements.texts.append_option((!null).then_some(&elements.token));
        elements.count += 1;
        self.counts[self.open - 1] += 1; // the outermost brace is still open
        Ok(())
    }

    /// Closes the innermost brace; true if it was the outermost.
    fn close(&mut self) -> Result<bool, &'static str> {
        self.open -= 1;
        let count = self.counts[self.open];
        if *self.lengths[self.open].get_or_insert(count) != count {
            return Err("its braces do not have equally many members");
        }
        if self.open > 0 {
            self.counts[self.open - 1] += 1;
        }
        Ok(self.open == 0)
    }

    /// The dimensions found, with the lower bounds of those declared before them, if any were.
    fn dimensions(&self, declared: Dimensions) -> Result<Dimensions, &'static str> {
        let mut found = Dimensions::default();
        let lowers = declared.as_slice().iter().map(|dimension| dimension.lower);
        for (length, lower) in self.lengths.iter().map_while(|length| *length).zip(lowers.chain(std::iter::repeat(1))) {
            found.push(Dimension { length, lower });
        }
        if declared == Dimensions::default() || declared == found {
            return Ok(found);
        }
        Err("its dimensions are not those before the equals sign")
    }
}

/// A place in a literal.
struct Cursor<'a> {
    rest: &'a str,
}

impl Cursor<'_> {
    /// The next character that is not white space.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start_matches(is_space);
        self.rest.chars().next()
    }

    /// Whether the next character that is not white space is this one, which is then passed.
    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        found
    }

    /// Reads `[lower:upper]…=`, if it is there.
    fn declared_dimensions(&mut self) -> Result<Dimensions, &'static str> {
        let mut dimensions = Dimensions::default();
        while self.take('[') {
            let (bounds, rest) = self.rest.split_once(']').ok_or("a closing bracket is missing")?;
            self.rest = rest;
            if !dimensions.push(read_dimension(bounds)?) {
                return Err(TOO_DEEP);
            }
        }
        if dimensions != Dimensions::default() && !self.take('=') {
            return Err("an equals sign is missing after its dimensions");
        }
        Ok(dimensions)
    }

    /// Reads an element into `token`; true if it is null.
    fn element(&mut self, token: &mut String) -> Result<bool, &'static str> {
        token.clear();
        match self.peek() {
            Some('"') => self.quoted(token).map(|()| false),
            Some('}' | ',' | '{') | None => Err("an element is missing"),
            Some(_) => self.unquoted(token),
        }
    }

    fn quoted(&mut self, token: &mut String) -> Result<(), &'static str> {
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(());
                }
                '\\' => token.push(letters.next().ok_or(TOO_EARLY)?.1),
                other => token.push(other),
            }
        }
        Err(TOO_EARLY)
    }

    fn unquoted(&mut self, token: &mut String) -> Result<bool, &'static str> {
        let mut letters = self.rest.char_indices();
        let (mut end, mut escaped) = (0, false);
        while let Some((at, letter)) = letters.next() {
            match letter {
                ',' | '}' => {
                    self.rest = &self.rest[at..];
                    token.truncate(end);
                    return Ok(!escaped && token.eq_ignore_ascii_case("null"));
                }
                '{' | '"' => return Err("an element has a brace or a quotation mark inside"),
                '\\' => {
                    token.push(letters.next().ok_or(TOO_EARLY)?.1);
                    (end, escaped) = (token.len(), true);
                }
                other => {
                    token.push(other);
                    if !is_space(other) {
                        end = token.len(); // white space at the end does not count
                    }
                }
            }
        }
        Err(TOO_EARLY)
    }
}

const TOO_EARLY: &str = "it ends too early";
const TOO_DEEP: &str = "it has more than six dimensions";

fn read_dimension(bounds: &str) -> Result<Dimension, &'static str> {
    let number = |text: &str| text.parse::<i32>().map_err(|_| "a bound is not an integer");
    let (lower, upper) = match bounds.split_once(':') {
        Some((lower, upper)) => (number(lower)?, number(upper)?),
        None => (1, number(bounds)?),
    };
    let length = i64::from(upper) - i64::from(lower) + 1;
    match i32::try_from(length) {
        Ok(length) if length > 0 && upper < i32::MAX => Ok(Dimension { length, lower }),
        Ok(length) if length <= 0 => Err("an upper bound is below its lower bound"),
        _ => Err("a bound is too large"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The elements of a literal, and the length and lower bound of each dimension.
    type Parsed = (Vec<Option<String>>, Vec<(i32, i32)>);

    fn parse(text: &str) -> Result<Parsed, &'static str> {
        let mut elements = Elements { texts: StringBuilder::new(), count: 0, token: String::new() };
        let shape = read(text, &mut elements)?;
        let texts = elements.texts.finish().iter().map(|text| text.map(str::to_owned)).collect();
        Ok((texts, shape.dimensions.as_slice().iter().map(|dimension| (dimension.length, dimension.lower)).collect()))
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| (*text != "NULL").then(|| (*text).to_owned())).collect()
    }

    #[test]
    fn elements_may_be_quoted_escaped_or_null() {
        assert_eq!(
            parse(r#"{a b , c\,d,NULL, "N\"U", nUlL}"#).unwrap().0,
            some(&["a b", "c,d", "NULL", "N\"U", "NULL"])
        );
        let (texts, _) = parse("{\\NULL,\"null\",\"\" , ab\\ ,\u{b}x\u{b}}").unwrap();
        let texts: Vec<_> = texts.into_iter().map(Option::unwrap).collect();
        assert_eq!(texts, ["NULL", "null", "", "ab ", "x"]);
    }

    #[test]
    fn dimensions_come_from_braces_or_are_declared() {
        assert_eq!(parse("{}").unwrap(), (vec![], vec![]));
        assert_eq!(parse(" { } ").unwrap(), (vec![], vec![]));
        assert_eq!(parse("{1,2}").unwrap().1, [(2, 1)]);
        assert_eq!(parse("{{1,2},{3,4},{5,6}}").unwrap().1, [(3, 1), (2, 1)]);
        assert_eq!(parse(" [0:1] = {1,2}").unwrap().1, [(2, 0)]);
        assert_eq!(parse("[3]={1,2,3}").unwrap().1, [(3, 1)]);
        assert_eq!(parse("[-1:0][2:2]={{1},{2}}").unwrap().1, [(2, -1), (1, 2)]);
    }

    #[test]
    fn ill_formed_literals_are_refused() {
        for text in [
            "",
            "1",
            "{1",
            "{1,}",
            "{,1}",
            "{1}x",
            "{1},",
            "{{},{}}",
            "{{}}",
            "{{1},{}}",
            "{{1},2}",
            "{1,{2}}",
            "{{1,2},{3}}",
            "{\"a\"b}",
            "{a\"b\"}",
            "{\"a}",
            "{a\\",
            "{{{{{{{1}}}}}}}",
            "[2:1]={}",
            "[1:2]={}",
            "[1:3]={1,2}",
            "[1:2]{1,2}",
            "[ 1:2]={1,2}",
            "[a]={1}",
            "[1]={{1}}",
            "[1][1]={1}",
            "{1}}",
            "{{1}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
