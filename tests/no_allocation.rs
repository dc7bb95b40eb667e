//! `assert_no_allocation`: what it notices, on which threads, and what it says.

#![forbid(unsafe_code)]

use highwater::{Scenario, Scope, ScopeHandle, assert_no_allocation, measure};
use std::any::Any;
use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::{Condvar, Mutex, Once};
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn text_of(payload: Box<dyn Any + Send>) -> String {
    *payload.downcast::<String>().expect("it is formatted")
}

/// The message of a failed assertion, which fits the screen.
#[track_caller]
fn message_of<T>(work: impl FnOnce() -> T) -> String {
    let outcome = catch_unwind(AssertUnwindSafe(|| drop(assert_no_allocation(work))));
    let text = text_of(outcome.expect_err("it fails"));
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(text.lines().count() < 24, "{text}");
    text
}

#[inline(never)]
fn price(id: usize) -> String {
    format!("price of {id:08}")
}

#[inline(never)]
fn on_tick(id: usize) -> usize {
    black_box(price(id)).len()
}

#[test]
fn the_first_allocation_is_shown() {
    insta::assert_snapshot!(message_of(|| on_tick(7)));
}

#[test]
fn several_allocations_are_counted() {
    let mut prices = Vec::with_capacity(1);
    insta::assert_snapshot!(message_of(|| {
        for id in 0..3 {
            prices.push(price(id));
        }
    }));
}

#[test]
fn what_does_not_allocate_passes_and_its_value_is_returned() {
    let mut prices = [1.0, 2.0, 3.0];
    let block = black_box(Box::new(1));
    let sum: f64 = assert_no_allocation(|| {
        prices.rotate_left(1);
        drop(block);
        prices.iter().sum()
    });
    assert!((sum - 6.0).abs() < f64::EPSILON);
}

#[test]
fn every_kind_of_request_counts() {
    /// More than most allocators align a block to by themselves.
    #[repr(align(128))]
    struct Aligned(#[expect(dead_code)] u8);

    let of = |work: fn()| message_of(work).lines().next().map(str::to_owned);
    let expected = |size: &str| {
        let own = thread::current().name().unwrap_or_default().to_owned();
        let line = format!("allocation in `assert_no_allocation`: {size} on the thread `{own}`");
        // It may have been broken.
        line.chars().take(60).collect::<String>()
    };
    let check = |work: fn(), size: &str| {
        let line = of(work).expect("a line");
        let expected = expected(size);
        assert!(
            line.starts_with(&expected) || expected.starts_with(&line),
            "{line}"
        );
    };
    check(|| drop(black_box(Box::new(1_u64))), "a block of 8 B");
    check(|| drop(black_box(vec![0_u8; 100])), "a block of 100 B");
    check(
        || drop(black_box(vec![0_u8; 99_000])),
        "a block of 99,000 B",
    );
    check(
        || drop(black_box(vec![1_u8; 99_000])),
        "a block of 99,000 B",
    );
    check(|| drop(black_box(Box::new(Aligned(1)))), "a block of 128 B");
}

#[test]
fn blocks_that_are_resized_count() {
    let mut prices = vec![1_u64, 2];
    let text = message_of(|| prices.push(3));
    assert!(text.contains("a block was resized to 32 B"), "{text}");
    let text = message_of(|| prices.shrink_to_fit());
    assert!(text.contains("a block was resized to 24 B"), "{text}");
    // Whoever owns it.
    let (mut others, _) = measure(|| vec![1_u64, 2]);
    let text = message_of(|| others.push(3));
    assert!(text.contains("a block was resized to 32 B"), "{text}");
}

/// Starting a thread allocates in the thread that starts it.
#[test]
fn threads_that_are_started_in_it_count() {
    let start = || thread::spawn(|| drop(black_box(vec![0_u8; 777_777]))).join();
    let text = message_of(start);
    let all = text.lines().last().expect("a line");
    let bytes = all.rsplit(' ').nth(1).expect("a number").replace(',', "");
    let bytes: u64 = bytes.parse().expect("a number");
    #[cfg(target_os = "linux")]
    assert!(bytes > 777_777, "{text}");
    assert!(bytes > 0, "{text}");
}

/// A scope inside of the assertion carries it to a thread from before.
#[test]
fn other_threads_of_a_scope_in_it_count() {
    let (slot, is_there) = (Mutex::new(None::<ScopeHandle>), Condvar::new());
    let (done, is_done) = (Mutex::new(false), Condvar::new());
    let work = || {
        let given = slot.lock().expect("no panic");
        let mut given = is_there
            .wait_while(given, |handle| handle.is_none())
            .expect("no panic");
        let handle = given.take().expect("it is there");
        handle.in_scope(|| drop(black_box(price(1))));
        *done.lock().expect("no panic") = true;
        is_done.notify_all();
    };
    thread::scope(|threads| {
        let worker = thread::Builder::new().name("pool-7".to_owned());
        worker.spawn_scoped(threads, work).expect("a thread");
        let text = message_of(|| {
            let scope = Scope::enter("job");
            *slot.lock().expect("no panic") = Some(scope.handle());
            is_there.notify_all();
            let done = done.lock().expect("no panic");
            drop(is_done.wait_while(done, |done| !*done).expect("no panic"));
        });
        assert!(text.contains("on the thread `pool-7`"), "{text}");
        #[cfg(all(
            target_os = "linux",
            any(target_arch = "x86_64", target_arch = "aarch64")
        ))]
        assert!(text.contains("no_allocation::price"), "{text}");
    });
}

