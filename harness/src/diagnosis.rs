//! [`Diagnosis`]: which call stacks allocated what a scenario holds.
//!
//! When a scenario fails it is run again, with a call stack for each block. What is
//! watched here while it runs is plain numbers; names are found when it is over.

mod frames;
mod text;

use crate::alloc::{Live, Trace};
use crate::alloc::{Stopped, Traced, unscoped};
use crate::floors::{Floors, Levels};
use crate::verdict::{self, Verdict};
pub use frames::Frame;
use frames::Names;
use std::cmp::Reverse;

/// Where the memory of a scenario comes from: its allocation sites, those that grew
/// most first.
///
/// Its `Display` form holds no address and no path outside of the project.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    pub(crate) sites: Vec<Site>,
    pub(crate) steps: (u64, u64),
    pub(crate) growth_bytes: i64,
    /// If it is the peak that failed, and nothing else.
    pub(crate) peak_bytes: Option<u64>,
    pub(crate) lost_blocks: u64,
    pub(crate) has_lines: bool,
    pub(crate) trap: Option<Trap>,
}

/// The allocation that passed the limit of [`Scenario::stop_at`](crate::Scenario::stop_at).
#[derive(Clone, Debug, PartialEq)]
pub struct Trap {
    pub(crate) frames: Vec<Frame>,
    pub(crate) type_name: Option<String>,
    pub(crate) size_bytes: u64,
    pub(crate) live_bytes: u64,
}

impl Trap {
    /// Its call stack, as [`Site::frames`].
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// What it allocated, if the program's symbols tell.
    pub fn type_name(&self) -> Option<&str> {
        self.type_name.as_deref()
    }

    /// How many bytes the block has.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Live bytes with it.
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }
}

/// One allocation site: a call stack, and what is live of what it allocated.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    pub(crate) frames: Vec<Frame>,
    pub(crate) type_name: Option<String>,
    pub(crate) growth: Live,
    pub(crate) live: Live,
    /// None if the moment of the peak was not met.
    pub(crate) at_peak: Option<Live>,
    pub(crate) total_blocks: u64,
    pub(crate) verdict: Verdict,
}

impl Diagnosis {
    /// Its steps were numbered from this one on.
    pub(crate) fn starts_at(&mut self, first: u64) {
        self.steps.0 += first;
        self.steps.1 += first;
    }

    /// It is about the peak, not about growth: the most at that moment comes first. If
    /// that moment was not met again, as with several threads, nothing changes.
    pub(crate) fn about_the_peak(mut self, peak_bytes: u64) -> Self {
        if self.sites.iter().all(|site| site.at_peak.is_some()) {
            self.peak_bytes = Some(peak_bytes);
            self.sites
                .sort_by_key(|site| Reverse(site.at_peak.map(|live| live.bytes)));
        }
        self
    }

    /// The sites, by growth, the most first; those that are judged growing go before
    /// the others. If nothing but a ceiling on the peak was passed: by what they held
    /// then.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The growth of live bytes over the requested steps of the run that this is of.
    pub fn growth_bytes(&self) -> i64 {
        self.growth_bytes
    }

    /// How much of the growth its sites tell, in bytes.
    pub fn explained_bytes(&self) -> i64 {
        let told = self.sites.iter().filter(|site| !site.frames.is_empty());
        told.map(|site| site.growth.bytes).sum()
    }

    /// The allocation that passed the limit to stop at, if there was one.
    pub fn trap(&self) -> Option<&Trap> {
        self.trap.as_ref()
    }

    pub(crate) fn stopped_with(&self) -> Option<u64> {
        self.trap.as_ref().map(Trap::live_bytes)
    }

    /// Blocks that could not be followed to their site.
    pub fn lost_blocks(&self) -> u64 {
        self.lost_blocks
    }
}

impl Site {
    /// The call stack, the innermost first, without the frames of the allocator, of
    /// std and of this library. Empty if the stack could not be told.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// What was allocated, such as `Vec<Candle>`, if the program's symbols tell.
    pub fn type_name(&self) -> Option<&str> {
        self.type_name.as_deref()
    }

    /// By how many bytes it grew over the requested steps.
    pub fn growth_bytes(&self) -> i64 {
        self.growth.bytes
    }

    /// By how many blocks it grew over the requested steps.
    pub fn growth_blocks(&self) -> i64 {
        self.growth.blocks
    }

    /// Bytes live at the end of the requested steps.
    pub fn live_bytes(&self) -> i64 {
        self.live.bytes
    }

