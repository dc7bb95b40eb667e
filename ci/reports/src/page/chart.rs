//! Curves of live memory: the lines as SVG, labels and values as text beside them, so that
//! text stays readable where the curve is narrow.

use super::brush::Brush;
use crate::report::{Checkpoint, Report};
use highwater::__private::Thousands;
use highwater::ByteSize;
use maud::{Markup, html};

/// Between how many marks an axis is divided at most.
const BYTE_MARKS: u64 = 5;
const STEP_MARKS: u64 = 4;

/// What is drawn in, in the units of the SVG: it is stretched to the room that there is.
const SIDE: f64 = 1000.0;

/// From the least to the most that is drawn.
struct Scale {
    steps: u64,
    bytes: u64,
}

impl Scale {
    /// To the next mark above the most bytes.
    fn up_to(steps: u64, most: u64) -> Self {
        let most = most.max(1);
        Self {
            steps,
            bytes: most
                .checked_next_multiple_of(between_marks(most, BYTE_MARKS))
                .unwrap_or(u64::MAX),
        }
    }

    /// How far to the right, as a share of the width.
    fn x(&self, step: u64) -> f64 {
        step as f64 / self.steps.max(1) as f64
    }

    /// How far up, as a share of the height.
    fn y(&self, bytes: u64) -> f64 {
        bytes as f64 / self.bytes.max(1) as f64
    }

    fn points(&self, curve: &[Checkpoint]) -> String {
        let point = |at: &Checkpoint| {
            let (x, y) = (self.x(at.step), 1.0 - self.y(at.live_bytes));
            format!("{:.1},{:.1}", x * SIDE, y * SIDE)
        };
        let points: Vec<_> = curve.iter().map(point).collect();
        points.join(" ")
    }
}

/// A figure through time at equal distances, without labels, to compare at a glance.
pub fn small_series(bytes: &[u64]) -> Markup {
    let (curve, scale, most) = series_in_scale(bytes);
    html! {
        svg.small viewBox={ "0 0 " (SIDE) " " (SIDE) } preserveAspectRatio="none" role="img"
            aria-label={ "up to " (Thousands(most)) " bytes" } {
            polyline.head points=(scale.points(&curve)) {}
        }
    }
}

/// The same with its scale; each of them is `one`, as in "step".
pub fn series(name: &str, one: &str, bytes: &[u64]) -> Markup {
    let (curve, scale, most) = series_in_scale(bytes);
    html! {
        figure.curve { div.plot {
            svg viewBox={ "0 0 " (SIDE) " " (SIDE) } preserveAspectRatio="none" role="img"
                aria-label={ (name) ", up to " (Thousands(most)) " bytes" } {
                (grid(&scale))
                polyline.head points=(scale.points(&curve)) {}
            }
            (axes(&scale, one))
            (values(&scale, &curve, None, one))
        } }
    }
}

/// As a curve, with its scale and its highest value.
fn series_in_scale(bytes: &[u64]) -> (Vec<Checkpoint>, Scale, u64) {
    let numbered = (1..).zip(bytes);
    let curve = numbered.map(|(step, bytes)| Checkpoint {
        step,
        live_bytes: *bytes,
        live_blocks: 0,
    });
    let most = bytes.iter().max().copied().unwrap_or(0);
    (
        curve.collect(),
        Scale::up_to(bytes.len() as u64, most),
        most,
    )
}

/// The upper end of what the peak may be.
pub fn highest_peak(report: &Report) -> i128 {
    i128::from(report.peak_bytes) + i128::from(report.peak_error_bytes)
}

/// A curve without labels, beside that of the base if there is one, to compare at a glance.
pub fn small(report: &Report, base: Option<&Report>) -> Markup {
    let scale = scale(report, base, None);
    html! {
        svg.small viewBox={ "0 0 " (SIDE) " " (SIDE) } preserveAspectRatio="none" role="img"
            aria-label={ "live memory, up to " (Thousands(highest(report, base))) " bytes" } {
            @if let Some(base) = base { polyline.base points=(scale.points(&base.curve)) {} }
            polyline.head points=(scale.points(&report.curve)) {}
        }
    }
}

