//! Stands in for `tried` on other systems than Linux: nothing is tried, which no test may take
//! for a success.

use super::outcome::Said;
use super::{AllocationFailures, Task};

#[track_caller]
pub(super) fn each(_in_child: &mut dyn FnMut(&Task<'_>) -> Option<Said>) -> AllocationFailures {
    panic!(
        "highwater: `fail_each_allocation` forks processes, which this library does on Linux \
         alone: no allocation was failed"
    );
}
