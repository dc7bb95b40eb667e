//! [`Search`]: looks for a sequence of operations that leaks when it is repeated.
//!
//! It is built on proptest's strategies for lists. The crate `proptest-state-machine` makes
//! sequences that are valid by a model of the state, once and from its start. Here a sequence is
//! repeated on one state, where such a model would hold in the first repetition alone, and
//! operations must cope with any state anyway. A list of operations is enough, and shrinks as
//! well. `trial.rs` repeats one sequence and judges it, `text.rs` prints what was found.

mod text;
mod trial;

use super::Scenario;
use crate::alloc::unscoped;
use crate::report::Report;
use crate::scope::panics::{self, message_of};
use crate::scope::{Scope, ScopeHandle};
use proptest::collection::vec;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::any::type_name;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use trial::{Outcome, Trial};

/// The most operations of a sequence, in each fifth of the budget: short ones are tried first.
const LENGTHS: [usize; 5] = [2, 4, 8, 16, 32];

/// After how many repetitions a rise is called a leak at first, and where that was wrong.
const SOON: u64 = 256;
const LATE: u64 = 16_384;

/// How many bytes of leaks a sequence may be shortened at the cost of.
const MOST_LEAKED: u64 = 512 << 20;

/// A search for a sequence of operations that leaks each time that it is repeated.
///
/// Sequences are made from a strategy of proptest. Each is repeated on a state of its own, at
/// least 64 times, and its live memory is judged as that of a [`Scenario`] is, by the floors of
/// windows that double. So neither a cache that fills nor a table that doubles is a leak. The
/// first sequence that leaks is shortened until no operation can be left out. A scenario repeats
/// it once more, and says where its memory comes from.
///
/// An operation must cope with any state, such as a removal where nothing is. A state that grows
/// by design, as a list does to which is added, needs a bound in `apply`, as the real program has
/// one.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: highwater::Alloc = highwater::Alloc::system();
/// use highwater::Search;
/// use proptest::prelude::*;
/// use std::collections::HashMap;
///
/// #[derive(Clone, Debug)]
/// enum Op {
///     Insert(u8),
///     Rename(u8, u8),
///     Remove(u8),
/// }
///
/// #[derive(Default)]
/// struct Names {
///     by_id: HashMap<u8, String>,
///     former: Vec<String>,
/// }
///
/// fn operation() -> impl Strategy<Value = Op> {
///     let id = 0..4_u8;
///     prop_oneof![
///         id.clone().prop_map(Op::Insert),
///         (id.clone(), id.clone()).prop_map(|(from, to)| Op::Rename(from, to)),
///         id.prop_map(Op::Remove),
///     ]
/// }
///
/// fn apply(names: &mut Names, op: &Op) {
///     match op {
///         Op::Insert(id) => drop(names.by_id.insert(*id, format!("name {id}"))),
///         Op::Rename(from, to) => {
///             if let Some(name) = names.by_id.remove(from) {
///                 names.former.push(name.clone());
///                 names.by_id.insert(*to, name);
///             }
///         }
///         Op::Remove(id) => drop(names.by_id.remove(id)),
///     }
/// }
///
/// # fn main() {
/// let searched = Search::new("names").run(Names::default, operation(), apply);
/// assert!(searched.is_leak());
/// assert_eq!(searched.operations().len(), 2);
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it is run"]
pub struct Search {
    name: String,
    seed: u64,
    budget: u64,
}

/// What a [`Search`] found.
///
/// Its `Display` form is the message of [`assert`](Self::assert), or says that nothing was found.
#[derive(Clone, Debug)]
pub struct Searched {
    name: String,
    seed: u64,
    budget: u64,
    /// The path of the type of operations.
    type_name: &'static str,
    /// The sequences that were tried, with the one that leaks, and those to shorten it.
    tried: u64,
    shortened: u64,
    found: Option<Found>,
    /// How many sequences could not be decided, and the first of them with the reason.
    open: u64,
    first_open: Option<(Vec<String>, String)>,
}

/// A sequence that leaks.
#[derive(Clone, Debug)]
struct Found {
    operations: Vec<String>,
    repetitions: u64,
    each: Option<(i64, i64)>,
    risen_bytes: u64,
    risen_blocks: u64,
    left_bytes: u64,
    /// Of the scenario that repeats it.
    report: Report,
}

