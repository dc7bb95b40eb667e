//! A ceiling without a unit.
#[highwater::test(growth = "100")]
fn bounded(_: u64) {}

fn main() {}
