//! What the monitor itself needs: the same memory for ever, to the byte.

#![forbid(unsafe_code)]

use highwater::Scope;
use highwater_monitor::{Monitor, Sample};
use std::time::{Duration, SystemTime};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[test]
fn a_million_samples_leave_no_byte() {
    let scope = Scope::enter("monitor");
    let monitor = Monitor::builder().build();
    let observe = |range: std::ops::Range<u64>| {
        for minute in range {
            let mut sample = Sample::at(SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute));
            // Alerts come and go.
            let much = if minute % 50_000 < 10 { 900_000_000 } else { 0 };
            sample.resident_bytes = Some(200_000_000 + much + minute % 10_000 * 4_096);
            sample.threads = Some(10 + minute % 7);
            sample.descriptors = Some(30 + minute % 50);
            sample.descriptor_limit = Some(1_024);
            monitor.observe(sample);
        }
    };
    observe(0..1_000);
    let early = scope.usage();
    observe(1_000..1_000_000);
    let late = scope.usage();
    assert_eq!(late.live_bytes, early.live_bytes);
    assert_eq!(late.live_blocks, early.live_blocks);
    let kilobytes = late.live_bytes / 1_000;
    assert!(
        (300..450).contains(&kilobytes),
        "{kilobytes} kB for three figures, and for what allocators keep and what is fragmented"
    );
}

#[test]
fn real_samples_leave_no_byte_either() {
    let monitor = Monitor::builder().build();
    let scope = Scope::enter("monitor");
    for _ in 0..10 {
        monitor.sample();
    }
    let early = scope.usage();
    for _ in 0..1_000 {
        monitor.sample();
    }
    assert_eq!(scope.usage().live_bytes, early.live_bytes);
}

#[test]
fn the_heap_is_that_of_the_whole_process() {
    let before = Sample::of_this_process()
        .heap
        .expect("the allocator is installed");
    let kept = vec![0_u8; 64 << 20];
    let of_thread = std::thread::spawn(|| vec![0_u8; 32 << 20]);
    let of_thread = of_thread.join().expect("it does not panic");
    let scope = Scope::enter("inside");
    let in_scope = vec![0_u8; 16 << 20];
    let with = Sample::of_this_process()
        .heap
        .expect("the allocator is installed");
    // Other tests of this process hold less than a megabyte.
    let more = (with.live_bytes - before.live_bytes) >> 20;
    assert!((111..=113).contains(&more), "{more} MiB");
    assert!(with.live_blocks > 0 && with.peak_bytes >= with.live_bytes);
    drop((kept, of_thread, in_scope, scope));
}
