//! Loads a Parquet file into a table: `cargo run --example load_parquet -- FILE TABLE TIME_COLUMN`.
//!
//! The database is the one that `DATABASE_URL`, or libpq's `PG*` variables, name; the table must be there. Run it again
//! after it was stopped or killed, and it loads what is missing.

use pgbackfill::{Backfill, ConnectSettings, Event, Options, Stop, report};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, table, time_column] = arguments.as_slice() else {
        return Err("usage: load_parquet FILE TABLE TIME_COLUMN".into());
    };
    let target = ConnectSettings::from_environment()?;
    let options = Options::new(table).with_time_column(time_column);
    let observer = |event: &Event| {
        if let Event::Loaded { window, rows, .. } = event {
            println!("{window}: {rows} rows");
        }
    };
    let summary = Backfill::new(target, file.as_str(), options).load(observer, &Stop::new()).await?;
    println!("{}", report::summary(&summary));
    Ok(())
}
