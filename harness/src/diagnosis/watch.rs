//! What is recorded of each call stack while a scenario runs.
//!
//! The verdict needs no names, and finding names takes longer than most runs. So levels are kept
//! for each stack, and names are found at the end, if they are needed. Call stacks that differ
//! only in frames that are left out become one site then.

use super::series::Series;
use super::{Diagnosis, Site, Subject, Trap};
use crate::alloc::{Live, Stopped, Total, Trace, unscoped};
use crate::holders::{Snapshot, State};
use crate::symbols::{Frame, Named, Names};
use crate::verdict;
use crate::verdict::floors::{Floors, Levels, Window, memory_levels};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Names that take so long are told of.
const SLOW_SECONDS: u64 = 5;

pub(crate) struct Watch<'a> {
    trace: &'a Trace,
    /// The floors of a stack that has allocated nothing so far.
    none: Floors,
    /// Up to which step that is.
    none_until: u64,
    steps: u64,
    // Boxed, or what was left in the list's spare room could be taken for pointers when it is
    // searched who holds what.
    #[allow(clippy::vec_box)]
    stacks: Vec<Box<Watched>>,
    /// What was live of each stack when it was last looked at. Apart from the rest, so that a
    /// look at many of them is at little memory.
    seen: Vec<Live>,
    series: Series,
    end_steps: u64,
    peak_step: Option<u64>,
    memory: Option<Result<Snapshot, String>>,
}

/// A call stack that allocates.
struct Watched {
    /// Up to the step before `since`, from which on `levels` did not change.
    floors: Floors,
    levels: Levels,
    since: u64,
    /// Before set-up; all figures are above these.
    before: Live,
    total_before: Total,
    start: Live,
    /// After set-up and warm-up.
    total_at_start: Total,
    end: Live,
    /// At the end as well.
    total: Total,
}

/// The sites that stacks are of, by their names.
struct Sites {
    names: Names,
    known: Vec<Named>,
    /// The stacks of each.
    stacks: Vec<Vec<usize>>,
    /// The site of each stack.
    site_of: Vec<usize>,
}

impl Sites {
    fn of(trace: &Trace) -> Self {
        let mut sites = Self {
            names: Names::new(),
            known: Vec::new(),
            stacks: Vec::new(),
            site_of: Vec::new(),
        };
        let mut indices: HashMap<Named, usize> = HashMap::new();
        for stack in 0..trace.count() {
            let name = sites.names.stack(&trace.read(stack).frames);
            // What can't be told is not alike for that.
            let known = indices.get(&name).filter(|_| !name.frames.is_empty());
            let site = known.copied().unwrap_or(sites.known.len());
            if site == sites.known.len() {
                indices.insert(name.clone(), site);
                sites.known.push(name);
                sites.stacks.push(Vec::new());
            }
            sites.stacks[site].push(stack);
            sites.site_of.push(site);
        }
        sites
    }
}

impl Watched {
    /// Takes note of its levels up to this step.
    fn catch_up(&mut self, step: u64) {
        if self.since <= step {
            self.floors.observe_all(self.since, step, &self.levels);
            self.since = step + 1;
        }
    }
}

impl Named {
    /// What stands for the blocks of a site where they hold others: their type, or else the
    /// function that allocated them.
    fn kind(&self) -> String {
        let function = || {
            let block_of = |frame: &Frame| format!("block of {}", frame.function);
            let frame = self.frames.first();
            frame.map_or_else(|| "type unknown".to_owned(), block_of)
        };
        self.type_name.clone().unwrap_or_else(function)
    }

    /// What it allocated and where, in few words.
    fn short(&self) -> String {
        match (self.type_name.as_deref(), self.frames.first()) {
            (Some(kind), Some(frame)) => format!("{kind} in {}", frame.function),
            (None, Some(frame)) => frame.function.clone(),
            (Some(kind), None) => kind.to_owned(),
            (None, None) => "a call stack that could not be told".to_owned(),
        }
    }
}

impl<'a> Watch<'a> {
    pub(crate) fn new(trace: &'a Trace, requested: u64, limit: u64) -> Self {
        Self {
            trace,
            none: Floors::new(requested, limit),
            none_until: 0,
            steps: 0,
            stacks: Vec::new(),
            seen: Vec::new(),
            series: Series::new(requested),
            end_steps: 0,
            peak_step: None,
            memory: None,
        }
    }

