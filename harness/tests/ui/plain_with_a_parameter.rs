//! A plain test has no steps to number.
#[highwater::test]
fn bounded(_: u64) {}

fn main() {}
