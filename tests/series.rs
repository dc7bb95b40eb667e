//! What each call site held after some steps of a run, to the byte.

#![forbid(unsafe_code)]
// Boxes are blocks of their own, which is what is to be told.
#![allow(clippy::unnecessary_box_returns, clippy::vec_box)]

use highwater::{ByteSize, Diagnosis, Report, Scenario, Site};
use highwater_tests::in_its_own_process;
use std::hint::black_box;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn diagnosis(report: &Report) -> &Diagnosis {
    report.diagnosis().expect("it failed, on Linux")
}

/// The one that this function allocates at.
fn site<'a>(diagnosis: &'a Diagnosis, function: &str) -> &'a Site {
    let mut sites = diagnosis.sites().iter();
    let is_it = |site: &&Site| site.frames().iter().any(|of| of.function() == function);
    sites.find(is_it).unwrap_or_else(|| panic!("{diagnosis}"))
}

fn signed(figure: u64) -> i64 {
    i64::try_from(figure).expect("it is small")
}

type Page = Box<[u8; 100]>;

#[inline(never)]
fn kept() -> Box<u64> {
    black_box(Box::new(0))
}

#[inline(never)]
fn page() -> Page {
    black_box(Box::new([0; 100]))
}

#[inline(never)]
fn once() -> Box<[u8; 1_000]> {
    black_box(Box::new([0; 1_000]))
}

#[inline(never)]
fn in_transit() -> Box<[u8; 5_000]> {
    black_box(Box::new([0; 5_000]))
}

#[derive(Default)]
struct State {
    kept: Vec<Box<u64>>,
    pages: Vec<Page>,
    once: Option<Box<[u8; 1_000]>>,
}

/// A box more in each step, a page less in each of the first ones, something large in the middle,
/// and what no step leaves behind.
fn set_up() -> State {
    State {
        pages: (0..50).map(|_| page()).collect(),
        ..State::default()
    }
}

fn step(state: &mut State, i: u64) {
    state.kept.push(kept());
    state.pages.pop();
    match i {
        60 => state.once = Some(once()),
        110 => state.once = None,
        _ => {}
    }
    drop(in_transit());
}

/// The requested steps in 16 parts, and each doubling after them in 8.
fn expected_steps(requested: u64, last: u64) -> Vec<u64> {
    let mut steps: Vec<_> = (0..=16).map(|part| part * requested / 16).collect();
    let mut from = requested;
    while from < last {
        steps.extend((1..=8).map(|part| from + from * part / 8));
        from *= 2;
    }
    steps.retain(|step| *step <= last);
    steps
}

#[test]
fn what_a_site_held_after_each_step_is_exact() {
    in_its_own_process!();
    let report = Scenario::new("series").steps(160).run(set_up, step);
    assert!(report.verdict().is_growing(), "{report}");
    let diagnosis = diagnosis(&report);
    let steps = diagnosis.series_steps();
    assert!(report.extended_steps() > 160, "{report}");
    assert_eq!(steps, expected_steps(160, report.extended_steps()));
    let check = |function: &str, expected: fn(u64) -> u64| {
        let expected: Vec<_> = steps.iter().map(|step| signed(expected(*step))).collect();
        let site = site(diagnosis, function);
        assert_eq!(site.series_bytes(), expected, "{function}");
        assert_eq!(site.growth_bytes(), expected[16] - expected[0]);
        assert_eq!(site.live_bytes(), expected[16]);
    };
    check("series::kept", |step| step * 8);
    check("series::page", |step| 50_u64.saturating_sub(step) * 100);
    check("series::once", |step| {
        u64::from((61..=110).contains(&step)) * 1_000
    });
    check("series::in_transit", |_| 0);
    // All that is live is at a site.
    for (index, live_bytes) in diagnosis.series_bytes().iter().enumerate() {
        let sites = diagnosis.sites().iter().map(|of| of.series_bytes()[index]);
        assert_eq!(sites.sum::<i64>(), signed(*live_bytes), "{}", steps[index]);
    }
    let on_the_curve = |step: &u64| report.curve().iter().find(|at| at.step == *step);
    let known = steps.iter().zip(diagnosis.series_bytes());
    let both = known.filter_map(|(step, bytes)| Some((on_the_curve(step)?.live_bytes, *bytes)));
    let both: Vec<_> = both.collect();
    assert!(both.len() > 3, "{report}");
    assert!(
        both.iter().all(|(curve, series)| curve == series),
        "{both:?}"
    );
}

#[test]
fn steps_begin_after_the_warm_up() {
    in_its_own_process!();
    let scenario = Scenario::new("warm").steps(32).warm_up(10).step_budget(32);
    let scenario = scenario.growth_ceiling(ByteSize::b(0));
    let report = scenario.run(set_up, step);
    let diagnosis = diagnosis(&report);
    let expected: Vec<_> = (0..=32).step_by(2).collect();
    assert_eq!(diagnosis.series_steps(), expected);
    let bytes: Vec<_> = expected
        .iter()
        .map(|step| signed((step + 10) * 8))
        .collect();
    assert_eq!(site(diagnosis, "series::kept").series_bytes(), bytes);
}

/// A run that ends early ends with the figures of its end.
#[test]
fn a_run_that_is_stopped_ends_where_it_was_stopped() {
    in_its_own_process!();
    let scenario = Scenario::new("stopped").steps(160);
    let report = scenario
        .stop_at(ByteSize::b(10_500))
        .run(Vec::new, |pages, _| pages.push(page()));
    let diagnosis = diagnosis(&report);
    let steps = diagnosis.series_steps();
    assert_eq!(steps.last(), Some(&report.steps()));
    assert_eq!(steps[..3], [0, 10, 20]);
    assert!(!report.steps().is_multiple_of(10), "between two points");
    let bytes: Vec<_> = steps.iter().map(|step| signed(step * 100)).collect();
    assert_eq!(site(diagnosis, "series::page").series_bytes(), bytes);
}

#[test]
fn of_few_steps_each_is_a_point() {
    in_its_own_process!();
    let run = |steps| {
        let scenario = Scenario::new("few").steps(steps).step_budget(steps);
        let report = scenario.diagnose(true).run(set_up, step);
        diagnosis(&report).series_steps().to_vec()
    };
    assert_eq!(run(0), [0]);
    assert_eq!(run(1), [0, 1]);
    assert_eq!(run(3), [0, 1, 2, 3]);
}
