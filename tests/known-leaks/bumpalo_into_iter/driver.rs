//! Each line is split into owned fields, in a vector that lives in an arena, and its first
//! two fields are taken by value. The leaky release does not drop what the iterator of the
//! vector has not yielded.

#![forbid(unsafe_code)]

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(Bump::new, |arena, i| {
            let line = format!("2026-01-01,{i:012},paid,9.99");
            {
                let mut fields = BumpVec::new_in(arena);
                fields.extend(line.split(',').map(str::to_owned));
                let mut fields = fields.into_iter();
                let date: Option<String> = fields.next();
                let order = fields.next();
                assert_eq!(date.as_deref(), Some("2026-01-01"));
                assert_eq!(order.map(|order| order.len()), Some(12));
            }
            arena.reset();
        });
    println!("{}", report.to_json());
}
