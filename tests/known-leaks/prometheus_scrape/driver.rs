//! Latencies go into a histogram, and a scraper renders the page every 3,030
//! requests. The exporter buffers samples until then, so memory is a long sawtooth.

#![forbid(unsafe_code)]

use metrics::{Key, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::PrometheusBuilder;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(3_000)
        .run(
            || {
                let recorder = PrometheusBuilder::new().build_recorder();
                let page = recorder.handle();
                (recorder, page)
            },
            |(recorder, page), i| {
                let labels = Metadata::new("requests", Level::INFO, None);
                let latency = recorder.register_histogram(&Key::from_name("latency"), &labels);
                latency.record((i % 97) as f64 / 1_000.0);
                if i % 3_030 == 3_029 {
                    assert!(page.render().contains("latency"));
                }
            },
        );
    println!("{}", report.to_json());
}
