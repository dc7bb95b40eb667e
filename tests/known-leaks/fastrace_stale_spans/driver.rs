//! A traced request leaves work behind, whose span ends in the next step, and the spans
//! are reported at the end of each request. The leaky release keeps a span that ends
//! after its request, and reports it again each time.

#![forbid(unsafe_code)]

use fastrace::Span;
use fastrace::collector::{Config, Reporter, SpanContext, SpanId, SpanRecord, TraceId};
use std::time::Duration;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// Reports nothing to nobody.
struct Silent;

impl Reporter for Silent {
    fn report(&mut self, _: Vec<SpanRecord>) {}
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(100)
        .run(
            || {
                // Reports come from the requests, and not from the timer.
                let hour = Duration::from_secs(60 * 60);
                fastrace::set_reporter(Silent, Config::default().report_interval(hour));
                None
            },
            |work_left: &mut Option<Span>, number| {
                let parent = SpanContext::new(TraceId(number.into()), SpanId(0));
                let request = Span::root("request", parent);
                *work_left = Some(Span::enter_with_parent("write the log", &request));
                drop(request);
                fastrace::flush();
            },
        );
    println!("{}", report.to_json());
}
