//! The picture in `docs/verdict.md`: live memory of two scenarios, and its floors, as they
//! were counted.

#![forbid(unsafe_code)]

use highwater::{Report, Scenario};
use std::collections::VecDeque;
use std::fmt::Write as _;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const STEPS: u64 = 1_600;

/// A cache that fills and batches that come and go; with a leak of a block in 8 steps.
fn run(name: &str, leaks: bool) -> Report {
    Scenario::new(name).steps(STEPS).checkpoint_every(1).run(
        || (VecDeque::new(), Vec::new(), Vec::with_capacity(1_000)),
        |(cache, batch, kept), i| {
            if cache.len() == 300 {
                cache.pop_front();
            }
            cache.push_back(vec![0_u8; 256]);
            batch.push(vec![0_u8; 512]);
            if i % 70 == 69 {
                batch.clear();
            }
            if leaks && i % 8 == 0 {
                kept.push(vec![0_u8; 512]);
            }
        },
    )
}

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 190.0;

/// One curve with the floor of each window, `left` from the edge; `most` is the highest level
/// on the picture.
fn panel(svg: &mut String, report: &Report, title: &str, left: f64, most: f64) {
    let at = |step: u64| left + step as f64 / STEPS as f64 * WIDTH;
    let height = |bytes: u64| 40.0 + HEIGHT * (1.0 - bytes as f64 / most);
    let requested = report.curve().iter().filter(|point| point.step <= STEPS);
    let curve: Vec<_> = requested.collect();
    let points: Vec<_> = curve
        .iter()
        .map(|point| format!("{:.1},{:.1}", at(point.step), height(point.live_bytes)))
        .collect();
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"24\" class=\"title\">{title}</text>"
    );
    let _ = writeln!(
        svg,
        "<polyline class=\"live\" points=\"{}\"/>",
        points.join(" ")
    );
    let mut end = STEPS;
    while end >= STEPS / 8 {
        let start = end / 2;
        let inside = curve
            .iter()
            .filter(|point| point.step > start && point.step <= end);
        let floor = inside.map(|point| point.live_bytes).min().unwrap_or(0);
        let (x, to, y) = (at(start), at(end), height(floor));
        let _ = writeln!(
            svg,
            "<line class=\"floor\" x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{to:.1}\" y2=\"{y:.1}\"/>\n\
             <line class=\"edge\" x1=\"{to:.1}\" y1=\"40\" x2=\"{to:.1}\" y2=\"236\"/>\n\
             <text x=\"{to:.1}\" y=\"252\" class=\"step\">{end}</text>"
        );
        end = start;
    }
}

fn picture() -> String {
    let (sound, leaky) = (run("cache", false), run("cache-with-leak", true));
    assert!(sound.verdict().is_bounded(), "{sound}");
    assert!(leaky.verdict().is_growing(), "{leaky}");
    let requested = leaky.curve().iter().filter(|point| point.step <= STEPS);
    let most = requested.map(|point| point.live_bytes).max();
    let most = most.unwrap_or(0) as f64 * 1.05;
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 290\" role=\"img\" \
         aria-label=\"Live memory of two scenarios with the floor of each window\">\n\
         <style>\n\
         text { font: 13px sans-serif; fill: #24292f }\n\
         .title { font-weight: bold }\n\
         .step { font-size: 11px; text-anchor: middle }\n\
         .live { fill: none; stroke: #57606a; stroke-width: 1 }\n\
         .floor { stroke: #cf222e; stroke-width: 3 }\n\
         .edge { stroke: #d0d7de; stroke-dasharray: 3 3 }\n\
         </style>\n\
         <rect width=\"760\" height=\"290\" fill=\"#ffffff\"/>\n",
    );
    panel(&mut svg, &sound, "Bounded: the floor rests", 20.0, most);
    panel(
        &mut svg,
        &leaky,
        "Growing: each floor is higher",
        400.0,
        most,
    );
    svg.push_str(
        "<text x=\"20\" y=\"278\">grey: live memory after each step; red: the least in each \
         window; the windows end at 200, 400, 800 and 1600 steps</text>\n</svg>\n",
    );
    svg
}

/// `HIGHWATER_UPDATE_DOCS=1` writes it anew.
#[test]
fn the_picture_is_of_what_is_counted() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/verdict.svg");
    let picture = picture();
    if std::env::var_os("HIGHWATER_UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(path, &picture).expect("the document can be written");
    }
    let known = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        known == picture,
        "docs/verdict.svg is not what is counted now: run this test with \
         HIGHWATER_UPDATE_DOCS=1 and look at it"
    );
}
