//! Without the feature `tokio` there are no async scenarios, and no runtimes.

pub(super) const RUNTIME_BYTES: usize = 0;

pub(super) fn state_on_runtime(_state: &str) -> Option<&str> {
    None
}

pub(super) fn future_bytes() -> Option<u64> {
    None
}

pub(super) fn forget_futures() {}

pub(super) fn alive_tasks() -> u64 {
    0
}