    fn look_for_new_stacks(&mut self) {
        if self.none_until < self.steps {
            self.none
                .observe_all(self.none_until + 1, self.steps, &Levels::default());
            self.none_until = self.steps;
        }
        for _ in self.stacks.len()..self.trace.count() {
            self.stacks.push(Box::new(Watched {
                floors: self.none.copy(),
                levels: Levels::default(),
                since: self.steps + 1,
                before: Live::default(),
                total_before: Total::default(),
                start: Live::default(),
                total_at_start: Total::default(),
                end: Live::default(),
                total: Total::default(),
            }));
            self.seen.push(Live::default());
        }
    }

    /// What is live of a stack above what was before the run.
    fn live(&self, stack: usize) -> Live {
        less(self.trace.live(stack), self.stacks[stack].before)
    }

    fn total(&self, stack: usize) -> Total {
        since(self.trace.total(stack), self.stacks[stack].total_before)
    }

    /// What is live now is not the run's: where a whole process is traced, blocks of its
    /// rehearsal are among them.
    pub(crate) fn begin(&mut self) {
        unscoped(|| self.look_for_new_stacks());
        for (number, stack) in self.stacks.iter_mut().enumerate() {
            stack.before = self.trace.live(number);
            self.seen[number] = stack.before;
            stack.total_before = self.trace.total(number);
        }
    }

    /// The live bytes of each stack, as they were last looked at.
    fn live_bytes(&self) -> Vec<i64> {
        let seen = self.seen.iter().zip(&self.stacks);
        seen.map(|(seen, stack)| less(*seen, stack.before).bytes)
            .collect()
    }

    /// Set-up and warm-up are done, with so many live bytes in all.
    pub(crate) fn start(&mut self, live_bytes: u64) {
        unscoped(|| self.look_for_new_stacks());
        for stack in 0..self.stacks.len() {
            self.stacks[stack].start = self.live(stack);
            self.stacks[stack].total_at_start = self.total(stack);
        }
        unscoped(|| {
            let of_stacks = self.stacks.iter().map(|stack| stack.start.bytes);
            self.series.push(0, live_bytes, of_stacks.collect());
        });
        self.note_peak_in(0);
    }

    /// The step with this number, from 1 on, is done, with so many live bytes in all.
    pub(crate) fn after_step(&mut self, step: u64, live_bytes: u64) {
        if self.trace.count() > self.stacks.len() {
            unscoped(|| self.look_for_new_stacks());
        }
        for (number, seen) in self.seen.iter_mut().enumerate() {
            let live = self.trace.live(number);
            if live == *seen {
                continue;
            }
            *seen = live;
            let stack = &mut self.stacks[number];
            let levels = levels(less(live, stack.before));
            // Two comparisons, where those of arrays are a call.
            if (levels[0], levels[1]) != (stack.levels[0], stack.levels[1]) {
                stack.catch_up(step - 1);
                stack.levels = levels;
            }
        }
        self.steps = step;
        self.note_peak_in(step);
        if self.series.is_due(step) {
            unscoped(|| self.series.push(step, live_bytes, self.live_bytes()));
        }
    }

    fn note_peak_in(&mut self, step: u64) {
        if self.peak_step.is_none() && self.trace.has_peak() {
            self.peak_step = Some(step);
        }
    }

    /// The requested steps are done, with so many live bytes in all.
    pub(crate) fn requested_steps_done(&mut self, steps: u64, live_bytes: u64, state: &State) {
        self.end_steps = steps;
        unscoped(|| self.look_for_new_stacks());
        for stack in 0..self.stacks.len() {
            self.stacks[stack].end = self.live(stack);
            self.stacks[stack].total = self.total(stack);
        }
        unscoped(|| {
            let of_stacks = self.stacks.iter().map(|stack| stack.end.bytes);
            self.series.push_end(steps, live_bytes, of_stacks.collect());
            self.memory = Some(Snapshot::take(self.trace, state));
        });
    }

    /// The windows of each call stack.
    pub(crate) fn windows(&mut self) -> Vec<&[Window]> {
        for stack in &mut self.stacks {
            stack.catch_up(self.steps);
        }
        let stacks = self.stacks.iter();
        stacks.map(|stack| stack.floors.windows()).collect()
    }

