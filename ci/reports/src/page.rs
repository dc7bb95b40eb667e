//! A report as a page: its curve, its figures and where its memory comes from, in one
//! file that loads nothing.
//!
//! It is read without scripts. What is drawn is drawn here, so that it prints and scales; the
//! one script sorts and filters tables, enlarges boxes of the flame graph, draws that graph for
//! a range of steps, and copies commands. The parts are there for pages of many reports too.

mod brush;
pub mod chart;
mod diagnosis;
mod flame;
mod origin;
mod parts;

use self::brush::Brush;
use crate::figure::{Figure, Unit, figures};
use crate::recorded::Recorded;
use crate::report::{Ceiling, Diagnosis, Location, Report, Verdict};
use crate::visible::printable;
use highwater::__private::{Thousands, shell_word};
use highwater::ByteSize;
use maud::{DOCTYPE, Markup, PreEscaped, html};
pub use origin::{Origin, short_hash};
pub use parts::{blocks, signed};
use parts::{difference_cell, figure_cell};
use std::collections::BTreeMap;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");
/// What the browser holds the page to: whatever is in it, nothing is loaded.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
    script-src 'unsafe-inline'; form-action 'none'; base-uri 'none'";

/// A report, and what it is shown beside.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// The number of its part of the page.
    pub id: usize,
    /// What is shown.
    pub head: &'a Report,
    /// The same scenario in the base.
    pub base: Option<&'a Report>,
    /// Where its memory comes from, if that is known.
    pub sites: Option<&'a Diagnosis>,
    /// The same in the base.
    pub base_sites: Option<&'a Diagnosis>,
}

/// The page for one report: all of it, and nothing that it is compared with.
pub fn render(report: &Report, origin: &Origin) -> String {
    let sides = Sides {
        id: 0,
        head: report,
        base: None,
        sites: report.diagnosis.as_ref(),
        base_sites: None,
    };
    let body = html! {
        header {
            h1 { "Memory of " (report.full_name()) }
            (origin.line(std::iter::once(report)))
        }
        main { section {
            @if let Some(location) = &report.location { (location_in_code(location)) }
            (failures(&report.failures, Some(report)))
            (about(&sides))
            (command(report))
            h3 { "All figures" }
            (figures_of(None, Some(report), &Differences::None))
        } }
    };
    document(&format!("Memory of {}", report.full_name()), &body)
}

/// The page for what a program allocated while it ran.
pub fn recorded(recorded: &Recorded) -> String {
    let body = html! {
        header {
            h1 { "Allocated by " (recorded.program) " and still live" }
            p.origin { @for line in recorded.summary() { span { (line) } } }
        }
        main { section { (diagnosis::recorded(&recorded.sites)) } }
    };
    document(&format!("Heap of {}", recorded.program), &body)
}

/// A whole page of this title. Characters that cannot be seen are escaped in all of it.
pub fn document(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    let page = page.into_string();
    page.split('\n')
        .map(printable)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Where in the code a scenario is run.
pub fn location_in_code(location: &Location) -> Markup {
    html! { p.place { code { (location.file) ":" (location.line) } } }
}

/// Why a scenario failed, but for what the verdict on its report says.
pub fn failures(failures: &[String], report: Option<&Report>) -> Markup {
    let said = report.map(|report| format!("{}: {}", report.verdict.word(), report.verdict_reason));
    html! {
        @for failure in failures.iter().filter(|failure| Some(*failure) != said.as_ref()) {
            p.failure { (failure) }
        }
    }
}

/// The verdict on a report, its curve, and where its memory comes from if that is known; all
/// that beside the base, if there is one.
pub fn about(sides: &Sides<'_>) -> Markup {
    let report = sides.head;
    let brush = sides.sites.and_then(Brush::of);
    html! {
        @let fails = report.verdict != Verdict::Bounded && report.is_failure();
        p .failure[fails] { b { (report.verdict.word()) } ": " (report.verdict_reason) "." }
        (chart::large(sides.id, report, sides.base, brush.as_ref()))
        @if let Some(found) = sides.sites { (diagnosis::render(sides, found, brush.as_ref())) }
    }
}

/// The command that runs a scenario again with call stacks, if its test is known.
pub fn command(report: &Report) -> Markup {
    html! {
        @if let Some(test) = &report.test {
            p.command {
                "Run it again: "
                code.copy { "cargo highwater repro " (shell_word(test)) }
            }
        }
    }
}

/// By how much figures differ, and what is said of that.
pub type Said = BTreeMap<Figure, (i128, String)>;

/// What is said of how figures differ.
#[derive(Debug)]
pub enum Differences {
    /// Nothing: there is nothing to compare with.
    None,
    /// From the base, of those figures of which more is to be said than the difference.
    FromBase(Said),
    /// From what is recorded, of the figures that differ from it.
    FromBaseline(Said),
}

impl Differences {
    fn header(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::FromBase(_) => Some("difference"),
            Self::FromBaseline(_) => Some("from the baseline"),
        }
    }

    fn of(&self, figure: Figure) -> Option<&(i128, String)> {
        match self {
            Self::None => None,
            Self::FromBase(said) | Self::FromBaseline(said) => said.get(&figure),
        }
    }
}

