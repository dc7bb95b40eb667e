//! Judges a series of heap profiles: which call stacks grow, and whether a scenario covers them.
//!
//! `stacks` follows call stacks through the profiles, by the names that `names` knows, some of
//! them from the files in `programs`. `order` puts the profiles in order and asks the rule for
//! time series. [`found`] is what comes of it, with what `coverage` knows of the project's
//! scenarios; [`text`] prints it, and [`page`] draws it.

mod coverage;
pub mod found;
mod names;
mod order;
pub mod page;
mod programs;
mod stacks;
pub mod text;

use crate::sweep::stacks::SiteFrame;
use coverage::Scenarios;
use found::{Found, Per, SCHEMA, Stack, State};
use highwater::__private::{Course, stack_told};
use highwater::Frame;
use highwater_reports::heap_profile::{HeapProfile, Process, ProfileError};
use highwater_reports::visible::printable;
use names::Names;
use order::Order;
use stacks::Stacks;
use std::cmp::Reverse;
use std::path::{Path, PathBuf};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// A file cannot be read.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// There are less than the rule needs.
    #[error(
        "too few profiles, {0}: the rule needs {needed}, taken at equal distances, such as one every \
         15 min for 8 h",
        needed = Course::FEWEST
    )]
    TooFew(usize),
    /// Too much of the time is without a profile.
    #[error(
        "the times of the {profiles} profiles are too uneven: there is none for {gap} of the \
         {whole} from the first to the last. The rule compares equal stretches of time, {needed} \
         or more; leave out what is before or after the gap, or take profiles at equal distances",
        needed = Course::FEWEST
    )]
    Uneven {
        /// How many there are.
        profiles: usize,
        /// The longest time without one.
        gap: String,
        /// From the first to the last.
        whole: String,
    },
    /// They are not of one process.
    #[error(
        "{first} and {other} are not of one process: {difference}; judge the profiles of one \
         process, between its start and its end"
    )]
    OtherProcess {
        /// The first file.
        first: String,
        /// The one that differs.
        other: String,
        /// In what.
        difference: String,
    },
    /// What was allocated before is in none of them, and before is not the same.
    #[error(
        "{first} and {other} are of different recordings: each has only what was allocated since \
         it began, so levels cannot be compared; take the profiles one after the other while one \
         recording goes on"
    )]
    OtherRecording {
        /// The first file.
        first: String,
        /// The one that differs.
        other: String,
    },
    /// There is too much to keep.
    #[error(
        "the profiles have more than can be judged at once: of {stacks} call stacks and more in \
         {profiles} profiles, 2,000,000 frames and 16,000,000 levels are kept; judge every second \
         profile"
    )]
    TooManyStacks {
        /// How many there are already.
        stacks: usize,
        /// In so many profiles.
        profiles: usize,
    },
}

/// A project whose scenarios may cover what grows.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where it is. Files of the program below it are told from there.
    pub root: PathBuf,
    /// Where cargo builds programs; none if there is no project.
    pub target: Option<PathBuf>,
    /// Where its reports are; if there is no project, the reason why nothing is known of them.
    pub reports: Result<Vec<PathBuf>, String>,
}

/// What the first profile says, which all of them must.
struct First {
    path: PathBuf,
    since_nanos: Option<i64>,
    process: Process,
    value: String,
    sampled_bytes: Option<u64>,
}

