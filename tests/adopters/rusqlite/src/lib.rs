//! A database in memory, whose rows SQLite keeps in C's heap.

#![forbid(unsafe_code)]

use rusqlite::{Connection, Result};

/// An empty database in memory.
pub fn opened() -> Result<Connection> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch("CREATE TABLE events (name TEXT, payload BLOB)")?;
    Ok(connection)
}

/// Adds one row.
pub fn record(connection: &Connection, number: u64) -> Result<()> {
    let mut insert = connection.prepare_cached("INSERT INTO events VALUES (?1, ?2)")?;
    insert.execute((format!("event {number}"), [7_u8; 200]))?;
    Ok(())
}

/// Removes all rows but the last `most`.
pub fn forget_old(connection: &Connection, most: i64) -> Result<()> {
    let mut delete = connection
        .prepare_cached("DELETE FROM events WHERE rowid <= (SELECT max(rowid) FROM events) - ?1")?;
    delete.execute([most])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{forget_old, opened, record};
    use highwater::Scenario;

    #[global_allocator]
    static ALLOC: highwater::Alloc = highwater::Alloc::system();

    #[test]
    fn a_connection_that_is_closed_leaves_nothing_behind() {
        let report = Scenario::new("closed").steps(50).run(
            || (),
            |(), step| {
                let connection = opened().expect("it opens");
                for number in 0..20 {
                    record(&connection, step + number).expect("there is room");
                }
            },
        );
        assert!(report.verdict().is_bounded(), "{report}");
        assert_eq!((report.growth_bytes(), report.residue_bytes()), (0, 0));
        // The pages of the table alone.
        assert!(report.peak_bytes() > 20 * 200, "{report}");
    }

    #[test]
    fn rows_that_are_kept_grow() {
        let keep = Scenario::new("kept").steps(200).diagnose(true);
        let report = keep.run(
            || opened().expect("it opens"),
            |connection, step| record(connection, step).expect("there is room"),
        );
        assert!(report.verdict().is_growing(), "{report}");
        assert_eq!(report.residue_bytes(), 0, "{report}");
        let sites = report.diagnosis().expect("it was asked for").sites();
        let frames = sites.iter().flat_map(|site| site.frames());
        let names: Vec<_> = frames.map(|frame| frame.function()).collect();
        assert!(
            names.iter().any(|name| name.ends_with("record")),
            "{names:?}"
        );
    }

    #[test]
    fn rows_that_are_removed_are_bounded() {
        let report = Scenario::new("removed").steps(200).warm_up(100).run(
            || opened().expect("it opens"),
            |connection, step| {
                record(connection, step).expect("there is room");
                forget_old(connection, 10).expect("there are rows");
            },
        );
        assert!(report.verdict().is_bounded(), "{report}");
        assert_eq!(report.residue_bytes(), 0, "{report}");
    }

    #[test]
    fn connections_that_are_never_closed_grow() {
        let report = Scenario::new("open")
            .steps(20)
            .run(|| (), |(), _| std::mem::forget(opened().expect("it opens")));
        assert!(report.verdict().is_growing(), "{report}");
        assert!(report.growth_bytes() > 20 * 10_000, "{report}");
    }
}
