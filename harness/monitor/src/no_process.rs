//! Stands in for the reader of `/proc` on systems without one.

use crate::sample::{Note, Sample};

pub(crate) fn read_own(sample: &mut Sample) {
    sample.notes.push(Note::UnsupportedSystem);
}

pub(crate) fn read_tree(_pid: u32, sample: &mut Sample) {
    sample.notes.push(Note::UnsupportedSystem);
}
