//! Without highwater's allocator there is no profile, and an error says why.

#![forbid(unsafe_code)]

use highwater_monitor::{ProfileError, Recording};

#[test]
fn it_is_refused() {
    assert_eq!(Recording::start().err(), Some(ProfileError::NotInstalled));
}
