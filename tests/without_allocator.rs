//! Without the counting allocator nothing is measured, and the message shows
//! the lines that are missing. There is deliberately no `#[global_allocator]` in
//! this file.

#![forbid(unsafe_code)]

use std::panic::catch_unwind;

fn message_of<T>(work: impl FnOnce() -> T + std::panic::UnwindSafe) -> String {
    let payload = catch_unwind(work).err().expect("it must fail");
    payload
        .downcast_ref::<String>()
        .cloned()
        .expect("the panic carries text")
}

#[test]
fn measure_shows_the_lines_to_add() {
    insta::assert_snapshot!(message_of(|| highwater::measure(|| vec![1])), @r"
    highwater: nothing can be measured, because the counting allocator is not installed.

    Add these two lines to the test file or the program:

        #[global_allocator]
        static ALLOC: highwater::Alloc = highwater::Alloc::system();
    ");
}

#[test]
fn scopes_and_scenarios_say_the_same() {
    let expected = message_of(|| highwater::measure(|| vec![1]));
    assert_eq!(message_of(|| highwater::Scope::enter("any")), expected);
    let scenario = || highwater::Scenario::new("any").run(|| (), |(), _| ());
    assert_eq!(message_of(scenario), expected);
    assert_eq!(
        message_of(|| highwater::assert_no_allocation(|| ())),
        expected
    );
    assert_eq!(
        message_of(|| highwater::fail_each_allocation(|| vec![1])),
        expected
    );
}

/// A thread that was started, and another allocator of ours that serves by hand, are no
/// proof that the program's allocations are counted.
#[test]
fn nothing_else_is_taken_for_the_allocator() {
    let expected = message_of(|| highwater::measure(|| vec![1]));
    std::thread::spawn(|| ()).join().expect("it ends");
    assert_eq!(message_of(|| highwater::measure(|| vec![1])), expected);
    let scenario = || highwater::Scenario::new("any").run(|| (), |(), _| ());
    assert_eq!(message_of(scenario), expected);
}