/// The curve with its scale, beside that of the base if there is one, the end of the
/// requested steps, and the ceiling on the peak if it is near. Over it the reader can draw a range
/// of steps, if it is known what was live at some of them; the `id` is that of its graph.
pub(super) fn large(
    id: usize,
    report: &Report,
    base: Option<&Report>,
    brush: Option<&Brush<'_>>,
) -> Markup {
    let peak = report.lowest_ceiling("peak").map(|set| set.limit);
    let highest = highest(report, base);
    let near = peak.filter(|limit| *limit / 2 <= highest);
    let scale = scale(report, base, near);
    html! {
        figure.curve {
            div.plot {
                svg viewBox={ "0 0 " (SIDE) " " (SIDE) } preserveAspectRatio="none" role="img"
                    aria-label={
                    "live memory of " (report.full_name()) " over " (Thousands(scale.steps))
                    " steps, up to " (Thousands(highest)) " bytes"
                } {
                    (lines(&scale, report, base, near))
                }
                (axes(&scale, "step"))
                (values(&scale, &report.curve, base, "step"))
                @if let Some(brush) = brush { (range(id, &scale, brush)) }
            }
            (key(report, base, peak, near, brush.is_some()))
        }
    }
}

fn highest(report: &Report, base: Option<&Report>) -> u64 {
    let curves = std::iter::once(report).chain(base).flat_map(|of| &of.curve);
    curves.map(|at| at.live_bytes).max().unwrap_or(0)
}

fn scale(report: &Report, base: Option<&Report>, ceiling: Option<u64>) -> Scale {
    let curves = std::iter::once(report).chain(base).flat_map(|of| &of.curve);
    let steps = curves.map(|at| at.step).max().unwrap_or(0);
    let most = highest(report, base).max(ceiling.unwrap_or(0));
    Scale::up_to(steps, most)
}

fn grid(scale: &Scale) -> Markup {
    html! {
        @for bytes in marks(scale.bytes, BYTE_MARKS) {
            @let y = (1.0 - scale.y(bytes)) * SIDE;
            line.grid x1="0" x2=(SIDE) y1=(y) y2=(y) {}
        }
        @for step in marks(scale.steps, STEP_MARKS) {
            @let x = scale.x(step) * SIDE;
            line.grid x1=(x) x2=(x) y1="0" y2=(SIDE) {}
        }
    }
}

fn lines(scale: &Scale, report: &Report, base: Option<&Report>, near: Option<u64>) -> Markup {
    html! {
        (grid(scale))
        @if report.extended_steps > report.steps {
            @let x = scale.x(report.steps) * SIDE;
            line.end x1=(x) x2=(x) y1="0" y2=(SIDE) {}
        }
        @if let Some(limit) = near {
            @let y = (1.0 - scale.y(limit)) * SIDE;
            line.limit x1="0" x2=(SIDE) y1=(y) y2=(y) {}
        }
        @if let Some(base) = base { polyline.base points=(scale.points(&base.curve)) {} }
        polyline.head points=(scale.points(&report.curve)) {}
    }
}

fn axes(scale: &Scale, one: &str) -> Markup {
    html! {
        @for bytes in marks(scale.bytes, BYTE_MARKS) {
            span.y style={ "bottom:" (percent(scale.y(bytes))) } { (size(bytes, scale.bytes)) }
        }
        @for step in marks(scale.steps, STEP_MARKS) {
            span.x style={ "left:" (percent(scale.x(step))) } { (Thousands(step)) }
        }
        span.x-name { (one) "s" }
    }
}

/// The marks of the steps that a range can begin and end at, and the range. It is nothing without
/// the script; who can't see it has the fields beside the graph.
fn range(id: usize, scale: &Scale, brush: &Brush<'_>) -> Markup {
    html! {
        div.brush id={ "brush-" (id) } hidden aria-hidden="true" data-last=(scale.steps) {
            @for step in brush.steps.iter().filter(|step| **step <= scale.steps) {
                b style={ "left:" (percent(scale.x(*step))) } {}
            }
            div.band {}
        }
    }
}

/// How many strips a curve has at most.
const STRIPS: usize = 100;

