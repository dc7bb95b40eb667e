//! The parts of the service, each a [`Component`] of its own for the monitor, and what each
//! does in a second.
//!
//! All run on one thread, one after the other, and those that have tasks on a runtime of their
//! own whose clock is paused. So a simulated hour is the same on every run. On the real clock the
//! aggregator has its trades from the exchange, over sockets; the timers within the others stay
//! simulated, a second of theirs for each real one.

use super::exchange::{self, Connections, Exchange};
use crate::part::Part;
use highwater::__private::Thousands;
use highwater::ScopeHandle;
use highwater_fixtures::{
    Account, Aggregator, AggregatorConfig, Bot, BotConfig, CandleSource, Caps, Collector,
    CollectorConfig, DrainOrder, FeatureRetention, Ledger, LogPath, MarketFeed, OhlcvStore,
    PaperExecutor, Processor, Retention, Session, SessionStore, TailedService, TradeFeed,
};
use highwater_monitor::{Cleanup, Component};
use std::cell::{Cell, RefCell};
use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// How many of each come in a second.
const TICK_BARS: usize = 10;
const BOTS: usize = 59;
const SESSIONS: u64 = 50;
pub(super) const TRADES: u64 = 170;
const LINES: u64 = TailedService::LINES_A_SECOND;
/// The seconds between two fetches and two cycles.
const FETCH_EVERY: u64 = 10;
const CYCLE_EVERY: u64 = 10;
/// One-minute candles that a fetch brings for the first time, by symbol.
const CANDLES_A_FETCH: usize = 500;
const SYMBOLS: usize = 10;
/// How many trades the history holds, of a service that has no defect there.
const HISTORY: usize = 1_000;

/// What clean-ups came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct CleanUps {
    pub(crate) count: u64,
    /// The line that the last of them wrote to the log.
    pub(crate) last: Option<String>,
}

/// The messages with trades that came over sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Messages {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Those of the received ones that nobody could read.
    pub(crate) malformed: u64,
}

/// Where trades come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// They are handed over within the program.
    None,
    /// An exchange sends them over sockets.
    Sockets,
}

/// All parts, at work.
pub(crate) struct Service {
    parts: Vec<Running>,
    desk: Rc<RefCell<Desk>>,
    clean_ups: Rc<RefCell<CleanUps>>,
    messages: Rc<Cell<Messages>>,
}

/// What a part does in a second, by its number.
type Second = Box<dyn FnMut(u64) -> io::Result<()>>;

struct Running {
    scope: Option<ScopeHandle>,
    second: Second,
}

impl Running {
    /// Starts a part in its component, with its defect if it is the `leaky` one.
    fn start(
        part: Part,
        leaky: Option<Part>,
        start: impl FnOnce(bool) -> io::Result<Second>,
    ) -> io::Result<Self> {
        let component = Component::enter(part.name());
        let scope = component.handle();
        let second = start(leaky == Some(part))?;
        Ok(Self { scope, second })
    }
}

impl Service {
    /// Starts all parts, with a defect in `leaky`. The account is that of the ledger in
    /// `folder`, which takes other files too.
    pub(crate) fn start(
        folder: &Path,
        leaky: Option<Part>,
        clean_up: &Cleanup,
        wire: Wire,
    ) -> io::Result<Self> {
        let clean_ups = Rc::default();
        let log = Rc::clone(&clean_ups);
        let messages = Rc::default();
        let count = Rc::clone(&messages);
        // It is not the service, so it starts outside of the components.
        let market = match wire {
            Wire::None => None,
            Wire::Sockets => Some(exchange::open()?),
        };
        let mut desk = None;
        let parts = vec![
            Running::start(Part::Bots, leaky, |leaks| Ok(bots(leaks)))?,
            Running::start(Part::Sessions, leaky, |leaks| Ok(sessions(leaks)))?,
            Running::start(Part::Trades, leaky, |leaks| {
                let opened = Rc::new(RefCell::new(Desk::open(folder, leaks)?));
                desk = Some(Rc::clone(&opened));
                Ok(Box::new(move |_| opened.borrow_mut().second()))
            })?,
            Running::start(Part::MarketData, leaky, |leaks| {
                Ok(market_data(leaks, clean_up.clone(), log))
            })?,
            Running::start(Part::Collector, leaky, |leaks| collector(folder, leaks))?,
            Running::start(Part::Aggregator, leaky, |leaks| {
                Ok(match market {
                    Some((exchange, streams)) => connected(leaks, exchange, streams, count),
                    None => aggregator(leaks),
                })
            })?,
            Running::start(Part::TailWatcher, leaky, |leaks| {
                tail_watcher(folder, leaks)
            })?,
        ];
        Ok(Self {
            parts,
            desk: desk.expect("it was started"),
            clean_ups,
            messages,
        })
    }

