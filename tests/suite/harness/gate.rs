//! A gate in the target: a loader comes to it in the midst of a batch, and stands there until it is opened.

use super::{Database, Running, Session};

/// A closed gate; opened, it stays open.
pub(crate) struct Gate<'a> {
    database: &'a Database,
    keeper: Session,
}

impl<'a> Gate<'a> {
    /// Puts a gate into table `metrics`: the batch that leaves more than `rows` rows there is the first that cannot end.
    /// Batches are to be small beside `rows`, for two that end at once do not see each other's.
    pub(crate) fn close(database: &'a Database, rows: u32) -> Self {
        // The lock is taken shared, so that a loader which passed the gate and stands still keeps no other from passing.
        database.sql(&format!(
            "create function wait_at_gate() returns trigger language plpgsql as $$
             begin
               if (select count(*) from metrics) > {rows} then
                 perform pg_advisory_xact_lock_shared(1);
               end if;
               return null;
             end $$;
             create trigger gate after insert on metrics for each statement execute function wait_at_gate()"
        ));
        let keeper = database.connect();
        keeper.sql("select pg_advisory_lock(1)");
        Self { database, keeper }
    }

    /// Waits until `loader`, just started, stands at the gate.
    #[track_caller]
    pub(crate) fn wait_for(&self, loader: Running) -> Running {
        let waiting = "select count(*) from pg_locks where locktype = 'advisory' and objid = 1 and not granted
                          and database = (select oid from pg_database where datname = current_database())";
        let is_here = || self.database.one(waiting) != "0";
        self.database.wait_until("a loader stands at the gate", || is_here() || loader.has_ended());
        assert!(!loader.has_ended(), "the loader did not come to the gate: {:?}", loader.finish());
        loader
    }

    /// Opens the gate.
    pub(crate) fn open(self) {
        self.keeper.sql("select pg_advisory_unlock(1)");
    }
}
