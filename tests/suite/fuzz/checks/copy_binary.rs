//! An independent reader of the COPY BINARY format, written from `PostgreSQL`'s documentation and the `recv` functions
//! of its types; it shares nothing with the encoders that it judges.

use pgbackfill::schema::{PgKind, PgType};

/// The fields of each row; null is `None`.
pub(crate) type Tuples<'a> = Vec<Vec<Option<&'a [u8]>>>;

/// Reads rows of `columns` fields up to the end of `bytes`, which have neither header nor trailer.
pub(crate) fn read_tuples(bytes: &[u8], columns: usize) -> Result<Tuples<'_>, String> {
    let (mut reader, mut tuples) = (Reader(bytes), Vec::new());
    while !reader.0.is_empty() {
        let count = reader.int16()?;
        if usize::try_from(count) != Ok(columns) {
            return Err(format!("a tuple of {count} fields, not {columns}"));
        }
        tuples.push((0..columns).map(|_| reader.field()).collect::<Result<_, _>>()?);
    }
    Ok(tuples)
}

/// Judges one field as the type's `recv` function would.
pub(crate) fn check_field(field: &[u8], target: &PgType) -> Result<(), String> {
    let length = |wanted: usize| match field.len() {
        found if found == wanted => Ok(()),
        found => Err(format!("{found} bytes for {target}, not {wanted}")),
    };
    match &target.kind {
        PgKind::Bool => length(1).and_then(|()| if field[0] < 2 { Ok(()) } else { Err("no boolean".to_owned()) }),
        PgKind::Int2 => length(2),
        PgKind::Int4 | PgKind::Float4 => length(4),
        PgKind::Date => length(4).and_then(|()| check_date(int32(field))),
        PgKind::Int8 | PgKind::Float8 => length(8),
        PgKind::Time(_) => length(8).and_then(|()| check_time(int64(field))),
        PgKind::TimeTz(_) => length(12).and_then(|()| check_time_zone(field)),
        PgKind::Timestamp(_) | PgKind::TimestampTz(_) => length(8).and_then(|()| check_timestamp(int64(field))),
        PgKind::Uuid | PgKind::Interval(_) => length(16),
        PgKind::Numeric(modifier) => check_numeric(field, *modifier),
        PgKind::Text | PgKind::Varchar(None) | PgKind::Char(None) | PgKind::Json => check_text(field).map(|_| ()),
        PgKind::Varchar(Some(most)) => match check_text(field)? {
            characters if characters <= *most as usize => Ok(()), // usize has at least 32 bits
            characters => Err(format!("{characters} characters for {target}")),
        },
        PgKind::Char(Some(count)) => match check_text(field)? {
            characters if characters == *count as usize => Ok(()), // usize has at least 32 bits
            characters => Err(format!("{characters} characters for {target}")),
        },
        PgKind::Jsonb => match field.split_first() {
            Some((1, text)) => check_text(text).map(|_| ()),
            _ => Err("jsonb has version 1".to_owned()),
        },
        PgKind::Enum(labels) => match labels.iter().any(|label| label.as_bytes() == field) {
            true => Ok(()),
            false => Err(format!("{field:?} is no label of {target}")),
        },
        PgKind::Array(element) => check_array(field, element),
        _ => Ok(()),
    }
}

fn check_text(field: &[u8]) -> Result<usize, String> {
    let text = std::str::from_utf8(field).map_err(|error| error.to_string())?;
    if text.contains('\0') { Err("a text holds NUL".to_owned()) } else { Ok(text.chars().count()) }
}

/// 4714-11-24 BC to the last day of 5874897, in days since 2000-01-01, and both infinities.
fn check_date(days: i32) -> Result<(), String> {
    let is_date = [i32::MIN, i32::MAX].contains(&days) || (-2_451_545..2_145_031_949).contains(&days);
    if is_date { Ok(()) } else { Err(format!("{days} days are no date")) }
}

/// 4714-11-24 BC to the end of 294276, in microseconds since 2000-01-01, and both infinities.
fn check_timestamp(micros: i64) -> Result<(), String> {
    let finite = -211_813_488_000_000_000..9_223_371_331_200_000_000;
    let is_timestamp = [i64::MIN, i64::MAX].contains(&micros) || finite.contains(&micros);
    if is_timestamp { Ok(()) } else { Err(format!("{micros} microseconds are no timestamp")) }
}

/// Up to and with 24:00:00.
fn check_time(micros: i64) -> Result<(), String> {
    if (0..=86_400_000_000).contains(&micros) { Ok(()) } else { Err(format!("{micros} microseconds are no time")) }
}

/// A time, and an offset of less than 16 hours.
fn check_time_zone(field: &[u8]) -> Result<(), String> {
    let (micros, offset) = field.split_at(8);
    check_time(int64(micros))?;
    let offset = int32(offset);
    if offset.abs() < 16 * 3600 { Ok(()) } else { Err(format!("{offset} seconds are no offset")) }
}

