//! The path of a price does not allocate: a strategy that waits for the allocator misses the
//! price that it was waiting for.

use super::Contract;
use crate::Twin;
use highwater::{Scenario, assert_no_allocation};
use highwater_fixtures::CircularBuffer;
use std::hint::black_box;
use std::num::NonZeroUsize;

pub(super) static ONE_TICK: Contract = Contract {
    id: "one-tick",
    by: "assert_no_allocation",
    what: "a price updates a moving average without an allocation",
    defect: "copies the window to sum it",
    check: one_tick,
};

pub(super) static TICKS: Contract = Contract {
    id: "ticks",
    by: "step_blocks",
    what: "10,000 prices update a moving average without an allocation",
    defect: "copies the window to sum it, at each 1,000th price",
    check: ticks,
};

const WINDOW: NonZeroUsize = NonZeroUsize::new(20).unwrap();
const TICKS_AT_ALL: u64 = 10_000;

/// The mean of the newest prices.
struct Average {
    window: CircularBuffer,
    /// What the window is copied at the multiples of; never, if there is none.
    copies_each: Option<u64>,
    seen: u64,
    sum: f64,
}

impl Average {
    fn new(copies_each: Option<u64>) -> Self {
        Self {
            window: CircularBuffer::new(WINDOW),
            copies_each,
            seen: 0,
            sum: 0.0,
        }
    }

    #[inline(never)]
    fn on_price(&mut self, price: f64) -> f64 {
        self.window.append(price);
        self.seen += 1;
        if self
            .copies_each
            .is_some_and(|each| self.seen.is_multiple_of(each))
        {
            self.sum = self.window.get_recent(WINDOW.get()).iter().sum();
        } else {
            // As an exponential average: what leaves the window need not be known.
            self.sum += price - self.sum / WINDOW.get() as f64;
        }
        self.sum / self.window.len() as f64
    }
}

fn price(number: u64) -> f64 {
    100.0 + (number % 7) as f64
}

fn one_tick(twin: Twin) -> String {
    let mut average = Average::new((twin == Twin::Leaky).then_some(1));
    let mean = assert_no_allocation(|| average.on_price(price(0)));
    format!("no allocation; the average is {mean:.2}")
}

fn ticks(twin: Twin) -> String {
    let copies_each = (twin == Twin::Leaky).then_some(1_000);
    let scenario = Scenario::new(TICKS.id).steps(TICKS_AT_ALL);
    let report = scenario.step_blocks_ceiling(0).run(
        || Average::new(copies_each),
        |average, i| {
            black_box(average.on_price(price(i)));
        },
    );
    report.assert();
    format!("{} blocks allocated in 10,000 steps", report.step_blocks())
}
