//! What is written down of each site while a scenario runs.
//!
//! Call stacks that a reader could not tell apart, since they differ only in frames that
//! are folded away, are one site. So names are found as soon as a stack is new.

use super::frames::{Frame, Named, Names};
use super::{Diagnosis, Site, Trap};
use crate::alloc::{Live, Stopped, Total, Trace, unscoped};
use crate::floors::{Floors, Levels, Window};
use crate::holders::{Snapshot, State};
use crate::verdict;
use std::collections::HashMap;

pub(crate) struct Watch<'a> {
    trace: &'a Trace,
    names: Names,
    /// The floors of a site that has allocated nothing so far.
    none: Floors,
    sites: Vec<Watched>,
    /// The site of each stack.
    site_of: Vec<usize>,
    known: HashMap<Named, usize>,
    end_steps: u64,
    peak_step: Option<u64>,
    memory: Option<Result<Snapshot, String>>,
}

/// A site, with the stacks that lead to it.
struct Watched {
    name: Named,
    stacks: Vec<usize>,
    floors: Floors,
    /// Before set-up; all figures are above these.
    before: Live,
    total_before: Total,
    start: Live,
    end: Live,
    /// At the end as well.
    total: Total,
}

impl Watched {
    /// Above what was live before the run.
    fn live(&self, trace: &Trace) -> Live {
        let live = sum(self.stacks.iter().map(|stack| trace.live(*stack)));
        less(live, self.before)
    }

    fn total(&self, trace: &Trace) -> Total {
        let totals = self.stacks.iter().map(|stack| trace.total(*stack));
        let total = totals.fold(Total::default(), |sum, total| Total {
            bytes: sum.bytes + total.bytes,
            blocks: sum.blocks + total.blocks,
        });
        Total {
            bytes: total.bytes - self.total_before.bytes,
            blocks: total.blocks - self.total_before.blocks,
        }
    }

    /// What stands for its blocks where they hold others: their type, or else the
    /// function that allocated them.
    fn kind(&self) -> String {
        let function = || {
            let block_of = |frame: &Frame| format!("block of {}", frame.function);
            let frame = self.name.frames.first();
            frame.map_or_else(|| "type unknown".to_owned(), block_of)
        };
        self.name.type_name.clone().unwrap_or_else(function)
    }
}

impl<'a> Watch<'a> {
    pub(crate) fn new(trace: &'a Trace, requested: u64, limit: u64) -> Self {
        Self {
            trace,
            names: Names::new(),
            none: Floors::new(requested, limit),
            sites: Vec::new(),
            site_of: Vec::new(),
            known: HashMap::new(),
            end_steps: 0,
            peak_step: None,
            memory: None,
        }
    }

    /// Finds the sites of stacks that are new.
    fn look_for_new_stacks(&mut self) {
        for stack in self.site_of.len()..self.trace.count() {
            let name = self.names.stack(&self.trace.read(stack).frames);
            // What can't be told is not alike for that.
            let known = self.known.get(&name).filter(|_| !name.frames.is_empty());
            let site = known.copied().unwrap_or(self.sites.len());
            self.site_of.push(site);
            if let Some(site) = self.sites.get_mut(site) {
                site.stacks.push(stack);
                continue;
            }
            self.known.insert(name.clone(), site);
            self.sites.push(Watched {
                name,
                stacks: vec![stack],
                floors: self.none.copy(),
                before: Live::default(),
                total_before: Total::default(),
                start: Live::default(),
                end: Live::default(),
                total: Total::default(),
            });
        }
    }

    /// What is live now is not the run's: where a whole process is traced, blocks of its
    /// rehearsal are among them.
    pub(crate) fn begin(&mut self) {
        unscoped(|| {
            self.look_for_new_stacks();
            for site in &mut self.sites {
                site.before = sum(site.stacks.iter().map(|stack| self.trace.live(*stack)));
                site.total_before = Total::default();
                site.total_before = site.total(self.trace);
            }
        });
    }

    /// Set-up and warm-up are done.
    pub(crate) fn start(&mut self) {
        unscoped(|| {
            self.look_for_new_stacks();
            for site in &mut self.sites {
                site.start = site.live(self.trace);
            }
        });
        self.note_peak_in(0);
    }

    /// The step with this number, from 1 on, is done.
    pub(crate) fn after_step(&mut self, step: u64) {
        if self.trace.count() > self.site_of.len() {
            unscoped(|| self.look_for_new_stacks());
        }
        for site in &mut self.sites {
            site.floors.observe(step, &levels(site.live(self.trace)));
        }
        self.none.observe(step, &[0; 5]);
        self.note_peak_in(step);
    }

