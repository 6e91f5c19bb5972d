//! `--takeover`: sessions that earlier runs of the job left behind are ended.

use std::collections::BTreeSet;

use crate::error::{ErrorKind, Result};
use crate::ledger::{JobRecord, Run};
use crate::model::{Event, Observer};
use crate::target::Session;

/// Ends sessions, and remembers which it has told of.
#[derive(Debug, Default)]
pub(super) struct Takeover {
    told: BTreeSet<i32>,
}

impl Takeover {
    /// Ends what sessions the job's runs that are over still have, and names each. One that the role may not end is named too,
    /// and left.
    pub(super) async fn end_sessions(
        &mut self,
        session: &Session,
        job: &JobRecord,
        run: &Run,
        observer: &dyn Observer,
    ) -> Result<()> {
        for left in run.left_behind(session, job).await? {
            let message = match left.end(session).await {
                Ok(()) => format!("--takeover ended {left}, which an earlier run of job {} had left", job.name),
                Err(error) if error.kind() == ErrorKind::Permission => {
                    format!("--takeover may not end {left}, which an earlier run of job {} left: {error}", job.name)
                }
                Err(error) => return Err(error),
            };
            if self.told.insert(left.pid) {
                observer.observe(&Event::Warning { message });
            }
        }
        Ok(())
    }
}
