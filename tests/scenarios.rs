//! Every scenario, sound and leaky: the sound one passes, the twin is caught,
//! and both reports are the same on every run, to the byte.

#![forbid(unsafe_code)]

use highwater::{Ceiling, Report};
use highwater_scenarios::{Entry, Inputs, SCENARIOS, Twin};
use rstest::rstest;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn run(id: &str, twin: Twin) -> Report {
    let entry = Entry::find(id).expect("the scenario is in the table");
    entry.run(twin, None, &Inputs::generated())
}

/// The rule that a leaky twin breaks.
enum Rule {
    /// The verdict: it grows without end, whatever its ceilings say.
    Growing,
    /// These ceilings, while the verdict is bounded.
    Ceilings(&'static [Ceiling]),
}

/// Growing, with few exceptions.
fn caught_by(id: &str) -> Rule {
    match id {
        // Everything comes back at each clean-up, too late.
        "cleanup-cadence" => Rule::Ceilings(&[Ceiling::Peak]),
        // What is kept is bounded. It should not be there at all.
        "stop-releases" => Rule::Ceilings(&[Ceiling::Growth, Ceiling::Peak, Ceiling::Residue]),
        _ => Rule::Growing,
    }
}

fn assert_caught(report: &Report, rule: &Rule) {
    assert!(report.is_failure());
    match rule {
        Rule::Growing => assert!(report.verdict().is_growing()),
        Rule::Ceilings(expected) => {
            assert!(report.verdict().is_bounded());
            let breached = report.breaches().iter().map(|breach| breach.ceiling);
            assert!(breached.eq(expected.iter().copied()), "{report}");
        }
    }
}

/// What the first site of a leaky twin is, and what holds it.
fn comes_from(id: &str) -> (&'static str, &'static str) {
    match id {
        "candles-10k" => ("<History<Candle>>::push", "state Market"),
        "sessions-10k" => ("<Session>::example", "state SessionStore"),
        "trades-1k" => ("<History<Trade>>::push", "state Desk"),
        "pattern-unbounded-list" => ("<History<Candle>>::push", "state Feed"),
        "pattern-cycle" => (
            "family::{closure#0}",
            "Rc<Child>, Rc<Parent>, Vec<Rc<Child>>",
        ),
        "pattern-global-cache" => ("<PriceCache>::record", "static patterns::UNBOUNDED"),
        "ohlcv-store" | "periodic-cleanup" => ("<Series<Candle>>::merge", "state Collector"),
        "open-interest" => ("<Series<OpenInterest>>::merge", "state Collector"),
        "ml-collector" => ("<Sample>::take", "state Recorder"),
        "feature-history" => ("<OrderBook>::take", "state FeatureHistory"),
        // All of it is gone again at the end of the steps.
        "cleanup-cadence" => ("<Workspace>::compute", ""),
        // The collector outlives the state, in some frame of the stack.
        "stop-releases" => ("<OrderBook>::take", ""),
        "tail-watcher" => ("<TailReader>::end_line", "state TailedService"),
        "aggregator" => ("aggregator::log_json", "state Service"),
        _ => panic!("{id} is not in this list"),
    }
}

fn assert_traced(report: &Report, id: &str) {
    let diagnosis = report.diagnosis().expect("it failed, on Linux");
    let site = diagnosis.sites().first().expect("it allocates");
    let (function, root) = comes_from(id);
    assert_eq!(site.frames()[0].function(), function, "{diagnosis}");
    let holder = site.holders().expect("this is Linux").first();
    let found = holder.map_or("", |holder| holder.path()[0].as_str());
    assert!(found.starts_with(root), "{diagnosis}");
}

/// The snapshots hold in debug and in release: the components allocate alike in
/// both.
#[rstest]
#[highwater::test]
fn report(
    #[values(
        "candles-10k",
        "sessions-10k",
        "trades-1k",
        "pattern-unbounded-list",
        "pattern-cycle",
        "pattern-global-cache",
        "ohlcv-store",
        "open-interest",
        "periodic-cleanup",
        "ml-collector",
        "feature-history",
        "cleanup-cadence",
        "stop-releases",
        "tail-watcher",
        "aggregator"
    )]
    id: &str,
    #[values(Twin::Sound, Twin::Leaky)] twin: Twin,
) {
    let report = run(id, twin);
    match twin {
        Twin::Sound => {
            report.assert();
            assert!(report.verdict().is_bounded());
            insta::assert_snapshot!(id, report);
        }
        Twin::Leaky => {
            assert_caught(&report, &caught_by(id));
            assert_traced(&report, id);
            insta::assert_snapshot!(format!("{id}-leaky"), report);
        }
    }
    let again = run(id, twin);
    assert_eq!(
        report.to_string(),
        again.to_string(),
        "a second run differs"
    );
}

/// The positive control: a leak that would only just have shown, in each of them.
#[highwater::test]
fn a_leak_in_each_scenario_is_found() {
    for entry in SCENARIOS {
        let report = entry.self_test(None, &Inputs::generated());
        let test = report.self_test();
        let test = test.unwrap_or_else(|| panic!("it is not bounded by itself\n{report}"));
        assert!(test.is_found(), "{}: {test}", entry.id);
        report.assert();
    }
}

/// A defect is one scenario's own: what the leaky twins leave behind in a process that
/// all share changes no figure of the others.
#[test]
fn a_defect_changes_no_other_scenario() {
    let figures = || {
        SCENARIOS.map(|entry| {
            let report = run(entry.id, Twin::Sound);
            let live = (report.live_bytes(), report.live_blocks());
            let total = (report.total_bytes(), report.total_blocks());
            let growth = (report.growth_bytes(), report.residue_bytes());
            (entry.id, growth, report.peak_bytes(), live, total)
        })
    };
    let before = figures();
    for entry in SCENARIOS {
        let few = Some(entry.steps.div_ceil(10));
        entry.run(Twin::Leaky, few, &Inputs::generated());
    }
    assert_eq!(figures(), before);
}

#[test]
fn every_scenario_has_a_case_above() {
    let source = include_str!("scenarios.rs");
    for entry in SCENARIOS {
        assert!(
            source.contains(&format!("\"{}\"", entry.id)),
            "{} has no case in tests/scenarios.rs",
            entry.id
        );
    }
}

#[test]
fn ids_are_unique() {
    let mut ids: Vec<_> = SCENARIOS.iter().map(|entry| entry.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), SCENARIOS.len());
}

#[test]
fn the_figures_do_not_depend_on_the_neighbours() {
    let alone = run("candles-10k", Twin::Leaky).to_string();
    let beside: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(|| run("candles-10k", Twin::Leaky)))
        .collect();
    for thread in beside {
        let report = thread.join().expect("the scenario runs");
        assert_eq!(report.to_string(), alone);
    }
}
