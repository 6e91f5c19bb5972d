//! Lines of COPY text out of encoded tuples.
//!
//! The text form is printed from the binary one rather than from the batch: a value then has one encoding, its faults
//! are found in one place, and the row hash is the same whichever form is sent.

use super::array::Dimension;
use super::bytea::print_hex;
use super::field::LENGTH_BYTES;
use super::float;
use super::numeric::Numeric;
use super::{bits, catalog, hstore, interval, mac, money, network, range, time};
use crate::model::datetime::{Interval, format_date, format_timestamp, format_timestamptz};
use crate::schema::{PgAttribute, PgKind, PgType};

/// Prints tuples as lines.
#[derive(Debug)]
pub(super) struct LineWriter {
    /// The type of each field.
    types: Vec<PgType>,
    printer: Printer,
    printed: Vec<u8>,
}

impl LineWriter {
    pub(super) fn new(types: Vec<PgType>) -> Self {
        Self { types, printer: Printer::default(), printed: Vec::new() }
    }

    /// Appends a line for each of the tuples.
    pub(super) fn append(&mut self, tuples: &[u8], out: &mut Vec<u8>) {
        let mut tuples = Fields(tuples);
        while !tuples.0.is_empty() {
            let _count = tuples.take(2);
            for (at, ty) in self.types.iter().enumerate() {
                if at > 0 {
                    out.push(b'\t');
                }
                let Some(field) = tuples.field() else {
                    out.extend_from_slice(b"\\N");
                    continue;
                };
                self.printed.clear();
                self.printer.print(ty, field, &mut self.printed);
                escape(&self.printed, out);
            }
            out.push(b'\n');
        }
    }
}

/// Appends a value with the escapes that keep it one value of one line.
fn escape(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            other => out.push(*other),
        }
    }
}

/// Reads what encoders have written; their bytes are well formed.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().expect("as many bytes were taken as asked for")
    }

    fn int(&mut self) -> i32 {
        i32::from_be_bytes(self.array())
    }

    /// The next field, `None` if it is null.
    fn field(&mut self) -> Option<&'a [u8]> {
        let length = i32::from_be_bytes(self.array::<LENGTH_BYTES>());
        usize::try_from(length).ok().map(|length| self.take(length))
    }
}

/// Prints fields as texts that the server's input functions read back to the same values.
#[derive(Debug, Default)]
pub(super) struct Printer {
    number: Numeric,
    digits: String,
}

impl Printer {
    pub(super) fn print(&mut self, ty: &PgType, field: &[u8], out: &mut Vec<u8>) {
        let mut fields = Fields(field);
        match &ty.kind {
            PgKind::Bool => out.push(if field == [1] { b't' } else { b'f' }),
            PgKind::Int2 => put(out, &i16::from_be_bytes(fields.array()).to_string()),
            PgKind::Int4 => put(out, &fields.int().to_string()),
            PgKind::Int8 => put(out, &i64::from_be_bytes(fields.array()).to_string()),
            PgKind::Float4 => float::print(f32::from_be_bytes(fields.array()), &mut self.digits, out),
            PgKind::Float8 => float::print(f64::from_be_bytes(fields.array()), &mut self.digits, out),
            PgKind::Numeric(_) => {
                self.number.take_sent(field);
                self.number.print(out);
            }
            PgKind::Bytea => {
                out.extend_from_slice(b"\\x");
                print_hex(field, out);
            }
            PgKind::Uuid => print_hex(field, out),
            PgKind::Jsonb => out.extend_from_slice(&field[1..]), // without its version
            PgKind::Array(element) => self.print_array(element, fields, out),
            PgKind::Text
            | PgKind::Varchar(_)
            | PgKind::Char(_)
            | PgKind::Json
            | PgKind::Enum(_)
            | PgKind::Name
            | PgKind::Geometry
            | PgKind::Other => out.extend_from_slice(field),
            PgKind::Inet | PgKind::Cidr => network::print(field, out),
            PgKind::MacAddr | PgKind::MacAddr8 => mac::print(field, out),
            PgKind::Bit(_) | PgKind::VarBit(_) => bits::print(field, out),
            PgKind::Money => money::print(i64::from_be_bytes(fields.array()), out),
            PgKind::Oid => put(out, &u32::from_be_bytes(fields.array()).to_string()),
            PgKind::PgLsn => catalog::print_lsn(field, out),
            PgKind::InternalChar => out.extend(field.iter().filter(|byte| **byte != 0)),
            PgKind::Point => self.print_point(fields, out),
            PgKind::Hstore => hstore::print(field, out),
            PgKind::Range { subtype, .. } => self.print_range(subtype, fields, out),
            PgKind::Multirange(range) => self.print_multirange(range, fields, out),
            PgKind::Composite(attributes) => self.print_composite(attributes, fields, out),
            _ => print_temporal(&ty.kind, fields, out),
        }
    }

