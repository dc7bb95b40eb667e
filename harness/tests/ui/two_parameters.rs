//! A step has one number.
#[highwater::test(steps = 100)]
fn bounded(_: u64, _: u64) {}

fn main() {}
