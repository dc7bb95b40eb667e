//! Which call sites hold more or less than before, in words.

use highwater::__private::Thousands;
use highwater_reports::report::{Diagnosis, Frame, Location, Report, Site, Verdict};
use highwater_reports::sites::differences;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// How many are told.
const SITES: usize = 5;

/// A call site, and what is live of it at the end of the requested steps, or at the peak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SiteChange {
    /// The function that allocates, innermost of the project's or its dependencies'.
    pub function: String,
    /// The file and the line in it, if they are known.
    pub place: Option<String>,
    /// What it allocates, if that is known.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// Live bytes in the base; none if the base was not diagnosed.
    pub before_bytes: Option<i64>,
    /// Live bytes now; 0 if it is gone.
    pub after_bytes: i64,
    /// Whether these were live at the moment of the peak, and not at the end of the steps.
    #[serde(default)]
    pub at_peak: bool,
}

impl SiteChange {
    /// What is allocated, and where.
    fn name(&self) -> String {
        let kind = self.type_name.as_deref().unwrap_or("type unknown");
        let place = self.place.as_ref().map(|place| format!(" ({place})"));
        format!("{kind} in {}{}", self.function, place.unwrap_or_default())
    }

    fn difference(&self) -> i64 {
        self.after_bytes
            .saturating_sub(self.before_bytes.unwrap_or(0))
    }
}

impl fmt::Display for SiteChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        let after = Thousands(self.after_bytes);
        let when = if self.at_peak { "at the peak" } else { "live" };
        match self.before_bytes {
            Some(before) => {
                let difference = self.difference();
                let sign = if difference > 0 { "+" } else { "" };
                let (before, difference) = (Thousands(before), Thousands(difference));
                write!(f, ": {before} B → {after} B {when} ({sign}{difference} B)")
            }
            None => write!(f, ": {after} B {when}"),
        }
    }
}

/// The line of the program that allocates what grows most, if the report has call stacks: the
/// innermost whose file is below `root`.
pub fn leak(report: &Report, root: &Path) -> Option<Location> {
    let diagnosis = report.diagnosis.as_ref()?;
    let grows = |site: &&Site| site.verdict == Verdict::Growing && site.growth_bytes > 0;
    let growing = diagnosis.sites.iter().filter(grows);
    let of_program = growing.filter_map(|site| {
        let mut locations = site.frames.iter().filter_map(Frame::location);
        let own = locations.find(|location| root.join(&location.file).is_file())?;
        Some((site.growth_bytes, own))
    });
    let most = of_program.rev().max_by_key(|(growth, _)| *growth);
    most.map(|(_, location)| location)
}

/// What changed from the one report to the other, as far as they tell: what is live at the end
/// of the steps, or at the peak.
pub fn changes(base: Option<&Report>, head: Option<&Report>, at_peak: bool) -> Vec<SiteChange> {
    let base = base.and_then(|report| report.diagnosis.as_ref());
    let Some(head) = head.and_then(|report| report.diagnosis.as_ref()) else {
        return Vec::new();
    };
    // None if the moment was met in one of the two alone.
    let at_peak = at_peak && head.knows_peak() && base.is_none_or(Diagnosis::knows_peak);
    let bytes = |site: &Site| {
        if at_peak {
            site.peak_bytes.unwrap_or(0)
        } else {
            site.live_bytes
        }
    };
    let differences = differences(base, head, bytes).into_iter().take(SITES);
    differences
        .map(|found| {
            let before = base.map(|_| found.before_bytes);
            change(found.site, before, found.after_bytes, at_peak)
        })
        .collect()
}

/// What a call site allocates, and where.
pub fn name(site: &Site) -> String {
    change(site, None, site.live_bytes, false).name()
}

