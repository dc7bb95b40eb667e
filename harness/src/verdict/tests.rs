//! Synthetic curves through the rule; no allocator is involved.

use super::*;
use crate::verdict::floors::{Floors, memory_levels};
use rstest::rstest;

/// Runs `live` (bytes after a step, in blocks of 64) as a scenario would, extending
/// as long as the rule asks for it.
fn run(requested: u64, live: impl Fn(u64) -> u64) -> (Verdict, u64) {
    run_of_two(requested, &live, |step| live(step) / 64)
}

fn run_of_two(
    requested: u64,
    bytes: impl Fn(u64) -> u64,
    blocks: impl Fn(u64) -> u64,
) -> (Verdict, u64) {
    let limits = Limits::of(requested);
    let mut floors = Floors::new(requested, limits.most);
    let (mut step, mut target) = (0, requested);
    loop {
        while step < target {
            step += 1;
            floors.observe(step, &memory_levels(bytes(step), blocks(step)));
        }
        // A step allocates 10 blocks of 64 bytes.
        let traffic = Traffic {
            bytes: 640 * step,
            blocks: 10 * step,
            reallocations: 0,
            steps: step,
        };
        let seen = Seen {
            windows: floors.windows(),
            traffic,
            sites: &[],
            has_failed: false,
        };
        let ending = ending(&seen, limits);
        let is_over = matches!(ending, Some(Ending::Bounded | Ending::Growing));
        if target * 2 > limits.most || is_over {
            return (judge(&seen).verdict, step);
        }
        target *= 2;
    }
}

/// The bytes of a `Vec` of 8-byte items with `len` pushed.
fn doubling(len: u64) -> u64 {
    len.next_power_of_two().max(4) * 8
}

#[rstest]
#[case::level("level", 10_000, |_| 5_000, Law::Constant)]
#[case::fills_early("a cache that fills early", 10_000, |i: u64| i.min(1_000) * 48, Law::Constant)]
#[case::fills_at_the_end("a cache that fills at the requested steps", 10_000, |i: u64| i.min(10_000) * 48, Law::Constant)]
#[case::fills_late("a cache that fills after 8 times the steps", 10_000, |i: u64| i.min(80_000) * 48, Law::Constant)]
#[case::sawtooth("a sawtooth", 10_000, |i: u64| 1_000 + (i % 700) * 48, Law::Constant)]
#[case::long_sawtooth("a sawtooth longer than the run", 1_000, |i: u64| 1_000 + (i % 3_000) * 48, Law::Constant)]
#[case::falling("falling", 10_000, |i: u64| 1_000_000 - i, Law::Constant)]
#[case::logarithm("a logarithm", 10_000, |i: u64| u64::from(i.ilog2()) * 4_096, Law::Logarithmic)]
#[case::table_doubles_once("a table that doubles once", 10_000, |i: u64| if i < 3_000 { 1_000 } else { 2_000 }, Law::Constant)]
fn bounded(
    #[case] what: &str,
    #[case] requested: u64,
    #[case] live: fn(u64) -> u64,
    #[case] law: Law,
) {
    let (verdict, _) = run(requested, live);
    assert!(verdict.is_bounded(), "{what}: {verdict}");
    assert_eq!(verdict.law(), Some(law), "{what}: {verdict}");
}

#[rstest]
#[case::linear("48 bytes a step", 10_000, |i: u64| i * 48, Law::Linear)]
#[case::slow("8 bytes every 1,000 steps", 10_000, |i: u64| 5_000 + i / 1_000 * 8, Law::Linear)]
#[case::doubling("a Vec that grows by doubling", 10_000, doubling, Law::Linear)]
#[case::doubling_off_phase(
    "one that jumps just before a window ends",
    8_190,
    doubling,
    Law::Linear
)]
#[case::doubling_on_phase(
    "one that jumps just after a window starts",
    8_193,
    doubling,
    Law::Linear
)]
#[case::doubling_at_the_boundaries(
    "one that jumps with the first step of each window",
    8_192,
    doubling,
    Law::Linear
)]
#[case::behind_a_cache("8 bytes a step behind a cache that fills late", 10_000, |i: u64| i.min(20_000) * 480 + i * 8, Law::Linear)]
#[case::under_churn("8 bytes a step under a sawtooth of a megabyte", 10_000, |i: u64| i * 8 + (i % 97) * 10_000, Law::Linear)]
#[case::square_root("a square root", 10_000, |i: u64| i.isqrt() * 1_000, Law::Sublinear)]
#[case::square("a square", 1_000, |i: u64| i * i, Law::Superlinear)]
#[case::starts_late("a leak that starts at step 50,000", 100_000, |i: u64| i.saturating_sub(50_000) * 8, Law::Linear)]
#[case::starts_later("a leak that starts late in the last window", 100_000, |i: u64| i.saturating_sub(65_000) * 8, Law::Linear)]
#[case::few_steps("one leak after one step asked for", 1, |i: u64| i * 8, Law::Linear)]
fn growing(
    #[case] what: &str,
    #[case] requested: u64,
    #[case] live: fn(u64) -> u64,
    #[case] law: Law,
) {
    let (verdict, _) = run(requested, live);
    assert!(verdict.is_growing(), "{what}: {verdict}");
    assert_eq!(verdict.law(), Some(law), "{what}: {verdict}");
}

