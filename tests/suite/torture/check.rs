//! The proof after a run of torture: the table, the rows of others, the ledger and `verify` must all agree.

use crate::harness::{Database, run};

/// What may not be, and the query that finds it.
const LIES: [(&str, &str); 8] = [
    ("a window is not loaded", "select number, state from pgbackfill.windows where state <> 'loaded'"),
    (
        "windows are not numbered without a hole",
        "select number from (select number, row_number() over (order by number) - 1 as place from pgbackfill.windows) w
          where number <> place",
    ),
    (
        "windows overlap",
        "select number from (select number, lower, lag(upper) over (order by number) as before from pgbackfill.windows) w
          where lower < before",
    ),
    (
        "the batches of a window do not add up to it",
        "select w.number, w.batches, count(b.xid), w.rows, sum(b.rows), w.bytes, sum(b.bytes)
           from pgbackfill.windows w left join pgbackfill.batches b using (job_id, number)
          group by w.job_id, w.number
         having (w.batches, w.rows, w.bytes) <> (count(b.xid), coalesce(sum(b.rows), 0), coalesce(sum(b.bytes), 0))",
    ),
    (
        "a batch is not of its window's last attempt",
        "select number, b.attempt, w.attempt from pgbackfill.batches b join pgbackfill.windows w using (job_id, number)
          where b.attempt <> w.attempt",
    ),
    (
        "a batch's rows in the table are not as many as it says",
        "select b.number, b.batch, b.rows, count(m.xid)
           from pgbackfill.batches b
           join pgbackfill.windows w using (job_id, number)
           left join (select xmin::text::bigint as xid,
                             (extract(epoch from ts) * 1000000)::bigint - 946684800000000 as key
                        from metrics where host <> 'other') m
             on m.xid = (b.xid::text::numeric % 4294967296)::bigint and m.key >= w.lower and m.key < w.upper
          group by b.number, b.batch, b.rows
         having count(m.xid) <> b.rows",
    ),
    (
        "the windows' rows are not the source's",
        "select sum(rows) from pgbackfill.windows having sum(rows) <> (select count(*) from expected)",
    ),
    ("a run is still live", "select id, pid from pgbackfill.runs where ended_at is null and lease_until > now()"),
];

/// Panics unless every row is there once, others' rows are as they wrote them, and the ledger says nothing else.
pub(super) fn holds(database: &mut Database) {
    database.reconnect();
    for (lie, query) in LIES {
        let found = database.rows(query);
        assert!(found.is_empty(), "{lie}: {found:?}");
    }
    database.assert_same("(select * from metrics where host <> 'other')", "expected");
    database.assert_same("(select * from metrics where host = 'other')", "foreign_rows");
    run(database, "verify torture").exits(0);
}

/// Panics unless the ledger says that all windows are loaded.
pub(super) fn is_complete(database: &Database) {
    let open = database.connect().rows("select number, state from pgbackfill.windows where state <> 'loaded'");
    assert!(open.is_empty(), "a run has said that all is loaded, and these windows are not: {open:?}");
}