fn change(site: &Site, before_bytes: Option<i64>, after_bytes: i64, at_peak: bool) -> SiteChange {
    let frame = site.frames.first();
    let place = frame.and_then(|frame| Some(format!("{}:{}", frame.file.as_ref()?, frame.line?)));
    SiteChange {
        function: frame
            .map(|frame| frame.function.clone())
            .unwrap_or_default(),
        place,
        type_name: site.type_name.clone(),
        before_bytes,
        after_bytes,
        at_peak,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A report whose sites are these: type, function, line, live bytes.
    fn report(sites: &[(&str, &str, u32, i64)]) -> Report {
        let text = include_str!("../reports/tests/data/bounded.json");
        let mut report: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let site = |(kind, function, line, live): &(&str, &str, u32, i64)| {
            json!({
                "type": kind, "growth_bytes": live, "growth_blocks": 1, "live_bytes": live,
                "live_blocks": 1, "peak_bytes": null, "peak_blocks": null, "total_blocks": 1,
                "verdict": "growing",
                "frames": [{"function": function, "file": "src/book.rs", "line": line}],
            })
        };
        let sites: Vec<_> = sites.iter().map(site).collect();
        report["diagnosis"] = json!({
            "first_step": 0, "last_step": 10, "growth_bytes": 0, "explained_bytes": 0,
            "lost_blocks": 0, "sites": sites,
        });
        serde_json::from_value(report).expect("a report")
    }

    fn told(base: Option<&Report>, head: Option<&Report>) -> Vec<String> {
        let changes = changes(base, head, false);
        changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn sites_are_known_again_though_their_lines_moved() {
        let base = report(&[
            ("String", "Book::name", 7, 100),
            ("Vec<Order>", "Book::insert", 20, 4_096),
            ("Box<Old>", "Book::old", 30, 10),
        ]);
        let head = report(&[
            ("String", "Book::name", 9, 100),
            ("Vec<Order>", "Book::insert", 22, 16_384),
            ("Box<New>", "Book::new", 40, 20),
        ]);
        assert_eq!(
            told(Some(&base), Some(&head)),
            [
                "Vec<Order> in Book::insert (src/book.rs:22): 4,096 B → 16,384 B live (+12,288 B)",
                "Box<New> in Book::new (src/book.rs:40): 0 B → 20 B live (+20 B)",
                "Box<Old> in Book::old (src/book.rs:30): 10 B → 0 B live (-10 B)",
            ]
        );
    }

    #[test]
    fn a_peak_is_made_of_what_was_live_then() {
        let with_peaks = |mut report: Report, peaks: [Option<i64>; 2]| {
            let diagnosis = report.diagnosis.as_mut().expect("call stacks");
            for (site, peak) in diagnosis.sites.iter_mut().zip(peaks) {
                site.peak_bytes = peak;
            }
            report
        };
        let sites = [
            ("String", "Book::name", 7, 100),
            ("Vec<Order>", "Book::sort", 20, 0),
        ];
        let base = with_peaks(report(&sites), [Some(100), Some(4_096)]);
        let head = with_peaks(report(&sites), [Some(100), Some(8_192)]);
        let told = |base, head| {
            let changes = changes(Some(base), Some(head), true);
            let texts: Vec<_> = changes.iter().map(ToString::to_string).collect();
            texts
        };
        assert_eq!(
            told(&base, &head),
            ["Vec<Order> in Book::sort (src/book.rs:20): 4,096 B → 8,192 B at the peak (+4,096 B)"]
        );
        // Where that moment was not met again, nothing is told of it.
        let unmet = with_peaks(report(&sites), [None, None]);
        assert_eq!(told(&unmet, &head), Vec::<String>::new());
    }

    #[test]
    fn without_sites_in_the_base_those_that_hold_most_are_told() {
        let mut base = report(&[]);
        base.diagnosis = None;
        let head = report(&[
            ("String", "Book::name", 9, 100),
            ("Box<A>", "Book::a", 1, 500),
        ]);
        let expected = [
            "Box<A> in Book::a (src/book.rs:1): 500 B live",
            "String in Book::name (src/book.rs:9): 100 B live",
        ];
        assert_eq!(told(Some(&base), Some(&head)), expected);
        assert_eq!(told(None, Some(&base)), Vec::<String>::new());
    }
}
