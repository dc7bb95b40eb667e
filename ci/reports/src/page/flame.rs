//! The flame graph: who called what allocates, drawn from the top, the outermost function
//! first, each box as wide as its share.
//!
//! It is made of nested lists, so that it is read without style and without scripts too. What
//! it is drawn by is chosen with radio buttons, which need none either. The graph of what changed
//! between two steps is the script's: until it runs, that graph and its button are hidden.

mod tree;

use super::Sides;
use super::brush::{Brush, list};
use super::parts::{blocks, place, share, signed, type_or_unknown};
use crate::report::{Diagnosis, Site};
use crate::sites::{Difference, differences};
use highwater::__private::Thousands;
use maud::{Markup, html};
use tree::{Function, Leaf, Node, Owner, Part, tree, whole_tree};

/// From which share of the whole on a box tells it, in per cent.
const WIDE: u128 = 12;

/// What a graph is drawn by.
struct View<'a> {
    /// Its class in the style.
    name: &'static str,
    label: &'static str,
    leaves: Vec<Leaf<'a>>,
    kind: Kind,
}

/// What the widths of a graph are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Amounts.
    Amounts,
    /// By how much amounts are more or less than in the base.
    Changes,
    /// By how much amounts changed between two steps, which the reader chooses.
    Range,
}

/// The graphs of what is known, one of which is shown at a time; nothing if there is none.
pub(super) fn render(sides: &Sides<'_>, head: &Diagnosis, brush: Option<&Brush<'_>>) -> Markup {
    let views: Vec<_> = views(head, sides.base_sites).collect();
    graphs(sides.id, &views, brush.map(|brush| (brush, sides)))
}

/// The graphs of what was allocated over some time: of what is still live, and of all.
pub(super) fn recorded(sites: &[Site]) -> Markup {
    let views = [
        (
            "growth",
            "still live",
            leaves(
                sites,
                |site| site.live_bytes,
                |site| site.live_blocks.into(),
            ),
        ),
        (
            "allocated",
            "allocated",
            leaves(sites, allocated, allocated_blocks),
        ),
    ];
    let views = views.map(|(name, label, leaves)| View {
        name,
        label,
        leaves,
        kind: Kind::Amounts,
    });
    let views = views.into_iter().filter(|view| !view.leaves.is_empty());
    graphs(0, &views.collect::<Vec<_>>(), None)
}

fn graphs(id: usize, views: &[View<'_>], brush: Option<(&Brush<'_>, &Sides<'_>)>) -> Markup {
    let range = brush.map(|(brush, sides)| (of_range(brush), brush, sides));
    html! {
        @if !views.is_empty() {
            div.flame role="group" aria-label="call stacks, from the outermost function down" {
                @for (index, view) in views.iter().enumerate() {
                    @let input = format!("flame-{id}-{}", view.name);
                    input id=(input) class=(view.name) type="radio" name={ "flame-" (id) }
                        checked[index == 0];
                    label for=(input) { (view.label) }
                }
                @if let Some((view, ..)) = &range {
                    @let input = format!("flame-{id}-{}", view.name);
                    input id=(input) class=(view.name) type="radio" name={ "flame-" (id) } hidden;
                    label for=(input) hidden { (view.label) }
                }
                @for view in views { (view.graph()) }
                @if let Some((view, brush, sides)) = &range { (view.graph_of_range(brush, sides)) }
            }
        }
    }
}

/// The boxes of whatever changes in some range, each as wide as it changes at most.
fn of_range<'a>(brush: &Brush<'a>) -> View<'a> {
    let leaf = |(site, swing): &(&'a Site, i128)| Leaf {
        site,
        bytes: *swing,
        // Not known of a range.
        blocks: 0,
    };
    View {
        name: "range",
        label: "between two steps",
        leaves: brush.sites.iter().map(leaf).collect(),
        kind: Kind::Range,
    }
}

fn leaves(sites: &[Site], value: fn(&Site) -> i64, blocks: fn(&Site) -> i128) -> Vec<Leaf<'_>> {
    let leaf = |site| Leaf {
        site,
        bytes: value(site).into(),
        blocks: blocks(site),
    };
    // What became less has no width among what grew.
    sites
        .iter()
        .map(leaf)
        .filter(|leaf| leaf.bytes > 0)
        .collect()
}

fn allocated(site: &Site) -> i64 {
    i64::try_from(site.total_bytes.unwrap_or(0)).unwrap_or(i64::MAX)
}

fn allocated_blocks(site: &Site) -> i128 {
    site.total_blocks.into()
}

