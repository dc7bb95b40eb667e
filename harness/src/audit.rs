//! [`Audit`]: what a program says that it holds, compared with what the allocator counted.
//!
//! The difference is memory that the program does not know of: items that it does not count, or
//! items whose own allocations it leaves out.

use crate::scenario::process;
use crate::text::Thousands;
use crate::text::columns::{Align, aligned};
use crate::text::json::{Object, quoted};
use std::fmt;

/// Sources of memory, each with the size that the program gives for it.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// use highwater::audit::Audit;
///
/// let ((prices, name), usage) = highwater::measure(|| {
///     (Vec::<f64>::with_capacity(100), String::from("BTCUSDT"))
/// });
/// let audit = Audit::new("price store")
///     .source("prices", prices.capacity() * size_of::<f64>())
///     .against(usage.live_bytes);
/// assert_eq!(audit.unaccounted_bytes(), 7);
/// assert!(audit.accounted_share() > Some(0.99));
/// # drop(name);
/// ```
#[derive(Clone, Debug)]
#[must_use = "an audit has no result until it is compared with live bytes"]
pub struct Audit {
    name: String,
    sources: Vec<(String, u64)>,
    with_resident: bool,
}

impl Audit {
    /// An audit of the part of the program with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            sources: Vec::new(),
            with_resident: false,
        }
    }

    /// Declares a source: its name, and how many bytes it holds on the heap by the
    /// program's own account. Sizes of collections are those of their capacity; crates
    /// such as `get-size2` work them out.
    pub fn source(mut self, name: impl Into<String>, heap_bytes: usize) -> Self {
        self.sources.push((name.into(), heap_bytes as u64));
        self
    }

    /// Adds the resident memory of the whole process to the report. It differs from run
    /// to run, so leave it out of what is snapshot-tested.
    pub fn with_resident(mut self) -> Self {
        self.with_resident = true;
        self
    }

    /// Compares the sources with live bytes: those of a [`Usage`](crate::Usage), for all
    /// that was allocated in its scope, or a difference of two, for what grew between.
    pub fn against(self, live_bytes: u64) -> AuditReport {
        AuditReport {
            name: self.name,
            sources: self.sources,
            live_bytes,
            with_resident: self.with_resident,
            resident_bytes: self.with_resident.then(process::resident_bytes).flatten(),
        }
    }
}

/// What an [`Audit`] came to.
///
/// Its `Display` form is a table, the same on every run of a deterministic program,
/// unless it was asked for resident memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    name: String,
    sources: Vec<(String, u64)>,
    live_bytes: u64,
    with_resident: bool,
    resident_bytes: Option<u64>,
}

impl AuditReport {
    /// What was audited.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The sources and their bytes, in the order in which they were declared.
    pub fn sources(&self) -> &[(String, u64)] {
        &self.sources
    }

    /// The sum of the sources, in bytes.
    pub fn tracked_bytes(&self) -> u64 {
        self.sources.iter().map(|(_, bytes)| bytes).sum()
    }

    /// The live bytes that the sources were set against.
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Live bytes that are in no source. Negative if the sources come to more than there
    /// is: then something is counted twice, or was allocated outside of the scope.
    pub fn unaccounted_bytes(&self) -> i64 {
        let bytes = i128::from(self.live_bytes) - i128::from(self.tracked_bytes());
        i64::try_from(bytes).unwrap_or(if bytes < 0 { i64::MIN } else { i64::MAX })
    }

    /// Tracked bytes as a share of live bytes, 1 if all is accounted for; none if nothing
    /// is live.
    pub fn accounted_share(&self) -> Option<f64> {
        let share = self.tracked_bytes() as f64 / self.live_bytes as f64;
        (self.live_bytes > 0).then_some(share)
    }

    /// Resident memory of the process in bytes, of which the live bytes are a part; none
    /// if it was not asked for, or where the system does not say.
    pub fn resident_bytes(&self) -> Option<u64> {
        self.resident_bytes
    }

    /// The report as a JSON object, pretty-printed, without a final newline.
    pub fn to_json(&self) -> String {
        let mut json = Object::new();
        json.number("schema", 1);
        json.text("name", Some(&self.name));
        let sources = self.sources.iter().map(|(name, bytes)| {
            let name = quoted(name);
            format!("{{\"name\": {name}, \"heap_bytes\": {bytes}}}")
        });
        json.list("sources", sources);
        json.number("tracked_bytes", self.tracked_bytes());
        json.number("live_bytes", self.live_bytes);
        json.number("unaccounted_bytes", self.unaccounted_bytes());
        json.known("accounted_share", self.accounted_share());
        json.known("resident_bytes", self.resident_bytes());
        json.finish()
    }

