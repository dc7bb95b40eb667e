//! Requests are limited by address, ten milliseconds from one to the next. Every 7,000
//! of them, addresses that have been quiet are forgotten; until then each has a key.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use governor::clock::FakeRelativeClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use random::mixed;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::num::NonZeroU32;
use std::time::Duration;

type Hasher = BuildHasherDefault<DefaultHasher>;
type Moment = <FakeRelativeClock as governor::clock::Clock>::Instant;
type Limiter = RateLimiter<
    String,
    HashMapStateStore<String, Hasher>,
    FakeRelativeClock,
    NoOpMiddleware<Moment>,
>;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn limiter(clock: &FakeRelativeClock) -> Limiter {
    let one = NonZeroU32::new(1).expect("not zero");
    let quota = Quota::per_second(one);
    RateLimiter::hashmap_with_clock_and_hasher(quota, clock.clone(), Hasher::default())
}

fn main() {
    let clock = FakeRelativeClock::default();
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || limiter(&clock),
            |limiter, i| {
                clock.advance(Duration::from_millis(10));
                let address = (mixed(i) as u32).to_be_bytes();
                let [a, b, c, d] = address;
                let _ = limiter.check_key(&format!("{a}.{b}.{c}.{d}"));
                if i % 7_000 == 6_999 {
                    limiter.retain_recent();
                }
            },
        );
    println!("{}", report.to_json());
}
