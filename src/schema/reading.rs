//! How values of a source are read where that is not the same for every source and every server.

use std::sync::Arc;

use crate::model::Zone;
use crate::model::datetime::TimeFormat;
use crate::options::Options;

/// How values are read: what a load's settings and its server decide beside the types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The zone of times without an offset.
    pub zone: Zone,
    /// The server's major version; `None` where it is not known, and what differs between versions is refused.
    pub server: Option<u32>,
    /// Whether what a time has beyond microseconds may be cut off, toward the past.
    pub lossy: bool,
    /// Formats of texts of dates and timestamps: of a target column, or (`None`) of those that have no other.
    pub formats: Arc<[(Option<String>, TimeFormat)]>,
    /// Whether the server keeps its text in UTF-8, so that its bytes are in the order that they are sent in.
    pub is_utf8: bool,
    /// The format of the column at hand.
    pub(crate) format: Option<TimeFormat>,
}

impl Reading {
    /// In universal time, for a server that is not known.
    #[must_use]
    pub fn utc() -> Self {
        Zone::UTC.into()
    }

    /// The same for a server of this major version, with the zone's rules as that has them.
    #[must_use]
    pub fn for_server(self, major: u32, zone: Zone) -> Self {
        Self { zone, server: Some(major), ..self }
    }

    /// The same for the target column called `name`.
    #[must_use]
    pub fn of_column(&self, name: &str) -> Self {
        let of = |wanted: Option<&str>| self.formats.iter().find(|(column, _)| column.as_deref() == wanted);
        let format = of(Some(name)).or_else(|| of(None)).map(|(_, format)| format.clone());
        Self { format, ..self.clone() }
    }

    /// The same without a format, for values inside of others.
    #[must_use]
    pub fn inside(&self) -> Self {
        Self { format: None, ..self.clone() }
    }

    /// The format of the column at hand, where it has one.
    #[must_use]
    pub fn format(&self) -> Option<&TimeFormat> {
        self.format.as_ref()
    }

    /// Whether integers of the column at hand count time since 1970.
    #[must_use]
    pub fn counts_time(&self) -> bool {
        matches!(self.format, Some(TimeFormat::Epoch(_)))
    }

    /// Whether the server is known to be of this major version or a later one.
    #[must_use]
    pub fn server_is_at_least(&self, major: u32) -> bool {
        self.server.is_some_and(|server| server >= major)
    }
}

/// As a load's settings have it, for a server that is not known.
impl From<&Options> for Reading {
    fn from(options: &Options) -> Self {
        let formats = options.times.formats.clone().into();
        Self { lossy: options.times.allow_lossy, formats, ..options.zone.clone().into() }
    }
}

/// For a server that is not known.
impl From<Zone> for Reading {
    fn from(zone: Zone) -> Self {
        Self { zone, server: None, lossy: false, formats: Arc::new([]), is_utf8: true, format: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_its_own_format_or_that_of_all() {
        let format = |text: &str| TimeFormat::parse(text).unwrap();
        let formats = [(None, format("%d/%m/%Y")), (Some("at".to_owned()), format("epoch-ms"))];
        let reading = Reading { formats: formats.into(), ..Reading::utc() };
        assert!(reading.format().is_none());
        assert!(reading.of_column("at").counts_time());
        assert_eq!(reading.of_column("day").format(), Some(&format("%d/%m/%Y")));
        assert!(reading.of_column("at").inside().format().is_none());
    }
}
