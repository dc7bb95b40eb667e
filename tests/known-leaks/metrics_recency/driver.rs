//! Each session has a counter labelled with its id. The exporter sees it, and deletes
//! it when it has idled. The leaky release keeps when it saw the key last.

#![forbid(unsafe_code)]

use metrics::{CounterFn as _, Key, Label};
#[cfg(feature = "storage")]
use metrics_util::MetricKindMask;
#[cfg(not(feature = "storage"))]
use metrics_util::recency::{GenerationalPrimitives as Storage, Recency};
#[cfg(feature = "storage")]
use metrics_util::registry::{GenerationalAtomicStorage, Recency, Registry};
#[cfg(not(feature = "storage"))]
use metrics_util::{MetricKindMask, Registry};
use quanta::{Clock, Mock};
use std::sync::Arc;
use std::time::Duration;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const IDLE: Duration = Duration::from_secs(60);

#[cfg(feature = "storage")]
type Metrics = Registry<Key, GenerationalAtomicStorage>;
#[cfg(not(feature = "storage"))]
type Metrics = Registry<Storage>;
#[cfg(feature = "storage")]
type Seen = Recency<Key>;
#[cfg(not(feature = "storage"))]
type Seen = Recency;

struct Exporter {
    registry: Metrics,
    recency: Seen,
    clock: Arc<Mock>,
}

impl Exporter {
    fn new() -> Self {
        let (clock, by_hand) = Clock::mock();
        #[cfg(feature = "storage")]
        let registry = Registry::new(GenerationalAtomicStorage::atomic());
        #[cfg(not(feature = "storage"))]
        let registry = Registry::new();
        Self {
            registry,
            recency: Recency::new(clock, MetricKindMask::ALL, Some(IDLE)),
            clock: by_hand,
        }
    }

    /// Looks at every counter, and lets go of those that idled.
    fn export(&self) {
        for (key, counter) in self.registry.get_counter_handles() {
            let seen = counter.get_generation();
            self.recency
                .should_store_counter(&key, seen, &self.registry);
        }
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(Exporter::new, |exporter, session| {
            let label = Label::new("session", format!("{session:012}"));
            let key = Key::from_parts("requests", vec![label]);
            exporter
                .registry
                .get_or_create_counter(&key, |counter| counter.increment(1));
            exporter.export();
            exporter.clock.increment(2 * IDLE.as_nanos() as u64);
            exporter.export();
        });
    println!("{}", report.to_json());
}
