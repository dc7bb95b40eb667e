//! A session store grew by every session that was ever opened, because nothing
//! closed the ones that clients walked away from. What fixed it was a cap: the
//! store holds the last 1,000 and drops the oldest for each new one.

use crate::{Entry, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{Retention, Session, SessionStore};

pub(crate) static ENTRY: Entry = Entry {
    id: "sessions-10k",
    what: "a session store takes one session a step, holds the last 1,000",
    defect: "has no cap",
    steps: 10_000,
    growth_ceiling: ByteSize::mb(50),
    peak_ceiling: ByteSize::mb(50),
    reads: Reads::Nothing,
    findings: None,
    run,
};

const CAP: usize = 1_000;

fn run(scenario: &Scenario, twin: Twin, _: &Inputs) -> Report {
    let retention = match twin {
        Twin::Sound => Retention::last(CAP),
        Twin::Leaky => Retention::Unbounded,
    };
    scenario.run(
        || SessionStore::new(retention),
        |store, i| {
            store.add(Session::example(i));
            if twin.is_sound() {
                assert_holds_the_last(store, i);
            }
        },
    )
}

/// Exactly the newest sessions are held: the right number, with the right ends.
/// Told by their times, since making their names again would be allocations of
/// the test's own.
fn assert_holds_the_last(store: &SessionStore, newest: u64) {
    let held = (newest + 1).min(CAP as u64);
    assert_eq!(store.len() as u64, held, "sessions held");
    let mut minutes = store.iter().map(|session| session.timestamp_ms / 60_000);
    let oldest = newest + 1 - held;
    assert_eq!(
        minutes.next(),
        i64::try_from(oldest).ok(),
        "the oldest held"
    );
    if held > 1 {
        assert_eq!(
            minutes.next_back(),
            i64::try_from(newest).ok(),
            "the newest held"
        );
    }
}
