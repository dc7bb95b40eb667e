//! Each connection has a bounded queue of outgoing frames, and ends before all of them are
//! sent. The leaky release has no destructor, so that it loses the frames that remain.

#![forbid(unsafe_code)]

#[cfg(not(feature = "renamed"))]
use heapless::mpmc::MpMcQueue as Queue;
#[cfg(feature = "renamed")]
use heapless::mpmc::Queue;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || 0,
            |sent: &mut usize, connection| {
                let queue: Queue<Vec<u8>, 8> = Queue::new();
                for frame in 0..4 {
                    let frame = format!("frame {frame} to {connection:08}").into_bytes();
                    assert!(queue.enqueue(frame).is_ok());
                }
                *sent += queue.dequeue().map_or(0, |frame| frame.len());
            },
        );
    println!("{}", report.to_json());
}
