//! A ceiling of a scenario, without a scenario.
#[highwater::test(growth = "1 MiB")]
fn bounded() {}

fn main() {}