    /// A share of the live bytes, in percent.
    fn percent(&self, bytes: f64) -> String {
        if self.live_bytes == 0 {
            return String::from("-");
        }
        format!("{:.2} %", bytes / self.live_bytes as f64 * 100.0)
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |name: &str, bytes: String, share: String| {
            vec![format!("  {name}"), format!("{bytes} B"), share]
        };
        let counted = |name: &str, bytes: u64| {
            let share = self.percent(bytes as f64);
            row(name, Thousands(bytes).to_string(), share)
        };
        let sources = self.sources.iter();
        let mut rows: Vec<_> = sources.map(|(name, bytes)| counted(name, *bytes)).collect();
        rows.push(counted("tracked", self.tracked_bytes()));
        let rest = self.unaccounted_bytes();
        let share = self.percent(rest as f64);
        rows.push(row("unaccounted", Thousands(rest).to_string(), share));
        rows.push(counted("live", self.live_bytes));
        let columns = [Align::Left, Align::Right, Align::Right];
        writeln!(f, "audit of {}", self.name)?;
        f.write_str(&aligned(&columns, &rows))?;
        if rest < 0 {
            writeln!(
                f,
                "the sources come to more than is live: something is counted twice, or was \
                 allocated outside of what was measured"
            )?;
        }
        match self.resident_bytes {
            Some(bytes) => writeln!(
                f,
                "resident memory of the whole process, which differs from run to run: {} B",
                Thousands(bytes)
            ),
            None if self.with_resident => {
                writeln!(f, "resident memory is not measured on this system")
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Audit, AuditReport};

    fn store() -> Audit {
        Audit::new("store")
            .source("candles", 31_152)
            .source("log \"queue\"", 900)
    }

    #[test]
    fn the_table_sets_sources_against_live_bytes() {
        let report = store().against(32_768);
        assert_eq!(report.tracked_bytes(), 32_052);
        assert_eq!(report.unaccounted_bytes(), 716);
        assert_eq!(
            report.to_string(),
            "audit of store\n\
             \x20 candles      31,152 B   95.07 %\n\
             \x20 log \"queue\"     900 B    2.75 %\n\
             \x20 tracked      32,052 B   97.81 %\n\
             \x20 unaccounted     716 B    2.19 %\n\
             \x20 live         32,768 B  100.00 %\n"
        );
    }

    #[test]
    fn sources_that_come_to_more_than_is_live_are_pointed_out() {
        let report = store().against(32_000);
        assert_eq!(report.unaccounted_bytes(), -52);
        let text = report.to_string();
        assert!(
            text.contains("  unaccounted     -52 B   -0.16 %\n"),
            "{text}"
        );
        assert!(
            text.ends_with(
                "the sources come to more than is live: something is counted twice, or was \
                 allocated outside of what was measured\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn of_nothing_there_is_no_share() {
        let report = Audit::new("nothing").against(0);
        assert_eq!(report.accounted_share(), None);
        assert_eq!(
            report.to_string(),
            "audit of nothing\n  tracked      0 B  -\n  unaccounted  0 B  -\n  live         0 B  -\n"
        );
    }

    #[test]
    fn resident_memory_stands_apart() {
        let with = |resident_bytes| {
            AuditReport {
                with_resident: true,
                resident_bytes,
                ..Audit::new("store").against(1)
            }
            .to_string()
        };
        let line = "resident memory of the whole process, which differs from run to run: 2,048 B\n";
        assert!(with(Some(2_048)).ends_with(line));
        assert!(with(None).ends_with("\nresident memory is not measured on this system\n"));
        let asked = store().with_resident().against(1);
        assert_eq!(asked.resident_bytes().is_some(), cfg!(target_os = "linux"));
    }

    #[test]
    fn its_json() {
        assert_eq!(
            Audit::new("store")
                .source("a \"b\"", 3)
                .against(4)
                .to_json(),
            "{\n  \"schema\": 1,\n  \"name\": \"store\",\n  \"sources\": [\n    \
             {\"name\": \"a \\\"b\\\"\", \"heap_bytes\": 3}\n  ],\n  \"tracked_bytes\": 3,\n  \
             \"live_bytes\": 4,\n  \"unaccounted_bytes\": 1,\n  \"accounted_share\": 0.75,\n  \
             \"resident_bytes\": null\n}"
        );
    }
}
