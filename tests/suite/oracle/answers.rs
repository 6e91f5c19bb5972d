//! What the server and what our encoder make of a text: the bytes that are stored, or a refusal.

use std::fmt;
use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use pgbackfill::Zone;
use pgbackfill::encode::{BINARY_HEADER, BlockBuilder, ColumnPlan, CopyFormat, Encoder, Role};
use pgbackfill::schema::{PgType, Reading};
use pgbackfill::target::{self, Session};

use crate::harness::{Database, block_on};

/// What became of a text.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is stored; the binary form, as the server sends it.
    Stored(Vec<u8>),
    /// It is refused: the server's SQLSTATE, or our reason.
    Refused(String),
}

impl Answer {
    pub(super) fn is_stored(&self) -> bool {
        matches!(self, Self::Stored(_))
    }

    /// Whether both store the same bytes, or both refuse.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        self == other || !self.is_stored() && !other.is_stored()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(bytes) => {
                write!(f, "stored ")?;
                bytes.iter().take(64).try_for_each(|byte| write!(f, "{byte:02x}"))?;
                write!(f, "{} ({} bytes)", if bytes.len() > 64 { "…" } else { "" }, bytes.len())
            }
            Self::Refused(reason) => write!(f, "refused: {reason}"),
        }
    }
}

/// The server, ready to try texts as values of one type.
pub(super) struct Oracle {
    database: Database,
    /// The type as the catalog tells it.
    ty: PgType,
    /// How values are read for this server.
    reading: Reading,
}

impl Oracle {
    /// For the type that SQL spells `ty`, which `setup` makes where it must; texts without an offset are in `zone`.
    pub(super) fn new(setup: &str, ty: &str, zone: &str) -> Self {
        let database = Database::with(setup);
        database.sql(&format!(
            "set timezone = '{zone}';
             create table texts (n int, t text);
             create table results (n int, v {ty}, state text);
             create table copied (n int, v {ty})"
        ));
        let input = input_of(&database);
        database.sql(&format!(
            "create function attempt() returns void language plpgsql as $$
             declare r record; value {ty};
             begin
               for r in select n, t from texts order by n loop
                 begin
                   value := {input};
                   insert into results values (r.n, value, null);
                 exception when others then
                   insert into results values (r.n, null, sqlstate);
                 end;
               end loop;
             end $$"
        ));
        let found = block_on(async {
            let session = Session::open(&database.settings()).await?;
            let mut columns = target::describe(&session, "copied").await?.columns;
            let zone = target::zone_of_server(&session, &Zone::parse(zone)?).await?;
            let major = target::major_version(&session).await?;
            Ok::<_, pgbackfill::Error>((columns.remove(1).ty, Reading::utc().for_server(major, zone)))
        });
        let (ty, reading) = found.expect("the server tells what it has");
        Self { database, ty, reading }
    }

    /// What the server makes of each text: by the type's input function, and then by COPY for those that it took, but for what
    /// is `refused` here whatever the server makes of it.
    pub(super) fn server(&self, texts: &[String], refused: fn(&str) -> bool) -> Vec<Answer> {
        // One transaction, in which `now` is one moment.
        self.database.sql("begin; truncate texts, results, copied");
        self.database.copy_csv("texts", "", csv(texts.iter().enumerate()).as_bytes());
        self.database.sql("select attempt()");
        let rows = fields(&self.database.copy_out("copy (select v, state from results order by n) to stdout binary"));
        let answers: Vec<Answer> = rows.into_iter().map(answer).collect();
        assert_eq!(answers.len(), texts.len(), "each text was tried");
        self.check_copy(texts, &answers, refused);
        self.database.sql("commit");
        answers
    }

    /// Panics unless COPY stores for a text what the type's input function makes of it.
    fn check_copy(&self, texts: &[String], answers: &[Answer], refused: fn(&str) -> bool) {
        let is_taken = |(text, answer): (&String, &Answer)| answer.is_stored() && !refused(text);
        let taken = || texts.iter().zip(answers).enumerate().filter(|(_, tried)| is_taken(*tried));
        self.database.copy_csv("copied", "", csv(taken().map(|(n, (text, _))| (n, text))).as_bytes());
        let stored = fields(&self.database.copy_out("copy (select v, null from copied order by n) to stdout binary"));
        for ((_, (text, expected)), row) in taken().zip(stored) {
            assert_eq!(answer(row), *expected, "COPY and the input function differ in {text:?} as {}", self.ty);
        }
    }

    /// What our encoder makes of each text.
    pub(super) fn ours(&self, texts: &[String]) -> Vec<Answer> {
        let plan =
            ColumnPlan { name: "v".to_owned(), source: DataType::Utf8, target: self.ty.clone(), role: Role::Value };
        let mut encoder = Encoder::try_new(vec![plan], 1, CopyFormat::Binary, self.reading.clone())
            .unwrap_or_else(|error| panic!("{} has a binary form: {error}", self.ty));
        let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Utf8, true)]));
        let array = Arc::new(StringArray::from_iter_values(texts));
        let batch = RecordBatch::try_new(schema, vec![array]).unwrap();
        let mut builder = BlockBuilder::new(64);
        let mut encode = |row| match encoder.encode(&batch.slice(row, 1), &mut builder) {
            Ok(()) => Answer::Stored(builder.finish().bytes[6..].to_vec()),
            Err(fault) => Answer::Refused(fault.reason),
        };
        (0..texts.len()).map(&mut encode).collect()
    }
}

/// How PL/pgSQL reads `r.t` as the type of the column `results.v`. An assignment reads it without its modifier, and
/// fits it later, which COPY does not; so the input function is called itself, unless that returns a pseudo-type.
fn input_of(database: &Database) -> String {
    database.one(
        "select case when p.prorettype <> t.oid then 'r.t'
                     when p.pronargs = 1 then format('%I(textout(r.t))', p.proname)
                     else format('%I(textout(r.t), %s, %s)', p.proname,
                                 case t.typelem when 0 then t.oid else t.typelem end, a.atttypmod) end
           from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_proc p on p.oid = t.typinput
          where a.attrelid = 'results'::regclass and a.attname = 'v'",
    )
}

/// Numbered texts as CSV.
fn csv<'t>(texts: impl Iterator<Item = (usize, &'t String)>) -> String {
    let line = |(n, text): (usize, &String)| format!("{n},\"{}\"\n", text.replace('"', "\"\""));
    texts.map(line).collect()
}

/// A row's value, or the state that was found instead.
fn answer(row: [Option<Vec<u8>>; 2]) -> Answer {
    match row {
        [Some(value), None] => Answer::Stored(value),
        [_, state] => Answer::Refused(String::from_utf8(state.unwrap_or_default()).unwrap()),
    }
}

/// The rows, of two fields each, of a COPY BINARY stream.
fn fields(stream: &[u8]) -> Vec<[Option<Vec<u8>>; 2]> {
    let mut rest = stream.strip_prefix(&BINARY_HEADER).expect("a stream begins with its header");
    let mut take = |count: usize| {
        let (taken, after) = rest.split_at(count);
        rest = after;
        taken
    };
    let mut rows = Vec::new();
    while take(2) == [0, 2] {
        rows.push(std::array::from_fn(|_| {
            let length = i32::from_be_bytes(take(4).try_into().unwrap());
            usize::try_from(length).ok().map(|length| take(length).to_vec())
        }));
    }
    rows
}
