//! Random mixtures of what memory does, sound and leaky, whose truth is known.
//!
//! A failing mixture is printed, as small as it can be made, and kept in
//! `proptest-regressions/`, from where it is tried again on every run.

// What is made up here is neither negative nor large.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use super::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Something whose memory is bounded.
#[derive(Clone, Debug)]
enum Part {
    /// Held all along.
    Level { bytes: u64 },
    /// Takes up `bytes` a step until it is full.
    Cache { full_after: u64, bytes: u64 },
    /// Rises and is emptied, again and again.
    Sawtooth { period: u64, bytes: u64 },
    /// Is there for the first half of each period only.
    Batches { period: u64, bytes: u64 },
    /// Changes from step to step as it likes, up to `bytes`.
    Churn { seed: u64, bytes: u64 },
    /// Draws from a fixed set of things and keeps what it has seen: fills ever
    /// more slowly.
    Fading { scale: u64, bytes: u64 },
}

impl Part {
    fn live(&self, step: u64) -> u64 {
        match *self {
            Self::Level { bytes } => bytes,
            Self::Cache { full_after, bytes } => step.min(full_after) * bytes,
            Self::Sawtooth { period, bytes } => step % period * bytes,
            Self::Batches { period, bytes } => {
                if step % period < period / 2 {
                    bytes
                } else {
                    0
                }
            }
            Self::Churn { seed, bytes } => mixed(seed ^ step) % (bytes + 1),
            Self::Fading { scale, bytes } => {
                let seen = 1.0 - (-(step as f64) / scale as f64).exp();
                (seen * (bytes * scale) as f64) as u64
            }
        }
    }
}

/// A number that looks random (S. Vigna's `splitmix64`).
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// For a run of `requested` steps, within the limits that the rule is documented
/// with: caches are full by 8 times the requested steps; what swings does so
/// within them, and so does the beat of several swings, since one period
/// divides the other.
fn part(requested: u64, base: u64) -> impl Strategy<Value = Part> {
    let period = (0..6_u32).prop_map(move |halvings| (base >> halvings).max(2));
    let another = (0..6_u32).prop_map(move |halvings| (base >> halvings).max(2));
    prop_oneof![
        (0..1_000_000_u64).prop_map(|bytes| Part::Level { bytes }),
        (1..=8 * requested, 1..500_u64)
            .prop_map(|(full_after, bytes)| Part::Cache { full_after, bytes }),
        (period, 1..500_u64).prop_map(|(period, bytes)| Part::Sawtooth { period, bytes }),
        (another, 1..100_000_u64).prop_map(|(period, bytes)| Part::Batches { period, bytes }),
        (any::<u64>(), 1..1_000_000_u64).prop_map(|(seed, bytes)| Part::Churn { seed, bytes }),
        (1..=2 * requested, 1..100_u64).prop_map(|(scale, bytes)| Part::Fading { scale, bytes }),
    ]
}

fn mixture() -> impl Strategy<Value = (u64, Vec<Part>)> {
    (64..3_000_u64)
        .prop_flat_map(|requested| (Just(requested), 64..=requested))
        .prop_flat_map(|(requested, base)| {
            // Every halving of the base divides it.
            let base = base & !63;
            let parts = prop::collection::vec(part(requested, base), 1..5);
            (Just(requested), parts)
        })
}

fn live(parts: &[Part], step: u64) -> u64 {
    parts.iter().map(|part| part.live(step)).sum()
}

/// A buffer that grows by `rows` in each step, which takes a second, and a copy of it
/// that is held while it is gone through, at `row_us` for each row. In the first
/// `ready_ms` of a step a pass may end and, as it is over, no other begins. So passes
/// get longer, and moments without a copy rarer.
#[derive(Clone, Debug)]
struct GrowingCopy {
    rows: u64,
    row_us: u64,
    ready_ms: u64,
}

impl GrowingCopy {
    const ROW_BYTES: u64 = 112;

    /// What is live after each of so many steps.
    fn live(&self, steps: u64) -> Vec<u64> {
        let mut copied = 0;
        let mut done_ms = 0;
        let after = |step: u64| {
            let (begin_ms, buffered) = (step * 1_000, step * self.rows);
            if done_ms <= begin_ms {
                copied = buffered;
                done_ms = begin_ms + buffered * self.row_us / 1_000;
            }
            if done_ms <= begin_ms + self.ready_ms {
                copied = 0;
            }
            (buffered + copied) * Self::ROW_BYTES
        };
        (0..=steps).map(after).collect()
    }
}

/// A block of `bytes` every `every` steps, first after `phase` steps.
#[derive(Clone, Copy, Debug)]
struct Leak {
    bytes: u64,
    every: f64,
    phase: f64,
}

impl Leak {
    fn blocks(self, step: u64) -> u64 {
        ((step as f64 + self.phase * self.every) / self.every) as u64
    }
}

/// Sound parts in bytes and in as many blocks of 64 bytes, with a leak on top.
fn judged(requested: u64, parts: &[Part], leak: Option<Leak>) -> Verdict {
    let leaked = |step| leak.map_or(0, |leak| leak.blocks(step));
    let size = leak.map_or(0, |leak| leak.bytes);
    run_of_two(
        requested,
        |step| live(parts, step) + leaked(step) * size,
        |step| live(parts, step) / 64 + leaked(step),
    )
    .0
}

/// 10,000 cases, the same on every run. `PROPTEST_CASES` and `PROPTEST_RNG_SEED`
/// ask for more and for others; `docs/verdict.md` says what came of 150,000.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 10_000;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(0);
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_bounded_is_never_called_growing((requested, parts) in mixture()) {
        let verdict = judged(requested, &parts, None);
        prop_assert!(!verdict.is_growing(), "{verdict}");
    }

    #[test]
    fn a_leak_that_would_have_shown_does(
        (requested, parts) in mixture(),
        bytes in 1..5_000_u64,
        phase in 0.0..1.0,
        stronger in 1.0..8.0,
    ) {
        let sound = judged(requested, &parts, None);
        let Some(rate) = sound.detectable_blocks_per_step() else { return Ok(()) };
        let leak = Leak { bytes, every: 1.0 / (rate * stronger), phase };
        let verdict = judged(requested, &parts, Some(leak));
        prop_assert!(verdict.is_growing(), "{sound}\n{leak:?}\n{verdict}");
    }

    #[test]
    fn a_copy_of_what_grows_is_never_called_bounded(
        requested in 1..500_u64,
        rows in 1..5_000_u64,
        row_us in 1..1_000_u64,
        ready_ms in 0..1_000_u64,
    ) {
        let live = GrowingCopy { rows, row_us, ready_ms }.live(16 * requested);
        let (verdict, _) = run(requested, |step| live[step as usize]);
        prop_assert!(!verdict.is_bounded(), "{verdict}");
    }

    #[test]
    fn what_is_called_bounded_hides_no_leak_that_would_have_shown(
        (requested, parts) in mixture(),
        bytes in 1..5_000_u64,
        every in 1.0..10_000.0,
        phase in 0.0..1.0,
    ) {
        let verdict = judged(requested, &parts, Some(Leak { bytes, every, phase }));
        if verdict.is_bounded() {
            let rate = verdict.detectable_blocks_per_step();
            prop_assert!(rate.is_none_or(|rate| rate > 1.0 / every), "{verdict}");
        }
    }
}
