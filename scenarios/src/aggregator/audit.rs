//! What the aggregator says that it holds, compared with what is live after two minutes.
//!
//! It is counted twice: by the number of items and their own size, as many services do it, and
//! with everything that the items own. The difference is what the post-mortem could not find.

use super::config;
use crate::hypotheses::candle_overhead_bytes;
use crate::two_minutes::after_two_minutes;
use crate::{Findings, Twin};
use highwater::ByteSize;
use highwater::audit::{Audit, AuditReport};
use highwater_fixtures::HeapSource;

/// One aggregator, audited in both ways.
pub struct CrossAudit {
    /// By the items' own size, without what they own.
    pub counted: AuditReport,
    /// With all that is owned, and spare room.
    pub accounted: AuditReport,
    /// How many records the log queue held.
    pub log_records: usize,
    /// What a trade takes, with its share of the room for more of them.
    pub trade_bytes: usize,
}

impl CrossAudit {
    /// Runs an aggregator for its two minutes and audits it while it is alive.
    ///
    /// # Panics
    /// If no counting allocator is installed.
    pub fn after_two_minutes(twin: Twin) -> Self {
        let (aggregator, usage) = highwater::measure(|| after_two_minutes(config(twin)));
        let sources = aggregator.heap_sources();
        let audit = |name: &str, bytes: fn(&HeapSource) -> usize| {
            let declare = |audit: Audit, one: &HeapSource| audit.source(one.name, bytes(one));
            sources.iter().fold(Audit::new(name), declare)
        };
        let trades = sources.iter().find(|one| one.name == "trades by interval");
        let counted = audit("aggregator, items alone", |one| one.shallow_bytes);
        let accounted = audit("aggregator", |one| one.heap_bytes).with_resident();
        Self {
            counted: counted.against(usage.live_bytes),
            accounted: accounted.against(usage.live_bytes),
            log_records: aggregator.log_len(),
            trade_bytes: trades.map_or(0, |one| one.heap_bytes / one.items.max(1)),
        }
    }
}

/// The figures of the post-mortem: what grew, and what of it was tracked.
const GREW: &str = "30 MB";
const TRACKED: &str = "0.54 MB";
const UNACCOUNTED: &str = "29.46 MB";
const UNACCOUNTED_SHARE: &str = "98 %";

pub(super) fn findings() -> Vec<Findings> {
    let sound = CrossAudit::after_two_minutes(Twin::Sound);
    let leaky = CrossAudit::after_two_minutes(Twin::Leaky);
    let audits = [
        &sound.counted,
        &sound.accounted,
        &leaky.counted,
        &leaky.accounted,
    ];
    vec![cross_audit(audits), parts(&sound, &leaky)]
}

fn cross_audit(audits: [&AuditReport; 4]) -> Findings {
    let row = |name: &str, paper: &str, cell: &dyn Fn(&AuditReport) -> String| {
        let cells = [name.to_owned(), paper.to_owned()].into_iter();
        cells.chain(audits.map(cell)).collect::<Vec<_>>()
    };
    let sources = audits[0].sources().iter().enumerate();
    let mut rows: Vec<_> = sources
        .map(|(at, (name, _))| row(name, "-", &|audit| bytes(audit.sources()[at].1)))
        .collect();
    rows.push(row("tracked", TRACKED, &|audit| {
        bytes(audit.tracked_bytes())
    }));
    rows.push(row("grew", GREW, &|audit| bytes(audit.live_bytes())));
    rows.push(row("unaccounted", UNACCOUNTED, &|audit| {
        signed(audit.unaccounted_bytes())
    }));
    rows.push(row("share of that", UNACCOUNTED_SHARE, &|audit| {
        let share = audit.accounted_share();
        share.map_or("-".to_owned(), |share| {
            format!("{:.2} %", (1.0 - share) * 100.0)
        })
    }));
    rows.push(row("resident *", "-", &|audit| {
        let resident = audit.resident_bytes();
        resident.map_or("-".to_owned(), |b| format!("{:.1} MB", b as f64 / 1e6))
    }));
    let header = [
        "source",
        "post-mortem",
        "sound, items alone",
        "sound",
        "leaky, items alone",
        "leaky",
    ];
    Findings {
        title: "what is live after 120 s, and who holds it".to_owned(),
        header: header.map(str::to_owned).to_vec(),
        rows,
        notes: [
            "\"Items alone\" is their number times their own size, as many programs count \
             themselves: what the items own is not in it.",
            "Not accounted for is what the nodes of a B-tree take beside their items, which \
             no public interface tells.",
            "* Resident memory is the whole process's and differs from run to run.",
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}

fn parts(sound: &CrossAudit, leaky: &CrossAudit) -> Findings {
    let row = |cells: [String; 4]| cells.to_vec();
    let header = ["figure", "post-mortem", "sound", "leaky"];
    let overhead = candle_overhead_bytes().map_or("-".to_owned(), signed);
    Findings {
        title: "items and their sizes".to_owned(),
        header: header.map(str::to_owned).to_vec(),
        rows: vec![
            row([
                "records in the log queue".to_owned(),
                "661".to_owned(),
                sound.log_records.to_string(),
                leaky.log_records.to_string(),
            ]),
            row([
                "a trade".to_owned(),
                "200 B".to_owned(),
                bytes(sound.trade_bytes as u64),
                bytes(leaky.trade_bytes as u64),
            ]),
        ],
        notes: vec![
            "661 records are 11 candles of each of 59 symbols, and the beginnings of 12 intervals: \
             all that were ever made."
                .to_owned(),
            format!(
                "A candle takes {overhead} more in a string-keyed map than in a struct; the \
                 post-mortem estimated 540 B."
            ),
            "What else was suspected: cargo run --release -- hypotheses".to_owned(),
        ],
    }
}

fn bytes(bytes: u64) -> String {
    ByteSize::b(bytes).to_string()
}

fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", bytes(number.unsigned_abs()))
}