/// A number as digits to the base of 10,000.
pub(crate) struct Numeric {
    /// The place of the first digit: 0 is that of the units.
    pub(crate) weight: i16,
    /// `0x0000`, `0x4000` (negative), `0xc000` (not a number), `0xd000`, `0xf000` (infinities).
    pub(crate) sign: u16,
    /// Decimal digits after the point.
    pub(crate) scale: u16,
    /// Each below 10,000.
    pub(crate) digits: Vec<u16>,
}

/// Takes a numeric apart, and judges that it is in the server's canonical form.
pub(crate) fn numeric(field: &[u8]) -> Result<Numeric, String> {
    let mut reader = Reader(field);
    let count = reader.int16()?;
    let weight = reader.int16()?;
    let (sign, scale) = (reader.int16()?.cast_unsigned(), reader.int16()?.cast_unsigned());
    let digits: Vec<u16> = (0..count).map(|_| reader.int16().map(i16::cast_unsigned)).collect::<Result<_, _>>()?;
    let is_finite = [0x0000, 0x4000].contains(&sign);
    let faults = [
        (!reader.0.is_empty(), "bytes follow"),
        (!is_finite && ![0xc000, 0xd000, 0xf000].contains(&sign), "no such sign"),
        (scale > 0x3fff, "the scale is too large"),
        (digits.iter().any(|digit| *digit > 9_999), "a digit is too large"),
        (digits.first() == Some(&0) || digits.last() == Some(&0), "a superfluous zero"),
        (digits.is_empty() && (sign == 0x4000 || weight != 0), "a zero that is not plain"),
        (!is_finite && !digits.is_empty(), "digits of no number"),
    ];
    match faults.iter().find(|(is_so, _)| *is_so) {
        Some((_, what)) => Err(format!("{what}: {field:?}")),
        None => Ok(Numeric { weight, sign, scale, digits }),
    }
}

fn check_numeric(field: &[u8], modifier: Option<(u16, i16)>) -> Result<(), String> {
    let number = numeric(field)?;
    let Some((precision, scale)) = modifier.filter(|_| [0x0000, 0x4000].contains(&number.sign)) else { return Ok(()) };
    if i32::from(number.scale) != i32::from(scale.max(0)) {
        return Err(format!("a scale of {}, not {scale}", number.scale));
    }
    // Decimal digits before the point, of a number that has any.
    let first = number.digits.first().map_or(0, |digit| i32::try_from(digit.to_string().len()).unwrap_or(0));
    let whole = i32::from(number.weight) * 4 + first;
    match number.digits.is_empty() || whole <= i32::from(precision) - i32::from(scale) {
        true => Ok(()),
        false => Err(format!("{whole} digits before the point for numeric({precision},{scale})")),
    }
}

/// An array with its header, and each element as its own type's.
fn check_array(field: &[u8], element: &PgType) -> Result<(), String> {
    let mut reader = Reader(field);
    let (dimensions, flags, oid) = (reader.int32()?, reader.int32()?, reader.int32()?);
    if !(0..=6).contains(&dimensions) || ![0, 1].contains(&flags) || oid.cast_unsigned() != element.oid {
        return Err(format!("{dimensions} dimensions, flags {flags}, elements of type {oid}"));
    }
    let mut count = usize::from(dimensions > 0);
    for _ in 0..dimensions {
        let (length, lower) = (reader.int32()?, reader.int32()?);
        let length = usize::try_from(length).ok().filter(|length| *length > 0);
        let length = length.filter(|length| lower.checked_add(i32::try_from(*length).unwrap_or(i32::MAX)).is_some());
        count = length.and_then(|length| count.checked_mul(length)).ok_or("a dimension of impossible bounds")?;
    }
    let mut has_null = false;
    for _ in 0..count {
        match reader.field()? {
            Some(value) => check_field(value, element)?,
            None => has_null = true,
        }
    }
    if has_null && flags == 0 {
        return Err("a null that the flags deny".to_owned());
    }
    if reader.0.is_empty() { Ok(()) } else { Err("bytes follow the last element".to_owned()) }
}

fn int32(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(bytes.try_into().expect("the length was checked"))
}

fn int64(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(bytes.try_into().expect("the length was checked"))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| format!("{count} bytes are not there"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn int16(&mut self) -> Result<i16, String> {
        let bytes = self.take(2)?;
        Ok(i16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn int32(&mut self) -> Result<i32, String> {
        self.take(4).map(int32)
    }

    fn field(&mut self) -> Result<Option<&'a [u8]>, String> {
        match self.int32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| format!("a length of {length}"))?;
                self.take(length).map(Some)
            }
        }
    }
}