/// The figures of a base and of what is shown, side by side, with the difference of each.
pub fn figures_of(
    base: Option<&Report>,
    head: Option<&Report>,
    differences: &Differences,
) -> Markup {
    let [of_base, of_head] = [base, head].map(|report| report.map(figures));
    html! {
        table.data.figures {
            thead { tr {
                th scope="col" { "figure" }
                @if base.is_some() { th.figure scope="col" { "base" } }
                th.figure scope="col" { "now" }
                @if let Some(header) = differences.header() {
                    th.figure scope="col" { (header) }
                }
                th.figure scope="col" { "ceiling" }
            } }
            tbody {
                @for figure in Figure::all() {
                    @let value = |of: &Option<BTreeMap<Figure, i64>>| of.as_ref()?.get(&figure).copied();
                    @let [before, after] = [value(&of_base), value(&of_head)];
                    @if figure.is_always_measured() || before.or(after).is_some() { tr {
                        th scope="row" { (figure.name()) }
                        @if base.is_some() { (known_cell("base", figure, before)) }
                        (known_cell("now", figure, after))
                        @if let Some(header) = differences.header() {
                            (difference(header, figure, (before, after), differences))
                        }
                        @let ceiling = head.and_then(|report| report.lowest_ceiling(figure.name()));
                        @let a_step = if figure.is_of_steps() { " a step" } else { "" };
                        (figure_cell(
                            "ceiling",
                            ceiling.map_or(0, |ceiling| ceiling.limit.into()),
                            &ceiling.map(|ceiling| limit(ceiling) + a_step).unwrap_or_default(),
                        ))
                    } }
                }
            }
        }
    }
}

fn known_cell(label: &str, figure: Figure, value: Option<i64>) -> Markup {
    let text = value.map_or_else(|| "–".to_owned(), |value| figure.display(value).to_string());
    figure_cell(label, value.unwrap_or(0).into(), &text)
}

fn difference(
    header: &str,
    figure: Figure,
    (before, after): (Option<i64>, Option<i64>),
    said: &Differences,
) -> Markup {
    let known = before
        .zip(after)
        .map(|(before, after)| i128::from(after) - i128::from(before));
    let from_base = known.unwrap_or(0);
    match (said.of(figure), said) {
        (Some((difference, text)), _) => difference_cell(header, *difference, text),
        (None, Differences::FromBase(_)) if from_base != 0 => {
            let unit = if figure.unit() == Unit::Bytes {
                " B"
            } else {
                ""
            };
            difference_cell(header, from_base, &(signed(from_base) + unit))
        }
        (None, _) => difference_cell(header, 0, ""),
    }
}

/// The ceiling, as a size if it is one.
pub fn limit(ceiling: &Ceiling) -> String {
    match ceiling.unit.as_str() {
        "bytes" => ByteSize::b(ceiling.limit).to_string(),
        _ => Thousands(ceiling.limit).to_string(),
    }
}
