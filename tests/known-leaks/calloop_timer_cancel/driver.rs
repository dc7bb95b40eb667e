//! An event loop with a timer for housekeeping guards each request by a timer of five
//! minutes, which it takes out when the request has been answered. The leaky release
//! keeps the entry of such a timer while one that is due earlier is in place.

#![forbid(unsafe_code)]

use calloop::EventLoop;
use calloop::timer::{TimeoutAction, Timer};
use std::time::Duration;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const HOUSEKEEPING: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(300);

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || {
                let events = EventLoop::try_new().expect("an event loop");
                events
                    .handle()
                    .insert_source(Timer::from_duration(HOUSEKEEPING), |_, (), _| {
                        TimeoutAction::ToDuration(HOUSEKEEPING)
                    })
                    .expect("the loop takes the timer");
                events
            },
            |events: &mut EventLoop<'static, u64>, request| {
                let timers = events.handle();
                let timer = timers
                    .insert_source(Timer::from_duration(PATIENCE), |_, (), late| {
                        *late += 1;
                        TimeoutAction::Drop
                    })
                    .expect("the loop takes the timer");
                let mut late = request;
                events
                    .dispatch(Some(Duration::ZERO), &mut late)
                    .expect("the loop runs");
                timers.remove(timer);
                assert_eq!(late, request);
            },
        );
    println!("{}", report.to_json());
}