fn views<'a>(head: &'a Diagnosis, base: Option<&'a Diagnosis>) -> impl Iterator<Item = View<'a>> {
    let of = |value, blocks| leaves(&head.sites, value, blocks);
    let changed = |value: fn(&Site) -> i64| {
        let differences = base.map(|base| differences(Some(base), head, value));
        let leaf = |difference: Difference<'a>| Leaf {
            site: difference.site,
            bytes: difference.bytes(),
            // Not told of a change.
            blocks: 0,
        };
        differences.into_iter().flatten().map(leaf).collect()
    };
    let knows_peak = head.knows_peak() && base.is_none_or(Diagnosis::knows_peak);
    let view = |name, label, leaves, kind| View {
        name,
        label,
        leaves,
        kind,
    };
    let peak = |site: &Site| site.peak_bytes.unwrap_or(0);
    let change_at_peak = if knows_peak {
        changed(peak)
    } else {
        Vec::new()
    };
    let growth = of(|site| site.growth_bytes, |site| site.growth_blocks.into());
    let at_peak = of(peak, |site| site.peak_blocks.unwrap_or(0).into());
    let in_all = of(allocated, allocated_blocks);
    let views = [
        view(
            "live-change",
            "base → now",
            changed(|site| site.live_bytes),
            Kind::Changes,
        ),
        view(
            "peak-change",
            "base → now, at the peak",
            change_at_peak,
            Kind::Changes,
        ),
        view("growth", "growth", growth, Kind::Amounts),
        view("peak", "at the peak", at_peak, Kind::Amounts),
        view("allocated", "allocated", in_all, Kind::Amounts),
    ];
    views.into_iter().filter(|view| !view.leaves.is_empty())
}

