//! `fail_each_allocation`: what it finds where an allocation fails, and what it says.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

use highwater::{
    AllocationFailures, Scenario, Scope, assert_no_allocation, fail_each_allocation,
    fail_each_allocation_with, measure,
};
use std::cell::Cell;
use std::collections::{HashMap, TryReserveError};
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// The message of failures that are not handled, which fits the screen.
#[track_caller]
fn message_of(work: impl FnOnce() -> AllocationFailures) -> String {
    let outcome = catch_unwind(AssertUnwindSafe(work));
    let text = *outcome
        .expect_err("it fails")
        .downcast::<String>()
        .expect("it is formatted");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(text.lines().count() <= 24, "{text}");
    text
}

/// Words by their length, and the names of those who wrote them. Memory that runs out is an
/// error, and leaves the index as it was: in the sound version.
#[derive(Default)]
struct Index {
    lengths: HashMap<usize, Vec<u32>>,
    authors: Vec<Vec<u8>>,
    flaw: Flaw,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Flaw {
    #[default]
    None,
    /// The author's name is lost where there is no room for the word.
    Leaks,
    /// The author stays where there is no room for the word.
    KeepsHalf,
    /// Room for the author is taken for granted.
    Expects,
    /// Room for the word is made by code that can't return an error.
    Aborts,
}

impl Index {
    fn with(flaw: Flaw) -> Self {
        Self {
            flaw,
            ..Self::default()
        }
    }

    fn try_insert(&mut self, word: &str, author: &str) -> Result<(), TryReserveError> {
        let mut name = Vec::new();
        name.try_reserve_exact(author.len())?;
        name.extend_from_slice(author.as_bytes());
        let room = self.authors.try_reserve(1);
        if self.flaw == Flaw::Expects {
            room.expect("room for an author");
        } else {
            room?;
        }
        if self.flaw == Flaw::KeepsHalf {
            self.authors.push(name);
            return self.try_add(word);
        }
        // As what is handed to C, and taken back.
        let name = ManuallyDrop::new(name);
        let added = self.try_add(word);
        if added.is_ok() {
            self.authors.push(ManuallyDrop::into_inner(name));
        } else if self.flaw != Flaw::Leaks {
            drop(ManuallyDrop::into_inner(name));
        }
        added
    }

    fn try_add(&mut self, word: &str) -> Result<(), TryReserveError> {
        let number = u32::try_from(self.authors.len()).unwrap_or(u32::MAX);
        if self.flaw == Flaw::Aborts {
            self.lengths.entry(word.len()).or_default().push(number);
            return Ok(());
        }
        self.lengths.try_reserve(1)?;
        let mut fresh = Vec::new();
        let list = self.lengths.get_mut(&word.len()).unwrap_or(&mut fresh);
        list.try_reserve(1)?;
        list.push(number);
        if !fresh.is_empty() {
            self.lengths.insert(word.len(), fresh);
        }
        Ok(())
    }

    fn check(&self) {
        let words: usize = self.lengths.values().map(Vec::len).sum();
        assert_eq!(self.authors.len(), words, "each word has an author");
    }
}

const WORDS: [(&str, &str); 6] = [
    ("one", "Ada"),
    ("two", "Grace"),
    ("three", "Barbara"),
    ("four", "Ada"),
    ("five", "Frances"),
    ("seven", "Barbara"),
];

/// Tries to fill an index, and checks it.
fn fill(flaw: Flaw) -> AllocationFailures {
    fail_each_allocation_with(
        || Index::with(flaw),
        |index| {
            let mut words = WORDS.iter();
            words.try_for_each(|(word, author)| index.try_insert(word, author))
        },
        |index, _| index.check(),
    )
}

#[test]
fn an_index_that_handles_each_failure_passes() {
    let tried = fill(Flaw::None);
    insta::assert_snapshot!(tried, @"13 of 13 allocation failures tried, all handled");
    assert_eq!(tried.tried(), tried.allocations());
    assert_eq!(tried.left_bytes(), 0);
}

#[test]
fn what_an_error_path_leaks_is_found() {
    insta::assert_snapshot!(message_of(|| fill(Flaw::Leaks)));
}

#[test]
fn a_state_that_is_left_broken_is_found() {
    insta::assert_snapshot!(message_of(|| fill(Flaw::KeepsHalf)));
}

#[test]
fn a_panic_is_found_with_its_text() {
    insta::assert_snapshot!(message_of(|| fill(Flaw::Expects)));
}

#[test]
fn code_that_can_not_return_an_error_aborts() {
    insta::assert_snapshot!(message_of(|| fill(Flaw::Aborts)));
}

/// `count` blocks of their own, as far as there is memory.
fn blocks(count: usize) -> Result<Vec<Vec<u8>>, TryReserveError> {
    let mut all = Vec::new();
    all.try_reserve_exact(count)?;
    for _ in 0..count {
        let mut block = Vec::new();
        block.try_reserve_exact(8)?;
        all.push(block);
    }
    Ok(all)
}

#[test]
fn each_failure_is_tried_once_and_nothing_is_left_of_the_runs() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let here = Cell::new(0);
    let tried = fail_each_allocation(|| {
        RUNS.fetch_add(1, Relaxed);
        here.set(here.get() + 1);
        // Each run finds what the others found.
        assert_eq!((RUNS.load(Relaxed), here.get()), (1, 1));
        blocks(9)
    });
    assert_eq!((tried.allocations(), tried.tried()), (10, 10));
    assert_eq!((RUNS.load(Relaxed), here.get()), (0, 0));
}

