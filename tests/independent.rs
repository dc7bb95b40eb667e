//! A million blocks on a pool of sixteen threads, against a counter of somebody else's
//! that stands below our allocator: every figure agrees to the byte.

#![forbid(unsafe_code)]
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use highwater::Scenario;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::sync::{Barrier, Mutex};
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc<&StatsAlloc<System>> = highwater::Alloc::new(&INSTRUMENTED_SYSTEM);

const THREADS: usize = 16;
const BLOCKS_OF_EACH: usize = 62_500;

/// Threads that were there before the scenario.
struct Pool {
    starts: &'static Barrier,
    ends: &'static Barrier,
}

static KEPT: [Mutex<Vec<Vec<u8>>>; THREADS] = [const { Mutex::new(Vec::new()) }; THREADS];

impl Pool {
    fn start() -> Self {
        let starts: &'static Barrier = Box::leak(Box::new(Barrier::new(THREADS + 1)));
        let ends: &'static Barrier = Box::leak(Box::new(Barrier::new(THREADS + 1)));
        for n in 0..THREADS {
            drop(thread::spawn(move || {
                loop {
                    starts.wait();
                    work(n);
                    ends.wait();
                }
            }));
        }
        Self { starts, ends }
    }

    fn works(&self) {
        self.starts.wait();
        self.ends.wait();
    }
}

/// Keeps one block in three, frees what another thread kept, and resizes some.
fn work(n: usize) {
    let mut number = n as u64 + 1;
    for i in 0..BLOCKS_OF_EACH {
        // Xorshift, by G. Marsaglia (2003).
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        let size = usize::try_from(number % 900).unwrap_or(0) + 1;
        let mut block = vec![1_u8; size];
        if i % 5 == 0 {
            block.reserve_exact(size);
        }
        let of = &KEPT[if i % 7 == 0 { (n + 1) % THREADS } else { n }];
        let mut kept = of.lock().expect("whole");
        if i % 3 == 0 {
            kept.push(block);
        } else if i % 4 == 0 {
            drop(kept.pop());
        }
    }
}

#[highwater::test]
fn a_million_blocks_on_sixteen_threads() {
    let pool = Pool::start();
    // The rehearsal, the run, and its repetitions.
    let seen = Mutex::new(Vec::with_capacity(8));
    let report = Scenario::new("a-million-blocks")
        .steps(1)
        .step_budget(1)
        .run(
            || (),
            |(), _| {
                let region = Region::new(&INSTRUMENTED_SYSTEM);
                pool.works();
                seen.lock().expect("whole").push(region.change());
            },
        );
    let seen = seen.lock().expect("whole")[1];
    // Behind each block are four bytes of the harness's.
    let more = |taken: usize, given_back: usize| {
        i64::try_from(taken - given_back).expect("the machine has less")
    };
    let blocks = more(seen.allocations, seen.deallocations);
    let bytes = more(seen.bytes_allocated, seen.bytes_deallocated);
    assert!(seen.allocations >= 1_000_000);
    assert_eq!(report.blocks_per_step(), Some(seen.allocations as f64));
    assert_eq!(report.growth_bytes(), bytes - 4 * blocks, "{report}");
    assert_eq!(report.reallocations(), seen.reallocations as u64);
    assert!(report.peak_bytes() >= report.live_bytes());
    assert!(report.peak_error_bytes() <= (THREADS as u64 + 1) * 4_096);
}