/// Judges the profiles in these files.
///
/// # Errors
/// If they are too few or too uneven in time, one of them cannot be read, or they are not of one
/// process.
pub fn judge(paths: &[PathBuf], place: &Place) -> Result<Found, JudgeError> {
    if paths.len() < Course::FEWEST {
        return Err(JudgeError::TooFew(paths.len()));
    }
    let mut stacks = Stacks::new(paths.len());
    let mut times = Vec::new();
    let mut first: Option<First> = None;
    for (index, path) in paths.iter().enumerate() {
        let profile = HeapProfile::read(path)?;
        let first = first.get_or_insert_with(|| First::of(path, &profile));
        first.check(path, &profile)?;
        times.push(profile.time_nanos);
        stacks.add(index, &profile)?;
    }
    let order = Order::of(&times)?;
    let mut names = Names::new(&place.root, place.target.as_deref());
    let stacks = stacks.named(&mut names);
    let sampled_bytes = first.as_ref().and_then(|first| first.sampled_bytes);
    let mut found = found(&order, sampled_bytes, stacks);
    found.has_functions = names.has_functions;
    if let Some(first) = first {
        let program = first.process.program.as_deref();
        found.program = program.map(ToOwned::to_owned);
        // A recording is of one process.
        found.has_start = first.process.start.is_some() || first.since_nanos.is_some();
        doubt_restarts(&mut found);
        found.value = first.value;
    }
    cover(&mut found, place);
    Ok(found)
}

impl First {
    fn of(path: &Path, profile: &HeapProfile) -> Self {
        Self {
            path: path.to_owned(),
            since_nanos: profile.since_nanos,
            process: profile.process.clone(),
            value: profile.value.clone(),
            sampled_bytes: profile.sampled_bytes,
        }
    }

    /// Whether the other profile may be of the same process.
    fn check(&self, path: &Path, profile: &HeapProfile) -> Result<(), JudgeError> {
        let (ours, theirs) = (&self.process, &profile.process);
        let known = |text: &Option<_>| text.as_deref().map(printable).unwrap_or_default();
        let difference = if ours.program != theirs.program {
            let [ours, theirs] = [&ours.program, &theirs.program].map(known);
            format!("the programs are `{ours}` and `{theirs}`")
        } else if ours.build_id != theirs.build_id {
            let [ours, theirs] = [&ours.build_id, &theirs.build_id].map(known);
            format!("the programs are different builds, `{ours}` and `{theirs}`")
        } else if ours.start != theirs.start {
            "the program is at another address, so it was started again".to_owned()
        } else if self.value != profile.value {
            let [ours, theirs] = [&self.value, &profile.value].map(|value| printable(value));
            format!("the values are `{ours}` and `{theirs}`")
        } else if self.since_nanos != profile.since_nanos {
            return Err(JudgeError::OtherRecording {
                first: self.path.display().to_string(),
                other: path.display().to_string(),
            });
        } else {
            return Ok(());
        };
        Err(JudgeError::OtherProcess {
            first: self.path.display().to_string(),
            other: path.display().to_string(),
            difference,
        })
    }
}

/// Asks the rule about each call stack, and about all of them together.
fn found(order: &Order, sampled_bytes: Option<u64>, stacks: Vec<(Vec<Frame>, Vec<u64>)>) -> Found {
    let judged = |course: &Course, levels: &[u64]| judged(course, levels, order, sampled_bytes);
    let mut sums = vec![0_u64; order.indices.len()];
    for (_, levels) in &stacks {
        for (sum, level) in sums.iter_mut().zip(levels) {
            *sum = sum.saturating_add(*level);
        }
    }
    let whole = order.course(&sums);
    let falls = stacks.iter().map(|(_, levels)| order.course(levels).fall());
    let falls: f64 = falls.sum();
    let told = stacks.into_iter().map(|(frames, levels)| {
        let course = order.course(&levels);
        let replaces = course.is_growing() && course.is_offset(&whole, falls - course.fall());
        let mut found = judged(&course, &levels);
        if replaces {
            found.state = State::Inconclusive;
        }
        stack(&frames, found, replaces)
    });
    let mut stacks: Vec<_> = told.collect();
    let rises = |stack: &Stack| stack.course.rate;
    stacks.sort_by(|a, b| {
        let by_state = a.course.state.cmp(&b.course.state);
        let by_rate = rises(b).total_cmp(&rises(a));
        let by_size = || Reverse(a.course.now()).cmp(&Reverse(b.course.now()));
        by_state.then(by_rate).then_with(by_size)
    });
    Found {
        schema: SCHEMA,
        profiles: order.indices.len() as u64,
        program: None,
        has_start: false,
        halved_in: None,
        value: String::new(),
        sampled_bytes,
        no_times: order.no_times.clone(),
        seconds: order.length.map(|length| length.as_secs_f64()),
        has_functions: false,
        per: order.hours().map_or(Per::Profile, |_| Per::Hour),
        whole: judged(&whole, &sums),
        stacks,
    }
}

