//! The picture in `docs/verdict.md`: live memory of two scenarios, and its floors, as they
//! were counted.

#![forbid(unsafe_code)]

use highwater::{Report, Scenario, Scope};
use std::collections::VecDeque;
use std::fmt::Write as _;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const STEPS: u16 = 1_600;

/// A cache that fills and batches that come and go; with a leak of a block in 8 steps.
struct Load {
    cache: VecDeque<Vec<u8>>,
    batch: Vec<Vec<u8>>,
    kept: Vec<Vec<u8>>,
    leaks: bool,
}

impl Load {
    fn new(leaks: bool) -> Self {
        Self {
            cache: VecDeque::new(),
            batch: Vec::new(),
            kept: Vec::with_capacity(1_000),
            leaks,
        }
    }

    fn step(&mut self, i: u64) {
        if self.cache.len() == 300 {
            self.cache.pop_front();
        }
        self.cache.push_back(vec![0_u8; 256]);
        self.batch.push(vec![0_u8; 512]);
        if i % 70 == 69 {
            self.batch.clear();
        }
        if self.leaks && i.is_multiple_of(8) {
            self.kept.push(vec![0_u8; 512]);
        }
    }

    fn judged(name: &str, leaks: bool) -> Report {
        let scenario = Scenario::new(name).steps(STEPS.into());
        scenario.run(|| Self::new(leaks), Self::step)
    }

    /// Live bytes at the start and after each step.
    fn levels(leaks: bool) -> Vec<u64> {
        // Room for all of them, so that none is counted.
        let mut levels = Vec::with_capacity(1 + usize::from(STEPS));
        let scope = Scope::enter("load");
        let mut load = Self::new(leaks);
        levels.push(scope.usage().live_bytes);
        for i in 0..STEPS.into() {
            load.step(i);
            levels.push(scope.usage().live_bytes);
        }
        levels
    }
}

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 190.0;

/// One curve with the floor of each window, `left` from the edge; `most` is the highest level
/// on the picture.
fn panel(svg: &mut String, levels: &[u64], title: &str, left: f64, most: f64) {
    let at = |step: usize| left + step as f64 / f64::from(STEPS) * WIDTH;
    let height = |bytes: u64| 40.0 + HEIGHT * (1.0 - bytes as f64 / most);
    let points: Vec<_> = levels
        .iter()
        .enumerate()
        .map(|(step, bytes)| format!("{:.1},{:.1}", at(step), height(*bytes)))
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
    let steps = levels.len() - 1;
    let mut end = steps;
    while end >= steps / 8 {
        let start = end / 2;
        let floor = levels[start + 1..=end].iter().min().copied().unwrap_or(0);
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
    let (sound, leaky) = (
        Load::judged("cache", false),
        Load::judged("cache-with-leak", true),
    );
    assert!(sound.verdict().is_bounded(), "{sound}");
    assert!(leaky.verdict().is_growing(), "{leaky}");
    let (sound, leaky) = (Load::levels(false), Load::levels(true));
    let most = leaky.iter().max().copied().unwrap_or(0) as f64 * 1.05;
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
