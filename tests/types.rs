//! `Scenario::live_blocks_of`: blocks of a type, counted where types are known, and never taken
//! for none where they are not.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

use highwater::{Report, Scenario};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

struct Session {
    id: u64,
}

#[derive(Default)]
struct Store {
    open: Vec<Arc<Session>>,
    names: Vec<String>,
}

impl Store {
    #[inline(never)]
    fn open(&mut self, id: u64) {
        self.open.push(Arc::new(Session { id }));
        self.names.push(format!("session {id}"));
    }

    fn close(&mut self) {
        self.open.clear();
        self.names.clear();
    }
}

/// Without the command to run it again, which depends on who runs it.
#[track_caller]
fn message_of(report: &Report) -> String {
    let payload = catch_unwind(AssertUnwindSafe(|| report.assert())).expect_err("it fails");
    let text = *payload.downcast::<String>().expect("it is formatted");
    for line in text.lines().filter(|line| !line.contains(" cargo ")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let lines = text.lines().filter(|line| !line.contains("run again "));
    lines.collect::<Vec<_>>().join("\n")
}

fn sessions(name: &str, closes_last: bool) -> Report {
    let scenario = Scenario::new(name).steps(64);
    let scenario = scenario.live_blocks_of("Session", 0);
    // Three are open at the end, for good.
    scenario.run(Store::default, |store, i| {
        if i < 3 {
            (0..3).for_each(|id| store.open(id));
            if closes_last || i < 2 {
                store.close();
            }
        }
    })
}

/// The message says who holds them, too.
#[test]
#[cfg(target_arch = "x86_64")]
fn blocks_of_a_type_above_their_ceiling() {
    let report = sessions("sessions", false);
    assert!(report.verdict().is_bounded());
    insta::assert_snapshot!(message_of(&report));
    let long = report.explanation();
    assert!(
        long.contains("live blocks: 3 blocks of `Session`, ceiling 0"),
        "{long}"
    );
    assert!(
        long.contains("sites, by live blocks after 64 steps"),
        "{long}"
    );
}

#[test]
fn blocks_of_a_type_within_their_ceiling() {
    sessions("closed", true).assert();
    let report = Scenario::new("open")
        .steps(64)
        .live_blocks_of("Session", 1)
        .run(|| Box::new(Session { id: 7 }), |session, i| session.id = i);
    report.assert();
    let text = report.to_string();
    assert!(
        text.contains("by type     1 block of `Session`, ceiling 1"),
        "{text}"
    );
}

/// In a process of its own, too.
#[highwater::test]
fn in_a_process_of_its_own() {
    sessions("closed", true).assert();
    assert!(sessions("sessions", false).is_failure());
}

/// Without call stacks there are no types.
#[test]
fn without_call_stacks_nothing_is_claimed() {
    let verdicts = Mutex::new(Vec::new());
    let inner = Scenario::new("inner").steps(2).live_blocks_of("Session", 0);
    let outer = Scenario::new("outer")
        .steps(1)
        .step_budget(1)
        .live_blocks_of("Session", 0);
    outer.run(
        || (),
        |(), _| {
            let report = inner.run(|| (), |(), _| ());
            verdicts.lock().expect("no panic").push(report.failures());
        },
    );
    // Those in the outer one's rehearsal have call stacks, those in its steps have not.
    let verdicts = verdicts.into_inner().expect("no panic");
    let expected = "inconclusive: live blocks of `Session` can't be counted: no call stacks were \
                    taken";
    assert!(
        verdicts.iter().any(|failures| *failures == [expected]),
        "{verdicts:?}"
    );
}

#[test]
fn a_type_has_a_name() {
    let refused = catch_unwind(|| Scenario::new("any").live_blocks_of("", 0));
    let payload = refused.map(drop).expect_err("it is refused");
    let text = payload.downcast_ref::<&str>().expect("it is not formatted");
    assert_eq!(*text, "highwater: blocks of a type need its name");
}
