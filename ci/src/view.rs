//! The page: every scenario with its curve, its figures and what became of it, in
//! one file that loads nothing.
//!
//! It is read without scripts; the one that is in it only sorts the table. What it shows of
//! one report is what a page of that report shows.

use crate::compare::Change;
use crate::kind::Kind;
use crate::outcome::{Comparison, Evidence, Outcome, Status};
use highwater::__private::Thousands;
use highwater_reports::figure::Figure;
use highwater_reports::page::{
    about, chart, document, figures_of, limit, location_in_code, lowest,
};
use highwater_reports::report::{Ceiling, Report};
use maud::{Markup, PreEscaped, html};
use std::collections::BTreeMap;

const SCRIPT: &str = include_str!("view/sort.js");

/// The page's columns: their names, and whether they hold figures.
const COLUMNS: [(&str, bool); 8] = [
    ("outcome", false),
    ("scenario", false),
    ("live memory", false),
    ("verdict", false),
    ("growth", true),
    ("peak", true),
    ("residue", true),
    ("blocks a step", true),
];

/// Everything that is known of one scenario.
struct Scenario<'a> {
    comparison: &'a Comparison,
    head: Option<&'a Report>,
    base: Option<&'a Report>,
}

/// The page for an outcome and the evidence that it comes from.
pub fn render<'a>(outcome: &'a Outcome, evidence: &'a Evidence) -> String {
    let of_head = by_name(evidence.reports.values());
    let of_base = by_name(
        evidence
            .base
            .iter()
            .flat_map(|(_, reports)| reports.values()),
    );
    let scenario = |comparison: &'a Comparison| {
        let Comparison { scenario, .. } = comparison;
        Scenario {
            comparison,
            head: of_head.get(scenario).copied(),
            base: of_base.get(scenario).copied(),
        }
    };
    let scenarios: Vec<_> = outcome.scenarios.iter().map(scenario).collect();
    let body = html! {
        (head(outcome))
        main {
            (overview(&scenarios))
            @for (index, scenario) in scenarios.iter().enumerate() {
                (scenario.section(index))
            }
        }
        script { (PreEscaped(SCRIPT)) }
    };
    document(&format!("Memory: {}", outcome.counts()), &body)
}

fn by_name<'a>(reports: impl Iterator<Item = &'a Report>) -> BTreeMap<String, &'a Report> {
    reports.map(|report| (report.full_name(), report)).collect()
}

fn head(outcome: &Outcome) -> Markup {
    html! {
        header {
            h1 { "Memory" }
            p.counts {
                @for status in Status::ALL {
                    @let count = outcome.scenarios.iter().filter(|c| c.status == status).count();
                    @if count > 0 {
                        span class={ "pill " (status.word()) } { (count) " " (status.word()) }
                    }
                }
            }
            @if let Some(base) = &outcome.base {
                p { "Compared with " code { (base.revision) } ", commit "
                    code { (base.commit.get(..12).unwrap_or(&base.commit)) } "." }
            }
            @for note in &outcome.notes { p.note { (note) } }
            @if let Some(next) = outcome.next_step() { p { (next.replace('`', "")) } }
        }
    }
}

fn overview(scenarios: &[Scenario<'_>]) -> Markup {
    html! {
        div.scroll {
            table #overview {
                thead { tr {
                    @for (name, is_figure) in COLUMNS {
                        th scope="col" .figure[is_figure] { (name) }
                    }
                } }
                tbody {
                    @for (index, scenario) in scenarios.iter().enumerate() {
                        (scenario.row(index))
                    }
                }
            }
        }
    }
}

impl Scenario<'_> {
    /// The report to show: of a scenario that is gone, the base's.
    fn shown(&self) -> Option<&Report> {
        self.head.or(self.base)
    }

    fn row(&self, index: usize) -> Markup {
        let status = self.comparison.status;
        let report = self.shown();
        let order = Status::ALL.iter().position(|known| *known == status);
        html! {
            tr {
                td data-sort=(order.unwrap_or(0)) {
                    span class={ "pill " (status.word()) } { (status.word()) }
                }
                td { a href={ "#s" (index) } { (self.comparison.scenario) } }
                @if let Some(report) = report {
                    td data-sort=(report.live_bytes) { (chart::small(report)) }
                    td { (report.verdict.word()) }
                    (figure_cell(report.growth_bytes.into(), report, "growth"))
                    (figure_cell(chart::highest_peak(report), report, "peak"))
                    (figure_cell(report.residue_bytes.into(), report, "residue"))
                    @let blocks = per_step(report.step_blocks, report.steps);
                    td.figure data-sort=(blocks) { (blocks) }
                } @else {
                    td colspan="6" { "no report" }
                }
            }
        }
    }

    fn section(&self, index: usize) -> Markup {
        let comparison = self.comparison;
        html! {
            section id={ "s" (index) } {
                h2 {
                    (comparison.scenario) " "
                    span class={ "pill " (comparison.status.word()) } { (comparison.status.word()) }
                }
                @if let Some(location) = comparison.place() { (location_in_code(location)) }
                @for failure in &comparison.failures { p.failure { (failure) } }
                @for note in &comparison.notes { p.note { (note) } }
                @for range in &comparison.ranges { p.note { (range) } }
                @if let Some(report) = self.shown() {
                    (about(report, self.base.filter(|_| self.head.is_some())))
                }
                details open[comparison.is_changed()] {
                    summary { "All figures" }
                    div.scroll { (figures_of(self.base, self.head, differences(&comparison.changes).as_ref())) }
                }
            }
        }
    }
}

/// By how much each figure changed that did; none if nothing changed.
fn differences(changes: &[Change]) -> Option<BTreeMap<Figure, String>> {
    let of_figure = |change: &Change| match change.what {
        Kind::Figure(figure) => Some((figure, change.difference())),
        _ => None,
    };
    let differences = changes.iter().filter_map(of_figure).collect();
    (!changes.is_empty()).then_some(differences)
}

/// A figure, and how much of its ceiling it takes.
fn figure_cell(value: i128, report: &Report, name: &str) -> Markup {
    let ceiling = lowest(report, name);
    let share = |ceiling: &Ceiling| match (value.max(0), i128::from(ceiling.limit)) {
        (0, _) => 0,
        (value, limit) if value > limit => 100,
        (value, limit) => value * 100 / limit,
    };
    html! {
        td.figure data-sort=(value) {
            (Thousands(value)) " B"
            @if let Some(ceiling) = ceiling {
                @let breached = value > i128::from(ceiling.limit);
                span.ceiling { "of " (limit(ceiling)) }
                span.bar .breached[breached] {
                    span style={ "width:" (share(ceiling)) "%" } {}
                }
            }
        }
    }
}

fn per_step(count: u64, steps: u64) -> String {
    match steps {
        0 => "–".to_owned(),
        _ => format!("{:.2}", count as f64 / steps as f64),
    }
}
