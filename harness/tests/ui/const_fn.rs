//! A step runs, it is not worked out while compiling.
#[highwater::test(steps = 100)]
const fn bounded(_: u64) {}

fn main() {}
