//! One text through an encoder, and back as the text that COPY would print of it.

use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use pgbackfill::Zone;
use pgbackfill::encode::{BlockBuilder, ColumnPlan, CopyFormat, Encoder, Role};
use pgbackfill::model::{Block, RowHash};
use pgbackfill::schema::{PgKind, PgType};

use super::copy_binary::{check_field, read_tuples};

/// A type by name and kind; its number matters to arrays alone.
pub(crate) fn pg(name: &str, kind: PgKind) -> PgType {
    PgType { oid: 4_242, name: name.to_owned(), kind }
}

/// Encodes `text` for a column of `target`. `None` if it is refused.
fn encode(text: &str, target: &PgType, zone: &Zone, format: CopyFormat) -> Option<Block> {
    let plan = ColumnPlan { name: "v".to_owned(), source: DataType::Utf8, target: target.clone(), role: Role::Value };
    let mut encoder = Encoder::try_new(vec![plan], 1, format, zone.clone()).expect("text feeds every type asked for");
    let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Utf8, true)]));
    let batch = RecordBatch::try_new(schema, vec![Arc::new(StringArray::from(vec![text]))]).expect("one column");
    let mut builder = BlockBuilder::new(64);
    match encoder.encode(&batch, &mut builder) {
        Ok(()) => Some(builder.finish()),
        Err(fault) => {
            assert_eq!((fault.row, fault.column, builder.rows(), builder.bytes()), (0, 0, 0, 0), "{text:?}");
            assert!(!fault.reason.is_empty() && fault.reason.len() < 1_000, "{}", fault.reason);
            None
        }
    }
}

/// The field that `text` is stored as, `None` if it is refused. Its bytes are judged as the server would, and what the
/// text form prints of it must be stored as the same bytes.
pub(crate) fn stored(text: &str, target: &PgType, zone: &Zone) -> Option<Vec<u8>> {
    let printed = encode(text, target, zone, CopyFormat::Text);
    let Some(block) = encode(text, target, zone, CopyFormat::Binary) else {
        assert!(printed.is_none(), "{text:?} is refused in binary form alone, for {target}");
        return None;
    };
    let printed = printed.unwrap_or_else(|| panic!("{text:?} is refused in text form alone, for {target}"));
    let field = only_field(&block, target, text);
    let line = unescape(&printed.bytes);
    let again = encode(&line, target, zone, CopyFormat::Binary)
        .unwrap_or_else(|| panic!("{text:?} is printed as {line:?}, which is refused, for {target}"));
    assert_eq!(only_field(&again, target, &line), field, "{text:?} is printed as {line:?}, for {target}");
    Some(field)
}

fn only_field(block: &Block, target: &PgType, text: &str) -> Vec<u8> {
    let tuples = read_tuples(&block.bytes, 1).unwrap_or_else(|fault| panic!("{fault}: {text:?}"));
    let [tuple] = &tuples[..] else { panic!("{} tuples of one text", tuples.len()) };
    assert_eq!((block.rows, block.hash), (1, RowHash::of_row(&block.bytes[2..])), "{text:?}");
    let field = tuple[0].expect("a text is no null");
    check_field(field, target).unwrap_or_else(|fault| panic!("{fault}: {text:?} for {target}"));
    field.to_vec()
}

/// The value in a line of COPY text that holds one.
fn unescape(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").expect("a line ends");
    let (mut value, mut bytes) = (Vec::new(), line.iter());
    while let Some(byte) = bytes.next() {
        assert!(!b"\t\n\r".contains(byte), "a byte that COPY reads as more than itself: {line:?}");
        value.push(match byte {
            b'\\' => match bytes.next().expect("something is escaped") {
                b't' => b'\t',
                b'n' => b'\n',
                b'r' => b'\r',
                other => *other,
            },
            other => *other,
        });
    }
    String::from_utf8(value).expect("COPY text is UTF-8")
}
