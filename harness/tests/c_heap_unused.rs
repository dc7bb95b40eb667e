//! A program whose allocator is not the library's, with the feature `c-heap` or without:
//! what it allocates is passed on, and measuring is refused.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

use highwater::measure;
use std::hint::black_box;
use std::panic::catch_unwind;
use std::thread;

#[test]
fn a_program_without_the_allocator_runs_as_ever() {
    let work = || {
        let mut kept: Vec<_> = (0..1_000).map(|size| vec![1_u8; size]).collect();
        for block in &mut kept {
            block.resize(block.len() * 2 + 1, 2);
            block.shrink_to_fit();
        }
        black_box(kept.iter().map(Vec::len).sum::<usize>())
    };
    let expected = work();
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(work)).collect();
    assert!(catch_unwind(|| measure(work)).is_err());
    for thread in threads {
        assert_eq!(thread.join().expect("it does not panic"), expected);
    }
    assert_eq!(work(), expected);
}
