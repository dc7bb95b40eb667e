//! A size as it is said.
#[highwater::test(steps = 100, growth = 1 MiB)]
fn bounded(_: u64) {}

fn main() {}
