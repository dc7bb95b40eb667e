//! What was found, for people: the answer, the call stacks in a table, and what to do next.

use super::found::{Course, Coverage, Found, Per, Stack, State};
use crate::sweep::stacks::SiteFrame;
use highwater::__private::{Size, Thousands, plain, sparkline, wrapped_to};
use highwater_monitor::__private::Span;
use highwater_reports::fitted::{self, Column, Row};
use highwater_reports::visible::printable;
use std::path::Path;
use std::time::Duration;

/// Of how many growing stacks all frames are printed.
const WHOLE_STACKS: usize = 3;
/// After so long a daily rhythm shows as one.
const LONG: Duration = Duration::from_hours(48);

/// All that is printed, with the first `top` of the stacks, in lines of at most `width` columns.
pub fn render(found: &Found, top: usize, width: usize) -> String {
    let paragraph = |text: &str| wrapped_to(text, 0, width);
    let mut text = paragraph(&answer(found));
    text += &paragraph(&subject(found));
    text += &format!("\n{}", table(found, top, width));
    text += &format!("\n{}", paragraph(&whole(found)));
    text += &next(found, width);
    for note in notes(found) {
        text += &format!("\n{}", paragraph(&note));
    }
    text
}

/// The answer, in a sentence.
pub(super) fn answer(found: &Found) -> String {
    let growing: Vec<_> = found.growing().collect();
    let all = found.stacks.len() as u64;
    let Some(first) = growing.first() else {
        let none = match all {
            1 => "the only stack does not grow".to_owned(),
            all => format!("none of {} stacks grows", Thousands(all)),
        };
        return match found.whole.state {
            State::Growing => format!(
                "{none} by itself, but memory as a whole does, by {}",
                rate(&found.whole, found.per)
            ),
            State::Bounded => format!("{none}, and memory as a whole is bounded"),
            State::Inconclusive => {
                format!(
                    "{none}, but whether memory as a whole is bounded is not clear; a longer \
                     series would tell"
                )
            }
        };
    };
    let site = first.place().map_or_else(
        || "a call stack that is not known".to_owned(),
        |frame| format!("`{}`{}", printable(&frame.function), at(frame)),
    );
    let sum: f64 = growing.iter().map(|stack| stack.course.rate).sum();
    let by = amount(sum, found.per);
    let all = Thousands(found.stacks.len() as u64);
    match growing.len() as u64 {
        1 if found.stacks.len() == 1 => format!("the only stack grows, by {by}: in {site}"),
        1 => format!("1 of {all} stacks grows, by {by}: in {site}"),
        more => {
            let is_most = first.course.rate * 2.0 >= sum;
            let share = if is_most {
                "most of it"
            } else {
                "the largest part"
            };
            let more = Thousands(more);
            format!("{more} of {all} stacks grow, by {by} in all, {share} in {site}")
        }
    }
}

/// What was judged.
pub(super) fn subject(found: &Found) -> String {
    let mut text = format!("{} profiles", Thousands(found.profiles));
    if let Some(program) = &found.program {
        let name = Path::new(program).file_name().unwrap_or_default();
        text += &format!(" of `{}`", printable(&name.to_string_lossy()));
    }
    if let Some(seconds) = found.seconds {
        text += &format!(" over {}", Span(Duration::from_secs_f64(seconds)));
    }
    text += &format!(", by their `{}`", printable(&found.value));
    match found.sampled_bytes {
        Some(1) => text,
        Some(bytes) => {
            let every = Size(bytes);
            text + &format!("; all figures are estimates, of a sample every {every} on average")
        }
        None => text + "; they do not say whether they are samples: then all figures are estimates",
    }
}

fn table(found: &Found, top: usize, width: usize) -> String {
    let per = match found.per {
        Per::Hour => "hourly",
        Per::Profile => "rise",
    };
    let columns = [
        Column::new("stack", false, 0),
        Column::new(per, true, 0),
        Column::new("now", true, 0),
        Column::new("over time", false, 1),
        Column::new("is", false, 0),
    ];
    let rows: Vec<_> = found.stacks.iter().take(top).map(row).collect();
    let mut text = fitted::table(&columns, &rows, width);
    if let Some(more) = found.stacks.len().checked_sub(top).filter(|more| *more > 0) {
        let more = Thousands(more as u64);
        text += &format!("and {more} more; --top N prints N stacks, --json FILE has all\n");
    }
    text
}

fn row(stack: &Stack) -> Row {
    let course = &stack.course;
    let name = stack.place().map_or_else(
        || "call stack not known".to_owned(),
        |frame| printable(&frame.to_string()),
    );
    let rate = match course.state {
        State::Growing => size(course.rate),
        _ => String::new(),
    };
    let cells = [
        name,
        rate,
        Size(course.now()).to_string(),
        sparkline(&course.bytes, &[]),
        course.state.word().to_owned(),
    ];
    let text = if stack.replaces {
        "it rises while others fall by as much, and may replace them"
    } else {
        ""
    };
    Row {
        cells: cells.to_vec(),
        text: text.to_owned(),
    }
}

/// The verdict of all stacks together.
pub(super) fn whole(found: &Found) -> String {
    let course = &found.whole;
    let state = match course.state {
        State::Growing => format!("growing by {}", rate(course, found.per)),
        state => state.word().to_owned(),
    };
    let mut text = format!("all stacks together: {state}, {} now", Size(course.now()));
    if let Some(smallest) = course
        .smallest_leak
        .filter(|_| course.state == State::Bounded)
    {
        text += &format!(
            "; a leak of {} would have shown",
            amount(smallest, found.per)
        );
    }
    text
}