impl Search {
    /// A search through 2,000 sequences, with the seed 0. The name appears in messages, and in
    /// the name of the report's file if something is found.
    ///
    /// # Panics
    /// If the name is empty.
    #[track_caller]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        assert!(!name.is_empty(), "highwater: a search needs a name");
        Self {
            name,
            seed: 0,
            budget: 2_000,
        }
    }

    /// What the sequences are made from. With the same seed they are the same.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many sequences to try at most. As many again may be tried to shorten one that leaks.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    pub fn budget(mut self, sequences: u64) -> Self {
        assert!(
            sequences > 0,
            "highwater: a search needs a budget of at least one sequence"
        );
        self.budget = sequences;
        self
    }

    /// Tries sequences of what `operation` gives until one leaks. `setup` makes a state, and
    /// `apply` does an operation to it; both are called often. The test that a failure prints calls
    /// functions of these names.
    ///
    /// What is allocated in `setup` and `apply` counts, on this thread and those that they start,
    /// and in a process of its own, as `#[highwater::test]` gives one, on every thread. The
    /// operations themselves do not count.
    ///
    /// # Panics
    /// If `setup` or `apply` panics, with the sequence; if the strategy gives no operations; and
    /// as [`Scenario::run`] does.
    #[track_caller]
    pub fn run<S, O: Strategy>(
        &self,
        setup: impl Fn() -> S,
        operation: O,
        apply: impl Fn(&mut S, &O::Value),
    ) -> Searched {
        panics::keep_output_out_of_scopes();
        let scope = Scope::of_run(&self.name);
        let trials = Trials {
            search: self,
            scope: &scope,
            inside: unscoped(|| scope.handle()),
            setup: &setup,
            apply: &apply,
        };
        let mut searched = unscoped(|| Searched::new(self, type_name::<O::Value>()));
        let leaking = unscoped(|| trials.search(&operation, &mut searched));
        drop(trials);
        drop(scope);
        if let Some((operations, trial)) = leaking {
            let report = Scenario::new(&self.name).run(&setup, |state, _| {
                for operation in &operations {
                    apply(state, operation);
                }
            });
            unscoped(|| searched.conclude(&operations, &trial, report));
            unscoped(|| drop((operations, trial)));
        }
        searched
    }
}

/// The trials of a search. What is done between them counts for nobody.
struct Trials<'a, S, A> {
    search: &'a Search,
    scope: &'a Scope,
    inside: ScopeHandle,
    setup: &'a S,
    apply: &'a A,
}