#[test]
fn a_level_run_is_not_extended() {
    assert_eq!(run(10_000, |_| 5_000).1, 10_000);
    assert_eq!(run(10_000, |i| i.min(1_000)).1, 10_000);
}

#[test]
fn a_leak_is_followed_to_the_end_of_the_budget() {
    assert_eq!(run(10_000, |i| i).1, 160_000);
}

#[test]
fn the_slope_of_a_linear_leak_is_exact() {
    let (verdict, _) = run(10_000, |i| 700 + i * 192);
    assert!((verdict.bytes_per_step() - 192.0).abs() < 1e-9);
    assert!((verdict.blocks_per_step() - 3.0).abs() < 1e-3);
}

#[test]
fn a_single_late_jump_is_left_open() {
    let (verdict, _) = run(1_000, |i| if i <= 12_000 { 1_000 } else { 2_000 + i % 2 });
    assert!(!verdict.is_growing(), "{verdict}");
}

#[test]
fn a_few_steps_are_too_few() {
    let mut floors = Floors::new(4, 4);
    for step in 1..=4 {
        floors.observe(step, &memory_levels(step, step));
    }
    let verdict = of_memory(floors.windows());
    assert!(!verdict.is_bounded() && !verdict.is_growing(), "{verdict}");
}

/// A ring, a cache that fills, one that fills at the requested steps, one that
/// fills late, a leak, and so on: how each of them reads.
#[rstest]
#[case(|_| 5_000, "bounded: the floor has not risen over the last 9 doublings, 9 to 10,000 steps; a leak of one block in 5,100 (0.0020 a step) or, in blocks that grow, one byte in 330,000 (0.0020 B a step) would have shown")]
#[case(|i: u64| i.min(1_000) * 64, "bounded: the floor has not risen over the last 2 doublings, 1,250 to 10,000 steps; a leak of one block in 5,100 (0.0020 a step) or, in blocks that grow, one byte in 330,000 (0.0020 B a step) would have shown")]
#[case(|i: u64| i.min(10_000), "bounded: the floor has not risen over the last 2 doublings, 10,000 to 80,000 steps; a leak of one block in 41,000 (0.00025 a step) or, in blocks that grow, one byte in 2,600,000 (0.00025 B a step) would have shown")]
#[case(|i: u64| i.min(80_000), "bounded: the floor came to rest within the last doubling, 80,000 to 160,000 steps; a leak of one block in 380 (0.026 a step) or, in blocks that grow, one byte in 390 (1.7 B a step) would have shown")]
#[case(|i: u64| i * 64, "growing: the floor rises in proportion to the steps, by 64.00 B and 1.00 blocks a step from 40,000 to 160,000 steps")]
#[case(|i: u64| 1_000 + i * 64 + i % 7, "growing: the floor rises in proportion to the steps, by 64.00 B and 1.00 blocks a step from 40,000 to 160,000 steps")]
#[case(|i: u64| i / 1_000 * 8, "growing: the floor rises in proportion to the steps, by 0.00800 B and 0.000122 ± 0.000009 blocks a step from 40,000 to 160,000 steps")]
#[case(|i: u64| i.isqrt() * 1_000, "growing: the floor rises steadily, slower than in proportion to the steps, by 1.18 ± 0.14 B and 0.0185 ± 0.0022 blocks a step from 80,000 to 320,000 steps")]
#[case(|i: u64| u64::from(i.ilog2()) * 4_096, "bounded: the floor rises like a logarithm, in few jumps from 40,000 to 160,000 steps; a leak of one block in 41,000 (0.00024 a step) or, in blocks that grow, one byte in 42,000 (0.016 B a step) would have shown")]
#[case(
    doubling,
    "growing: the floor rises in proportion to the steps, in few jumps from 80,000 to 320,000 steps"
)]
fn reads_as_a_sentence(#[case] live: fn(u64) -> u64, #[case] sentence: &str) {
    assert_eq!(run(10_000, live).0.to_string(), sentence);
}

#[test]
fn a_cache_and_a_sawtooth_have_their_shapes() {
    let (verdict, _) = run(10_000, |i| i.min(3_000) * 48 + i % 700 * 16);
    assert_eq!(verdict.settled_by_step(), Some(3_126));
    assert_eq!(verdict.swing(), Some((699 * 16, 700)));
    let shape = "steady state by step 3,126, swinging by 11,184 B every 700 steps";
    assert_eq!(verdict.shape().as_deref(), Some(shape));
    assert_eq!(run(10_000, |_| 5_000).0.shape(), None);
}

/// A cache that fills, under a sawtooth whose emptyings come later and later.
#[test]
fn what_saturates_but_does_not_rise_along_a_line_has_no_rate() {
    let mut floors = Floors::new(10, 160);
    for i in 1..=160 {
        let bytes = 100_000 + i.min(57) * 16 + i % 28 * 698;
        floors.observe(i, &memory_levels(bytes, bytes / 64));
    }
    let verdict = of_memory(floors.windows());
    assert_eq!(verdict.law(), Some(Law::Saturating), "{verdict}");
    let sentence = "bounded: the floor rises less with every doubling, from 40 to 160 steps";
    assert_eq!(verdict.to_string(), sentence);
}

mod generator;
mod loads;
mod properties;
