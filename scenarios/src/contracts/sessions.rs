//! Sessions: none is live after it was closed, no sequence of operations on their store leaks,
//! and they can be copied where there is no memory.

use super::Contract;
use crate::Twin;
use highwater::{Scenario, Search, fail_each_allocation};
use highwater_fixtures::{Retention, Session, SessionStore};
use proptest::prelude::{Just, Strategy};
use proptest::prop_oneof;
use std::collections::{BTreeSet, TryReserveError};
use std::hint::black_box;
use std::sync::Arc;

pub(super) static CLOSED: Contract = Contract {
    id: "closed-sessions",
    by: "live_blocks_of",
    what: "no session is live after all were closed",
    defect: "a watcher keeps the first one",
    check: closed,
};

pub(super) static INDEX: Contract = Contract {
    id: "session-index",
    by: "Search",
    what: "no sequence of operations on the session store and its index leaks",
    defect: "the index keeps the names of sessions that are cleared away",
    check: index,
};

pub(super) static COPY: Contract = Contract {
    id: "session-copy",
    by: "fail_each_allocation",
    what: "a copy of the sessions' names is an error where there is no memory",
    defect: "makes room for a name with code that aborts",
    check: copy,
};

/// Sessions that are open, and what somebody else keeps of them.
#[derive(Default)]
struct Open {
    sessions: Vec<Arc<Session>>,
    watched: Vec<Arc<Session>>,
}

fn closed(twin: Twin) -> String {
    let scenario = Scenario::new(CLOSED.id).steps(100);
    let report = scenario
        .live_blocks_of("Session", 0)
        .run(Open::default, |open, i| {
            let session = Arc::new(Session::example(i));
            if twin == Twin::Leaky && i == 0 {
                open.watched.push(Arc::clone(&session));
            }
            open.sessions.push(session);
            open.sessions.clear();
        });
    report.assert();
    "no block of a `Session` after 100 steps".to_owned()
}

/// How many sessions the store holds.
const CAP: usize = 8;

#[derive(Clone, Debug)]
enum Op {
    Add,
    ClearOld(usize),
    Newest,
}

fn operation() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => Just(Op::Add),
        1 => (0..4_usize).prop_map(Op::ClearOld),
        1 => Just(Op::Newest),
    ]
}

/// The store, with an index of the names in it.
struct Indexed {
    store: SessionStore,
    names: BTreeSet<String>,
    added: u64,
}

impl Indexed {
    fn new() -> Self {
        Self {
            store: SessionStore::new(Retention::last(CAP)),
            names: BTreeSet::new(),
            added: 0,
        }
    }

    fn apply(&mut self, op: &Op, twin: Twin) {
        match *op {
            Op::Add => {
                // A full store drops its oldest.
                self.forget_all_but(CAP - 1);
                let session = Session::example(self.added);
                self.added += 1;
                self.names.insert(session.id.clone());
                self.store.add(session);
            }
            Op::ClearOld(keep_last) => {
                if twin.is_sound() {
                    self.forget_all_but(keep_last);
                }
                self.store.clear_old(keep_last);
            }
            Op::Newest => {
                black_box(self.store.iter().next_back());
            }
        }
    }

    /// Takes the names of the oldest from the index.
    fn forget_all_but(&mut self, keep_last: usize) {
        let surplus = self.store.len().saturating_sub(keep_last);
        for session in self.store.iter().take(surplus) {
            self.names.remove(&session.id);
        }
    }
}

fn index(twin: Twin) -> String {
    let searched = Search::new(INDEX.id).run(Indexed::new, operation(), |indexed, op| {
        indexed.apply(op, twin);
    });
    searched.assert();
    searched.to_string()
}

/// The names of all sessions, or none.
fn names_of(store: &SessionStore, twin: Twin) -> Result<Vec<String>, TryReserveError> {
    let mut names = Vec::new();
    names.try_reserve_exact(store.len())?;
    for session in store.iter() {
        let mut name = String::new();
        if twin.is_sound() {
            name.try_reserve_exact(session.id.len())?;
        }
        name.push_str(&session.id);
        names.push(name);
    }
    Ok(names)
}

fn copy(twin: Twin) -> String {
    let mut store = SessionStore::default();
    (0..8).for_each(|number| store.add(Session::example(number)));
    let tried = fail_each_allocation(|| names_of(&store, twin));
    tried.to_string()
}
