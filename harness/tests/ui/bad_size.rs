//! A ceiling without a unit.
#[highwater::test(steps = 100, growth = "100")]
fn bounded(_: u64) {}

fn main() {}