    /// What is to be done in a second.
    pub(crate) fn second(&mut self, number: u64) -> io::Result<()> {
        for part in &mut self.parts {
            let second = &mut part.second;
            match &part.scope {
                Some(scope) => scope.in_scope(|| second(number))?,
                None => second(number)?,
            }
        }
        Ok(())
    }

    /// Writes the account down.
    pub(crate) fn save(&self) -> io::Result<()> {
        let Desk {
            ledger, executor, ..
        } = &mut *self.desk.borrow_mut();
        ledger.save(&executor.account())
    }

    /// The account now.
    pub(crate) fn account(&self) -> Account {
        self.desk.borrow().executor.account()
    }

    /// For how many seconds trades were recorded.
    pub(crate) fn seconds_traded(&self) -> u64 {
        self.desk.borrow().next / TRADES
    }

    pub(crate) fn clean_ups(&self) -> CleanUps {
        self.clean_ups.borrow().clone()
    }

    /// What came over sockets so far.
    pub(crate) fn messages(&self) -> Messages {
        self.messages.get()
    }
}

fn bots(is_leaky: bool) -> Second {
    let config = BotConfig {
        candle_retention: retention(is_leaky, BotConfig::default().candle_retention),
        ..BotConfig::default()
    };
    let mut bots = vec![Bot::new(config); BOTS];
    let mut candles = CandleSource::generated().stream();
    Box::new(move |_| {
        for candle in candles.by_ref().take(TICK_BARS) {
            for bot in &mut bots {
                bot.on_candle(&candle);
            }
        }
        Ok(())
    })
}

fn sessions(is_leaky: bool) -> Second {
    let mut store = SessionStore::new(retention(is_leaky, Retention::last(1_000)));
    Box::new(move |second| {
        for number in 0..SESSIONS {
            store.add(Session::example(second * SESSIONS + number));
        }
        Ok(())
    })
}

/// Trades on paper and writes each trade down.
struct Desk {
    ledger: Ledger,
    executor: PaperExecutor,
    /// The number of the next trade.
    next: u64,
}

impl Desk {
    const CAPITAL: f64 = 100_000.0;
    const QUANTITY: f64 = 0.01;

    fn open(folder: &Path, is_leaky: bool) -> io::Result<Self> {
        let new = Account {
            cash: Self::CAPITAL,
            ..Account::default()
        };
        let (ledger, account) = Ledger::open(folder, new)?;
        let history = retention(is_leaky, Retention::last(HISTORY));
        Ok(Self {
            ledger,
            executor: PaperExecutor::resume(&account, history),
            next: account.trades,
        })
    }

    /// Buys and sells in turn. The trades of a second are written down together.
    fn second(&mut self) -> io::Result<()> {
        let end = (self.next / TRADES + 1) * TRADES;
        let count = end - self.next;
        for number in self.next..end {
            let cents = 2_000_000 + number * 7 % 9_973;
            let (price, time_ms) = (
                cents as f64 / 100.0,
                (number * 1_000 / TRADES).cast_signed(),
            );
            let executor = &mut self.executor;
            let outcome = if number.is_multiple_of(2) {
                executor.buy("BTCUSDT", Self::QUANTITY, price, time_ms)
            } else {
                executor.sell("BTCUSDT", Self::QUANTITY, price, time_ms)
            };
            outcome.map_err(io::Error::other)?;
        }
        self.next = end;
        let count = usize::try_from(count).map_err(io::Error::other)?;
        let trades = self.executor.trades().latest(count);
        self.ledger.record(trades)
    }
}

