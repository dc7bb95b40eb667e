//! Sessions come and go, and a snapshot for readers is refreshed with `clone_from`.
//! The leaky release overwrites what was in the snapshot without dropping it.

#![forbid(unsafe_code)]

use slotmap::{DefaultKey, SlotMap};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Default)]
struct Registry {
    sessions: SlotMap<DefaultKey, String>,
    snapshot: SlotMap<DefaultKey, String>,
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(Registry::default, |registry, tick| {
            if tick % 2 == 0 {
                for place in 0..8 {
                    registry
                        .sessions
                        .insert(format!("session {tick:08}/{place:03}"));
                }
            } else {
                registry.sessions.clear();
            }
            registry.snapshot.clone_from(&registry.sessions);
        });
    println!("{}", report.to_json());
}
