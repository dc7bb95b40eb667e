//! Programs that write past the end of their blocks: what that does to the counts, and
//! where it is said.

#![deny(unsafe_code)]
#![cfg(target_os = "linux")]

use highwater::{Scenario, measure};
use std::ffi::c_void;
use std::hint::black_box;
use std::process::Command;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// A block whose footer is four bytes of the program's.
#[allow(unsafe_code)]
fn damaged(footer: u32) -> *mut c_void {
    let block = Box::into_raw(Box::new([0_u8; 64]));
    // SAFETY: the four bytes behind the block are the allocator's, and mapped. That a
    // program writes there all the same is what is tested.
    unsafe {
        block
            .cast::<u8>()
            .add(64)
            .cast::<u32>()
            .write_unaligned(footer);
    }
    block.cast()
}

/// # Safety
/// The block must be one of [`damaged`].
#[allow(unsafe_code)]
unsafe fn free(block: *mut c_void) {
    // SAFETY: it was a box of that type.
    drop(unsafe { Box::from_raw(block.cast::<[u8; 64]>()) });
}

/// The first thing that the thread does with the allocator is to free the block; returns
/// how much it counts of a hundred bytes then.
#[allow(unsafe_code)]
extern "C" fn frees_first(block: *mut c_void) -> *mut c_void {
    // SAFETY: the thread is given such a block.
    unsafe { free(block) };
    let ((), usage) = measure(|| drop(black_box(vec![0_u8; 100])));
    usage.total_bytes as *mut c_void
}

/// A footer of zeros, or of anything else, is no footer of a thread without a ledger.
#[test]
#[allow(unsafe_code)]
fn no_footer_is_counted_where_there_is_no_ledger() {
    for footer in [0, 0xA5, u32::MAX, 0x00FF_FFA5] {
        // SAFETY: a thread of its own takes the block, and is joined.
        let counted = unsafe {
            let mut thread = 0;
            let block = damaged(footer);
            let null = std::ptr::null();
            assert_eq!(
                libc::pthread_create(&raw mut thread, null, frees_first, block),
                0
            );
            let mut counted = std::ptr::null_mut();
            assert_eq!(libc::pthread_join(thread, &raw mut counted), 0);
            counted as usize
        };
        assert_eq!(counted, 100, "{footer:x}");
    }
}

/// The report of a scenario in whose step a block came back damaged says so.
#[test]
#[allow(unsafe_code)]
fn damage_in_a_scenario_is_in_its_report() {
    let report = Scenario::new("damaged").steps(64).run(
        || (),
        // SAFETY: the block is such a block.
        |(), _| unsafe { free(damaged(0)) },
    );
    assert!(report.is_failure());
    let damage = report.damage().expect("it is told");
    assert!(
        damage.contains("blocks were freed with the bytes behind them overwritten"),
        "{damage}"
    );
}

/// What the next test runs by itself.
#[test]
#[ignore = "it damages its own heap"]
#[allow(unsafe_code)]
fn damages_a_block_outside_of_every_scope() {
    // SAFETY: the block is such a block.
    unsafe { free(damaged(0)) };
}

/// Where there is no report, the end of the process says it.
#[test]
fn damage_outside_of_every_scope_is_told_at_the_end() {
    let output = Command::new(std::env::current_exe().expect("it is there"))
        .args([
            "damages_a_block_outside_of_every_scope",
            "--exact",
            "--ignored",
        ])
        .output()
        .expect("it starts");
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = "highwater: outside of every scope, 1 block was freed with the bytes behind \
                    them overwritten, the first of 64 B";
    assert!(said.contains(expected), "{said}");
}
