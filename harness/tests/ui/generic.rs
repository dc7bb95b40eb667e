//! Nobody says what the type is.
#[highwater::test(steps = 100)]
fn bounded<T>(_: u64) {}

fn main() {}
