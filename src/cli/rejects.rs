//! `pgbackfill rejects`: the rows that a job has set aside, as a file to mend and load again, or with where they stood and why.

use std::fmt::Write as _;

use pgbackfill::format::csv::print_field;
use pgbackfill::report::{counted, escaped};
use pgbackfill::{Error, ErrorKind, RejectedObject, RejectedRow, Rejects};

use super::args::{Common, RejectsArgs};
use super::exit;
use super::output::{self, Table};

/// Reasons that are told before the rest is only counted.
const REASONS_SHOWN: usize = 20;

/// Objects that a hint names.
const OBJECTS_SHOWN: usize = 5;

pub(crate) async fn rejects(args: &RejectsArgs, common: &Common) -> anyhow::Result<u8> {
    let rejects = Rejects::of(&super::target(common)?, args.job.as_deref()).await?;
    let objects = chosen(&rejects, args.object.as_deref()).await?;
    let mut cut = 0;
    if objects.is_empty() {
        // There is nothing to print.
    } else if common.json {
        let print = |row: RejectedRow| {
            output::json(&json(&row));
            Ok(())
        };
        rejects.for_each(args.object.as_deref(), print).await?;
    } else if args.details {
        output::bytes(b"object,record,byte,column,reason,sqlstate,window,raw\n");
        let print = |row: RejectedRow| {
            output::bytes(&details(&row));
            Ok(())
        };
        rejects.for_each(args.object.as_deref(), print).await?;
    } else {
        cut = print_records(&rejects, args.object.as_deref(), &objects).await?;
    }
    if !common.quiet {
        tell(&rejects, args.object.as_deref(), &objects).await?;
    }
    if cut == 0 {
        return Ok(exit::DONE);
    }
    output::message(&format!(
        "left out: {} longer than what was kept of each (--reject-bytes); --details says where they stand",
        counted(cut, "row")
    ));
    Ok(exit::WITH_REJECTS)
}

/// The objects whose rejects are asked for.
async fn chosen(rejects: &Rejects, object: Option<&str>) -> pgbackfill::Result<Vec<RejectedObject>> {
    let mut objects = rejects.objects().await?;
    let Some(wanted) = object else { return Ok(objects) };
    let known = names(&objects);
    objects.retain(|object| object.uri == wanted);
    if objects.is_empty() {
        return Err(Error::new(ErrorKind::Settings, format!("job {} has rejected no row of {wanted}", rejects.job()))
            .with_hint(format!("those with rejects are:\n{known}")));
    }
    Ok(objects)
}

fn names(objects: &[RejectedObject]) -> String {
    let mut names: Vec<String> =
        objects.iter().take(OBJECTS_SHOWN).map(|object| escaped(&object.uri).into_owned()).collect();
    if objects.len() > names.len() {
        names.push(format!("and {} more", objects.len() - names.len()));
    }
    names.join("\n")
}

/// Prints the records as they stood under their header: a file that is loaded with the job's own options, once it is mended.
/// Gives how many had to be left out.
async fn print_records(rejects: &Rejects, object: Option<&str>, objects: &[RejectedObject]) -> pgbackfill::Result<u64> {
    let alike = |other: &RejectedObject| other.header == objects[0].header && folders(other) == folders(&objects[0]);
    if !objects.iter().all(alike) {
        return Err(Error::new(
            ErrorKind::Settings,
            format!(
                "the rejects of job {} do not fit into one file: their objects differ in header or folders",
                rejects.job()
            ),
        )
        .with_hint(format!("choose one with --object, or see all of them with --details:\n{}", names(objects))));
    }
    let header = objects[0].header.clone().unwrap_or_default();
    let line_end: &[u8] = match header.as_slice() {
        [.., b'\r', b'\n'] => b"\r\n",
        [.., b'\r'] => b"\r",
        _ => b"\n",
    };
    output::bytes(&header);
    if !header.is_empty() && !header.ends_with(line_end) {
        output::bytes(line_end);
    }
    let mut cut = 0;
    rejects
        .for_each(object, |RejectedRow { reject, .. }| {
            match reject.raw.is_cut {
                // What is left of it would be read as another row, or take the next ones with it.
                true => cut += 1,
                false => output::bytes(&[&reject.raw.bytes, line_end].concat()),
            }
            Ok(())
        })
        .await?;
    // The job's options leave out so many lines at the end of each object, whatever they hold.
    (0..rejects.footer_lines()).for_each(|_| output::bytes(line_end));
    Ok(cut)
}

