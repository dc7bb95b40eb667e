//! Where the memory of a scenario comes from: its types, its sites, and what holds them.

use crate::report::{Diagnosis, Frame, Holder, Site, Trap};
use highwater::__private::{Thousands, how_held};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// How many sites are shown, and how many frames of each before the others are folded.
const SITES: usize = 25;
const FRAMES: usize = 4;

/// All that the diagnosis says.
pub(super) fn render(diagnosis: &Diagnosis) -> Markup {
    html! {
        h3 { "Where it comes from" }
        p { (headline(diagnosis)) }
        @if let Some(trap) = &diagnosis.trap { (stopped(trap)) }
        @if !diagnosis.sites.is_empty() {
            (types(&diagnosis.sites))
            (sites(diagnosis))
        }
    }
}

fn headline(diagnosis: &Diagnosis) -> String {
    let steps = [diagnosis.first_step, diagnosis.last_step].map(Thousands);
    let steps = match (diagnosis.first_step, steps) {
        (0, [_, last]) => format!("{last} steps"),
        (_, [first, last]) => format!("steps {first} to {last}"),
    };
    let growth = change(diagnosis.growth_bytes);
    let mut text = format!("Over {steps} live memory changed by {growth} B");
    text.push_str(&match diagnosis.growth_bytes - diagnosis.explained_bytes {
        0 => ", all of it explained.".to_owned(),
        rest => format!(", of which {} B have no known call stack.", change(rest)),
    });
    if diagnosis.lost_blocks > 0 {
        let count = Thousands(diagnosis.lost_blocks);
        let noun = blocks(diagnosis.lost_blocks);
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

/// Sums of growth, at the peak and at the end.
#[derive(Default)]
struct Sum {
    growth_blocks: i64,
    growth_bytes: i64,
    /// None if it is not known of one of them.
    peak_bytes: Option<i64>,
    live_bytes: i64,
}

impl Sum {
    fn of<'a>(sites: impl Iterator<Item = &'a Site>) -> Self {
        let nothing = Self {
            peak_bytes: Some(0),
            ..Self::default()
        };
        sites.fold(nothing, |sum, site| Self {
            growth_blocks: sum.growth_blocks + site.growth_blocks,
            growth_bytes: sum.growth_bytes + site.growth_bytes,
            peak_bytes: sum.peak_bytes.zip(site.peak_bytes).map(|(a, b)| a + b),
            live_bytes: sum.live_bytes + site.live_bytes,
        })
    }

    fn cells(&self) -> Markup {
        html! {
            td.figure { (change(self.growth_blocks)) " " (blocks(self.growth_blocks.unsigned_abs())) }
            td.figure { (change(self.growth_bytes)) " B" }
            td.figure { (self.peak_bytes.map_or_else(|| "not known".to_owned(), bytes)) }
            td.figure { (bytes(self.live_bytes)) }
        }
    }
}

fn sum_headers() -> Markup {
    html! {
        th.figure scope="col" colspan="2" { "growth" }
        th.figure scope="col" { "at the peak" }
        th.figure scope="col" { "at the end" }
    }
}

/// The sums by type, those that grew most first.
fn types(sites: &[Site]) -> Markup {
    let mut by_type: BTreeMap<Option<&str>, Vec<&Site>> = BTreeMap::new();
    for site in sites {
        by_type
            .entry(site.type_name.as_deref())
            .or_default()
            .push(site);
    }
    let sums = by_type
        .into_iter()
        .map(|(name, sites)| (name, Sum::of(sites.into_iter())));
    let mut sums: Vec<_> = sums.collect();
    sums.sort_by_key(|(_, sum)| std::cmp::Reverse((sum.growth_bytes, sum.live_bytes)));
    html! {
        div.scroll {
            table.types {
                thead { tr { th scope="col" { "type" } (sum_headers()) } }
                tbody {
                    @for (name, sum) in &sums {
                        tr {
                            th scope="row" { (type_or_unknown(*name)) }
                            (sum.cells())
                        }
                    }
                }
            }
        }
    }
}

fn sites(diagnosis: &Diagnosis) -> Markup {
    let (shown, others) = diagnosis.sites.split_at(SITES.min(diagnosis.sites.len()));
    html! {
        div.scroll {
            table.sites {
                thead { tr {
                    th scope="col" { "site" }
                    th scope="col" { "verdict" }
                    th.figure scope="col" { "share" }
                    (sum_headers())
                } }
                tbody {
                    @for site in shown {
                        tr {
                            td { (description(site)) }
                            td { (site.verdict.word()) }
                            td.figure { (share(site.growth_bytes, diagnosis.growth_bytes)) }
                            (Sum::of(std::iter::once(site)).cells())
                        }
                    }
                    @if !others.is_empty() {
                        tr {
                            td colspan="3" { (others.len()) " more" }
                            (Sum::of(others.iter()).cells())
                        }
                    }
                }
            }
        }
    }
}

/// How much of the growth this is; nothing for what did not grow.
fn share(part: i64, growth: i64) -> Markup {
    let is_part = part > 0 && growth > 0;
    let per_mille = is_part.then(|| i128::from(part) * 1000 / i128::from(growth));
    html! {
        @if let Some(share) = per_mille {
            @let (whole, rest) = (share / 10, share % 10);
            (whole) "." (rest) " %"
            span.bar { span style={ "width:" (whole.min(100)) "%" } {} }
        }
    }
}

fn description(site: &Site) -> Markup {
    html! {
        b { (type_or_unknown(site.type_name.as_deref())) }
        (stack(&site.frames))
        (held(site.holders.as_deref().unwrap_or_default()))
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
                        " " span.place { (file) ":" (line) }
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
    let all: u64 = holders.iter().map(|holder| holder.blocks).sum();
    let has_majority = holders.first().is_some_and(|first| first.blocks * 2 > all);
    let shown = if has_majority { 1 } else { HOLDERS };
    html! {
        @for holder in holders.iter().take(shown) {
            p.holder {
                span.kind .failure[holder.kind != "held"] { (how_held(&holder.kind)) }
                @if holder.kind != "lost" && !holder.path.is_empty() {
                    " " code { (holder.path.join(" → ")) }
                }
                ", " (Thousands(holder.blocks)) " of " (Thousands(all)) " " (blocks(all))
            }
        }
    }
}

fn type_or_unknown(name: Option<&str>) -> Markup {
    html! {
        @match name {
            Some(name) => { code { (name) } }
            None => { span.note { "type unknown" } }
        }
    }
}

fn blocks(count: u64) -> &'static str {
    if count == 1 { "block" } else { "blocks" }
}

fn bytes(figure: i64) -> String {
    format!("{} B", Thousands(figure))
}

/// With its sign, also above zero.
fn change(figure: i64) -> String {
    let plus = if figure > 0 { "+" } else { "" };
    format!("{plus}{}", Thousands(figure))
}