impl<Setup, Apply> Trials<'_, Setup, Apply> {
    /// The first sequence that leaks, as short as it becomes.
    fn search<S, O: Strategy>(
        &self,
        operation: &O,
        searched: &mut Searched,
    ) -> Option<(Vec<O::Value>, Trial)>
    where
        Setup: Fn() -> S,
        Apply: Fn(&mut S, &O::Value),
    {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.search.seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let mut late = SOON;
        while searched.tried < self.search.budget {
            let fifth = searched.tried * LENGTHS.len() as u64 / self.search.budget;
            let longest = LENGTHS[usize::try_from(fifth).unwrap_or(0)];
            let tree = vec(operation, 1..=longest).new_tree(&mut runner);
            let mut tree = tree.unwrap_or_else(|why| {
                panic!(
                    "search `{}`: no operation is given: {why}",
                    self.search.name
                )
            });
            searched.tried += 1;
            let operations = tree.current();
            match self.trial(&all(&operations), late).outcome {
                Outcome::Rests => continue,
                Outcome::Open(why) => {
                    searched.leave_open(&operations, why);
                    continue;
                }
                Outcome::Leaks => {}
            }
            let shortest = self.shorten(&mut tree, late, &mut searched.shortened);
            let trial = self.trial(&all(&shortest), LATE);
            match trial.outcome {
                Outcome::Leaks => return Some((shortest, trial)),
                Outcome::Open(why) => searched.leave_open(&shortest, why),
                // It filled something. From now on that is waited for.
                Outcome::Rests => {}
            }
            late = LATE;
        }
        None
    }

    /// Leaves out operations, and makes those that remain simpler, for as long as the sequence
    /// leaks.
    fn shorten<S, V: Debug>(
        &self,
        tree: &mut impl ValueTree<Value = Vec<V>>,
        late: u64,
        tried: &mut u64,
    ) -> Vec<V>
    where
        Setup: Fn() -> S,
        Apply: Fn(&mut S, &V),
    {
        let mut leaked = 0;
        let mut leaks = |operations: &[&V]| {
            if *tried >= self.search.budget || leaked > MOST_LEAKED || operations.is_empty() {
                return false;
            }
            *tried += 1;
            let trial = self.trial(operations, late);
            leaked += trial.left_bytes;
            trial.outcome == Outcome::Leaks
        };
        let mut best = tree.current();
        let mut goes_on = tree.simplify();
        while goes_on {
            let simpler = tree.current();
            goes_on = if leaks(&all(&simpler)) {
                best = simpler;
                tree.simplify()
            } else {
                tree.complicate()
            };
        }
        // What could not be left out before may be now.
        let mut at = 0;
        while at < best.len() {
            let mut others = all(&best);
            others.remove(at);
            if leaks(&others) {
                best.remove(at);
                at = 0;
            } else {
                at += 1;
            }
        }
        best
    }

    /// Repeats the sequence, and counts what it does.
    fn trial<S, V: Debug>(&self, operations: &[&V], late: u64) -> Trial
    where
        Setup: Fn() -> S,
        Apply: Fn(&mut S, &V),
    {
        let sequence = |state: &mut S| operations.iter().for_each(|op| (self.apply)(state, op));
        let trial = || trial::repeat(self.scope, late, self.setup, sequence);
        let outcome = catch_unwind(AssertUnwindSafe(|| self.inside.in_scope(trial)));
        outcome.unwrap_or_else(|payload| {
            let (name, message) = (&self.search.name, message_of(payload.as_ref()));
            panic!("search `{name}`: {operations:?} panicked: {message}")
        })
    }
}

/// All operations, by reference.
fn all<V>(operations: &[V]) -> Vec<&V> {
    operations.iter().collect()
}

impl Searched {
    fn new(search: &Search, type_name: &'static str) -> Self {
        Self {
            name: search.name.clone(),
            seed: search.seed,
            budget: search.budget,
            type_name,
            tried: 0,
            shortened: 0,
            found: None,
            open: 0,
            first_open: None,
        }
    }

    fn leave_open(&mut self, operations: &[impl Debug], why: String) {
        self.open += 1;
        self.first_open
            .get_or_insert_with(|| (told(operations), why));
    }

    fn conclude<V: Debug>(&mut self, operations: &[V], trial: &Trial, report: Report) {
        let verdict = report.verdict();
        if !verdict.is_growing() {
            let why = format!("as a scenario it is {verdict}");
            self.leave_open(operations, why);
            return;
        }
        self.found = Some(Found {
            operations: told(operations),
            repetitions: trial.repetitions,
            each: trial.each,
            risen_bytes: trial.risen_bytes,
            risen_blocks: trial.risen_blocks,
            left_bytes: trial.left_bytes,
            report,
        });
    }

    /// Whether a sequence leaks.
    pub fn is_leak(&self) -> bool {
        self.found.is_some()
    }

    /// Whether none was found to leak, and some could not be decided.
    pub fn is_inconclusive(&self) -> bool {
        self.found.is_none() && self.open > 0
    }

    /// The operations that leak, by their `Debug` form; none if no leak was found.
    pub fn operations(&self) -> &[String] {
        self.found.as_ref().map_or(&[], |found| &found.operations)
    }

    /// The report of the scenario that repeats them; none if no leak was found.
    pub fn report(&self) -> Option<&Report> {
        self.found.as_ref().map(|found| &found.report)
    }

    /// Fails the test if a sequence [leaks](Self::is_leak), or if some
    /// [could not be decided](Self::is_inconclusive). That it passes says only that none of the
    /// sequences that were tried leaks.
    ///
    /// # Panics
    /// With the sequence as a test, in either case.
    #[track_caller]
    pub fn assert(&self) {
        let fails = self.is_leak() || self.is_inconclusive();
        let message = unscoped(|| fails.then(|| self.to_string()));
        assert!(message.is_none(), "{}", message.unwrap_or_default());
    }
}

fn told(operations: &[impl Debug]) -> Vec<String> {
    let told = operations.iter().map(|operation| format!("{operation:?}"));
    told.collect()
}
