//! Curves of live memory as SVG.

use crate::report::{Checkpoint, Report};
use highwater::__private::Thousands;
use highwater::ByteSize;
use maud::{Markup, html};

/// The larger chart: its size, and the margins that hold its labels.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 26.0;
/// Into how many parts the lines divide it.
const PARTS: u64 = 4;

/// From the least to the most that is drawn.
struct Scale {
    steps: u64,
    bytes: u64,
}

impl Scale {
    fn x(&self, step: u64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * step as f64 / self.steps.max(1) as f64
    }

    fn y(&self, bytes: u64) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * bytes as f64 / self.bytes.max(1) as f64
    }

    fn points(&self, curve: &[Checkpoint]) -> String {
        let point =
            |at: &Checkpoint| format!("{:.1},{:.1}", self.x(at.step), self.y(at.live_bytes));
        let points: Vec<_> = curve.iter().map(point).collect();
        points.join(" ")
    }
}

/// The upper end of what the peak may be.
pub fn highest_peak(report: &Report) -> i128 {
    i128::from(report.peak_bytes) + i128::from(report.peak_error_bytes)
}

/// A curve without labels, to compare at a glance.
pub fn small(report: &Report) -> Markup {
    let most = |of: fn(&Checkpoint) -> u64| report.curve.iter().map(of).max().unwrap_or(0);
    let (steps, bytes) = (most(|at| at.step).max(1), most(|at| at.live_bytes).max(1));
    let point = |at: &Checkpoint| {
        let (x, y) = (
            at.step as f64 / steps as f64,
            at.live_bytes as f64 / bytes as f64,
        );
        format!("{:.1},{:.1}", x * 118.0 + 1.0, 26.0 - y * 24.0)
    };
    let points: Vec<_> = report.curve.iter().map(point).collect();
    html! {
        svg.small viewBox="0 0 120 28" role="img" aria-label={
            "live memory, up to " (Thousands(bytes)) " bytes"
        } {
            polyline.head points=(points.join(" ")) {}
        }
    }
}

/// The curve with its scale, beside that of the base if there is one, the end of the
/// requested steps, and the ceiling on the peak if it is near.
pub(super) fn large(report: &Report, base: Option<&Report>) -> Markup {
    let curves = || std::iter::once(report).chain(base).flat_map(|of| &of.curve);
    let peak = report.ceilings.iter().filter(|set| set.ceiling == "peak");
    let peak = peak.map(|set| set.limit).min();
    let highest = curves().map(|at| at.live_bytes).max().unwrap_or(0);
    let near = peak.filter(|limit| *limit / 2 <= highest);
    let scale = Scale {
        steps: curves().map(|at| at.step).max().unwrap_or(0),
        bytes: round_up(highest.max(near.unwrap_or(0))),
    };
    let is_extended = report.extended_steps > report.steps;
    html! {
        figure {
            svg.large viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label={
                "live memory of " (report.full_name()) " over " (Thousands(scale.steps))
                " steps, up to " (Thousands(highest)) " bytes"
            } {
                (grid(&scale))
                @if is_extended {
                    @let x = scale.x(report.steps);
                    line.end x1=(x) x2=(x) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                }
                @if let Some(limit) = near {
                    @let y = scale.y(limit);
                    line.limit x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y) y2=(y) {}
                }
                polyline.head points=(scale.points(&report.curve)) {}
                @if let Some(base) = base { polyline.base points=(scale.points(&base.curve)) {} }
            }
            figcaption {
                span.key.head { "live bytes" }
                @if base.is_some() { span.key.base { "in the base" } }
                @if is_extended {
                    span.key.end {
                        "end of the " (Thousands(report.steps))
                        " steps; beyond, the extension for the verdict"
                    }
                }
                @match (peak, near) {
                    (Some(limit), Some(_)) => {
                        span.key.limit { "ceiling on the peak, " (ByteSize::b(limit)) }
                    }
                    (Some(limit), None) => {
                        span { "the ceiling on the peak, " (ByteSize::b(limit)) ", is far above" }
                    }
                    (None, _) => { span { "no ceiling on the peak" } }
                }
            }
        }
    }
}

fn grid(scale: &Scale) -> Markup {
    html! {
        @for part in 0..=PARTS {
            @let bytes = scale.bytes / PARTS * part;
            @let y = scale.y(bytes);
            line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y) y2=(y) {}
            text x=(LEFT - 8.0) y=(y + 4.0) text-anchor="end" { (Thousands(bytes)) " B" }
        }
        text x=(LEFT) y=(HEIGHT - 6.0) { "0" }
        text x=(WIDTH - RIGHT) y=(HEIGHT - 6.0) text-anchor="end" {
            (Thousands(scale.steps)) " steps"
        }
    }
}

/// The next number whose quarters are round.
fn round_up(bytes: u64) -> u64 {
    let bytes = bytes.max(4);
    let unit = 10_u64.pow(bytes.ilog10());
    let steps = [1, 2, 4, 6, 8, 10].map(|times| unit.saturating_mul(times));
    let fits = steps.into_iter().find(|step| *step >= bytes);
    fits.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::round_up;

    #[test]
    fn scales_end_on_round_numbers() {
        for (bytes, expected) in [(0, 4), (5, 6), (68_762, 80_000), (100, 100), (101, 200)] {
            assert_eq!(round_up(bytes), expected);
        }
        assert_eq!(round_up(u64::MAX), u64::MAX);
    }
}
