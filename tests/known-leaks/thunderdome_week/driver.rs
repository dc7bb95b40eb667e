//! The number of open sessions follows days of 1,500 ticks and weeks of seven days, up to
//! 3,000. The arena keeps its slots, and each session has a text of its own.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::f64::consts::TAU;
use thunderdome::{Arena, Index};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type Sessions = (Arena<String>, VecDeque<Index>);

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || (Arena::new(), VecDeque::new()),
            |(sessions, open): &mut Sessions, i| {
                let day = (i as f64 / 1_500.0 * TAU).cos();
                let week = (i as f64 / 10_500.0 * TAU).cos();
                let wanted = (1_500.0 - 600.0 * day - 900.0 * week) as usize;
                while sessions.len() < wanted {
                    open.push_back(sessions.insert(format!("session {i:010}")));
                }
                while sessions.len() > wanted {
                    let oldest = open.pop_front().expect("there are some");
                    sessions.remove(oldest);
                }
            },
        );
    println!("{}", report.to_json());
}
