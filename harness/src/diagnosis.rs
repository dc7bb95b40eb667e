//! [`Diagnosis`]: which call stacks allocated what a scenario holds.
//!
//! When a scenario fails it is run again, with a call stack for each block. What is
//! watched here while it runs is plain numbers; names are found when it is over.

mod frames;
mod text;

use crate::alloc::{Live, Trace};
use crate::alloc::{Stopped, Traced, unscoped};
use crate::floors::{Floors, Levels};
use crate::holders::{Holder, Snapshot, State};
use crate::verdict::{self, Verdict};
pub use frames::Frame;
pub(crate) use frames::{Names, short, shortened_type};

/// Where the memory of a scenario comes from: its allocation sites, those that grew
/// most first.
///
/// Its `Display` form holds no address and no path outside of the project.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    pub(crate) sites: Vec<Site>,
    pub(crate) steps: (u64, u64),
    pub(crate) growth_bytes: i64,
    pub(crate) lost_blocks: u64,
    pub(crate) has_lines: bool,
    /// Why nobody knows who holds what.
    pub(crate) holders_obstacle: Option<String>,
    pub(crate) unsearched_threads: usize,
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
    pub(crate) holders: Option<Vec<Holder>>,
}

impl Diagnosis {
    /// Its steps were numbered from this one on.
    pub(crate) fn starts_at(&mut self, first: u64) {
        self.steps.0 += first;
        self.steps.1 += first;
    }

    /// The sites, by growth, the most first; those that are judged growing go before
    /// the others.
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

    /// Why nobody knows who holds what; none if that is known.
    pub fn holders_obstacle(&self) -> Option<&str> {
        self.holders_obstacle.as_deref()
    }

    /// Blocks that could not be followed to their site.
    pub fn lost_blocks(&self) -> u64 {
        self.lost_blocks
    }
}

impl Site {
    /// What stands for its blocks where they hold others: their type, or else the
    /// function that allocated them.
    fn kind(&self) -> String {
        let function = || {
            let frame = self.frames.first();
            frame.map_or("type unknown".to_owned(), |frame| {
                format!("block of {}", frame.function)
            })
        };
        self.type_name.clone().unwrap_or_else(function)
    }

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

    /// Who holds its blocks at the end of the requested steps, those with most blocks
    /// first; none if that is not known.
    pub fn holders(&self) -> Option<&[Holder]> {
        self.holders.as_deref()
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
    memory: Option<Result<Snapshot, String>>,
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
            memory: None,
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
    pub(crate) fn requested_steps_done(&mut self, steps: u64, state: &State) {
        self.end_steps = steps;
        unscoped(|| {
            self.end = self.all();
            self.memory = Some(Snapshot::take(self.trace, state));
        });
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
        let mut sites: Vec<Site> = (0..self.trace.count())
            .map(|number| self.site(number, &mut names))
            .collect();
        let unknown = || Err("the requested steps were not done".to_owned());
        let memory = self
            .memory
            .as_ref()
            .map_or_else(unknown, |memory| memory.as_ref().map_err(String::clone));
        if let Ok(memory) = &memory {
            let kinds: Vec<_> = sites.iter().map(Site::kind).collect();
            let holders = memory.holders(&kinds, &mut names);
            for (site, holders) in sites.iter_mut().zip(holders) {
                site.holders = Some(holders);
            }
        }
        sites.retain(|site| site.total_blocks > 0);
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
            lost_blocks: self.trace.lost(),
            trap: self.trap(&mut names),
            has_lines: names.has_lines(),
            unsearched_threads: memory.as_ref().map_or(0, |it| it.unsearched_threads()),
            holders_obstacle: memory.err(),
        }
    }

    /// The site with this number, without its holders.
    fn site(&self, number: usize, names: &mut Names) -> Site {
        let at = |all: &[Live]| all.get(number).copied().unwrap_or_default();
        let (start, end) = (at(&self.start), at(&self.end));
        let Traced {
            frames,
            at_peak,
            total_blocks,
            ..
        } = self.trace.read(number);
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
            holders: None,
        }
    }
}

fn levels(live: Live) -> Levels {
    let level = |figure: i64| u64::try_from(figure).unwrap_or(0);
    [level(live.bytes), level(live.blocks), 0, 0, 0]
}