/// Folders of an object's path that are named `name=value`: they may feed columns.
fn folders(object: &RejectedObject) -> Vec<&str> {
    object.uri.split('/').rev().skip(1).filter(|folder| folder.contains('=')).collect()
}

/// On stderr: how many there are, why, and what else is to be known.
async fn tell(rejects: &Rejects, object: Option<&str>, objects: &[RejectedObject]) -> pgbackfill::Result<()> {
    let rows: u64 = objects.iter().map(|object| object.rows).sum();
    let of = counted(objects.len() as u64, "object"); // usize has at most 64 bits
    output::message(&format!("job {}: {} of {of} rejected", rejects.job(), counted(rows, "row")));
    let counts = rejects.counts(object).await?;
    if !counts.is_empty() {
        let mut table = Table::new(&["rows", "column", "reason"]);
        for count in counts.iter().take(REASONS_SHOWN) {
            let column = count.column.clone().unwrap_or_default();
            table.push(vec![pgbackfill::report::count(count.rows), column, count.reason.clone()]);
        }
        table.lines().iter().for_each(|line| output::message(line));
    }
    if counts.len() > REASONS_SHOWN {
        output::message(&format!("  and {} more reasons", counts.len() - REASONS_SHOWN));
    }
    if let Some(encoding) = rejects.recoded_from() {
        output::message(&format!("what is printed is UTF-8, and not {encoding}: load it without --encoding"));
    }
    if let Some(folders) = objects.first().map(folders).filter(|folders| !folders.is_empty()) {
        let folders: Vec<&str> = folders.into_iter().rev().collect();
        output::message(&format!("columns may be fed by folders: keep the mended file in {}/", folders.join("/")));
    }
    Ok(())
}

/// A line of CSV for people to read: nothing in it acts upon a terminal. The rows themselves, to be loaded again, are printed
/// as they are without --details.
fn details(row: &RejectedRow) -> Vec<u8> {
    let reject = &row.reject;
    let text = |text: &str| Some(escaped(text).into_owned());
    let fields = [
        text(&reject.object),
        Some(reject.record.to_string()),
        reject.byte.map(|byte| byte.to_string()),
        reject.column.as_deref().and_then(text),
        text(&reject.reason),
        reject.sqlstate.clone(),
        row.window.as_deref().and_then(text),
        text(&readable(&reject.raw.bytes)),
    ];
    let mut line = Vec::new();
    for (at, field) in fields.into_iter().enumerate() {
        if at > 0 {
            line.push(b',');
        }
        if let Some(field) = field {
            print_field(field.as_bytes(), &mut line);
        }
    }
    line.push(b'\n');
    line
}

/// Bytes as text, those that are not UTF-8 as `\xff`.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| write!(text, "\\x{byte:02x}").expect("a String takes any text"));
    }
    text
}

fn json(row: &RejectedRow) -> serde_json::Value {
    let reject = &row.reject;
    let mut object = serde_json::json!({
        "object": &*reject.object,
        "record": reject.record,
        "byte": reject.byte,
        "column": reject.column,
        "reason": reject.reason,
        "sqlstate": reject.sqlstate,
        "window": row.window,
        "raw": String::from_utf8_lossy(&reject.raw.bytes),
        "raw_cut": reject.raw.is_cut,
    });
    if std::str::from_utf8(&reject.raw.bytes).is_err() {
        // JSON holds text alone: these are the bytes.
        let mut digits = String::new();
        for byte in &reject.raw.bytes {
            write!(digits, "{byte:02x}").expect("a String takes any text");
        }
        object["raw_hex"] = digits.into();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_can_be_read() {
        assert_eq!(readable("é\u{1b}".as_bytes()), "é\u{1b}");
        assert_eq!(readable(b"a\xffb\xc3"), "a\\xffb\\xc3");
    }

    #[test]
    fn folders_that_may_feed_columns_are_told_apart() {
        let mut object = RejectedObject::default();
        object.uri = "/data/year=2024/month=5/a=b.csv".to_owned();
        assert_eq!(folders(&object), ["month=5", "year=2024"]);
        object.uri = "/data/a.csv".to_owned();
        assert!(folders(&object).is_empty());
    }
}
