//! How long it takes to find who holds a million blocks: a map in a static, a list in the
//! state, blocks that nobody holds, and as many in a chain. Each once with call stacks and
//! the search, and once without.

#![forbid(unsafe_code)]

use highwater::{ByteSize, Report, Scenario};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const BLOCKS: u64 = 1_000_000;

static CACHE: LazyLock<Mutex<HashMap<u64, String>>> = LazyLock::new(Default::default);

struct Link {
    _next: Option<Box<Link>>,
}

/// One step, which makes them all; asked to fail, so that it is run again with call stacks.
fn timed<S>(ceiling: u64, setup: impl Fn() -> S, step: impl Fn(&mut S)) -> (Duration, Report) {
    let started = Instant::now();
    let report = Scenario::new("benchmark")
        .steps(1)
        .step_budget(1)
        .growth_ceiling(ByteSize::b(ceiling))
        .run(setup, |state, _| step(state));
    (started.elapsed(), report)
}

fn row<S>(what: &str, setup: impl Fn() -> S, step: impl Fn(&mut S)) {
    let (without, _) = timed(u64::MAX, &setup, &step);
    let (with, report) = timed(0, &setup, &step);
    let diagnosis = report.diagnosis().expect("it is over its ceiling");
    let site = diagnosis
        .sites()
        .iter()
        .max_by_key(|site| site.live_blocks());
    let holder = site.and_then(|site| site.holders()?.first());
    let found = holder.map_or_else(|| "not known".to_owned(), ToString::to_string);
    println!(
        "| {what:<22} | {:>8} | {:>11} | {found} |",
        without.as_millis(),
        with.saturating_sub(without).as_millis()
    );
}

fn main() {
    println!(
        "| {:<22} | run (ms) | replay (ms) | first holder |",
        "1,000,000 blocks"
    );
    println!("|:-----------------------|---------:|------------:|:-------------|");
    row("list in the state", Vec::new, |list| {
        list.extend((0..BLOCKS).map(|i| Box::new([i; 8])));
    });
    row(
        "lost",
        || (),
        |()| {
            for i in 0..BLOCKS {
                std::mem::forget(Box::new([i; 8]));
            }
        },
    );
    row(
        "chain in the state",
        || None,
        |chain| {
            for _ in 0..BLOCKS {
                *chain = Some(Box::new(Link {
                    _next: chain.take(),
                }));
            }
            // Its drop would be as deep as it is long.
            std::mem::forget(chain.take());
        },
    );
    row(
        "map in a static",
        || (),
        |()| {
            let mut cache = CACHE.lock().expect("nobody panicked");
            let first = cache.len() as u64;
            cache.extend((first..first + BLOCKS).map(|i| (i, i.to_string())));
        },
    );
}
