//! A trading bot died of its own history: it kept every candle that it had ever
//! seen, though its moving averages look back thirty. One candle a minute is
//! nothing; four timeframes of ten symbols, refetched every few seconds, are
//! 220 MB a minute. What fixed it was a history that holds the last 1,000.

use crate::{Entry, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{Bot, BotConfig, CandleStream, Retention};

pub(crate) static ENTRY: Entry = Entry {
    id: "candles-10k",
    what: "a live bot takes one candle a step, keeps the last 1,000",
    defect: "keeps every candle",
    steps: 10_000,
    growth_ceiling: ByteSize::mb(100),
    peak_ceiling: ByteSize::mb(200),
    reads: Reads::Candles,
    findings: None,
    run,
};

struct Market {
    bot: Bot,
    candles: CandleStream,
}

fn run(scenario: &Scenario, twin: Twin, inputs: &Inputs) -> Report {
    scenario.run(
        || Market {
            bot: Bot::new(config(twin)),
            candles: inputs.candles.stream(),
        },
        |market, _| {
            if let Some(candle) = market.candles.next() {
                market.bot.on_candle(&candle);
            }
        },
    )
}

fn config(twin: Twin) -> BotConfig {
    match twin {
        Twin::Sound => BotConfig::default(),
        Twin::Leaky => BotConfig {
            candle_retention: Retention::Unbounded,
            ..BotConfig::default()
        },
    }
}