/// Strips over the curve, each of which shows its highest value as long as it is pointed at.
fn values(scale: &Scale, all: &[Checkpoint], base: Option<&Report>, one: &str) -> Markup {
    let each = all.len().div_ceil(STRIPS).max(1);
    let parts = all.chunks(each);
    let curve: Vec<_> = parts
        .filter_map(|part| part.iter().max_by_key(|at| at.live_bytes))
        .collect();
    let x = |index: usize| curve.get(index).map(|at| scale.x(at.step));
    let strip = |index: usize| {
        let here = x(index).unwrap_or(0.0);
        let before = index.checked_sub(1).and_then(x);
        let left = before.map_or(0.0, |before| f64::midpoint(before, here));
        let right = x(index + 1).map_or(1.0, |after| f64::midpoint(here, after));
        (left, here, (right - left).max(0.0))
    };
    html! {
        @for (index, at) in curve.iter().enumerate() {
            @let (left, here, width) = strip(index);
            span.at style={ "left:" (percent(left)) ";width:" (percent(width)) } {
                @if width > 0.0 {
                    i style={
                        "left:" (percent((here - left) / width))
                        ";bottom:" (percent(scale.y(at.live_bytes)))
                    } {}
                }
            }
            span.value {
                (one) " " (Thousands(at.step)) ": " (Thousands(at.live_bytes)) " B"
                @if let Some(base) = base.and_then(|base| live_at(base, at.step)) {
                    ", in the base " (Thousands(base)) " B"
                }
            }
        }
    }
}

/// What was live after that step, if it is known of this very step.
fn live_at(report: &Report, step: u64) -> Option<u64> {
    let point = report.curve.iter().find(|at| at.step == step)?;
    Some(point.live_bytes)
}

fn key(
    report: &Report,
    base: Option<&Report>,
    peak: Option<u64>,
    near: Option<u64>,
    has_brush: bool,
) -> Markup {
    html! {
        figcaption {
            span.key.head { "live bytes" }
            @if base.is_some() { span.key.base { "in the base" } }
            @if report.extended_steps > report.steps {
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
            @if has_brush {
                span.key.mark hidden {
                    "drag from mark to mark to see what grew between two steps"
                }
            }
        }
    }
}

/// The distance between marks: 1, 2 or 5 times a power of ten, so that there are at most
/// `count` distances up to `most`.
fn between_marks(most: u64, count: u64) -> u64 {
    let least = most.div_ceil(count).max(1);
    let unit = 10_u64.pow(least.ilog10());
    let round = [1, 2, 5, 10].map(|times| unit.saturating_mul(times));
    round
        .into_iter()
        .find(|round| *round >= least)
        .unwrap_or(u64::MAX)
}

/// Nought and the marks up to `most`.
fn marks(most: u64, count: u64) -> impl Iterator<Item = u64> {
    let between = between_marks(most, count);
    (0..=most / between).map(move |times| times * between)
}

/// A round number of bytes, in the unit that suits the largest on its axis.
fn size(bytes: u64, most: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let Some((unit, name)) = units.into_iter().find(|(unit, _)| most >= *unit) else {
        return format!("{bytes} B");
    };
    let (whole, tenth) = (Thousands(bytes / unit), bytes % unit / (unit / 10));
    match tenth {
        0 => format!("{whole} {name}"),
        _ => format!("{whole}.{tenth} {name}"),
    }
}

/// As a style takes it.
fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::{BYTE_MARKS, between_marks, marks, size};

    #[test]
    fn marks_are_round_and_few() {
        let of = |most| marks(most, BYTE_MARKS).collect::<Vec<_>>();
        assert_eq!(of(0), [0]);
        assert_eq!(of(4), [0, 1, 2, 3, 4]);
        assert_eq!(of(68_762), [0, 20_000, 40_000, 60_000]);
        assert_eq!(of(100), [0, 20, 40, 60, 80, 100]);
        assert!(of(u64::MAX).len() <= 6);
        for most in (0..20).map(|power| 7 * 3_u64.pow(power)) {
            assert!(of(most).len() <= 6, "{most}");
            assert!(between_marks(most, BYTE_MARKS) > 0);
        }
    }

    #[test]
    fn sizes_on_an_axis_have_one_unit() {
        let axis = |most| {
            let marks = marks(most, BYTE_MARKS);
            marks.map(|bytes| size(bytes, most)).collect::<Vec<_>>()
        };
        assert_eq!(axis(800), ["0 B", "200 B", "400 B", "600 B", "800 B"]);
        let thousands = ["0 kB", "0.5 kB", "1 kB", "1.5 kB", "2 kB"];
        assert_eq!(axis(2_000), thousands);
        assert_eq!(axis(12_000_000), ["0 MB", "5 MB", "10 MB"]);
        assert_eq!(
            axis(1_000_000_000_000_000).last().expect("one"),
            "1,000,000 GB"
        );
    }
}
