//! What is known of types, of call sites and of what holds them, as tables.

use super::{held, retention, stack};
use crate::page::parts::{self, blocks, difference_cell, figure_cell, signed, type_or_unknown};
use crate::report::{Diagnosis, Holder, Site};
use crate::sites::{Difference, differences};
use highwater::__private::Thousands;
use maud::{Markup, html};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many rows a table has. The others are one line.
const ROWS: usize = 100;

/// Sums of growth, at the peak and at the end.
#[derive(Default)]
struct Sum {
    growth_blocks: i128,
    growth_bytes: i128,
    /// None if it is not known of one of them.
    peak_bytes: Option<i128>,
    live_bytes: i128,
}

impl Sum {
    fn of<'a>(sites: impl Iterator<Item = &'a Site>) -> Self {
        let nothing = Self {
            peak_bytes: Some(0),
            ..Self::default()
        };
        sites.fold(nothing, |sum, site| Self {
            growth_blocks: sum.growth_blocks + i128::from(site.growth_blocks),
            growth_bytes: sum.growth_bytes + i128::from(site.growth_bytes),
            peak_bytes: sum
                .peak_bytes
                .zip(site.peak_bytes)
                .map(|(a, b)| a + i128::from(b)),
            live_bytes: sum.live_bytes + i128::from(site.live_bytes),
        })
    }

    fn cells(&self) -> Markup {
        let known_peak = self.peak_bytes.map(bytes);
        let peak = known_peak.unwrap_or_else(|| "not known".to_owned());
        html! {
            (figure_cell("growth", self.growth_bytes, &(signed(self.growth_bytes) + " B")))
            (figure_cell("in blocks", self.growth_blocks, &signed(self.growth_blocks)))
            (figure_cell("at the peak", self.peak_bytes.unwrap_or(-1), &peak))
            (figure_cell("at the end", self.live_bytes, &bytes(self.live_bytes)))
        }
    }
}

fn sum_headers() -> Markup {
    headers(&["growth", "in blocks", "at the peak", "at the end"])
}

fn headers(names: &[&str]) -> Markup {
    html! { @for name in names { th.figure scope="col" { (name) } } }
}

