//! What was found, as a page: each call stack with its curve, in one file that loads nothing.
//!
//! It says the same as [`text`], in the design of the other pages.

use super::found::{Found, Per, Stack, State};
use super::text;
use highwater::__private::Size;
use highwater_reports::page::{chart, document};
use maud::{Markup, html};

/// How many call stacks the page has at most, and how many of them with all frames.
const MOST_ROWS: usize = 500;
const MOST_WHOLE: usize = 20;

/// The page.
pub fn render(found: &Found) -> String {
    let answer = text::answer(found).replace('`', "");
    let rows = found.stacks.iter().take(MOST_ROWS);
    let left_out = found.stacks.len().saturating_sub(MOST_ROWS);
    let body = html! {
        header {
            h1 { (answer) }
            p { (sentence(&text::subject(found))) }
            @for note in text::notes(found) { p.note { (sentence(&note)) } }
        }
        main {
            section {
                h2 { (text::whole(found)) }
                (chart::series("live bytes of all stacks", "profile", &found.whole.bytes))
            }
            table.data {
                thead { tr {
                    th scope="col" { "is" }
                    th scope="col" { "call stack" }
                    th scope="col" { "live memory" }
                    th.figure scope="col" { (rises(found.per)) }
                    th.figure scope="col" { "now" }
                } }
                tbody { @for (index, stack) in rows.enumerate() { (row(stack, index)) } }
            }
            @if left_out > 0 {
                p { "and " (left_out) " more, which --json has" }
            }
            @for (index, stack) in found.stacks.iter().take(MOST_WHOLE).enumerate() {
                (section(found, stack, index))
            }
        }
    };
    document(&answer, &body)
}

fn rises(per: Per) -> &'static str {
    match per {
        Per::Hour => "rises an hour",
        Per::Profile => "rises a profile",
    }
}

fn name(stack: &Stack) -> String {
    let place = stack.place();
    place.map_or_else(|| "call stack not known".to_owned(), ToString::to_string)
}

fn pill(state: State) -> Markup {
    html! { span class={ "pill " (state.word()) } { (state.word()) } }
}

fn row(stack: &Stack, index: usize) -> Markup {
    let course = &stack.course;
    html! {
        tr {
            td data-label="is" { (pill(course.state)) }
            th scope="row" {
                @if index < MOST_WHOLE {
                    a href={ "#s" (index) } { (name(stack)) }
                } @else {
                    (name(stack))
                }
            }
            td data-label="live memory" { (chart::small_series(&course.bytes)) }
            td.figure data-label="rises" data-sort=(course.rate) {
                @if course.state == State::Growing { (text::size(course.rate)) }
            }
            td.figure data-label="now" data-sort=(course.now()) { (Size(course.now())) }
        }
    }
}

fn section(found: &Found, stack: &Stack, index: usize) -> Markup {
    let course = &stack.course;
    html! {
        section id={ "s" (index) } {
            h2 { (name(stack)) " " (pill(course.state)) }
            @if course.state == State::Growing {
                p.failure { b { "growing" } " by " (text::rate(course, found.per)) }
            }
            @if stack.replaces {
                p.note { "It rises while others fall by as much, and may replace them." }
            }
            (chart::series(&format!("live bytes of {}", name(stack)), "profile", &course.bytes))
            pre { (frames(stack)) }
            @if let Some(coverage) = &stack.coverage {
                p { (sentence(&text::covered(coverage))) }
            }
        }
    }
}

/// The frames in lines, without the room that a terminal has on the left.
fn frames(stack: &Stack) -> String {
    let lines = || stack.lines.lines();
    let blanks = |line: &str| line.len() - line.trim_start().len();
    let indent = lines().map(blanks).min().unwrap_or(0);
    let lines: Vec<_> = lines().map(|line| &line[indent..]).collect();
    lines.join("\n")
}

fn sentence(text: &str) -> String {
    let text = text.replace('`', "");
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}
