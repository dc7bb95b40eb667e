//! The search for work that left a scenario.
//!
//! In a process of its own the scenario is the whole process, and no work can leave it. In a
//! shared process a scenario is its own thread and those that were started in it. If it hands
//! work to other threads, live memory outside of the scenario may rise with the steps. That
//! memory is judged by floors too. A rise is evidence that the verdict does not cover all work,
//! and such a verdict is never bounded. Memory of other tests is excluded as far as their
//! threads are known.
//!
//! A thread that another scenario started is in that scenario, whose memory may rise for other
//! reasons. There the evidence is that blocks are passed between the two with the steps. Work
//! that is handed over without any block is not noticed.

use crate::alloc::{self, Elsewhere, Seen};
use crate::report::Coverage;
use crate::scope::Scope;
use crate::text::{Blocks, Thousands};
use crate::verdict;
use crate::verdict::floors::{Floors, Quantity, memory_levels};

/// What to do about work that left the scenario.
const REMEDY: &str = "write `#[highwater::test]` in place of `#[test]`: then the scenario has a \
                      process of its own, in which every thread is counted";

/// Blocks that go to and from other scopes this often or more go with the steps. The queues of
/// thread pools take and free a block for 31 to 63 jobs.
const STEPS_PER_EXCHANGE: u64 = 128;

/// So many samples are taken of each stretch of steps that doubles.
const SAMPLES: u64 = 1_024;

/// Levels can fall; what is kept of them can't be below zero.
const OFFSET: i64 = 1 << 40;

/// Looks at what goes on beside a run.
pub(crate) struct Lookout {
    with_tests: Floors,
    without_tests: Floors,
    first: Elsewhere,
    last: Elsewhere,
    next_look: u64,
    steps: u64,
    cross_frees: (u64, u64),
    exchanged: u64,
    outside: Vec<Seen>,
    inside: Vec<Seen>,
    survivors: Vec<Seen>,
}

impl Lookout {
    /// For a run beside others; none for one that has its process.
    pub(crate) fn new(scope: &Scope, requested: u64, limit: u64) -> Option<Self> {
        let first = scope.elsewhere()?;
        Some(Self {
            with_tests: Floors::new(requested, limit),
            without_tests: Floors::new(requested, limit),
            first,
            last: first,
            next_look: 0,
            steps: 0,
            cross_frees: scope.cross_frees(),
            exchanged: 0,
            outside: Vec::new(),
            inside: Vec::new(),
            survivors: Vec::new(),
        })
    }

    /// Set-up and warm-up are done.
    pub(crate) fn start(&mut self, scope: &Scope) {
        self.first = scope.elsewhere().unwrap_or_default();
        self.last = self.first;
        self.exchanged = scope.exchanged();
        self.outside = scope.threads_outside();
        self.inside = scope.threads_inside();
    }

    /// The step with this number is done.
    pub(crate) fn after_step(&mut self, step: u64, scope: &Scope) {
        self.steps = step;
        if step >= self.next_look {
            self.last = scope.elsewhere().unwrap_or_default();
            self.next_look = step + (step / SAMPLES).max(1);
        }
        let level = |now: i64, first: i64| u64::try_from(now - first + OFFSET).unwrap_or(0);
        let (now, first) = (&self.last, &self.first);
        let bytes = level(now.bytes, first.bytes);
        let blocks = level(now.blocks, first.blocks);
        self.with_tests.observe(step, &memory_levels(bytes, blocks));
        let bytes = level(now.bytes_without_tests, first.bytes_without_tests);
        let blocks = level(now.blocks_without_tests, first.blocks_without_tests);
        self.without_tests
            .observe(step, &memory_levels(bytes, blocks));
    }

    /// The state was dropped. Threads that are still there can serve others.
    pub(crate) fn state_dropped(&mut self, scope: &Scope) {
        self.survivors = scope.threads_inside();
    }

    /// What it came to. With the live bytes by which the run grew, if it was called growing.
    pub(crate) fn coverage(&self, scope: &Scope, growing_by: Option<u64>) -> Coverage {
        let (outside, for_others) = scope.cross_frees();
        let mut coverage = Coverage {
            elsewhere_bytes: self.last.bytes - self.first.bytes,
            elsewhere_blocks: self.last.blocks - self.first.blocks,
            freed_elsewhere_blocks: outside - self.cross_frees.0,
            freed_for_others_blocks: for_others - self.cross_frees.1,
            ..Coverage::default()
        };
        let (evidence, threads) = match growing_by {
            Some(bytes) => self.is_others_work(bytes),
            None => self.work_that_left(scope),
        };
        coverage.evidence = evidence;
        coverage.threads_elsewhere = threads;
        coverage
    }

