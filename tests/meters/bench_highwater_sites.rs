//! The benchmark's loads on highwater, in a scenario whose call stacks are taken; for
//! that, `HIGHWATER_SITES` must be `always`.

#![forbid(unsafe_code)]

use std::cell::Cell;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let calls = Cell::new(0);
    let scenario = highwater::Scenario::new("benchmark")
        .steps(1)
        .step_budget(1);
    let report = scenario.run(
        || (),
        |(), _| {
            calls.set(calls.get() + 1);
            // The first is the rehearsal, which has no call stacks.
            if calls.get() == 2 {
                highwater_tests::load::main();
            }
        },
    );
    assert!(
        report.diagnosis().is_some(),
        "HIGHWATER_SITES is not `always`"
    );
}
