//! Each request has names that are borrowed from a list or owned. The leaky release takes
//! every owned name of the lean kind for a borrowed one and never frees it.

#![forbid(unsafe_code)]

use beef::lean::Cow;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const KNOWN: [&str; 4] = ["host", "accept", "cookie", "origin"];

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || 0,
            |bytes: &mut usize, request| {
                let mut names: Vec<Cow<str>> = KNOWN.into_iter().map(Cow::borrowed).collect();
                names.push(Cow::owned(format!("x-trace-{request:016x}")));
                *bytes += names.iter().map(|name| name.len()).sum::<usize>();
            },
        );
    println!("{}", report.to_json());
}
