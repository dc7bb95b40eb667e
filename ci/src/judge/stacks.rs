//! Call stacks through a series of profiles: each is known again by its functions and lines.

use super::JudgeError;
use super::names::Names;
use highwater::Frame;
use highwater_reports::heap_profile::{self, HeapProfile};
use std::collections::HashMap;

/// How many levels are kept at most: call stacks times profiles.
const MOST_LEVELS: usize = 16_000_000;
/// How many frames all call stacks may have together.
const MOST_FRAMES: usize = 2_000_000;

/// The live bytes of call stacks, one level for each profile.
#[derive(Debug)]
pub(super) struct Stacks {
    profiles: usize,
    frames: HashMap<heap_profile::Frame, usize>,
    /// By the numbers of their frames.
    levels: HashMap<Vec<usize>, Vec<u64>>,
    /// How many frames these stacks have together.
    depth: usize,
}

impl Stacks {
    pub(super) fn new(profiles: usize) -> Self {
        Self {
            profiles,
            frames: HashMap::new(),
            levels: HashMap::new(),
            depth: 0,
        }
    }

    /// Takes note of the profile with this index.
    pub(super) fn add(&mut self, index: usize, profile: &HeapProfile) -> Result<(), JudgeError> {
        let locations = profile.locations().iter();
        let locations: Vec<Vec<usize>> = locations
            .map(|frames| frames.iter().map(|frame| self.number(frame)).collect())
            .collect();
        for (stack, bytes) in profile.stacks() {
            let depths = stack.iter().map(|at| locations[*at].len());
            let depth = depths.fold(0, usize::saturating_add);
            // A hostile profile has more than there is memory for.
            if depth > MOST_FRAMES {
                return Err(self.too_many());
            }
            let frames = stack.iter().flat_map(|at| &locations[*at]).copied();
            let frames: Vec<_> = frames.collect();
            if let Some(levels) = self.levels.get_mut(&frames) {
                levels[index] = levels[index].saturating_add(bytes);
                continue;
            }
            self.depth += depth;
            let stacks = self.levels.len() + 1;
            if self.depth > MOST_FRAMES || stacks.saturating_mul(self.profiles) > MOST_LEVELS {
                return Err(self.too_many());
            }
            let mut levels = vec![0; self.profiles];
            levels[index] = bytes;
            self.levels.insert(frames, levels);
        }
        Ok(())
    }

    fn too_many(&self) -> JudgeError {
        JudgeError::TooManyStacks {
            stacks: self.levels.len(),
            profiles: self.profiles,
        }
    }

    fn number(&mut self, frame: &heap_profile::Frame) -> usize {
        let next = self.frames.len();
        match self.frames.get(frame) {
            Some(number) => *number,
            None => *self.frames.entry(frame.clone()).or_insert(next),
        }
    }

    /// The stacks as a reader wants to see them, in the order of their frames: those that look
    /// alike are one. Stacks without a frame are one, too.
    pub(super) fn named(self, names: &mut Names<'_>) -> Vec<(Vec<Frame>, Vec<u64>)> {
        let mut frames: Vec<_> = self.frames.iter().collect();
        frames.sort_by_key(|(_, number)| **number);
        let frames: Vec<_> = frames.iter().map(|(frame, _)| names.of(frame)).collect();
        let mut told: HashMap<Vec<Frame>, Vec<u64>> = HashMap::new();
        for (stack, levels) in &self.levels {
            let stack = names.told(stack.iter().flat_map(|number| &frames[*number]));
            let sums = told.entry(stack).or_insert_with(|| vec![0; self.profiles]);
            for (sum, level) in sums.iter_mut().zip(levels) {
                *sum = sum.saturating_add(*level);
            }
        }
        let mut told: Vec<_> = told.into_iter().collect();
        told.sort();
        told
    }
}
