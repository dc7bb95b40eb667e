//! The stand-in for `snapshot` where memory can't be searched: on other systems or processors
//! than Linux on x86-64, and without the feature `diagnosis`.

use super::{Holder, State};
use crate::alloc::Trace;
use crate::symbols::Names;

/// What was in memory, which nobody knows.
pub(crate) enum Snapshot {}

impl Snapshot {
    pub(crate) fn take(_trace: &Trace, _state: &State) -> Result<Self, String> {
        Err("they are looked for on Linux on x86-64 only".to_owned())
    }

    pub(crate) fn holders(
        &self,
        _sites: &[usize],
        _types: &[String],
        _names: &mut Names,
    ) -> Vec<Vec<Holder>> {
        match *self {}
    }

    pub(crate) fn unsearched_threads(&self) -> usize {
        match *self {}
    }
}
