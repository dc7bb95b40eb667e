//! A request builds a parser of nested lists and reads one list by it. In the leaky
//! release, a recursive parser owns itself and stays after the request.

#![forbid(unsafe_code)]

use chumsky::prelude::*;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// Counts the names in a list of names and lists.
fn names() -> impl Parser<char, usize, Error = Simple<char>> {
    recursive(|list| {
        text::ident()
            .to(1)
            .or(list)
            .separated_by(just(','))
            .map(|counts| counts.into_iter().sum())
            .delimited_by('[', ']')
    })
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || (),
            |(), _| {
                let count = names().parse("[tea,[milk,sugar],[[lemon]]]");
                assert_eq!(count, Ok(4));
            },
        );
    println!("{}", report.to_json());
}
