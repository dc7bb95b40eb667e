//! Failures that were not handled, by what became of the run and the call stack.

use super::outcome::Lost;
use super::unhandled::{Outcome, Unhandled};
use crate::symbols::{Frame, Names};
use std::mem::{Discriminant, discriminant};

/// Failures that ended alike, at allocations with the same call stack.
pub(super) struct Group<'a> {
    kind: Discriminant<Outcome>,
    /// The call stack of the allocation.
    pub(super) frames: Vec<Frame>,
    pub(super) count: u64,
    pub(super) first: &'a Unhandled,
    /// Where the first of them leaks from.
    pub(super) origins: Vec<Origin>,
}

/// Blocks that leak, by the innermost frame of the program that allocated them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) frame: Frame,
    pub(super) bytes: u64,
    pub(super) blocks: u64,
}

/// The largest first.
pub(super) fn of<'a>(unhandled: &'a [Unhandled], names: &mut Names) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for first in unhandled {
        let kind = discriminant(&first.outcome);
        let refused = first.refused.as_ref();
        let frames = refused.map(|refused| names.stack(&refused.frames).frames);
        let frames = frames.unwrap_or_default();
        let is_same = |group: &&mut Group<'_>| group.kind == kind && group.frames == frames;
        match groups.iter_mut().find(is_same) {
            Some(group) => group.count += 1,
            None => groups.push(Group {
                kind,
                frames,
                count: 1,
                first,
                origins: Vec::new(),
            }),
        }
    }
    // It is stable: of as many, those of the earlier allocation come first.
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

/// What is `lost`, but not `before`, by the frame that allocated it. The most bytes first.
pub(super) fn origins(lost: &[Lost], before: &[Lost], names: &mut Names) -> Vec<Origin> {
    let mut origins: Vec<Origin> = Vec::new();
    for Lost {
        bytes,
        blocks,
        frames,
    } in lost
    {
        let same = before.iter().find(|known| known.frames == *frames);
        let (bytes, blocks) = same.map_or((*bytes, *blocks), |known| {
            (
                bytes.saturating_sub(known.bytes),
                blocks.saturating_sub(known.blocks),
            )
        });
        let stack = names.stack(frames).frames;
        let own = stack.iter().find(|frame| !frame.is_dependency());
        let (Some(frame), true) = (own.or(stack.first()), blocks > 0) else {
            continue;
        };
        match origins.iter_mut().find(|origin| origin.frame == *frame) {
            Some(origin) => {
                origin.bytes += bytes;
                origin.blocks += blocks;
            }
            None => origins.push(Origin {
                frame: frame.clone(),
                bytes,
                blocks,
            }),
        }
    }
    origins.sort_by(|one, other| {
        let by_size = other.bytes.cmp(&one.bytes);
        by_size.then_with(|| one.frame.cmp(&other.frame))
    });
    origins
}