    /// Blocks live at the end of the requested steps.
    pub fn live_blocks(&self) -> i64 {
        self.live.blocks
    }

    /// Bytes live when the scenario was at its peak; none if that moment was not met
    /// again, as with several threads.
    pub fn peak_bytes(&self) -> Option<i64> {
        self.at_peak.map(|live| live.bytes)
    }

    /// Whether what is live of it is bounded, by the rule for the whole.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// What is written down of each site while a scenario runs.
pub(crate) struct Watch<'a> {
    trace: &'a Trace,
    /// The floors of a site that has allocated nothing so far.
    none: Floors,
    sites: Vec<Watched>,
    start: Vec<Live>,
    end: Vec<Live>,
    end_steps: u64,
}

struct Watched {
    floors: Floors,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(trace: &'a Trace, requested: u64, limit: u64) -> Self {
        Self {
            trace,
            none: Floors::new(requested, limit),
            sites: Vec::new(),
            start: Vec::new(),
            end: Vec::new(),
            end_steps: 0,
        }
    }

    /// What is live of all sites.
    fn all(&self) -> Vec<Live> {
        (0..self.trace.count())
            .map(|site| self.trace.live(site))
            .collect()
    }

    /// Set-up and warm-up are done.
    pub(crate) fn start(&mut self) {
        unscoped(|| self.start = self.all());
    }

    /// The step with this number, from 1 on, is done.
    pub(crate) fn after_step(&mut self, step: u64) {
        let count = self.trace.count();
        if count > self.sites.len() {
            unscoped(|| {
                self.sites.resize_with(count, || Watched {
                    floors: self.none.copy(),
                });
            });
        }
        for (number, site) in self.sites.iter_mut().enumerate() {
            site.floors.observe(step, &levels(self.trace.live(number)));
        }
        self.none.observe(step, &[0; 5]);
    }

    /// The requested steps are done.
    pub(crate) fn requested_steps_done(&mut self, steps: u64) {
        self.end_steps = steps;
        unscoped(|| self.end = self.all());
    }

    /// Whether live bytes have passed the limit to stop at.
    pub(crate) fn is_stopped(&self) -> bool {
        self.trace.stopped().is_some()
    }

    fn trap(&self, names: &mut Names) -> Option<Trap> {
        let Stopped {
            site,
            size,
            live_bytes,
        } = self.trace.stopped()?;
        let stack = names.stack(&self.trace.read(site).frames);
        Some(Trap {
            frames: stack.frames,
            type_name: stack.type_name,
            size_bytes: size,
            live_bytes: u64::try_from(live_bytes).unwrap_or(0),
        })
    }

    /// What was found, with names.
    pub(crate) fn into_diagnosis(self, growth_bytes: i64) -> Diagnosis {
        let mut names = Names::new();
        let at = |all: &[Live], number: usize| all.get(number).copied().unwrap_or_default();
        let mut sites: Vec<Site> = (0..self.trace.count())
            .map(|number| {
                let Traced {
                    frames,
                    at_peak,
                    total_blocks,
                    ..
                } = self.trace.read(number);
                let (start, end) = (at(&self.start, number), at(&self.end, number));
                let stack = names.stack(&frames);
                let floors = self.sites.get(number).map(|site| &site.floors);
                Site {
                    frames: stack.frames,
                    type_name: stack.type_name,
                    growth: Live {
                        bytes: end.bytes - start.bytes,
                        blocks: end.blocks - start.blocks,
                    },
                    live: end,
                    at_peak: self.trace.has_peak().then_some(at_peak),
                    total_blocks,
                    verdict: verdict::judge(floors.unwrap_or(&self.none).windows()),
                }
            })
            .filter(|site| site.total_blocks > 0)
            .collect();
        sites.sort_by(|a, b| {
            let key = |site: &Site| {
                (
                    site.verdict.is_growing(),
                    site.growth.bytes,
                    site.live.bytes,
                )
            };
            let by_growth = key(b).cmp(&key(a));
            by_growth.then_with(|| a.frames.cmp(&b.frames))
        });
        Diagnosis {
            sites,
            steps: (0, self.end_steps),
            growth_bytes,
            peak_bytes: None,
            lost_blocks: self.trace.lost(),
            trap: self.trap(&mut names),
            has_lines: names.has_lines(),
        }
    }
}

fn levels(live: Live) -> Levels {
    let level = |figure: i64| u64::try_from(figure).unwrap_or(0);
    [level(live.bytes), level(live.blocks), 0, 0, 0]
}
