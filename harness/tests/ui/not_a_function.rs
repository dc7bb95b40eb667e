//! Only a function is a step.
#[highwater::test(steps = 100)]
struct Bounded;

fn main() {}
