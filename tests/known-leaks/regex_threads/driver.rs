//! Threads come and go, and each matches against one shared expression.

#![forbid(unsafe_code)]

use regex::Regex;
use std::sync::Arc;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(60)
        .run(
            || Arc::new(Regex::new("^[A-Z]{3,5}-USD$").expect("an expression")),
            |symbol, _| {
                let threads: Vec<_> = (0..4)
                    .map(|_| {
                        let symbol = Arc::clone(symbol);
                        std::thread::spawn(move || assert!(symbol.is_match("BTC-USD")))
                    })
                    .collect();
                for thread in threads {
                    thread.join().expect("it matches");
                }
            },
        );
    println!("{}", report.to_json());
}