/// The sums by type, those that grew most first.
pub(super) fn types(sites: &[Site]) -> Markup {
    let mut by_type: BTreeMap<Option<&str>, Vec<&Site>> = BTreeMap::new();
    for site in sites {
        let of_type = by_type.entry(site.type_name.as_deref()).or_default();
        of_type.push(site);
    }
    let sums = by_type
        .into_iter()
        .map(|(name, sites)| (name, Sum::of(sites.into_iter())));
    let mut sums: Vec<_> = sums.collect();
    sums.sort_by_key(|(_, sum)| Reverse((sum.growth_bytes, sum.live_bytes)));
    html! {
        table.data.types {
            caption { "Types" }
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

pub(super) fn sites(diagnosis: &Diagnosis) -> Markup {
    let (shown, others) = diagnosis.sites.split_at(ROWS.min(diagnosis.sites.len()));
    let growth = diagnosis.growth_bytes;
    html! {
        table.data.sites {
            caption { "Call sites" }
            thead { tr {
                th scope="col" { "site" }
                th scope="col" { "verdict" }
                th.figure scope="col" { "share" }
                (sum_headers())
            } }
            tbody {
                @for site in shown {
                    tr {
                        th scope="row" { (description(site)) }
                        td data-label="verdict" { (site.verdict.word()) }
                        td.figure data-label="share" data-sort=(site.growth_bytes) {
                            (share(site.growth_bytes, growth))
                        }
                        (Sum::of(std::iter::once(site)).cells())
                    }
                }
            }
            @if !others.is_empty() {
                tfoot { tr {
                    th scope="row" colspan="3" { (others.len()) " more" }
                    (Sum::of(others.iter()).cells())
                } }
            }
        }
    }
}

/// What was allocated at each site meanwhile, and what of it is live.
pub(super) fn recorded(sites: &[Site]) -> Markup {
    let (shown, others) = sites.split_at(ROWS.min(sites.len()));
    let whole = sites.iter().map(|site| site.live_bytes).sum();
    let allocated = |site: &Site| i128::from(site.total_bytes.unwrap_or(0));
    let cells = |sites: &[Site]| {
        let sum = Sum::of(sites.iter());
        let total: i128 = sites.iter().map(allocated).sum();
        html! {
            (figure_cell("live", sum.live_bytes, &bytes(sum.live_bytes)))
            (figure_cell("in blocks", sum.growth_blocks, &Thousands(sum.growth_blocks).to_string()))
            (figure_cell("allocated", total, &bytes(total)))
        }
    };
    html! {
        table.data.sites {
            caption { "Call sites" }
            thead { tr {
                th scope="col" { "site" }
                (headers(&["share", "live", "in blocks", "allocated"]))
            } }
            tbody {
                @for site in shown {
                    tr {
                        th scope="row" { (description(site)) }
                        td.figure data-label="share" data-sort=(site.live_bytes) {
                            (share(site.live_bytes, whole))
                        }
                        (cells(std::slice::from_ref(site)))
                    }
                }
            }
            @if !others.is_empty() {
                tfoot { tr {
                    th scope="row" colspan="2" { (others.len()) " more" }
                    (cells(others))
                } }
            }
        }
    }
}

/// How much of the growth this is; nothing for what did not grow.
fn share(part: i64, growth: i64) -> Markup {
    let [part, growth] = [part, growth].map(|bytes| u128::try_from(bytes).unwrap_or(0));
    html! {
        @if part > 0 && growth > 0 {
            (parts::share(part, growth))
            span.bar { span style={ "width:" ((part * 100 / growth).min(100)) "%" } {} }
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

/// The sites that hold more or less than in the base, at the end or else at the peak; nothing
/// if none does.
pub(super) fn changed(base: &Diagnosis, head: &Diagnosis) -> Markup {
    let mut found = differences(Some(base), head, |site| site.live_bytes);
    let is_of_the_peak = found.is_empty() && base.knows_peak() && head.knows_peak();
    if is_of_the_peak {
        found = differences(Some(base), head, |site| site.peak_bytes.unwrap_or(0));
    }
    let (shown, others) = found.split_at(ROWS.min(found.len()));
    let sums = |of: fn(&Difference<'_>) -> i128| others.iter().map(of).sum::<i128>();
    html! {
        @if !found.is_empty() {
            table.data.changed {
                caption {
                    "Call sites that hold more or less than in the base"
                    @if is_of_the_peak { ", at the peak" }
                }
                thead { tr {
                    th scope="col" { "site" }
                    (headers(&["base", "now", "difference"]))
                } }
                tbody {
                    @for difference in shown {
                        tr {
                            th scope="row" { (description(difference.site)) }
                            (difference_cells(
                                difference.before_bytes.into(), difference.after_bytes.into()
                            ))
                        }
                    }
                }
                @if !others.is_empty() {
                    tfoot { tr {
                        th scope="row" { (others.len()) " more" }
                        (difference_cells(
                            sums(|other| other.before_bytes.into()),
                            sums(|other| other.after_bytes.into()),
                        ))
                    } }
                }
            }
        }
    }
}

fn difference_cells(before: i128, after: i128) -> Markup {
    html! {
        (figure_cell("base", before, &bytes(before)))
        (figure_cell("now", after, &bytes(after)))
        (difference_cell("difference", after - before, &(signed(after - before) + " B")))
    }
}

/// What all sites' blocks are held by, with most bytes first; nothing if nobody looked.
pub(super) fn holders(sites: &[Site]) -> Markup {
    let mut by_path: BTreeMap<(&str, &[String]), (i128, i128)> = BTreeMap::new();
    let known = sites.iter().flat_map(|site| site.holders.iter().flatten());
    for Holder {
        path,
        blocks,
        bytes,
        kind,
    } in known
    {
        let (sum_blocks, sum_bytes) = by_path.entry((kind, path)).or_default();
        *sum_blocks += i128::from(*blocks);
        *sum_bytes += i128::from(*bytes);
    }
    let mut holders: Vec<_> = by_path.into_iter().collect();
    holders.sort_by_key(|(_, (_, bytes))| Reverse(*bytes));
    let (shown, others) = holders.split_at(ROWS.min(holders.len()));
    let cells = |(count, sum): (i128, i128)| {
        html! {
            (figure_cell("blocks", count, &format!("{} {}", Thousands(count), blocks(count))))
            (figure_cell("bytes", sum, &bytes(sum)))
        }
    };
    let rest = others
        .iter()
        .fold((0, 0), |sum, (_, more)| (sum.0 + more.0, sum.1 + more.1));
    html! {
        @if !holders.is_empty() {
            table.data.holders {
                caption { "What holds them" }
                thead { tr { th scope="col" { "holder" } (headers(&["blocks", "bytes"])) } }
                tbody {
                    @for ((kind, path), sums) in shown {
                        tr { th scope="row" { (retention(kind, path)) } (cells(*sums)) }
                    }
                }
                @if !others.is_empty() {
                    tfoot { tr { th scope="row" { (others.len()) " more" } (cells(rest)) } }
                }
            }
        }
    }
}

fn bytes(figure: i128) -> String {
    format!("{} B", Thousands(figure))
}
