//! `#[highwater::test]` as its users write it: what passes, and what fails with
//! which words. What the process is like that such a test has is in `isolation.rs`.
//!
//! A step that keeps something keeps it in a thread-local, one to each test:
//! tests run on threads of their own.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::hint::black_box;
use std::num::ParseIntError;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Keeps another 100 bytes, unless `most` of them are kept.
fn keep(most: usize) {
    KEPT.with_borrow_mut(|kept| {
        if kept.len() < most {
            kept.push(vec![0; 100]);
        }
    });
}

/// Without `steps` it runs once, whatever it keeps.
#[highwater::test]
fn runs_without_arguments() {
    keep(usize::MAX);
    assert_eq!(KEPT.with_borrow(Vec::len), 1);
}

#[highwater::test(steps = 1_000)]
fn runs_with_steps_alone() {
    black_box(vec![0_u8; 100]);
}

#[highwater::test(
    steps = 200,
    warm_up = 10,
    growth = "0 B",
    peak = "1.5 KiB",
    residue = "0 B"
)]
fn is_given_the_number_of_the_step(i: u64) {
    black_box(vec![i; usize::try_from(i % 100).unwrap_or(0)]);
}

#[highwater::test(steps = 100, peak = "1_000 B")]
fn a_ceiling_is_inclusive() {
    black_box(vec![0_u8; 1_000]);
}

#[highwater::test(steps = 100, growth = "0 B")]
fn passes_with_a_result(i: u64) -> Result<(), ParseIntError> {
    let number: u64 = i.to_string().parse()?;
    assert_eq!(number, i);
    Ok(())
}

#[highwater::test(steps = 200, growth = "20 KB")]
fn keeps_a_few() {
    keep(50);
}

const STEPS: u64 = 128;

#[highwater::test(steps = STEPS / 2, warm_up = STEPS)]
fn steps_may_be_a_constant(i: u64) {
    drop(i.to_string());
}

#[highwater::test(steps = 200, growth = "1 KB")]
#[should_panic(expected = "ceiling passed in `breaches_its_growth`: growth ")]
fn breaches_its_growth() {
    keep(50);
}

#[highwater::test(steps = 100, growth = "0 B", peak = "1 KB")]
#[should_panic(expected = "ceiling passed in `breaches_its_peak`: peak 1,001 B, ceiling 1 KB\n\n")]
fn breaches_its_peak() {
    black_box(vec![0_u8; 1_001]);
}

#[highwater::test(steps = 100, warm_up = 1, step_blocks = 0)]
#[should_panic(expected = " ceiling 0\n\n  allocates_in_one_step  tests/attribute.rs:")]
fn allocates_in_one_step(i: u64) {
    black_box((i == 50).then(|| Box::new(i)));
}

#[highwater::test(steps = 100, step_blocks = 1, step_bytes = "100 B")]
fn keeps_to_what_a_step_may_allocate() {
    black_box(vec![0_u8; 100]);
}

#[highwater::test(steps = 100)]
#[should_panic(expected = "memory leak in `grows_without_end`: +138.67 B and +1 block every step")]
fn grows_without_end() {
    keep(usize::MAX);
}

#[highwater::test(steps = 100)]
#[should_panic(expected = "step 7 panicked: step 7 failed: \"no candle 7\"")]
fn fails_with_an_error(i: u64) -> Result<(), String> {
    if i == 7 {
        return Err(format!("no candle {i}"));
    }
    Ok(())
}

#[highwater::test(steps = 100)]
#[should_panic(expected = "step 7 panicked: 7 is too many")]
fn panics_in_a_step(i: u64) {
    assert!(i < 7, "{i} is too many");
}

#[highwater::test(steps = 100)]
#[ignore = "checks that the attribute is kept: it would fail"]
fn is_ignored() -> Result<(), ()> {
    Err(())
}

#[cfg(any())]
#[highwater::test(steps = 100)]
fn is_left_out() -> NoSuchType {}

/// Imported, the attribute hides the compiler's own, which it must not fall into.
mod imported {
    use highwater::test;

    #[test(steps = 100, growth = "0 B")]
    fn has_the_short_name() {}
}

/// Each of rstest's cases becomes a test of its own, and its call a step.
#[rstest::rstest]
#[case::short(10)]
#[case::long(1_000)]
#[highwater::test(steps = 100, growth = "0 B", peak = "8 KB")]
fn cases_are_scenarios(#[case] numbers: usize) {
    assert_eq!(black_box(vec![7_u64; numbers]).len(), numbers);
}

#[rstest::rstest]
#[highwater::test(steps = 100, peak = "0 B")]
#[should_panic(expected = "B, ceiling 0 B\n")]
fn values_are_scenarios(#[values(1, 2, 3)] numbers: usize) {
    assert_eq!(black_box(vec![7_u64; numbers]).len(), numbers);
}
