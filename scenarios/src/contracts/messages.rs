//! What a message takes besides the heap: the future that handles it, and the stack that its
//! nesting needs.

use super::Contract;
use crate::Twin;
use highwater::{ByteSize, Report, Scenario};
use std::hint::black_box;
use tokio::task::yield_now;

pub(super) static FUTURE: Contract = Contract {
    id: "message-future",
    by: "future",
    what: "the future that handles a message has at most 1 KiB",
    defect: "keeps the message's buffer across an await",
    check: future,
};

pub(super) static STACK: Contract = Contract {
    id: "nested-orders",
    by: "stack",
    what: "the lots of orders that are nested 1,000 deep are added up on at most 16 KiB of stack",
    defect: "calls itself for each order",
    check: stack,
};

/// The longest message.
const LONGEST: usize = 4_096;

/// Reads a message, and lets others read theirs before it is used.
async fn handle(buffer: &mut [u8], number: u64) {
    buffer.fill(number.to_le_bytes()[0]);
    yield_now().await;
    black_box(buffer);
}

fn future(twin: Twin) -> String {
    let scenario = Scenario::new(FUTURE.id).steps(100);
    let scenario = scenario.future_ceiling(ByteSize::kib(1));
    let inbox = async || vec![0; LONGEST];
    // Each has a future of its own: one with both in it would be as large as the larger.
    let report = match twin {
        Twin::Sound => scenario.run_async(inbox, async |inbox, i| handle(inbox, i).await),
        Twin::Leaky => scenario.run_async(inbox, async |_, i| {
            handle(&mut [0; LONGEST], i).await;
        }),
    };
    report.assert();
    let bytes = report.future_bytes().expect("it is async");
    format!("the future has {bytes} B")
}

/// An order, and where the one is that is nested in it.
struct Order {
    lots: u64,
    nested: Option<usize>,
}

const NESTED: usize = 1_000;

fn orders() -> Vec<Order> {
    let order = |at| Order {
        lots: 1,
        nested: (at + 1 < NESTED).then_some(at + 1),
    };
    (0..NESTED).map(order).collect()
}

#[inline(never)]
fn lots_in_a_loop(orders: &[Order]) -> u64 {
    let mut lots = 0;
    let mut next = Some(0);
    while let Some(at) = next {
        lots += orders[at].lots;
        next = orders[at].nested;
    }
    lots
}

#[inline(never)]
fn lots_by_recursion(orders: &[Order], at: usize) -> u64 {
    let nested = orders[at].nested;
    let nested = nested.map_or(0, |nested| lots_by_recursion(orders, nested));
    orders[at].lots + black_box(nested)
}

fn stack(twin: Twin) -> String {
    let scenario = Scenario::new(STACK.id).steps(100);
    let scenario = scenario.stack_ceiling(ByteSize::kib(16));
    let report: Report = scenario.run(orders, |orders, _| {
        let lots = match twin {
            Twin::Sound => lots_in_a_loop(orders),
            Twin::Leaky => lots_by_recursion(orders, 0),
        };
        assert_eq!(lots, NESTED as u64);
    });
    report.assert();
    let bytes = report.stack_bytes().expect("it has a ceiling");
    format!("a step uses {bytes} B")
}
