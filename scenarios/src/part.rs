//! The parts of the service that the soak runs, by name.

use clap::ValueEnum;

/// A part whose defect can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// 59 bots, which take ten tick bars a second and keep all of them
    Bots,
    /// Fifty sessions a second, none of which is dropped
    Sessions,
    /// 170 trades a second, each of which stays in the history
    Trades,
    /// Candles of ten symbols, fetched every ten seconds and never cleaned up
    MarketData,
    /// Order books and candles of fifty symbols, all of which are kept
    Collector,
    /// 170 messages a second, whose log records nobody takes
    Aggregator,
    /// 1,174 lines a second, whose buffer is cleared after processing
    TailWatcher,
}

impl Part {
    /// The name of its component.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bots => "bots",
            Self::Sessions => "sessions",
            Self::Trades => "trades",
            Self::MarketData => "market data",
            Self::Collector => "collector",
            Self::Aggregator => "aggregator",
            Self::TailWatcher => "tail watcher",
        }
    }

    /// The scenario that runs this part alone, and names the line.
    pub(crate) fn scenario(self) -> &'static str {
        match self {
            Self::Bots => "candles-10k",
            Self::Sessions => "sessions-10k",
            Self::Trades => "trades-1k",
            Self::MarketData => "ohlcv-store",
            Self::Collector => "feature-history",
            Self::Aggregator => "aggregator",
            Self::TailWatcher => "tail-watcher",
        }
    }
}
