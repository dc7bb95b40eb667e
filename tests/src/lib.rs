//! What the integration tests share: workloads, and how meters report on them.

#![forbid(unsafe_code)]

pub mod alone;
pub mod comparison;
pub mod load;
pub mod worker;
pub mod workload;
