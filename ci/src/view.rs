//! The page: every scenario with its curve, its figures and what became of it, in
//! one file that loads nothing.
//!
//! What it shows of one report is what a page of that report shows.

use crate::compare::Change;
use crate::kind::Kind;
use crate::outcome::{Against, Comparison, Evidence, Outcome, Part, Reports, Status};
use highwater::__private::Thousands;
use highwater_reports::page::{
    Differences, Origin, Said, Sides, about, chart, command, document, failures, figures_of, limit,
    location_in_code, short_hash, signed,
};
use highwater_reports::report::{Ceiling, Diagnosis, Report};
use maud::{Markup, html};
use std::collections::BTreeMap;

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
    sites: Option<&'a Diagnosis>,
    base_sites: Option<&'a Diagnosis>,
}

/// The page for an outcome and the evidence that it comes from, which was measured as `origin`
/// says.
pub fn render<'a>(outcome: &'a Outcome, evidence: &'a Evidence, origin: &Origin) -> String {
    let none = Reports::new();
    let base = evidence.base.as_ref().map_or(&none, |(_, reports)| reports);
    let (of_head, of_base) = (by_name(&evidence.reports), by_name(base));
    let sites = sites_by_name(&evidence.reports, &evidence.again.reports);
    let base_sites = sites_by_name(base, &evidence.again.base);
    let scenario = |comparison: &'a Comparison| {
        let name = &comparison.scenario;
        Scenario {
            comparison,
            head: of_head.get(name).copied(),
            base: of_base.get(name).copied(),
            sites: sites.get(name).copied(),
            base_sites: base_sites.get(name).copied(),
        }
    };
    let scenarios: Vec<_> = outcome.scenarios.iter().map(scenario).collect();
    let body = html! {
        (head(outcome, &origin.line(evidence.reports.values())))
        main {
            (overview(&scenarios))
            @for (index, scenario) in scenarios.iter().enumerate() {
                (scenario.section(index))
            }
        }
    };
    document(&format!("Memory: {}", outcome.counts()), &body)
}

fn by_name(reports: &Reports) -> BTreeMap<String, &Report> {
    let named = reports.values();
    named.map(|report| (report.full_name(), report)).collect()
}

/// The first diagnosis that there is of each scenario, of which the last may have been made
/// when it was measured again.
fn sites_by_name<'a>(first: &'a Reports, again: &'a [Reports]) -> BTreeMap<String, &'a Diagnosis> {
    let mut sites = BTreeMap::new();
    let reports = std::iter::once(first)
        .chain(again)
        .flat_map(Reports::values);
    for report in reports {
        if let Some(diagnosis) = &report.diagnosis {
            sites.entry(report.full_name()).or_insert(diagnosis);
        }
    }
    sites
}

fn head(outcome: &Outcome, origin: &Markup) -> Markup {
    html! {
        header {
            h1 {
                @for part in outcome.headline() {
                    @match part {
                        Part::Words(text) => { (text) }
                        Part::Theirs(text) => { code { (text) } }
                    }
                }
            }
            (origin)
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
                    code { (short_hash(&base.commit)) } "." }
            }
            @for note in &outcome.notes { p.note { (note) } }
            @if let Some(next) = outcome.next_step() { p { (next.replace('`', "")) } }
        }
    }
}

fn overview(scenarios: &[Scenario<'_>]) -> Markup {
    html! {
        table.data #overview {
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

impl Scenario<'_> {
    /// The report to show: of a scenario that is gone, the base's.
    fn shown(&self) -> Option<&Report> {
        self.head.or(self.base)
    }

    /// The base's report, if there is one to show it beside.
    fn beside(&self) -> Option<&Report> {
        self.base.filter(|_| self.head.is_some())
    }

    fn row(&self, index: usize) -> Markup {
        let status = self.comparison.status;
        let order = Status::ALL.iter().position(|known| *known == status);
        html! {
            tr {
                td data-label="outcome" data-sort=(order.unwrap_or(0)) {
                    span class={ "pill " (status.word()) } { (status.word()) }
                }
                th scope="row" { a href={ "#s" (index) } { (self.comparison.scenario) } }
                @if let Some(report) = self.shown() {
                    td data-label="live memory" data-sort=(report.live_bytes) {
                        (chart::small(report, self.beside()))
                    }
                    td data-label="verdict" { (report.verdict.word()) }
                    (self.cell(report, "growth", |report| report.growth_bytes.into()))
                    (self.cell(report, "peak", chart::highest_peak))
                    (self.cell(report, "residue", |report| report.residue_bytes.into()))
                    @let blocks = per_step(report.step_blocks, report.steps);
                    td.figure data-label="blocks a step" data-sort=(blocks) { (blocks) }
                } @else {
                    td colspan="6" { "no report" }
                }
            }
        }
    }

    /// A figure, how much of its ceiling it takes, and how it differs from the base.
    fn cell(&self, report: &Report, name: &str, of: impl Fn(&Report) -> i128) -> Markup {
        let value = of(report);
        let ceiling = report.lowest_ceiling(name);
        let share = |ceiling: &Ceiling| match (value.max(0), i128::from(ceiling.limit)) {
            (0, _) => 0,
            (value, limit) if value > limit => 100,
            (value, limit) => value * 100 / limit,
        };
        let difference = self.beside().map_or(0, |base| value - of(base));
        html! {
            td.figure data-label=(name) data-sort=(value) {
                (Thousands(value)) " B"
                @if difference != 0 {
                    span.difference.more[difference > 0].less[difference < 0] {
                        (signed(difference)) " B"
                    }
                }
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

    fn section(&self, index: usize) -> Markup {
        let comparison = self.comparison;
        let sides = |head| Sides {
            id: index,
            head,
            base: self.beside(),
            sites: self.sites.filter(|_| self.head.is_some()),
            base_sites: self.base_sites,
        };
        html! {
            section id={ "s" (index) } {
                h2 {
                    (comparison.scenario) " "
                    span class={ "pill " (comparison.status.word()) } { (comparison.status.word()) }
                }
                @if let Some(location) = comparison.place() { (location_in_code(location)) }
                (failures(&comparison.failures, self.shown()))
                @for note in &comparison.notes { p.note { (note) } }
                @for range in &comparison.ranges { p.note { (range) } }
                @if let Some(report) = self.shown() { (about(&sides(report))) }
                @if let Some(report) = self.head { (command(report)) }
                details open[comparison.is_changed()] {
                    summary { "All figures" }
                    (figures_of(self.base, self.head, &self.differences()))
                }
            }
        }
    }

    /// From the base if there is one, else from what is recorded.
    fn differences(&self) -> Differences {
        let Comparison {
            changes, against, ..
        } = self.comparison;
        let of_figure = |change: &Change| match change.what {
            Kind::Figure(figure) => Some((figure, (change.by()?, change.difference()))),
            _ => None,
        };
        let said: Said = changes.iter().filter_map(of_figure).collect();
        match against {
            Against::Base if self.beside().is_some() => Differences::FromBase(said),
            Against::Baseline if !said.is_empty() => Differences::FromBaseline(said),
            _ if self.beside().is_some() => Differences::FromBase(BTreeMap::new()),
            _ => Differences::None,
        }
    }
}

fn per_step(count: u64, steps: u64) -> String {
    match steps {
        0 => "–".to_owned(),
        _ => format!("{:.2}", count as f64 / steps as f64),
    }
}
