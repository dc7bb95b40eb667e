//! A random buffer that grows, whose copies come and go, so that its floor rests by chance.
//!
//! A failing case is printed, as small as it can be made, and kept in
//! `proptest-regressions/`, from where it is tried again on every run.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::cell::Cell;

/// A buffer that grows by `rows` in each step, which takes a second, and a copy of it
/// that is held while it is gone through, at `row_us` for each row. In the first
/// `ready_ms` of a step a pass may end and, as it is over, no other begins. So passes
/// get longer, and moments without a copy rarer.
#[derive(Clone, Debug, Default)]
struct GrowingCopy {
    rows: u64,
    row_us: u64,
    ready_ms: u64,
    /// The rows that are copied, and when the pass through them is over.
    copied: Cell<u64>,
    done_ms: Cell<u64>,
}

impl GrowingCopy {
    const ROW_BYTES: u64 = 112;

    /// What is live after a step; they come in order.
    fn live(&self, step: u64) -> u64 {
        let (begin_ms, buffered) = (step * 1_000, step * self.rows);
        if self.done_ms.get() <= begin_ms {
            self.copied.set(buffered);
            self.done_ms.set(begin_ms + buffered * self.row_us / 1_000);
        }
        if self.done_ms.get() <= begin_ms + self.ready_ms {
            self.copied.set(0);
        }
        (buffered + self.copied.get()) * Self::ROW_BYTES
    }
}

/// 10,000 cases, the same on every run. `PROPTEST_CASES` and `PROPTEST_RNG_SEED`
/// ask for more and for others.
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
    fn a_copy_of_what_grows_is_never_called_bounded(
        requested in 1..500_u64,
        rows in 1..5_000_u64,
        row_us in 1..1_000_u64,
        ready_ms in 0..1_000_u64,
    ) {
        let copy = GrowingCopy { rows, row_us, ready_ms, ..GrowingCopy::default() };
        let (verdict, _) = run_of_two(
            requested,
            |step| copy.live(step),
            |_| 1,
        );
        prop_assert!(!verdict.is_bounded(), "{verdict}");
    }
}
