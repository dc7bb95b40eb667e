//! Lines of a log are searched for 1,500 names. The automaton is built as lines need it,
//! common names first; its cache of states is limited, and is emptied at the limit.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use random::mixed;
use regex::{Regex, RegexBuilder};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const NAMES: u64 = 1_500;

/// Eight letters.
fn name(id: u64) -> String {
    let letter = |at| char::from(b'a' + (mixed(id) >> (at * 8)) as u8 % 26);
    (0..8).map(letter).collect()
}

fn block_list() -> Regex {
    let names: Vec<_> = (0..NAMES).map(name).collect();
    RegexBuilder::new(&format!(r"\b(?:{})[0-9]{{2,4}}\b", names.join("|")))
        .dfa_size_limit(600_000)
        .build()
        .expect("the pattern is valid")
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(200)
        .run(block_list, |names: &mut Regex, i| {
            let share = (mixed(i) >> 11) as f64 / (1_u64 << 53) as f64;
            let name = name((NAMES as f64).powf(share) as u64);
            let line = format!("request {i:06} of {name} was answered");
            assert!(!names.is_match(&line));
        });
    println!("{}", report.to_json());
}