/// What the rule says of a course, with the levels that it is of.
fn judged(
    course: &Course,
    levels: &[u64],
    order: &Order,
    sampled_bytes: Option<u64>,
) -> found::Course {
    let hours = order.hours().unwrap_or(1.0);
    let is_growing = course.is_growing();
    let smallest = if is_growing {
        None
    } else {
        course.smallest_leak()
    };
    let state = match smallest {
        _ if is_growing => State::Growing,
        Some(_) if course.rests() => State::Bounded,
        _ => State::Inconclusive,
    };
    let (rate, error) = if is_growing {
        course.rate()
    } else {
        (0.0, 0.0)
    };
    let by_chance = sampled_bytes.map_or(0.0, |bytes| by_chance(rate, bytes, order.stretches()));
    // What is sampled is seen by the sample.
    let least = sampled_bytes.map(|bytes| course.least_in_pieces_of(bytes));
    let shown = smallest
        .zip(least)
        .map(|(smallest, least)| smallest.max(least));
    found::Course {
        state,
        rate: rate / hours,
        rate_error: error.hypot(by_chance) / hours,
        smallest_leak: shown.map(|smallest| smallest / hours),
        bytes: order.indices.iter().map(|index| levels[*index]).collect(),
    }
}

/// Each start begins with little memory, so that a leak between restarts has a floor that rests.
fn doubt_restarts(found: &mut Found) {
    let mut pairs = found.whole.bytes.windows(2);
    let halved = pairs.position(|pair| pair[1] < pair[0] / 2);
    found.halved_in = halved.filter(|_| !found.has_start).map(|at| at as u64 + 1);
    if found.halved_in.is_some() && found.whole.state == State::Bounded {
        found.whole.state = State::Inconclusive;
        found.whole.smallest_leak = None;
    }
}

/// How far a rate may be off because samples come by chance: twice the deviation of so many as
/// came in the three quarters of the stretches that it is from. Nothing if each byte counts.
fn by_chance(rate: f64, sampled_bytes: u64, stretches: usize) -> f64 {
    if sampled_bytes <= 1 {
        return 0.0;
    }
    let length = stretches as f64 * 0.75;
    2.0 * (rate * sampled_bytes as f64 / length).sqrt()
}

fn stack(frames: &[Frame], course: found::Course, replaces: bool) -> Stack {
    let site = frames.iter().position(|frame| !frame.is_dependency());
    let told = frames.iter().map(|frame| SiteFrame {
        function: frame.function().to_owned(),
        file: frame.file().map(ToOwned::to_owned),
        line: frame.line(),
    });
    Stack {
        course,
        replaces,
        frames: told.collect(),
        site: site.map(|site| site as u64),
        coverage: None,
        lines: stack_told(frames),
    }
}

/// Looks for scenarios that allocate where a growing stack does.
fn cover(found: &mut Found, place: &Place) {
    let scenarios = match &place.reports {
        Ok(directories) => Scenarios::read(&place.root, directories),
        Err(reason) => Scenarios::unknown(reason.clone()),
    };
    let is_growing = |stack: &&mut Stack| stack.course.state == State::Growing;
    for stack in found.stacks.iter_mut().filter(is_growing) {
        let coverage = stack.place().map(|frame| scenarios.at(frame));
        stack.coverage = coverage;
    }
}

#[cfg(test)]
mod tests;