impl View<'_> {
    fn graph(&self) -> Markup {
        let nodes = tree(&self.leaves);
        let whole: u128 = nodes.iter().map(|node| node.width).sum();
        html! {
            div class={ "view " (self.name) } {
                ul {
                    li {
                        div.box.all tabindex="0" {
                            span.name { (self.sum()) }
                            span.tip { b { (self.sum()) } " in all that is drawn here" }
                        }
                        (self.row(&nodes, whole, whole))
                    }
                }
                (self.hint())
            }
        }
    }

    /// What the script fills in: by the figures that stand beside each box of a call site.
    fn graph_of_range(&self, brush: &Brush<'_>, sides: &Sides<'_>) -> Markup {
        let nodes = whole_tree(&self.leaves);
        let whole: u128 = nodes.iter().map(|node| node.width).sum();
        let (count, others) = &brush.others;
        let last = brush.steps.len() - 1;
        html! {
            div class={ "view " (self.name) } hidden data-brush={ "brush-" (sides.id) }
                data-steps=(list(brush.steps)) data-bytes=(list(brush.bytes))
                data-others=(list(others)) data-count=(count) {
                p.ends {
                    @for (name, start) in [("from", 0), ("to", brush.end)] {
                        label {
                            span { (name) " step" }
                            input class=(name) type="range" min="0" max=(last) value=(start)
                                autocomplete="off";
                            output {}
                        }
                    }
                }
                p.said role="status" {}
                @if !brush.is_as_on_the_curve(sides.head) {
                    p.note {
                        "The call stacks are those of a second run, in which live memory was \
                         not what the curve shows."
                    }
                }
                ul {
                    li {
                        div.box.all tabindex="0" {
                            span.name {}
                            span.tip { b {} " in all that is drawn here" }
                        }
                        (self.row(&nodes, whole, whole))
                    }
                }
                (self.hint())
            }
        }
    }

    fn hint(&self) -> Markup {
        html! {
            p.hint {
                "Each box is as wide as its share; what it stands for is told when it is \
                 pointed at or has the focus."
                @for (class, what) in self.colours() { span class=(class) { (what) } }
            }
        }
    }

    /// What all of it comes to: of a change, how much more and how much less.
    fn sum(&self) -> String {
        let bytes = |sign: i128| {
            let leaves = self.leaves.iter().map(|leaf| leaf.bytes);
            leaves.filter(|bytes| bytes.signum() == sign).sum::<i128>()
        };
        if self.kind != Kind::Changes {
            return format!("{} B {}", Thousands(bytes(1)), self.label);
        }
        let sums = [bytes(1), bytes(-1)];
        let sums = sums.iter().filter(|bytes| **bytes != 0);
        let sums: Vec<_> = sums.map(|bytes| signed(*bytes) + " B").collect();
        sums.join(", ")
    }

    fn row(&self, nodes: &[Node<'_>], above: u128, whole: u128) -> Markup {
        html! {
            @if !nodes.is_empty() {
                ul {
                    @for node in nodes {
                        li style={ "width:" (percent(node.width, above)) }
                            data-series=[self.series(node)]
                            data-unknown[self.kind == Kind::Range && node.part == Part::NoStack] {
                            (self.drawn(node, whole))
                            (self.row(&node.children, node.width, whole))
                        }
                    }
                }
            }
        }
    }

    /// What a call site held after each step that a range can have, if one is to be drawn.
    fn series(&self, node: &Node<'_>) -> Option<String> {
        let site = node.site.filter(|_| self.kind == Kind::Range)?;
        Some(list(&site.series_bytes))
    }

    fn drawn(&self, node: &Node<'_>, whole: u128) -> Markup {
        let amount = if self.kind == Kind::Changes {
            signed(node.bytes) + " B"
        } else {
            format!("{} B", Thousands(node.bytes))
        };
        let is_wide = node.width * 100 >= whole * WIDE;
        html! {
            div class={ "box " (self.colour(node)) } tabindex="0" {
                span.name { (name(&node.part)) }
                @if self.kind == Kind::Range {
                    span.amount {}
                } @else if is_wide {
                    span.amount { (amount) }
                }
                span.tip {
                    b { @if self.kind != Kind::Range { (amount) } }
                    @if self.kind == Kind::Amounts {
                        ", " (share(node.width, whole)) ", " (Thousands(node.blocks)) " "
                        (blocks(node.blocks))
                    }
                    (explained(&node.part))
                }
            }
        }
    }

    /// What the colours stand for.
    fn colours(&self) -> &'static [(&'static str, &'static str)] {
        const ALL: [(&str, &str); 4] = [
            ("project", "the project"),
            ("dependency", "a dependency"),
            ("type", "what is allocated"),
            ("fell", "became less"),
        ];
        match self.kind {
            Kind::Amounts => &ALL[..3],
            Kind::Changes => &[("more", "more"), ("less", "less")],
            Kind::Range => &ALL,
        }
    }

    fn colour(&self, node: &Node<'_>) -> &'static str {
        let is_change = self.kind == Kind::Changes;
        match &node.part {
            Part::Narrow(_) => "narrow",
            _ if is_change && node.bytes > 0 => "more",
            _ if is_change && node.bytes < 0 => "less",
            // What became more in it and what became less are as much.
            _ if is_change => "unknown",
            Part::Functions(Owner::Project, _) => "project",
            Part::Functions(Owner::Dependency, _) => "dependency",
            Part::Functions(Owner::Unknown, _) | Part::NoStack => "unknown",
            Part::Type(..) => "type",
        }
    }
}

/// In short: of functions that are one box, the innermost first.
fn name(part: &Part<'_>) -> Markup {
    html! {
        @match part {
            Part::Functions(_, functions) => {
                @for (index, function) in functions.iter().rev().enumerate() {
                    @if index > 0 { " ← " }
                    (function.name)
                }
            }
            Part::Type(name, _) => { (name.unwrap_or("type unknown")) }
            Part::NoStack => { "call stack not known" }
            Part::Narrow(count) => { (count) " more" }
        }
    }
}

fn explained(part: &Part<'_>) -> Markup {
    html! {
        @match part {
            Part::Functions(owner, functions) => {
                @if *owner == Owner::Dependency { ", in a dependency" }
                @for function in functions.iter().rev() {
                    span.line { code { (function.name) } " " (places(function)) }
                }
            }
            Part::Type(name, at) => {
                span.line {
                    (type_or_unknown(*name))
                    @if let Some((file, line)) = at { " " (place(file, *line)) }
                }
            }
            Part::NoStack => { ", of which the call stack is not known" }
            Part::Narrow(count) => { ", of " (count) " that are too narrow to be drawn" }
        }
    }
}

/// The function's file, and the lines in it.
fn places(function: &Function<'_>) -> Markup {
    let lines: Vec<_> = function.lines.iter().map(ToString::to_string).collect();
    html! {
        @if let Some(file) = function.file {
            span.place { (file) @if !lines.is_empty() { ":" (lines.join(", ")) } }
        }
    }
}

/// As a style takes it. A box is never wider than the one above it.
fn percent(part: u128, whole: u128) -> String {
    format!("{:.3}%", part as f64 * 100.0 / whole.max(1) as f64)
}
