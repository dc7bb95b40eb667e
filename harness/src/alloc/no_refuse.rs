//! Stands in for `refuse` on other systems than Linux: nothing is refused.

/// Which allocation is to be refused, of which there is none.
pub(crate) enum Plan {}

impl Plan {
    pub(crate) fn begin(&self, _number: u64) {
        match *self {}
    }

    pub(crate) fn end(&self) {
        match *self {}
    }
}

pub(super) fn refuses(_size: usize, _is_resized: bool) -> bool {
    false
}
