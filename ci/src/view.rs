//! The page: every scenario with its curve, its figures and what became of it, in
//! one file that loads nothing.
//!
//! It is read without scripts; the one that is in it only sorts the table. What is
//! drawn is drawn here, as SVG, so that it prints and scales.

mod chart;
mod diagnosis;

use crate::compare::{Change, Kind};
use crate::figure::{Figure, figures};
use crate::outcome::{Comparison, Evidence, Outcome, Status};
use crate::report::{Ceiling, Location, Report};
use crate::table::Thousands;
use highwater::ByteSize;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::collections::BTreeMap;

const STYLE: &str = include_str!("view/page.css");
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
            @for (place, scenario) in scenarios.iter().enumerate() {
                (scenario.section(place))
            }
        }
        script { (PreEscaped(SCRIPT)) }
    };
    page(&format!("Memory: {}", outcome.counts()), &body)
}

/// The page for one report: all of it, and nothing that it is compared with.
pub fn render_report(report: &Report) -> String {
    let body = html! {
        header { h1 { (report.full_name()) } }
        main { section {
            @if let Some(location) = &report.location { (place_in_code(location)) }
            @for failure in &report.failures { p.failure { (failure) } }
            (about(report, None))
            div.scroll { (figures_of(None, Some(report), &[])) }
        } }
    };
    page(&format!("Memory of {}", report.full_name()), &body)
}

fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

fn place_in_code(location: &Location) -> Markup {
    html! { p.place { code { (location.file) ":" (location.line) } } }
}

/// The curve of a report, its verdict, and where its memory comes from if that is known.
fn about(report: &Report, base: Option<&Report>) -> Markup {
    html! {
        (chart::large(report, base))
        p { b { (report.verdict.word()) } ": " (report.verdict_reason) "." }
        @if let Some(found) = &report.diagnosis { (diagnosis::render(found)) }
    }
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
                    @for (place, scenario) in scenarios.iter().enumerate() {
                        (scenario.row(place))
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

    fn row(&self, place: usize) -> Markup {
        let status = self.comparison.status;
        let report = self.shown();
        let order = Status::ALL.iter().position(|known| *known == status);
        html! {
            tr {
                td data-sort=(order.unwrap_or(0)) {
                    span class={ "pill " (status.word()) } { (status.word()) }
                }
                td { a href={ "#s" (place) } { (self.comparison.scenario) } }
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

    fn section(&self, place: usize) -> Markup {
        let comparison = self.comparison;
        html! {
            section id={ "s" (place) } {
                h2 {
                    (comparison.scenario) " "
                    span class={ "pill " (comparison.status.word()) } { (comparison.status.word()) }
                }
                @if let Some(location) = &comparison.location { (place_in_code(location)) }
                @for failure in &comparison.failures { p.failure { (failure) } }
                @for note in &comparison.notes { p.note { (note) } }
                @for range in &comparison.ranges { p.note { (range) } }
                @if let Some(report) = self.shown() {
                    (about(report, self.base.filter(|_| self.head.is_some())))
                }
                details open[comparison.is_changed()] {
                    summary { "All figures" }
                    div.scroll { (figures_of(self.base, self.head, &comparison.changes)) }
                }
            }
        }
    }
}

/// The figures of the base and of what is checked out, side by side.
fn figures_of(base: Option<&Report>, head: Option<&Report>, changes: &[Change]) -> Markup {
    let [of_base, of_head] = [base, head].map(|report| report.map(figures));
    let shown = |figures: &Option<BTreeMap<Figure, i64>>, figure: Figure| {
        let value = figures.as_ref().and_then(|figures| figures.get(&figure));
        value.map_or_else(
            || "–".to_owned(),
            |value| figure.display(*value).to_string(),
        )
    };
    let change = |figure| {
        changes
            .iter()
            .find(|change| change.what == Kind::Figure(figure))
    };
    let ceiling = |figure: Figure| head.and_then(|report| lowest(report, figure.name()));
    html! {
        table.figures {
            thead { tr {
                th scope="col" { "figure" }
                @if base.is_some() { th.figure scope="col" { "base" } }
                th.figure scope="col" { "now" }
                @if !changes.is_empty() { th.figure scope="col" { "change" } }
                th.figure scope="col" { "ceiling" }
            } }
            tbody {
                @for figure in Figure::ALL {
                    tr {
                        th scope="row" { (figure.name()) }
                        @if base.is_some() { td.figure { (shown(&of_base, figure)) } }
                        td.figure { (shown(&of_head, figure)) }
                        @if !changes.is_empty() {
                            td.figure {
                                @if let Some(change) = change(figure) { (change.difference()) }
                            }
                        }
                        td.figure {
                            @if let Some(ceiling) = ceiling(figure) { (limit(ceiling)) }
                        }
                    }
                }
            }
        }
    }
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

/// The lowest of the ceilings on what has this name.
fn lowest<'a>(report: &'a Report, name: &str) -> Option<&'a Ceiling> {
    let ceilings = report.ceilings.iter().filter(|set| set.ceiling == name);
    ceilings.min_by_key(|set| set.limit)
}

fn limit(ceiling: &Ceiling) -> String {
    match ceiling.unit.as_str() {
        "bytes" => ByteSize::b(ceiling.limit).to_string(),
        _ => Thousands(ceiling.limit.into()).to_string(),
    }
}

fn per_step(count: u64, steps: u64) -> String {
    match steps {
        0 => "–".to_owned(),
        _ => format!("{:.2}", count as f64 / steps as f64),
    }
}
