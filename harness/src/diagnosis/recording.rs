//! [`Recording`]: what a program allocates while it runs and holds still, by call stack.
//!
//! A diagnosis is of a scenario, which is run again for it. A service cannot be run again, so
//! call stacks are taken for a while, and the levels at the end are all that is known.

pub use crate::alloc::RecordError;
use crate::alloc::{Live, Recorded, Recorder, Total, unscoped};
use crate::symbols::{Frame, Named, Names, forget_files};
use std::collections::BTreeMap;
use std::fmt;

/// All threads take call stacks until it is dropped. It may be dropped on any thread.
pub struct Recording(Recorder);

/// What was recorded, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    /// By call stack; those with most live bytes first.
    pub sites: Vec<Level>,
    /// Blocks that could not be followed.
    pub lost_blocks: u64,
}

/// What was allocated at one call stack since the recording began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// The innermost first, as in a diagnosis; empty if the stack could not be told.
    pub frames: Vec<Frame>,
    /// What was allocated, if the program's symbols tell.
    pub type_name: Option<String>,
    /// Bytes that were not freed.
    pub live_bytes: u64,
    /// Blocks that were not freed.
    pub live_blocks: u64,
    /// All bytes. A block that is resized counts again, with its new size.
    pub total_bytes: u64,
    /// All blocks, likewise.
    pub total_blocks: u64,
}

impl Recording {
    /// From now on call stacks are taken of all that the process allocates.
    ///
    /// # Errors
    /// If the program has another allocator, call stacks can't be taken, or are already.
    pub fn start() -> Result<Self, RecordError> {
        Recorder::start().map(Self)
    }

    /// What of it is live now, with names, which take a moment the first time. It goes on.
    pub fn levels(&self) -> Levels {
        unscoped(|| named(&self.0.read(), self.0.lost()))
    }

    /// The same for those who need nothing after that.
    pub fn finish(self) -> Levels {
        unscoped(|| {
            let (recorded, lost_blocks) = (self.0.read(), self.0.lost());
            // Names take longer than all else: nobody has to take call stacks meanwhile.
            drop(self);
            let levels = named(&recorded, lost_blocks);
            forget_files();
            levels
        })
    }
}

impl Drop for Recording {
    /// A service goes on after this, and has its memory for itself.
    fn drop(&mut self) {
        unscoped(forget_files);
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recording")
    }
}

/// With the names of the stacks, of which several may be one for a reader.
fn named(recorded: &[Recorded], lost_blocks: u64) -> Levels {
    let mut names = Names::new();
    let mut sums: BTreeMap<(Vec<Frame>, Option<String>), (Live, Total)> = BTreeMap::new();
    for Recorded {
        frames,
        live,
        total,
    } in recorded.iter().filter(|site| site.total.blocks > 0)
    {
        let Named { frames, type_name } = names.stack(frames);
        let (live_sum, total_sum) = sums.entry((frames, type_name)).or_default();
        live_sum.bytes += live.bytes;
        live_sum.blocks += live.blocks;
        total_sum.bytes += total.bytes;
        total_sum.blocks += total.blocks;
    }
    let at_least_zero = |figure: i64| u64::try_from(figure).unwrap_or(0);
    let levels = sums
        .into_iter()
        .map(|((frames, type_name), (live, total))| Level {
            frames,
            type_name,
            live_bytes: at_least_zero(live.bytes),
            live_blocks: at_least_zero(live.blocks),
            total_bytes: total.bytes,
            total_blocks: total.blocks,
        });
    let mut sites: Vec<_> = levels.collect();
    // What is equal stays in the order of its frames.
    sites.sort_by_key(|level| std::cmp::Reverse((level.live_bytes, level.total_bytes)));
    Levels { sites, lost_blocks }
}
