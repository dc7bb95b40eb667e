//! Two workers open spans in a shared slab, which are closed by another thread. The slab
//! gives each thread a shard, whose pages stay. Batches grow to 500 and then no more.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use random::mixed;
use sharded_slab::Slab;
use std::sync::Arc;
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(100)
        .run(
            || Arc::new(Slab::<String>::new()),
            |spans, i| {
                let batch = i.min(1_000) / 2 + mixed(i) % 16;
                // One worker after the other, so that the second has the shard of the first.
                for worker in 0..2 {
                    let theirs = Arc::clone(spans);
                    let opened = thread::spawn(move || {
                        let open = |span| theirs.insert(format!("span {span} of {worker}"));
                        (0..batch).map_while(open).collect::<Vec<_>>()
                    });
                    for key in opened.join().expect("the worker ends") {
                        spans.take(key);
                    }
                }
            },
        );
    println!("{}", report.to_json());
}
