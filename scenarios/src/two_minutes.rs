//! The two minutes in which the trade aggregator grew: what its scenario repeats, its audit
//! looks at, and the hypotheses take apart.

use highwater_fixtures::{Aggregator, AggregatorConfig, Retention, TradeFeed};

/// How long the service was watched.
pub(crate) const SECONDS: u64 = 120;

/// An aggregator and what it is fed.
pub(crate) struct Service {
    aggregator: Aggregator,
    feed: TradeFeed,
}

impl Service {
    pub(crate) fn new(config: AggregatorConfig) -> Self {
        Self {
            aggregator: Aggregator::new(config),
            feed: TradeFeed::new(),
        }
    }

    pub(crate) fn run_a_second(&mut self) {
        let Self { aggregator, feed } = self;
        feed.next_second(|connection, message| aggregator.receive(connection, message));
        aggregator.process();
    }
}

/// The queue to the log writer is never emptied.
pub(crate) fn leaky() -> AggregatorConfig {
    AggregatorConfig {
        log_retention: Retention::Unbounded,
        ..AggregatorConfig::default()
    }
}

/// An aggregator as it was when it was looked at.
pub(crate) fn after_two_minutes(config: AggregatorConfig) -> Aggregator {
    let mut service = Service::new(config);
    for _ in 0..SECONDS {
        service.run_a_second();
    }
    service.aggregator
}
