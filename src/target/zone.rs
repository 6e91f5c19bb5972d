//! The rules of a time zone as the server has them: its edition of the time zone database may be older or newer than the
//! one that is built in here, and what it would have stored is what counts.

use super::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Zone;

/// Seconds since 1970 between which changes of a zone's offset are looked for: from 1800, before the first railway time,
/// to 2502, after which all is as it was 400 years before.
const FIRST: i64 = -5_364_662_400;
const LAST: i64 = 16_788_297_600;
/// How far apart the zone is looked at first. No zone has ever changed its offset and gone back within a day.
const STEP: i64 = 86_400;

/// `zone` with the rules of the server behind `session`. An offset has none, and stays what it is.
///
/// # Errors
///
/// [`ErrorKind::Settings`] if the server has no zone of this name.
pub async fn zone_of_server(session: &Session, zone: &Zone) -> Result<Zone> {
    let Some(name) = zone.name() else { return Ok(zone.clone()) };
    let unknown = |error: Error| {
        let unknown = error.place().sqlstate.as_deref() == Some("22023");
        let error = error.context(format!("time zone {name}"));
        if unknown { error.with_hint("the server has no such zone; name one of its pg_timezone_names") } else { error }
    };
    let rows =
        session.query(include_str!("zone/changes.sql"), &[&name, &FIRST, &LAST, &STEP]).await.map_err(unknown)?;
    let mut offsets: Vec<(i64, i32)> = rows.iter().map(|row| (row.get("before"), row.get("east"))).collect();
    // Each change lies after the moment that was looked at before it, and not after the one that shows it.
    let mut steps = STEP;
    while steps > 1 {
        steps = steps / 2 + steps % 2;
        let probes: Vec<i64> = offsets.iter().skip(1).map(|(before, _)| before + steps).collect();
        let rows = session.query(include_str!("zone/offsets.sql"), &[&name, &probes]).await?;
        for (at, row) in rows.iter().enumerate() {
            if row.get::<_, i32>("east") == offsets[at].1 {
                offsets[at + 1].0 += steps;
            }
        }
    }
    let changes = offsets.iter().map(|(before, east)| (before + 1, *east)).collect();
    Ok(zone.with_changes(changes))
}

/// The server's major version.
///
/// # Errors
///
/// If it cannot be asked.
pub async fn major_version(session: &Session) -> Result<u32> {
    let row = session.query_one("select current_setting('server_version_num')::int / 10000", &[]).await?;
    u32::try_from(row.get::<_, i32>(0)).map_err(|_| Error::new(ErrorKind::Internal, "a server of no version"))
}
