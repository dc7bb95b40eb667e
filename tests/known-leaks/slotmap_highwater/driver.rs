//! The number of open sessions follows a wave of 22,000 ticks, up to 4,000. A slot
//! map keeps its slots, and each session has a text of its own.

#![forbid(unsafe_code)]

use slotmap::{DefaultKey, SlotMap};
use std::collections::VecDeque;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(10_000)
        .run(
            || (SlotMap::new(), VecDeque::new()),
            |(sessions, open): &mut (SlotMap<DefaultKey, String>, VecDeque<DefaultKey>), i| {
                let wave = (i as f64 / 22_000.0 * std::f64::consts::TAU).sin();
                let wanted = (2_000.0 + 1_999.0 * wave) as usize;
                while sessions.len() < wanted {
                    let key = sessions.insert(format!("session {i:010}"));
                    open.push_back(key);
                }
                while sessions.len() > wanted {
                    let oldest = open.pop_front().expect("there are some");
                    sessions.remove(oldest);
                }
            },
        );
    println!("{}", report.to_json());
}
