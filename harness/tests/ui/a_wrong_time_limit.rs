//! A duration in hours.
#[highwater::test(time_limit = "1 d")]
fn bounded() {}

fn main() {}
