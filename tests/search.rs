//! `Search`: sequences of operations that leak are found, shortened and told, and sound twins
//! have none.

#![forbid(unsafe_code)]

use highwater::{Search, Searched};
use highwater_fixtures::{Retention, Session, SessionStore};
use proptest::prelude::*;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// The message of a failed assertion, which fits the screen.
#[track_caller]
fn message_of(searched: &Searched) -> String {
    let payload = catch_unwind(AssertUnwindSafe(|| searched.assert())).expect_err("it fails");
    let text = *payload.downcast::<String>().expect("it is formatted");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(text.lines().count() <= 24, "{text}");
    // A stale word of a test beside this one may point to some of the blocks that are lost.
    let is_told = |line: &&str| !line.starts_with("    lost: ");
    text.lines()
        .filter(is_told)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// What is done to names by their numbers.
#[derive(Clone, Debug)]
enum Op {
    Insert(u8),
    Rename(u8, u8),
    Remove(u8),
    Count,
}

fn operation() -> impl Strategy<Value = Op> {
    let id = 0..8_u8;
    prop_oneof![
        id.clone().prop_map(Op::Insert),
        (id.clone(), id.clone()).prop_map(|(from, to)| Op::Rename(from, to)),
        id.prop_map(Op::Remove),
        Just(Op::Count),
    ]
}

/// Names, and where renamed ones were, until they are removed.
#[derive(Default)]
struct Names {
    by_id: HashMap<u8, String>,
    former: HashMap<String, VecDeque<u8>>,
    /// Whether a name that is removed has no former numbers any more.
    is_sound: bool,
}

impl Names {
    fn sound() -> Self {
        Self {
            is_sound: true,
            ..Self::default()
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Insert(id) => {
                self.by_id
                    .entry(*id)
                    .or_insert_with(|| format!("name of {id}"));
            }
            Op::Rename(from, to) => {
                if from != to
                    && !self.by_id.contains_key(to)
                    && let Some(name) = self.by_id.remove(from)
                {
                    let former = self.former.entry(name.clone()).or_default();
                    former.push_back(*from);
                    if former.len() > 4 {
                        former.pop_front();
                    }
                    self.by_id.insert(*to, format!("name of {to}"));
                    if !self.is_sound {
                        // Nobody asks for it, and nobody frees it.
                        std::mem::forget(name);
                    }
                }
            }
            Op::Remove(id) => {
                if let Some(name) = self.by_id.remove(id) {
                    self.former.remove(&name);
                }
            }
            Op::Count => assert!(self.by_id.len() <= 8),
        }
    }
}

fn names(seed: u64) -> Searched {
    Search::new("names")
        .seed(seed)
        .run(Names::default, operation(), Names::apply)
}

#[test]
fn three_operations_that_leak_are_found_and_shortened() {
    let searched = names(0);
    insta::assert_snapshot!(message_of(&searched));
}

#[test]
fn the_same_seed_finds_the_same_sequence() {
    for seed in 0..3 {
        let (once, again) = (names(seed), names(seed));
        assert!(once.is_leak());
        assert_eq!(once.operations(), again.operations(), "seed {seed}");
        assert!(once.operations().len() <= 4, "{:?}", once.operations());
    }
}

#[test]
fn sound_operations_have_no_leak() {
    let searched = Search::new("names").run(Names::sound, operation(), Names::apply);
    searched.assert();
    insta::assert_snapshot!(searched);
}

#[derive(Clone, Debug)]
enum Request {
    Open(u64),
    Look(u64),
    ClearOld(usize),
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (0..100_u64).prop_map(Request::Open),
        (0..100_u64).prop_map(Request::Look),
        (1..50_usize).prop_map(Request::ClearOld),
    ]
}

fn serve(store: &mut SessionStore, request: &Request) {
    match request {
        Request::Open(number) => store.add(Session::example(*number)),
        Request::Look(number) => {
            let _ = store.get(&Session::example(*number).id);
        }
        Request::ClearOld(keep_last) => {
            store.clear_old(*keep_last);
        }
    }
}

fn sessions(retention: Retention) -> Searched {
    let search = Search::new("sessions").budget(300);
    search.run(|| SessionStore::new(retention), request(), serve)
}

#[test]
fn the_session_store_without_a_cap_leaks() {
    let searched = sessions(Retention::Unbounded);
    insta::assert_snapshot!(message_of(&searched));
    assert_eq!(searched.operations(), ["Open(0)"]);
}

/// It fills for a thousand requests, which is longer than rises are waited for at first.
#[test]
fn the_session_store_with_a_cap_does_not() {
    let searched = sessions(Retention::last(1_000));
    searched.assert();
    assert!(!searched.is_leak() && searched.report().is_none());
}

#[test]
fn a_panic_says_which_operations() {
    let apply = |(): &mut (), number: &u8| assert!(*number < 9, "{number} is too much");
    let outcome = catch_unwind(|| Search::new("numbers").run(|| (), 9..10_u8, apply));
    let payload = outcome.map(drop).expect_err("it panics");
    let text = payload.downcast_ref::<String>().expect("it is formatted");
    assert!(text.starts_with("search `numbers`: [9"), "{text}");
    assert!(text.ends_with("panicked: 9 is too much"), "{text}");
}

/// What a worker from before keeps counts in a process of its own.
#[highwater::test]
fn a_leak_on_another_thread_is_found() {
    let (sender, numbers) = std::sync::mpsc::channel::<u8>();
    let (done, kept) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for number in numbers {
            if number == 3 {
                std::mem::forget(vec![number; 100]);
            }
            done.send(()).expect("it is awaited");
        }
    });
    let apply = |(): &mut (), number: &u8| {
        sender.send(*number).expect("the worker runs");
        kept.recv().expect("the worker runs");
    };
    let searched = Search::new("worker").run(|| (), 0..8_u8, apply);
    assert_eq!(searched.operations(), ["3"]);
}