    /// Whether live memory elsewhere rises with the steps, or blocks go to other scopes.
    fn work_that_left(&self, scope: &Scope) -> (Option<String>, Vec<String>) {
        let exchanged = scope.exchanged() - self.exchanged;
        let is_exchanging = exchanged.saturating_mul(STEPS_PER_EXCHANGE) >= self.steps.max(1);
        if !is_exchanging && !self.rises_elsewhere() {
            return (None, Vec::new());
        }
        let names = names(&risen(&self.outside, &scope.threads_outside()));
        let on = on_threads(&names);
        let evidence = if is_exchanging {
            format!(
                "in {} steps {} went to or came from another scope, where other work is counted\
                 {on}; {REMEDY}",
                Thousands(self.steps),
                Blocks(exchanged),
            )
        } else {
            format!(
                "memory outside of the scenario rose with its steps, by {} B in {}{on}; if that \
                 is its work, {REMEDY}",
                Thousands(u64::try_from(self.last.bytes - self.first.bytes).unwrap_or(0)),
                Blocks(u64::try_from(self.last.blocks - self.first.blocks).unwrap_or(0)),
            )
        };
        (Some(evidence), names)
    }

    fn rises_elsewhere(&self) -> bool {
        let is = |floors: &Floors, law: fn(&verdict::Verdict) -> bool| {
            [Quantity::Bytes, Quantity::Blocks]
                .into_iter()
                .all(|figure| law(&verdict::judge_alone(floors.windows(), figure).0))
        };
        let is_constant =
            |verdict: &verdict::Verdict| verdict.law() == Some(verdict::Law::Constant);
        !is(&self.with_tests, verdict::Verdict::is_bounded) && !is(&self.without_tests, is_constant)
    }

    /// Whether what grew by so many bytes grew on threads that others can use as well, while
    /// others were there.
    fn is_others_work(&self, growth: u64) -> (Option<String>, Vec<String>) {
        let risen = risen(&self.inside, &self.survivors);
        let bytes: i64 = risen.iter().map(|seen| seen.bytes).sum();
        // What fell before it grew may not be above its start.
        let most = bytes > 0 && bytes.unsigned_abs() >= growth.div_ceil(2);
        if !most || !alloc::has_neighbours() {
            return (None, Vec::new());
        }
        let names = names(&risen);
        let evidence = format!(
            "memory rises with the steps{}, started in the scenario and still there after it; \
             other tests of this process can use them too; {REMEDY}",
            on_threads(&names)
        );
        (Some(evidence), names)
    }
}

/// By how much each thread holds more now, those that do, the most first.
fn risen(before: &[Seen], now: &[Seen]) -> Vec<Seen> {
    let of = |thread: u32| before.iter().find(|seen| seen.thread == thread);
    let mut risen: Vec<_> = now
        .iter()
        .map(|seen| {
            let (bytes, blocks) = of(seen.thread).map_or((0, 0), |seen| (seen.bytes, seen.blocks));
            Seen {
                thread: seen.thread,
                bytes: seen.bytes - bytes,
                blocks: seen.blocks - blocks,
            }
        })
        .filter(|seen| seen.bytes > 0 || seen.blocks > 0)
        .collect();
    risen.sort_by_key(|seen| (std::cmp::Reverse(seen.bytes), seen.thread));
    risen
}

/// The names of the first few threads, each once. A thread that was given none has that of
/// the one that started it, which may be this one.
fn names(threads: &[Seen]) -> Vec<String> {
    const MOST: usize = 3;
    let own = std::fs::read_to_string("/proc/thread-self/comm").unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for name in threads.iter().filter_map(|seen| name(seen.thread)) {
        if !names.contains(&name) && name != own.trim_end() && names.len() < MOST {
            names.push(name);
        }
    }
    names
}

/// What the system calls a thread of this process; none where it does not say.
fn name(thread: u32) -> Option<String> {
    let path = format!("/proc/self/task/{thread}/comm");
    let name = std::fs::read_to_string(path).ok()?;
    Some(name.trim_end().to_owned())
}

fn on_threads(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [name] => format!(" on the thread {name}"),
        names => format!(" on the threads {}", names.join(", ")),
    }
}
