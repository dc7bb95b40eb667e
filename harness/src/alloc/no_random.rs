//! Stands in for `random` where the system's random numbers can't be answered.

/// Whether [`answer`] does anything.
#[allow(dead_code)]
pub(crate) const ANSWERS: bool = false;

/// Nothing is answered.
#[allow(dead_code)]
pub(crate) fn answer() {}

/// What a thread is answered from.
pub(super) struct Randomness;

// Not needed where processes do not fork.
#[allow(dead_code)]
impl Randomness {
    pub(super) fn of_new_thread() -> Option<Self> {
        None
    }

    pub(super) fn take(self) {}
}
