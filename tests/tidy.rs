//! What can be checked about the source itself.

#![forbid(unsafe_code)]
