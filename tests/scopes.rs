//! What belongs to a scope and what does not.

#![forbid(unsafe_code)]

use highwater::{Scope, Usage, measure};
use proptest::prelude::*;
use std::hint::black_box;
use std::sync::mpsc;
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn live(usage: &Usage) -> (u64, u64) {
    (usage.live_bytes, usage.live_blocks)
}

#[test]
fn a_value_that_is_returned_is_live() {
    let (bytes, usage) = measure(|| vec![0_u8; 100]);
    assert_eq!(live(&usage), (100, 1));
    assert_eq!(bytes.len(), 100);
    let ((), usage) = measure(|| drop(black_box(vec![0_u8; 100])));
    assert_eq!(live(&usage), (0, 0));
    assert_eq!((usage.peak_bytes, usage.total_bytes), (100, 100));
}

#[test]
fn what_was_allocated_outside_hides_no_leak() {
    let outside = vec![0_u8; 1_000];
    let ((), usage) = measure(|| {
        drop(outside);
        std::mem::forget(black_box(vec![0_u8; 10]));
    });
    assert_eq!(live(&usage), (10, 1));
    assert_eq!(usage.freed_blocks, 0);
}

#[test]
fn a_block_from_outside_that_is_resized_inside_is_a_new_one() {
    let mut outside: Vec<u8> = Vec::with_capacity(1_000);
    let outer = Scope::enter("outer");
    let ((), usage) = measure(|| outside.reserve_exact(3_000));
    assert_eq!(live(&usage), (3_000, 1));
    assert_eq!((usage.peak_bytes, usage.reallocations), (3_000, 1));
    assert_eq!(live(&outer.usage()), (3_000, 1));
}

#[test]
fn inner_scopes_count_towards_outer_ones() {
    let outer = Scope::enter("outer");
    let a = vec![0_u8; 100];
    let inner = Scope::enter("inner");
    let b = vec![0_u8; 10];
    assert_eq!(live(&inner.usage()), (10, 1));
    assert_eq!(live(&outer.usage()), (110, 2));
    drop(a);
    assert_eq!(live(&inner.usage()), (10, 1));
    assert_eq!(live(&outer.usage()), (10, 1));
    drop(inner);
    drop(b);
    let usage = outer.usage();
    assert_eq!(live(&usage), (0, 0));
    assert_eq!((usage.peak_bytes, usage.total_blocks), (110, 2));
}

#[test]
fn a_resize_across_scopes_makes_no_peak_of_both_sizes() {
    let outer = Scope::enter("outer");
    let mut bytes: Vec<u8> = Vec::with_capacity(1_000);
    let inner = Scope::enter("inner");
    bytes.reserve_exact(1_500);
    assert_eq!(inner.usage().peak_bytes, 1_500);
    assert_eq!(outer.usage().peak_bytes, 1_500);
}

#[test]
fn a_peak_before_a_free_of_the_outer_scope_is_not_missed() {
    let outer = Scope::enter("outer");
    let held = vec![0_u8; 1_000];
    let inner = Scope::enter("inner");
    let short = vec![0_u8; 500];
    drop(held);
    drop(short);
    assert_eq!(inner.usage().peak_bytes, 500);
    assert_eq!(outer.usage().peak_bytes, 1_500);
}

#[test]
fn scopes_may_be_left_in_another_order() {
    let a = Scope::enter("a");
    let b = Scope::enter("b");
    let c = Scope::enter("c");
    drop(b);
    let in_c = vec![0_u8; 3];
    assert_eq!(live(&c.usage()), (3, 1));
    drop(c);
    // Back in `a`, the nearest that is still open, not in the ended `b`.
    let in_a = vec![0_u8; 5];
    assert_eq!(live(&a.usage()), (8, 2));
    drop(in_c);
    assert_eq!(live(&a.usage()), (5, 1));
    drop(a);
    drop(in_a);
}

#[test]
fn a_free_on_another_thread_is_credited_to_the_owner() {
    let scope = Scope::enter("owner");
    let (sender, receiver) = mpsc::channel::<Vec<u8>>();
    let consumer = thread::spawn(move || receiver.into_iter().map(|bytes| bytes.len()).sum());
    let before = scope.usage();
    let total: usize = {
        sender.send(vec![0; 10_000]).expect("the consumer is there");
        sender.send(vec![0; 20]).expect("the consumer is there");
        drop(sender);
        consumer.join().expect("the consumer ends")
    };
    assert_eq!(total, 10_020);
    let after = scope.usage();
    assert!(after.live_bytes <= before.live_bytes);
    assert!(after.peak_bytes >= 10_000);
}

