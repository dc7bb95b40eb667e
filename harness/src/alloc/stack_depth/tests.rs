//! Painting and reading, and threads that end in ways that safe code has not.

use super::paint::PATTERN;
use super::*;
use crate::alloc::OpenScope;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::thread;

unsafe extern "C-unwind" {
    fn pthread_exit(value: *mut c_void) -> !;
}

#[inline(never)]
fn descend(levels: u64) -> u64 {
    let frame = black_box([levels; 512]);
    match levels {
        0 | 1 => frame[0],
        _ => descend(levels - 1) + black_box(&frame)[1],
    }
}

/// What steps use in a scope of their own.
fn measured(step: impl FnOnce()) -> StackDepth {
    let scope = OpenScope::enter("stack").expect("the allocator counts");
    let steps = scope.measure_stack(|steps| steps.run(|| steps.mark()));
    let steps = steps.expect("there is room");
    steps.run(step);
    let depth = steps.end();
    scope.leave();
    depth
}

#[test]
fn what_is_painted_is_read_from_its_far_end() {
    let mut words = [PATTERN; 64];
    let low = words.as_ptr() as usize;
    let high = low + size_of_val(&words);
    assert_eq!(first_used(low, high), high);
    assert_eq!(first_used(high, high), high);
    for place in [63, 40, 1, 0] {
        black_box(&mut words)[place] = 0;
        assert_eq!(first_used(low, high), low + 8 * place);
    }
}

#[test]
fn a_thread_that_exits_in_the_middle_is_read() {
    extern "C-unwind" fn routine(_: *mut c_void) -> *mut c_void {
        black_box(descend(50));
        // SAFETY: no frame of this thread has anything to drop.
        unsafe { pthread_exit(ptr::null_mut()) }
    }

    let depth = measured(|| {
        let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
        // SAFETY: the two types of functions differ in that one may unwind, which ours is called
        // for; the thread is joined if it was started.
        unsafe {
            let routine: extern "C-unwind" fn(*mut c_void) -> *mut c_void = routine;
            let routine = std::mem::transmute::<
                extern "C-unwind" fn(*mut c_void) -> *mut c_void,
                extern "C" fn(*mut c_void) -> *mut c_void,
            >(routine);
            let (thread, none) = (thread.as_mut_ptr(), ptr::null_mut());
            assert_eq!(libc::pthread_create(thread, none, routine, none.cast()), 0);
            assert_eq!(libc::pthread_join(*thread, ptr::null_mut()), 0);
        }
    });
    assert!(depth.bytes > 50 * 4_096 && !depth.is_least, "{depth:?}");
}

/// A thread of a scenario that is over tells the next one nothing.
#[test]
fn a_thread_that_outlives_its_scenario() {
    let (order, orders) = std::sync::mpsc::channel::<u64>();
    let mut late = None;
    let first = measured(|| {
        late = Some(thread::spawn(move || {
            orders.iter().map(descend).sum::<u64>()
        }));
    });
    let second = measured(|| {
        order.send(50).expect("it listens");
        drop(order);
        let late = late.take().expect("it was started");
        black_box(late.join().expect("it returns"));
    });
    assert!(first.bytes < 50 * 4_096, "{first:?}");
    assert!(second.bytes < 50 * 4_096, "{second:?}");
}

#[test]
fn no_meter_and_no_place_is_kept() {
    for _ in 0..200 {
        let depth = measured(|| {
            let threads = [1, 2, 3].map(|levels| thread::spawn(move || descend(levels)));
            for thread in threads {
                black_box(thread.join().expect("it returns"));
            }
        });
        assert!(depth.bytes >= 3 * 4_096, "{depth:?}");
    }
}
