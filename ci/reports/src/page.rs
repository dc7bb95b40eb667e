//! A report as a page: its curve, its figures and where its memory comes from, in one
//! file that loads nothing.
//!
//! It is read without scripts. What is drawn is drawn here, as SVG, so that it prints and
//! scales. The parts are there for pages of many reports too.

pub mod chart;
mod diagnosis;

use crate::figure::{Figure, figures};
use crate::report::{Ceiling, Location, Report};
use highwater::__private::Thousands;
use highwater::ByteSize;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::collections::BTreeMap;

const STYLE: &str = include_str!("page/page.css");

/// The page for one report: all of it, and nothing that it is compared with.
pub fn render(report: &Report) -> String {
    let body = html! {
        header { h1 { (report.full_name()) } }
        main { section {
            @if let Some(location) = &report.location { (location_in_code(location)) }
            @for failure in &report.failures { p.failure { (failure) } }
            (about(report, None))
            div.scroll { (figures_of(None, Some(report), None)) }
        } }
    };
    document(&format!("Memory of {}", report.full_name()), &body)
}

/// A whole page of this title.
pub fn document(title: &str, body: &Markup) -> String {
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

/// Where in the code a scenario is run.
pub fn location_in_code(location: &Location) -> Markup {
    html! { p.place { code { (location.file) ":" (location.line) } } }
}

/// The curve of a report, its verdict, and where its memory comes from if that is known;
/// beside the curve of a base, if there is one.
pub fn about(report: &Report, base: Option<&Report>) -> Markup {
    html! {
        (chart::large(report, base))
        p { b { (report.verdict.word()) } ": " (report.verdict_reason) "." }
        @if let Some(found) = &report.diagnosis { (diagnosis::render(found)) }
    }
}

/// The figures of a base and of what is shown, side by side, with what is said of the
/// difference of each, if anything is said.
pub fn figures_of(
    base: Option<&Report>,
    head: Option<&Report>,
    differences: Option<&BTreeMap<Figure, String>>,
) -> Markup {
    let [of_base, of_head] = [base, head].map(|report| report.map(figures));
    let shown = |figures: &Option<BTreeMap<Figure, i64>>, figure: Figure| {
        let value = figures.as_ref().and_then(|figures| figures.get(&figure));
        value.map_or_else(
            || "–".to_owned(),
            |value| figure.display(*value).to_string(),
        )
    };
    let ceiling = |figure: Figure| head.and_then(|report| lowest(report, figure.name()));
    html! {
        table.figures {
            thead { tr {
                th scope="col" { "figure" }
                @if base.is_some() { th.figure scope="col" { "base" } }
                th.figure scope="col" { "now" }
                @if differences.is_some() { th.figure scope="col" { "change" } }
                th.figure scope="col" { "ceiling" }
            } }
            tbody {
                @for figure in Figure::all() {
                    tr {
                        th scope="row" { (figure.name()) }
                        @if base.is_some() { td.figure { (shown(&of_base, figure)) } }
                        td.figure { (shown(&of_head, figure)) }
                        @if let Some(differences) = differences {
                            td.figure {
                                @if let Some(text) = differences.get(&figure) { (text) }
                            }
                        }
                        td.figure {
                            @if let Some(ceiling) = ceiling(figure) {
                                (limit(ceiling))
                                @if figure.is_of_steps() { " a step" }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The lowest of the ceilings on what has this name.
pub fn lowest<'a>(report: &'a Report, name: &str) -> Option<&'a Ceiling> {
    let ceilings = report.ceilings.iter().filter(|set| set.ceiling == name);
    ceilings.min_by_key(|set| set.limit)
}

/// The ceiling, as a size if it is one.
pub fn limit(ceiling: &Ceiling) -> String {
    match ceiling.unit.as_str() {
        "bytes" => ByteSize::b(ceiling.limit).to_string(),
        _ => Thousands(ceiling.limit).to_string(),
    }
}
