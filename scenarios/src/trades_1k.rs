//! A paper-trading executor kept the record of every trade for its statistics,
//! which look at the last few hundred. Bought and sold a few times a second, the
//! records outgrew everything else in the process within days. What fixed it was
//! a ring: the history holds as many as the statistics read.

use crate::{Entry, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{PaperExecutor, Retention, TradeStream};

pub(crate) static ENTRY: Entry = Entry {
    id: "trades-1k",
    what: "a paper executor buys and sells once a step, keeps the last 200 trades",
    defect: "keeps every trade",
    steps: 1_000,
    growth_ceiling: ByteSize::mb(50),
    peak_ceiling: ByteSize::mb(50),
    reads: Reads::Trades,
    findings: None,
    run,
};

const SYMBOL: &str = "BTCUSDT";
const QUANTITY: f64 = 0.01;
const CAPITAL: f64 = 100_000.0;
/// Reached after 100 steps of two trades each.
const CAP: usize = 200;

struct Desk {
    executor: PaperExecutor,
    trades: TradeStream,
    /// What the executor's cash must be.
    cash: f64,
}

fn run(scenario: &Scenario, twin: Twin, inputs: &Inputs) -> Report {
    let retention = match twin {
        Twin::Sound => Retention::last(CAP),
        Twin::Leaky => Retention::Unbounded,
    };
    scenario.run(
        || Desk {
            executor: PaperExecutor::new(CAPITAL, retention),
            trades: inputs.trades.stream(),
            cash: CAPITAL,
        },
        |desk, _| trade_once(desk),
    )
}

fn trade_once(desk: &mut Desk) {
    let Some(cycle) = desk.trades.next() else {
        return;
    };
    let executor = &mut desk.executor;
    executor
        .buy(SYMBOL, QUANTITY, cycle.buy_price, cycle.time_ms)
        .expect("there is cash for a hundredth of a bitcoin");
    executor
        .sell(SYMBOL, QUANTITY, cycle.sell_price, cycle.time_ms)
        .expect("what was bought can be sold");
    desk.cash = desk.cash - QUANTITY * cycle.buy_price + QUANTITY * cycle.sell_price;
    assert!((executor.cash() - desk.cash).abs() < 1e-6, "cash adds up");
    assert!(
        executor.position(SYMBOL).abs() < 1e-9,
        "the position is closed"
    );
}
