//! A server has four connections, of which the oldest makes room for a new one, and the
//! bytes of those that are open are observed and exported. The leaky release goes on to
//! export the connections that are no longer observed.

#![forbid(unsafe_code)]

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{
    Instrument, PeriodicReader, SdkMeterProvider, Stream, Temporality,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// Exports nothing to nobody.
struct Silent;

impl PushMetricExporter for Silent {
    async fn export(&self, _: &ResourceMetrics) -> OTelSdkResult {
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

struct Server {
    newest: Arc<AtomicU64>,
    provider: SdkMeterProvider,
}

/// There may be more connections at once than the usual limit of attributes.
fn many(_: &Instrument) -> Option<Stream> {
    Stream::builder()
        .with_cardinality_limit(10_000)
        .build()
        .ok()
}

impl Server {
    fn start() -> Self {
        // Exports come from the steps, and not from the timer.
        let hour = Duration::from_secs(60 * 60);
        let reader = PeriodicReader::builder(Silent).with_interval(hour).build();
        let provider = SdkMeterProvider::builder()
            .with_reader(reader)
            .with_view(many)
            .build();
        let newest = Arc::new(AtomicU64::new(0));
        let observed = Arc::clone(&newest);
        provider
            .meter("server")
            .u64_observable_counter("bytes")
            .with_callback(move |bytes| {
                let newest = observed.load(Ordering::Relaxed);
                for connection in newest.saturating_sub(3)..=newest {
                    let name = KeyValue::new("connection", format!("{connection:06}"));
                    bytes.observe(100 * (newest - connection + 1), &[name]);
                }
            })
            .build();
        Self { newest, provider }
    }

    fn replace_one(&mut self, newest: u64) {
        self.newest.store(newest, Ordering::Relaxed);
        self.provider.force_flush().expect("nothing can go wrong");
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(100)
        .run(Server::start, Server::replace_one);
    println!("{}", report.to_json());
}
