//! An argument that there is none of.
#[highwater::test(steps = 100, growht = "1 MiB")]
fn bounded(_: u64) {}

fn main() {}