/// The stacks that grow, each with the scenarios that cover it, and a test for the first that
/// none does.
fn next(found: &Found, width: usize) -> String {
    let mut text = String::new();
    for stack in found.growing().take(WHOLE_STACKS) {
        text += &format!("\n{}\n", rate(&stack.course, found.per));
        for line in stack.lines.lines() {
            text += &format!("{}\n", printable(line));
        }
        let covered = stack.coverage.as_ref().map(covered);
        text += &wrapped_to(&covered.unwrap_or_default(), 4, width);
    }
    let reason = found.growing().find_map(|stack| match &stack.coverage {
        Some(Coverage::NotKnown(reason)) => Some(reason),
        _ => None,
    });
    if let Some(reason) = reason {
        let reason = format!("what scenarios cover is not known: {}", printable(reason));
        text += &format!("\n{}", wrapped_to(&reason, 0, width));
    }
    let is_covered = |stack: &&Stack| matches!(stack.coverage, Some(Coverage::Covered(_)));
    let uncovered = found.growing().find(|stack| !is_covered(stack));
    let place = uncovered.and_then(Stack::place);
    text + &place.map(|place| test(place, width)).unwrap_or_default()
}

pub(super) fn covered(coverage: &Coverage) -> String {
    match coverage {
        Coverage::Covered(scenarios) => {
            let names: Vec<_> = scenarios
                .iter()
                .map(|name| format!("`{}`", printable(name)))
                .collect();
            let noun = if names.len() == 1 {
                "scenario"
            } else {
                "scenarios"
            };
            format!(
                "covered by {noun} {}; where it passes, its load is not that of the service",
                names.join(", ")
            )
        }
        Coverage::NotCovered => "no scenario covers it".to_owned(),
        Coverage::NotKnown(_) => "whether a scenario covers it is not known".to_owned(),
    }
}

/// The lines of a test to begin with, if it is a function of Rust.
fn test(place: &SiteFrame, width: usize) -> String {
    let is_of_rust = |file: &String| Path::new(file).extension() == Some("rs".as_ref());
    if !place.file.as_ref().is_none_or(is_of_rust) || place.function.contains('+') {
        return String::new();
    }
    let words = plain(&place.function).replace("::", "_").to_lowercase();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name: String = words.chars().filter(|c| is_of_name(*c)).collect();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let name = if is_name { &*name } else { "service" };
    let called = format!("`{}`{}", printable(&place.function), at(place));
    let head = "a test to begin with (`cargo highwater init` adds the library):";
    format!(
        "\n{}\n#[highwater::test(steps = 10_000)]\nfn {name}_is_bounded(_i: u64) {{\n    \
         // One step: what the service did when it called\n    // {called}.\n}}\n",
        wrapped_to(head, 0, width),
    )
}

/// What a reader must know of the figures.
pub(super) fn notes(found: &Found) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(reason) = &found.no_times {
        notes.push(format!(
            "the profiles are taken in the order of the arguments, as if at equal distances, and \
             rises are from one to the next: {reason}"
        ));
    }
    let seconds = found.seconds.unwrap_or(0.0);
    if found.state() == State::Growing && seconds > 0.0 && seconds < LONG.as_secs_f64() {
        notes.push(
            "over less than two days, a day's traffic and a cache that fills look like a leak"
                .to_owned(),
        );
    }
    if let Some(note) = about_restarts(found) {
        notes.push(note);
    }
    if !found.has_functions {
        notes.push(
            "functions are not known: the profiles have addresses alone, and no program of that \
             build is here. Build it here, or copy it to its path, with debug = \
             \"line-tables-only\" or more; or let `jemalloc_pprof` write names, with its feature \
             `symbolize`"
                .to_owned(),
        );
    }
    notes
}

/// What a restart of the service would mean, if it could not show and nothing grows.
fn about_restarts(found: &Found) -> Option<String> {
    if found.has_start || found.state() == State::Growing {
        return None;
    }
    let unknown = "the profiles do not say where the program is in memory, so a restart between \
                   them does not show; it would hide a leak";
    let Some(at) = found.halved_in else {
        return Some(unknown.to_owned());
    };
    Some(format!(
        "{unknown}. In profile {} memory is less than half of that before: if the service was \
         started again there, judge those from there on",
        Thousands(at + 1)
    ))
}

fn at(frame: &SiteFrame) -> String {
    let line = frame
        .line
        .map(|line| format!(":{line}"))
        .unwrap_or_default();
    let file = frame
        .file
        .as_ref()
        .map(|file| format!(" at {}{line}", printable(file)));
    file.unwrap_or_default()
}

pub(super) fn rate(course: &Course, per: Per) -> String {
    amount(course.rate, per) + &error(course)
}

/// How far the rate may be off, if that is no trifle.
fn error(course: &Course) -> String {
    if course.rate_error < course.rate / 100.0 {
        return String::new();
    }
    format!(" ± {:.0} %", course.rate_error / course.rate * 100.0)
}

fn amount(rate: f64, per: Per) -> String {
    match per {
        Per::Hour => format!("{} an hour", size(rate)),
        Per::Profile => format!("{} a profile", size(rate)),
    }
}

// Rates are not below zero, and past a u64 nobody looks closely.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn size(rate: f64) -> String {
    Size(rate.ceil() as u64).to_string()
}
