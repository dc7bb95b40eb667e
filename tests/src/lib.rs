//! What the integration tests and benchmarks share: workloads, how meters report on them, and
//! tables.

#![forbid(unsafe_code)]

pub mod alone;
pub mod callgrind;
pub mod comparison;
pub mod load;
pub mod table;
pub mod worker;
pub mod workload;
