//! Why memory grows: the program keeps what it allocates, an allocator keeps what was freed, what
//! was freed lies between what was not, or it is none of these.
//!
//! What is kept and what is fragmented is followed by the rule that judges all figures, since
//! levels say nothing of growth: much may be kept from the first day on. They raise no alerts.

use crate::figure::Figure;
use crate::judge::Judge;
use crate::sample::{Allocator, Sample};
use highwater::__private::Size;
use std::time::Duration;

/// How many may be in one program: glibc, jemalloc and mimalloc.
pub(crate) const ALLOCATORS: usize = 3;

/// What is known of the allocators so far. Its memory is there from the start: an allocator may be
/// asked for the first time long after the first sample.
pub(crate) struct Cause {
    /// What they told last.
    last: Vec<Allocator>,
    kept: Followed,
    fragmented: Followed,
}

struct Followed {
    judge: Judge,
    /// The last one; none so far.
    level: Option<u64>,
}

impl Default for Cause {
    fn default() -> Self {
        Self {
            last: Vec::with_capacity(ALLOCATORS),
            kept: Followed::new(),
            fragmented: Followed::new(),
        }
    }
}

impl Cause {
    /// Takes note of a sample that ends so many intervals.
    pub(crate) fn observe(&mut self, sample: &Sample, intervals: u64) {
        for allocator in &sample.allocators {
            let same = |last: &&mut Allocator| last.name == allocator.name;
            match self.last.iter_mut().find(same) {
                Some(last) => *last = *allocator,
                None => self.last.push(*allocator),
            }
        }
        let live = sample.heap.map(|heap| heap.live_bytes);
        let kept = self.last.iter().map(|of| kept(of, live));
        let kept: Option<u64> = kept.sum();
        if let Some(kept) = kept.filter(|_| !self.last.is_empty()) {
            self.kept.observe(kept, intervals);
        }
        let fragmented = self.last.iter().filter_map(|of| of.fragmented_bytes);
        if let Some(fragmented) = fragmented.reduce(|sum, of| sum + of) {
            self.fragmented.observe(fragmented, intervals);
        }
    }

    /// What is to be said of memory that grows over this time, while the heap does or not.
    pub(crate) fn text(
        &self,
        heap_grows: Option<bool>,
        over: Duration,
        interval: Duration,
    ) -> String {
        let grows = |followed: &Followed| {
            let level = followed.level?;
            let grows = followed.judge.grows_over(over, interval)?;
            Some((grows, Size(level)))
        };
        let (fragmented, kept) = (grows(&self.fragmented), grows(&self.kept));
        let names = self.names();
        let growing = match (fragmented, kept) {
            (Some((true, level)), _) => format!(
                "memory is fragmented, and more and more: {level} are free on pages that are in \
                 use in part, by the count of {names}"
            ),
            (_, Some((true, level))) => format!(
                "the allocator keeps what was freed, and more and more: {level} by the count of \
                 {names}"
            ),
            _ => String::new(),
        };
        match (heap_grows, kept) {
            (Some(true), _) => {
                "; the heap grows, too: the program keeps what it allocates".to_owned()
            }
            (Some(false), _) if !growing.is_empty() => {
                format!("; the heap does not grow: {growing}")
            }
            (Some(false), Some((false, level))) => format!(
                "; the heap does not grow, nor does what the allocator keeps, {level} by the count \
                 of {names}: memory comes from elsewhere"
            ),
            (Some(false), _) => "; the heap does not grow: the allocator keeps what was freed, or \
                                 memory comes from elsewhere"
                .to_owned(),
            (None, _) if !growing.is_empty() => format!("; {growing}"),
            (None, _) => String::new(),
        }
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.last.iter().map(|allocator| allocator.name).collect();
        match names.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        }
    }
}

/// What an allocator has and did not hand out, without what is fragmented. One that does not
/// count what it hands out is beneath the heap, where that is known.
fn kept(allocator: &Allocator, live: Option<u64>) -> Option<u64> {
    let used = allocator.used_bytes.or(live)?;
    let fragmented = allocator.fragmented_bytes.unwrap_or(0);
    Some(
        allocator
            .held_bytes
            .saturating_sub(used.saturating_add(fragmented)),
    )
}

impl Followed {
    fn new() -> Self {
        Self {
            judge: Judge::new(Figure::Memory),
            level: None,
        }
    }

    fn observe(&mut self, level: u64, intervals: u64) {
        self.level = Some(level);
        self.judge.observe(level, intervals);
    }
}
