//! A scenario that does nothing.
#[highwater::test(steps = 0)]
fn bounded(_: u64) {}

fn main() {}