/// All that Rust's global allocator is asked for.
#[test]
fn every_kind_of_request_fails() {
    /// More than most allocators align a block to by themselves.
    #[repr(align(128))]
    struct Aligned(#[expect(dead_code)] u8);

    let first = |work: fn()| {
        let text = message_of(|| fail_each_allocation(work));
        text.lines().nth(1).map(str::to_owned).unwrap_or_default()
    };
    let check = |work: fn(), size: &str| {
        let expected = format!("  1 aborts the process, at allocation 1, {size}");
        assert_eq!(first(work), expected);
    };
    check(|| drop(black_box(Box::new(1_u64))), "of 8 B");
    check(|| drop(black_box(vec![0_u8; 100])), "of 100 B");
    check(|| drop(black_box(vec![0_u8; 99_000])), "of 99,000 B");
    check(|| drop(black_box(vec![1_u8; 99_000])), "of 99,000 B");
    check(|| drop(black_box(Box::new(Aligned(1)))), "of 128 B");
    let resizes = |size: usize, more: usize| {
        let work = |bytes: &mut Vec<u8>| bytes.reserve_exact(more);
        let text = message_of(|| fail_each_allocation_with(|| vec![7_u8; size], work, |_, ()| ()));
        let expected = format!(
            "  1 aborts the process, at allocation 1, a resize to {} B\n",
            size + more
        );
        assert!(text.contains(&expected), "{text}");
    };
    resizes(10, 90);
    resizes(10, 790);
}

/// A block that can't grow is as it was, and belongs to whom it belonged.
#[test]
fn a_resize_that_fails_leaves_the_block() {
    let (mut others, _) = measure(|| vec![1_u8, 2, 3]);
    let tried = fail_each_allocation_with(
        || vec![4_u8, 5],
        |own| {
            (
                own.try_reserve(5_000).is_ok(),
                others.try_reserve(100).is_ok(),
            )
        },
        |own, (has_grown, other_has_grown)| {
            assert_eq!(*own, [4, 5]);
            assert!(has_grown || other_has_grown);
            assert_eq!(own.capacity() > 5_000, has_grown);
        },
    );
    assert_eq!(tried.tried(), 2);
    assert_eq!(others, [1, 2, 3]);
}

#[highwater::test]
fn of_many_allocations_a_sample_is_tried() {
    let tried = fail_each_allocation(|| blocks(1_233));
    assert_eq!((tried.allocations(), tried.tried()), (1_234, 1_000));
    insta::assert_snapshot!(tried, @"1,000 of 1,234 allocation failures tried, all handled");
    insta::assert_snapshot!(message_of(|| fail_each_allocation(|| {
        let prices: Vec<_> = (0..1_233_u64).map(Box::new).collect();
        black_box(prices).len()
    })));
}

#[test]
fn there_is_nothing_to_fail() {
    insta::assert_snapshot!(message_of(|| fail_each_allocation(|| 7)), @r"
    `fail_each_allocation`: the work allocates nothing on this thread, so there is
      no allocation to fail
    ");
}

#[test]
fn work_that_fails_by_itself_tells_nothing() {
    let text = |work: fn()| message_of(|| fail_each_allocation(work));
    insta::assert_snapshot!(text(|| panic!("not today")), @"`fail_each_allocation`: no allocation failed yet, and the work panics: not today");
    insta::assert_snapshot!(text(|| std::process::exit(3)), @"`fail_each_allocation`: no allocation failed yet, and the work exits: code 3");
    insta::assert_snapshot!(text(|| std::process::abort()), @r"
    `fail_each_allocation`: no allocation failed yet, and the work aborts the
      process
    ");
}

/// What is printed in the runs is not this test's, and the last line of it is shown.
#[test]
fn runs_that_end_are_told_apart() {
    insta::assert_snapshot!(message_of(|| fail_each_allocation(|| {
        if blocks(0).is_err() || blocks(1).is_err() {
            println!("out of memory, good-bye");
            std::process::exit(9);
        }
        let guard = Loud;
        let mut more: Vec<u64> = Vec::new();
        assert!(more.try_reserve(10).is_ok(), "the guard panics, too");
        std::mem::forget(guard);
    })));
}

struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        panic!("it can't be dropped");
    }
}

/// Runs that come to other allocations than the first one tell nothing.
#[test]
fn work_that_differs_from_run_to_run_is_left_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("seen");
    insta::assert_snapshot!(message_of(|| fail_each_allocation(|| {
        let is_first = std::fs::File::create_new(&file).is_ok();
        is_first.then(|| blocks(1))
    })), @r"
    2 of 2 allocation failures are not handled: 2 are not reached
      2 are not reached, first at allocation 1: the work allocates differently from
        run to run, so nothing is known of it
    ");
}

#[test]
fn what_is_left_without_a_failure_is_no_leak_and_is_told() {
    let work = || {
        let left = ManuallyDrop::new(blocks(0)?);
        let kept: Vec<u8> = Vec::new();
        let mut kept = ManuallyDrop::new(kept);
        kept.try_reserve_exact(40)?;
        black_box((&left, &kept));
        blocks(2).map(drop)
    };
    let tried = fail_each_allocation(work);
    assert_eq!((tried.tried(), tried.left_bytes()), (4, 40));
}

/// The harness counts on inside of the runs, and around them.
#[test]
fn scopes_and_scenarios_inside_and_outside() {
    let tried = fail_each_allocation(|| {
        let scope = Scope::enter("inside");
        let made = blocks(3);
        let (_, usage) = measure(|| made.map(drop));
        assert_eq!(usage.total_blocks, 0);
        scope.usage().live_bytes
    });
    assert_eq!(tried.tried(), 4);
    let report = Scenario::new("tries").steps(20).step_blocks_ceiling(0).run(
        || (),
        |(), _| {
            let tried = fail_each_allocation(|| blocks(1));
            assert_eq!(tried.tried(), 2);
        },
    );
    report.assert();
    let quiet = assert_no_allocation(|| fail_each_allocation(|| blocks(2)));
    assert_eq!(quiet.tried(), 3);
}

/// One in another, which has no allocation of its own to fail.
#[test]
fn they_nest() {
    let tried = fail_each_allocation(|| {
        let inner = fail_each_allocation(|| blocks(1));
        assert_eq!(inner.tried(), 2);
        blocks(1)
    });
    assert_eq!(tried.tried(), 2);
}

/// What threads of the work allocate does not fail, but counts as theirs that started them.
#[test]
fn threads_of_the_work_may_leak_too() {
    let text = message_of(|| {
        fail_each_allocation(|| {
            let failed = blocks(0).is_err() || Vec::<u8>::new().try_reserve(5).is_err();
            if failed {
                let leaks = || std::mem::forget(black_box(Box::new([0_u8; 33])));
                thread::spawn(leaks).join().expect("it ends");
            }
        })
    });
    assert!(
        text.contains("1 leaks, at allocation 1, of 8 B: 33 B in 1 block"),
        "{text}"
    );
}

#[highwater::test]
fn in_a_process_of_its_own() {
    assert_eq!(fill(Flaw::None).tried(), 13);
    let text = message_of(|| fill(Flaw::Leaks));
    assert!(
        text.starts_with("5 of 13 allocation failures are not handled: 5 leak"),
        "{text}"
    );
    let report = Scenario::new("after").steps(100).run(Vec::new, |all, i| {
        all.truncate(10);
        all.push(i);
    });
    report.assert();
}
