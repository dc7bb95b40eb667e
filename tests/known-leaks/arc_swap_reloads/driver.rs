//! A configuration is reloaded every 25 steps, and a worker keeps the one that it saw
//! last. There are 200 workers, some of whom ask seldom and hold old ones for long.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use arc_swap::ArcSwap;
use random::mixed;
use std::sync::Arc;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

struct Config {
    _rules: Vec<String>,
}

fn load(reload: u64) -> Config {
    let rules = 20 + mixed(reload) % 60;
    Config {
        _rules: (0..rules).map(|rule| format!("rule {rule:04}")).collect(),
    }
}

struct Service {
    config: ArcSwap<Config>,
    workers: Vec<Arc<Config>>,
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(500)
        .run(
            || {
                let config = ArcSwap::from_pointee(load(0));
                let workers = vec![config.load_full(); 200];
                Service { config, workers }
            },
            |service, i| {
                if i % 25 == 0 {
                    service.config.store(Arc::new(load(i)));
                }
                let share = (mixed(i) % 1_000_000) as f64 / 1_000_000.0;
                let worker = 201_f64.powf(share) as usize - 1;
                service.workers[worker] = service.config.load_full();
            },
        );
    println!("{}", report.to_json());
}
