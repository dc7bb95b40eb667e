//! A duration in hours.
#[highwater::test(time_limit = "1 h")]
fn bounded() {}

fn main() {}