    fn note_peak_in(&mut self, step: u64) {
        if self.peak_step.is_none() && self.trace.has_peak() {
            self.peak_step = Some(step);
        }
    }

    /// The requested steps are done.
    pub(crate) fn requested_steps_done(&mut self, steps: u64, state: &State) {
        self.end_steps = steps;
        unscoped(|| {
            self.look_for_new_stacks();
            for site in &mut self.sites {
                site.end = site.live(self.trace);
                site.total = site.total(self.trace);
            }
            self.memory = Some(Snapshot::take(self.trace, state));
        });
    }

    /// The windows of each site.
    pub(crate) fn windows(&self) -> Vec<&[Window]> {
        self.sites
            .iter()
            .map(|site| site.floors.windows())
            .collect()
    }

    /// What a site allocated and where, in few words.
    pub(crate) fn describe(&self, site: usize) -> String {
        let name = &self.sites[site].name;
        let kind = name.type_name.as_deref();
        match (kind, name.frames.first()) {
            (Some(kind), Some(frame)) => format!("{kind} in {}", frame.function),
            (None, Some(frame)) => frame.function.clone(),
            (Some(kind), None) => kind.to_owned(),
            (None, None) => "a call stack that could not be told".to_owned(),
        }
    }

    /// Whether live bytes have passed the limit to stop at.
    pub(crate) fn is_stopped(&self) -> bool {
        self.trace.stopped().is_some()
    }

    fn trap(&mut self) -> Option<Trap> {
        let Stopped {
            site,
            size,
            live_bytes,
        } = self.trace.stopped()?;
        let stack = self.names.stack(&self.trace.read(site).frames);
        Some(Trap {
            frames: stack.frames,
            type_name: stack.type_name,
            size_bytes: size,
            live_bytes: u64::try_from(live_bytes).unwrap_or(0),
        })
    }

    /// What was found, with names.
    pub(crate) fn into_diagnosis(mut self, growth_bytes: i64) -> Diagnosis {
        self.look_for_new_stacks();
        let trap = self.trap();
        let mut sites: Vec<_> = self.sites.iter().map(|site| self.site(site)).collect();
        let unknown = || Err("the requested steps were not done".to_owned());
        let memory = self.memory.take().unwrap_or_else(unknown);
        if let Ok(memory) = &memory {
            let kinds: Vec<_> = self.sites.iter().map(Watched::kind).collect();
            let holders = memory.holders(&self.site_of, &kinds, &mut self.names);
            for (site, holders) in sites.iter_mut().zip(holders) {
                site.holders = Some(holders);
            }
        }
        // One is for stacks that can't be told, of which there may be none; others may be of
        // what the process did before the run.
        let is_of_run = |watched: &Watched| watched.total(self.trace).blocks > 0;
        let mut watched = self.sites.iter();
        sites
            .retain(|site| watched.next().is_some_and(is_of_run) || site.growth != Live::default());
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
            peak_step: self.peak_step,
            growth_bytes,
            peak_bytes: None,
            lost_blocks: self.trace.lost(),
            trap,
            has_lines: self.names.has_lines(),
            unsearched_threads: memory.as_ref().map_or(0, Snapshot::unsearched_threads),
            holders_obstacle: memory.err(),
        }
    }

    /// Without its holders.
    fn site(&self, watched: &Watched) -> Site {
        let stacks = watched.stacks.iter().map(|stack| self.trace.read(*stack));
        let at_peak = less(sum(stacks.map(|stack| stack.at_peak)), watched.before);
        Site {
            frames: watched.name.frames.clone(),
            type_name: watched.name.type_name.clone(),
            growth: less(watched.end, watched.start),
            live: watched.end,
            at_peak: self.trace.has_peak().then_some(at_peak),
            total: watched.total,
            verdict: verdict::of_memory(watched.floors.windows()),
            holders: None,
        }
    }
}

fn sum(all: impl Iterator<Item = Live>) -> Live {
    all.fold(Live::default(), |sum, live| Live {
        bytes: sum.bytes + live.bytes,
        blocks: sum.blocks + live.blocks,
    })
}

fn less(live: Live, before: Live) -> Live {
    Live {
        bytes: live.bytes - before.bytes,
        blocks: live.blocks - before.blocks,
    }
}

fn levels(live: Live) -> Levels {
    let level = |figure: i64| u64::try_from(figure).unwrap_or(0);
    [level(live.bytes), level(live.blocks), 0, 0, 0]
}
