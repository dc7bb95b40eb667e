//! Where the memory of a scenario comes from: its call stacks, its types, its sites, and
//! what holds them.

mod tables;

use super::brush::Brush;
use super::parts::{blocks, place, signed, type_or_unknown};
use super::{Sides, flame};
use crate::report::{Diagnosis, Frame, Holder, Site, Trap};
use highwater::__private::{Thousands, how_held};
use maud::{Markup, html};

/// How many frames of a stack are shown before the others are folded.
const FRAMES: usize = 4;

/// All that the diagnosis says, and how it differs from that of the base.
pub(super) fn render(
    sides: &Sides<'_>,
    diagnosis: &Diagnosis,
    brush: Option<&Brush<'_>>,
) -> Markup {
    html! {
        h3 { "Where it comes from" }
        p { (headline(diagnosis)) }
        @if let Some(trap) = &diagnosis.trap { (stopped(trap)) }
        (flame::render(sides, diagnosis, brush))
        @if let Some(base) = sides.base_sites { (tables::changed(base, diagnosis)) }
        @if !diagnosis.sites.is_empty() {
            (tables::types(&diagnosis.sites))
            (tables::sites(diagnosis))
            (tables::holders(&diagnosis.sites))
        }
    }
}

/// What was allocated over some time, of which nothing is known but the end.
pub(super) fn recorded(sites: &[Site]) -> Markup {
    html! {
        @if sites.is_empty() { p { "Nothing was allocated meanwhile." } }
        (flame::recorded(sites))
        @if !sites.is_empty() { (tables::recorded(sites)) }
    }
}

fn headline(diagnosis: &Diagnosis) -> String {
    let steps = [diagnosis.first_step, diagnosis.last_step].map(Thousands);
    let steps = match (diagnosis.first_step, steps) {
        (0, [_, last]) => format!("{last} steps"),
        (_, [first, last]) => format!("steps {first} to {last}"),
    };
    let growth = signed(diagnosis.growth_bytes.into());
    let mut text = format!("Over {steps} live memory changed by {growth} B");
    let unexplained = i128::from(diagnosis.growth_bytes) - i128::from(diagnosis.explained_bytes);
    text.push_str(&match unexplained {
        0 => ", all of it explained.".to_owned(),
        rest => format!(", of which {} B have no known call stack.", signed(rest)),
    });
    if diagnosis.lost_blocks > 0 {
        let count = Thousands(diagnosis.lost_blocks);
        let noun = blocks(diagnosis.lost_blocks.into());
        text.push_str(&format!(
            " {count} {noun} could not be tracked to their sites."
        ));
    }
    text
}

fn stopped(trap: &Trap) -> Markup {
    html! {
        p.failure {
            "Stopped at a block of " (Thousands(trap.size_bytes)) " B, "
            (type_or_unknown(trap.type_name.as_deref())) ", with which live memory was "
            (Thousands(trap.live_bytes)) " B:"
        }
        (stack(&trap.frames))
    }
}

fn stack(frames: &[Frame]) -> Markup {
    let (shown, folded) = frames.split_at(FRAMES.min(frames.len()));
    html! {
        @if frames.is_empty() { p.note { "its call stack is not known" } }
        @if !shown.is_empty() { (list(shown)) }
        @if !folded.is_empty() {
            details {
                summary { (folded.len()) " more " (if folded.len() == 1 { "frame" } else { "frames" }) }
                (list(folded))
            }
        }
    }
}

fn list(frames: &[Frame]) -> Markup {
    html! {
        ul.stack {
            @for frame in frames {
                li {
                    code { (frame.function) }
                    @if let (Some(file), Some(line)) = (&frame.file, frame.line) {
                        " " (place(file, line))
                    }
                }
            }
        }
    }
}

/// How many holders are shown, if none has most of the blocks.
const HOLDERS: usize = 3;

/// Who holds most of a site's blocks; or those who hold some, if nobody does.
fn held(holders: &[Holder]) -> Markup {
    let all: i128 = holders.iter().map(|holder| i128::from(holder.blocks)).sum();
    let has_majority = |first: &Holder| i128::from(first.blocks) * 2 > all;
    let shown = if holders.first().is_some_and(has_majority) {
        1
    } else {
        HOLDERS
    };
    html! {
        @for holder in holders.iter().take(shown) {
            p.holder {
                (Thousands(holder.blocks)) " of " (Thousands(all)) " " (blocks(all)) " "
                (retention(&holder.kind, &holder.path))
            }
        }
    }
}

/// How blocks are held, and the path from the root to them.
fn retention(kind: &str, path: &[String]) -> Markup {
    html! {
        span.kind .failure[kind != "held"] { (how_held(kind)) }
        @if kind != "lost" && !path.is_empty() {
            " "
            span.crumbs {
                @for (index, part) in path.iter().enumerate() {
                    @if index > 0 { span.to { " → " } }
                    code { (part) }
                }
            }
        }
    }
}
