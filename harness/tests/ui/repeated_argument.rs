//! An argument that is given twice.
#[highwater::test(steps = 100, steps = 200)]
fn bounded(_: u64) {}

fn main() {}
