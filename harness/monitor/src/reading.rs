//! Takes a sample: of this process, with its heap and components, or of others.

use crate::component;
use crate::process;
use crate::sample::{Heap, Sample};
use std::time::SystemTime;

impl Sample {
    /// The figures of this process now.
    pub fn of_this_process() -> Self {
        let mut sample = Self::at(SystemTime::now());
        process::read_own(&mut sample);
        sample.components = component::all();
        sample.heap = highwater::__private::live_in_process().map(|(bytes, blocks)| Heap {
            live_bytes: bytes,
            live_blocks: blocks,
            peak_bytes: bytes,
        });
        sample
    }

    /// The sums of the figures of a process and of all that descend from it, now. If it does not
    /// exist, there are none, and [`Note::ProcessGone`](crate::Note::ProcessGone).
    pub fn of_tree(pid: u32) -> Self {
        let mut sample = Self::at(SystemTime::now());
        process::read_tree(pid, &mut sample);
        sample
    }
}
