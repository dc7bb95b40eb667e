//! Many tests that each know their exact bytes and blocks, run at once by plain
//! `cargo test`, beside neighbours that allocate as fast as they can.

#![forbid(unsafe_code)]

use highwater::{Scenario, Scope, measure};
use rstest::rstest;
use std::collections::VecDeque;
use std::hint::black_box;
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[rstest]
fn every_byte_is_known(#[values(0, 1, 2, 3, 4, 5, 6, 7)] n: usize) {
    for round in 0..200 {
        let size = 1_000 * n + round + 1;
        let (kept, usage) = measure(|| {
            drop(black_box(vec![0_u8; 2 * size]));
            vec![0_u8; size]
        });
        assert_eq!((usage.live_bytes, usage.live_blocks), (size as u64, 1));
        assert_eq!(
            (usage.peak_bytes, usage.peak_error_bytes),
            (2 * size as u64, 0)
        );
        assert_eq!(
            (usage.total_bytes, usage.total_blocks),
            (3 * size as u64, 2)
        );
        drop(kept);
    }
}

#[rstest]
fn every_reallocation_is_known(#[values(0, 1, 2, 3, 4, 5, 6, 7)] n: usize) {
    for _ in 0..50 {
        let pushes = 1_u64 << (n + 3);
        let (kept, usage) = measure(|| {
            let mut kept = Vec::new();
            for i in 0..pushes {
                kept.push(i);
            }
            kept
        });
        assert_eq!(usage.live_bytes, 8 * pushes);
        // From 4 items on, one for each doubling.
        assert_eq!(usage.reallocations, n as u64 + 1);
        assert_eq!((usage.total_blocks, usage.freed_blocks), (1, 0));
        drop(kept);
    }
}

#[rstest]
fn every_step_is_known(#[values(0, 1, 2, 3, 4, 5, 6, 7)] n: u64) {
    let report = Scenario::new(format!("parallel-{n}")).steps(500).run(
        || VecDeque::with_capacity(10),
        |window, i| {
            if window.len() == 10 {
                window.pop_front();
            }
            window.push_back(Box::new([i; 16]));
            std::mem::forget(black_box(Box::new([n; 7])));
        },
    );
    let room = 10 * size_of::<usize>() as u64;
    assert_eq!(report.growth_bytes(), 10 * 128 + 500 * 56);
    assert_eq!(report.peak_bytes(), room + 10 * 128 + 500 * 56);
    assert_eq!(report.live_blocks(), 1 + 10 + 500);
    assert_eq!(report.total_blocks(), 1 + 500 * 2);
    assert!(report.verdict().is_growing());
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[rstest]
fn every_thread_is_known(#[values(0, 1, 2, 3, 4, 5, 6, 7)] n: usize) {
    for _ in 0..20 {
        let scope = Scope::enter("threads");
        let left: [_; 3] = std::array::from_fn(|k| {
            let thread = thread::spawn(move || {
                drop(black_box(vec![0_u8; 30_000]));
                vec![0_u8; 100 * n + k + 1]
            });
            thread.join().expect("it ends")
        });
        let usage = scope.usage();
        assert_eq!(usage.live_bytes, (300 * n + 6) as u64);
        assert_eq!(usage.live_blocks, 3);
        assert!(usage.peak_bytes + usage.peak_error_bytes >= 30_000);
        drop(left);
    }
}

/// Allocates and frees, in no scope, on threads of its own and across threads.
#[rstest]
fn noise(#[values(0, 1, 2, 3)] n: usize) {
    let threads: [_; 2] = std::array::from_fn(|_| {
        thread::spawn(move || {
            let mut kept = VecDeque::new();
            for i in 0..50_000 {
                kept.push_back(black_box(vec![0_u8; i % 700 + n]));
                if kept.len() > 100 {
                    kept.pop_front();
                }
            }
            kept
        })
    });
    for thread in threads {
        drop(thread.join().expect("it ends"));
    }
}