fn market_data(is_leaky: bool, mut clean_up: Cleanup, log: Rc<RefCell<CleanUps>>) -> Second {
    let mut feed = MarketFeed::new(SYMBOLS, &CandleSource::generated());
    let mut store = OhlcvStore::new(Caps::AtCleanUp);
    if !is_leaky {
        clean_up = clean_up.every(1_000);
    }
    Box::new(move |second| {
        if !second.is_multiple_of(FETCH_EVERY) {
            return Ok(());
        }
        store.fetch(&feed);
        feed.move_on();
        for _ in 0..CANDLES_A_FETCH {
            let cleaned = clean_up.after_unit(|| {
                let trimmed = store.clean_up() as u64;
                format!("{} candles trimmed", Thousands(trimmed))
            });
            if let Some(cleaned) = cleaned {
                let mut log = log.borrow_mut();
                log.count += 1;
                log.last = Some(cleaned.to_string());
            }
        }
        Ok(())
    })
}

fn collector(folder: &Path, is_leaky: bool) -> io::Result<Second> {
    let folder = folder.join("samples");
    fs::create_dir_all(&folder)?;
    let mut config = CollectorConfig::default();
    if is_leaky {
        config.retention = FeatureRetention::UNBOUNDED;
    }
    let runtime = on_a_paused_clock()?;
    let mut collector = Collector::new(config);
    runtime.block_on(async { collector.start(&folder) });
    Ok(Box::new(move |second| {
        if !second.is_multiple_of(CYCLE_EVERY) {
            return Ok(());
        }
        let outcome = runtime.block_on(collector.cycle());
        outcome.map_err(io::Error::other)?;
        if second.is_multiple_of(3_600) {
            // They have gone to where models are trained.
            for file in fs::read_dir(&folder)? {
                fs::remove_file(file?.path())?;
            }
        }
        Ok(())
    }))
}

/// An aggregator with its defect or without.
fn aggregator_of(is_leaky: bool) -> Aggregator {
    let mut config = AggregatorConfig::default();
    config.log_retention = retention(is_leaky, config.log_retention);
    Aggregator::new(config)
}

fn aggregator(is_leaky: bool) -> Second {
    let mut aggregator = aggregator_of(is_leaky);
    let mut feed = TradeFeed::new();
    Box::new(move |_| {
        feed.next_second(|connection, message| aggregator.receive(connection, message));
        aggregator.process();
        Ok(())
    })
}

/// An aggregator whose trades come over these sockets.
fn connected(
    is_leaky: bool,
    mut exchange: Exchange,
    streams: Vec<TcpStream>,
    count: Rc<Cell<Messages>>,
) -> Second {
    let mut aggregator = aggregator_of(is_leaky);
    let mut connections = Connections::new(streams);
    Box::new(move |_| {
        let mut messages = count.get();
        exchange.second()?;
        connections.second(|connection, message| {
            messages.received += 1;
            aggregator.receive(connection, message);
        })?;
        aggregator.process();
        messages.sent = exchange.sent();
        messages.malformed = aggregator.malformed();
        count.set(messages);
        Ok(())
    })
}

fn tail_watcher(folder: &Path, is_leaky: bool) -> io::Result<Second> {
    let order = if is_leaky {
        DrainOrder::AfterProcessing
    } else {
        DrainOrder::BeforeProcessing
    };
    let runtime = on_a_paused_clock()?;
    let processor = Arc::new(Processor::new());
    let path = LogPath::within(folder);
    let mut service = runtime.block_on(TailedService::start(&path, &processor, order));
    Ok(Box::new(move |_| {
        runtime.block_on(service.second(LINES));
        Ok(())
    }))
}

fn on_a_paused_clock() -> io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build()
}

fn retention(is_leaky: bool, sound: Retention) -> Retention {
    if is_leaky {
        Retention::Unbounded
    } else {
        sound
    }
}