#[test]
fn a_free_after_the_scope_ended_does_no_harm() {
    let (outer_before, left) = {
        let outer = Scope::enter("outer");
        let (left, _) = measure(|| vec![0_u8; 77]);
        let usage = outer.usage();
        assert_eq!(live(&usage), (77, 1));
        (usage, left)
    };
    drop(left);
    let fresh = Scope::enter("fresh");
    assert_eq!(live(&fresh.usage()), (0, 0));
    assert_eq!(outer_before.peak_bytes, 77);
}

#[test]
fn a_panic_ends_the_scope() {
    let outer = Scope::enter("outer");
    let result = std::panic::catch_unwind(|| {
        let _inner = Scope::enter("inner");
        panic!("on purpose");
    });
    drop(result);
    let before = outer.usage().live_bytes;
    let block = Box::new([0_u8; 9]);
    assert_eq!(outer.usage().live_bytes, before + 9);
    drop(block);
}

#[test]
fn noisy_neighbours_are_not_counted() {
    thread::scope(|threads| {
        let (stop, stopped) = mpsc::channel::<()>();
        threads.spawn(move || {
            while matches!(stopped.try_recv(), Err(mpsc::TryRecvError::Empty)) {
                drop(black_box(vec![0_u8; 333]));
            }
        });
        for round in 0..200 {
            let (kept, usage) = measure(|| vec![0_u8; 100 + round]);
            assert_eq!(live(&usage), (100 + round as u64, 1));
            assert_eq!(
                (usage.peak_bytes, usage.peak_error_bytes),
                (100 + round as u64, 0)
            );
            drop(kept);
        }
        drop(stop);
    });
}

/// A step of the nesting test: which scope to enter or leave, what to allocate.
#[derive(Clone, Debug)]
enum Move {
    Enter,
    Leave,
    Allocate(usize),
    Free(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        1 => Just(Move::Enter),
        1 => Just(Move::Leave),
        4 => (1..9_000_usize).prop_map(Move::Allocate),
        3 => any::<usize>().prop_map(Move::Free),
    ];
    proptest::collection::vec(one, 1..80)
}

/// The model of one open scope: its own depth, live bytes and peak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Level {
    live: u64,
    peak: u64,
}

proptest! {
    /// Nested scopes against plain sums: live bytes and peaks of every open scope
    /// are exact after every move, and one thread is never taken for two.
    #[test]
    fn nested_scopes_are_exact(moves in moves()) {
        let mut blocks: Vec<(Vec<u8>, usize)> = Vec::with_capacity(moves.len());
        let mut scopes: Vec<Scope> = Vec::with_capacity(moves.len() + 1);
        let mut levels: Vec<Level> = Vec::with_capacity(moves.len() + 1);
        let mut found: Vec<Level> = Vec::with_capacity(moves.len() + 1);
        scopes.push(Scope::enter("bottom"));
        levels.push(Level::default());
        for step in moves {
            match step {
                Move::Enter => {
                    scopes.push(Scope::enter("inner"));
                    levels.push(Level::default());
                }
                Move::Leave if scopes.len() > 1 => {
                    scopes.pop();
                    levels.pop();
                    // What it still owns counts towards the scope around it.
                    let depth = levels.len();
                    for (_, owner) in &mut blocks {
                        *owner = (*owner).min(depth);
                    }
                }
                Move::Allocate(size) => {
                    blocks.push((vec![0; size], levels.len()));
                    for level in &mut levels {
                        level.live += size as u64;
                        level.peak = level.peak.max(level.live);
                    }
                }
                Move::Free(index) if !blocks.is_empty() => {
                    let (block, owner) = blocks.swap_remove(index % blocks.len());
                    for level in &mut levels[..owner] {
                        level.live -= block.len() as u64;
                    }
                    drop(block);
                }
                _ => {}
            }
            found.clear();
            found.extend(scopes.iter().map(|scope| {
                let usage = scope.usage();
                assert_eq!(usage.peak_error_bytes, 0);
                Level { live: usage.live_bytes, peak: usage.peak_bytes }
            }));
            assert_eq!(found, levels);
        }
    }
}
#[test]
fn a_thread_started_inside_belongs_to_the_scope() {
    let scope = Scope::enter("outer");
    let block = thread::spawn(|| vec![0_u8; 50_000])
        .join()
        .expect("it ends");
    assert_eq!(live(&scope.usage()), (50_000, 1));
    drop(block);
    assert_eq!(live(&scope.usage()), (0, 0));
}