    /// What a call stack allocates and where, in few words.
    pub(crate) fn describe(&self, stack: usize) -> String {
        Names::new().stack(&self.trace.read(stack).frames).short()
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
    pub(crate) fn into_diagnosis(mut self, growth_bytes: i64) -> Diagnosis {
        let started = Instant::now();
        self.look_for_new_stacks();
        self.windows();
        let mut named = Sites::of(self.trace);
        let trap = self.trap(&mut named.names);
        let sites = named.known.iter().zip(&named.stacks);
        let mut sites: Vec<_> = sites
            .map(|(name, stacks)| self.site(name, stacks))
            .collect();
        let unknown = || Err("the requested steps were not done".to_owned());
        let memory = self.memory.take().unwrap_or_else(unknown);
        if let Ok(memory) = &memory {
            let kinds: Vec<_> = named.known.iter().map(Named::kind).collect();
            let holders = memory.holders(&named.site_of, &kinds, &mut named.names);
            for (site, holders) in sites.iter_mut().zip(holders) {
                site.holders = Some(holders);
            }
        }
        // One is for stacks that can't be told, of which there may be none; others may be of
        // what the process did before the run.
        let total = |stacks: &Vec<usize>| {
            let totals = stacks.iter().map(|stack| self.total(*stack).blocks);
            totals.sum::<u64>()
        };
        let is_of_run = named.stacks.iter().map(|stacks| total(stacks) > 0);
        let mut is_of_run = is_of_run.collect::<Vec<_>>().into_iter();
        sites.retain(|site| is_of_run.next() == Some(true) || site.growth != Live::default());
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
            series_steps: self.series.steps(),
            series_bytes: self.series.live_bytes(),
            peak_step: self.peak_step,
            growth_bytes,
            subject: Subject::Growth,
            lost_blocks: self.trace.lost(),
            trap,
            has_lines: named.names.has_lines(),
            unsearched_threads: memory.as_ref().map_or(0, Snapshot::unsearched_threads),
            holders_obstacle: memory.err(),
            slow_seconds: slow(started.elapsed()),
        }
    }

    /// Without its holders.
    fn site(&self, name: &Named, stacks: &[usize]) -> Site {
        let watched = || stacks.iter().map(|stack| &*self.stacks[*stack]);
        let read = stacks.iter().map(|stack| self.trace.read(*stack).at_peak);
        let at_peak = less(sum(read), sum(watched().map(|stack| stack.before)));
        let start = sum(watched().map(|stack| stack.start));
        let end = sum(watched().map(|stack| stack.end));
        let all = |part: fn(&Watched) -> Total| {
            watched()
                .map(part)
                .fold(Total::default(), |sum, total| Total {
                    bytes: sum.bytes + total.bytes,
                    blocks: sum.blocks + total.blocks,
                })
        };
        let windows: Vec<_> = watched().map(|stack| stack.floors.windows()).collect();
        Site {
            frames: name.frames.clone(),
            type_name: name.type_name.clone(),
            growth: less(end, start),
            live: end,
            series_bytes: self.series.of(stacks),
            is_shown: false,
            at_peak: self.trace.has_peak().then_some(at_peak),
            total: all(|stack| stack.total),
            of_steps: all(|stack| since(stack.total, stack.total_at_start)),
            verdict: verdict::of_memory(&Window::together(&windows)),
            holders: None,
        }
    }
}

/// The seconds, if they are many and the compiler's options are to blame.
fn slow(took: Duration) -> Option<u64> {
    let seconds = took.as_secs();
    (cfg!(highwater_unoptimised) && seconds >= SLOW_SECONDS).then_some(seconds)
}

fn sum(all: impl Iterator<Item = Live>) -> Live {
    all.fold(Live::default(), |sum, live| Live {
        bytes: sum.bytes + live.bytes,
        blocks: sum.blocks + live.blocks,
    })
}

fn since(total: Total, before: Total) -> Total {
    Total {
        bytes: total.bytes - before.bytes,
        blocks: total.blocks - before.blocks,
    }
}

fn less(live: Live, before: Live) -> Live {
    Live {
        bytes: live.bytes - before.bytes,
        blocks: live.blocks - before.blocks,
    }
}

fn levels(live: Live) -> Levels {
    let level = |figure: i64| u64::try_from(figure).unwrap_or(0);
    memory_levels(level(live.bytes), level(live.blocks))
}