#[test]
fn assertions_nest() {
    assert_eq!(assert_no_allocation(|| assert_no_allocation(|| 7)), 7);
    // What the inner one finds, the outer one finds too.
    let text = message_of(|| {
        let inner = catch_unwind(|| assert_no_allocation(|| on_tick(1)));
        assert!(inner.is_err());
    });
    assert!(text.contains("a block of 18 B"), "{text}");
    // And not the reverse.
    let text = message_of(|| {
        drop(black_box(price(1)));
        assert_no_allocation(|| ());
    });
    assert!(text.contains("a block of 18 B"), "{text}");
}

/// Another panic comes out as it was, and nothing is left of the assertion.
#[test]
fn panics_go_through_it() {
    let work = || assert_no_allocation(|| panic_any(7_u8));
    let payload = catch_unwind(work).expect_err("it panics");
    assert_eq!(payload.downcast_ref(), Some(&7_u8));
    let (kept, usage) = measure(|| price(1));
    assert_eq!((kept.len(), usage.total_blocks), (17, 1));
    assert_no_allocation(|| ());
}

/// The value is dropped before the failure, so it may panic itself.
#[test]
fn a_value_that_panics_when_it_is_dropped() {
    struct Fragile;
    impl Drop for Fragile {
        fn drop(&mut self) {
            panic_any("still open");
        }
    }
    let work = || {
        assert_no_allocation(|| {
            on_tick(1);
            Fragile
        })
    };
    let payload = catch_unwind(work).map(drop).expect_err("it panics");
    assert_eq!(payload.downcast_ref(), Some(&"still open"));
}

thread_local! {
    static PANICKED_AT: Cell<u32> = const { Cell::new(0) };
}

#[test]
fn the_callers_line_is_where_it_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICKED_AT.set(info.location().map_or(0, std::panic::Location::line));
            print(info);
        }));
    });
    let line = line!() + 1;
    let work = || assert_no_allocation(|| on_tick(1));
    assert!(catch_unwind(work).is_err());
    assert_eq!(PANICKED_AT.get(), line);
}

/// In a step it is quiet, counts nothing, and works in call-stack mode as well. Tests beside it
/// would be memory outside of the scenario.
#[test]
fn in_the_steps_of_a_scenario() {
    highwater_tests::in_its_own_process!();
    let scenario = Scenario::new("quiet").steps(100).step_blocks_ceiling(0);
    let report = scenario.clone().diagnose(true).run(
        || vec![0_u64; 8],
        |ring, i| assert_no_allocation(|| ring[(i % 8) as usize] = i),
    );
    report.assert();
    let loud = || {
        let steps = |ring: &mut Vec<u64>, i| assert_no_allocation(|| ring.push(i));
        scenario
            .stop_at(highwater::ByteSize::mib(1))
            .run(Vec::new, steps)
    };
    let text = text_of(catch_unwind(loud).expect_err("it fails"));
    let expected = "memory scenario `quiet`: the rehearsal (set-up, step 0 and drop) panicked: \
                    allocation in `assert_no_allocation`: a block of 32 B on the thread\n";
    assert!(text.starts_with(expected), "{text}");
    #[cfg(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    assert!(text.contains("  tests/no_allocation.rs:"), "{text}");
}