    fn print_point(&mut self, mut fields: Fields, out: &mut Vec<u8>) {
        out.push(b'(');
        float::print(f64::from_be_bytes(fields.array()), &mut self.digits, out);
        out.push(b',');
        float::print(f64::from_be_bytes(fields.array()), &mut self.digits, out);
        out.push(b')');
    }

    fn print_range(&mut self, subtype: &PgType, mut fields: Fields, out: &mut Vec<u8>) {
        let [flags] = fields.array();
        if flags & range::EMPTY != 0 {
            return put(out, "empty");
        }
        let has = |flag| flags & flag != 0;
        out.push(if has(range::LOWER_INCLUSIVE) { b'[' } else { b'(' });
        for (infinite, separator) in [(range::LOWER_INFINITE, b','), (range::UPPER_INFINITE, b' ')] {
            if let Some(field) = if has(infinite) { None } else { fields.field() } {
                self.print_quoted(subtype, field, out);
            }
            out.push(separator);
        }
        out.pop();
        out.push(if has(range::UPPER_INCLUSIVE) { b']' } else { b')' });
    }

    fn print_multirange(&mut self, range: &PgType, mut fields: Fields, out: &mut Vec<u8>) {
        out.push(b'{');
        for at in 0..fields.int() {
            if at > 0 {
                out.push(b',');
            }
            let field = fields.field().expect("a multirange holds no nulls");
            self.print(range, field, out);
        }
        out.push(b'}');
    }

    fn print_composite(&mut self, attributes: &[PgAttribute], mut fields: Fields, out: &mut Vec<u8>) {
        let _count = fields.int();
        out.push(b'(');
        for (at, attribute) in attributes.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let _oid = fields.int();
            if let Some(field) = fields.field() {
                self.print_quoted(&attribute.ty, field, out);
            }
        }
        out.push(b')');
    }

    fn print_array(&mut self, element: &PgType, mut fields: Fields, out: &mut Vec<u8>) {
        let count = fields.int();
        let (_has_null, _oid) = (fields.int(), fields.int());
        let dimensions: Vec<_> = (0..count).map(|_| Dimension { length: fields.int(), lower: fields.int() }).collect();
        if dimensions.is_empty() {
            return put(out, "{}");
        }
        if dimensions.iter().any(|dimension| dimension.lower != 1) {
            for Dimension { length, lower } in &dimensions {
                put(out, &format!("[{lower}:{}]", lower + (length - 1)));
            }
            out.push(b'=');
        }
        self.print_members(element, &dimensions, &mut fields, out);
    }

    fn print_members(&mut self, element: &PgType, dimensions: &[Dimension], fields: &mut Fields, out: &mut Vec<u8>) {
        let Some((outer, inner)) = dimensions.split_first() else {
            return match fields.field() {
                Some(field) => self.print_quoted(element, field, out),
                None => put(out, "NULL"),
            };
        };
        for member in 0..outer.length {
            out.push(if member == 0 { b'{' } else { b',' });
            self.print_members(element, inner, fields, out);
        }
        out.push(b'}');
    }

    /// Always in quotation marks, within which only two characters need an escape.
    fn print_quoted(&mut self, element: &PgType, field: &[u8], out: &mut Vec<u8>) {
        let mut text = Vec::new();
        self.print(element, field, &mut text);
        out.push(b'"');
        for byte in text {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
    }
}

fn print_temporal(kind: &PgKind, mut fields: Fields, out: &mut Vec<u8>) {
    match kind {
        PgKind::Date => put(out, &format_date(fields.int().into())),
        PgKind::Timestamp(_) => put(out, &format_timestamp(i64::from_be_bytes(fields.array()))),
        PgKind::TimestampTz(_) => put(out, &format_timestamptz(i64::from_be_bytes(fields.array()))),
        PgKind::Time(_) => time::print(i64::from_be_bytes(fields.array()), out),
        PgKind::TimeTz(_) => {
            time::print(i64::from_be_bytes(fields.array()), out);
            let west = fields.int();
            let (sign, size) = (if west > 0 { '-' } else { '+' }, west.unsigned_abs());
            put(out, &format!("{sign}{:02}:{:02}:{:02}", size / 3600, size / 60 % 60, size % 60));
        }
        PgKind::Interval(_) => {
            let micros = i64::from_be_bytes(fields.array());
            interval::print(Interval { micros, days: fields.int(), months: fields.int() }, out);
        }
        other => unreachable!("{other:?} is printed elsewhere"),
    }
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
