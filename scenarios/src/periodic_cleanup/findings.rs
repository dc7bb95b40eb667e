//! What the clean-ups of a simulated hour did, and what is live without them.

use super::{Collector, ENTRY};
use crate::market_findings::bytes;
use crate::{Findings, Twin, thousands};
use highwater_fixtures::{CandleSource, CleanUpRecord};
use tokio::runtime::Builder;

pub(super) fn findings() -> Vec<Findings> {
    let (log, _) = an_hour(Twin::Sound);
    let (_, leaky_bytes) = an_hour(Twin::Leaky);
    let row = |record: &CleanUpRecord| {
        vec![
            format!("{} ms", record.duration.as_millis()),
            thousands(record.candles as u64),
            thousands(record.open_interest as u64),
            bytes(record.live_bytes_before),
            bytes(record.live_bytes_after),
        ]
    };
    let numbered = log.iter().enumerate();
    let rows = numbered.map(|(at, record)| {
        let name = vec![format!("after {} min", (at + 1) * 10)];
        [name, row(record)].concat()
    });
    let [first, .., last] = log.as_slice() else {
        unreachable!("there are six clean-ups in an hour");
    };
    let growth = last.live_bytes_after.saturating_sub(first.live_bytes_after);
    vec![Findings {
        title: "the clean-ups of a simulated hour".to_owned(),
        header: [
            "",
            "took",
            "candles trimmed",
            "entries trimmed",
            "live before",
            "live after",
        ]
        .map(str::to_owned)
        .into(),
        rows: rows.collect(),
        notes: vec![
            format!(
                "live memory after a clean-up grew by {} from the first to the last",
                bytes(growth)
            ),
            format!(
                "without the task, {} are live after the hour",
                bytes(leaky_bytes)
            ),
            "a clean-up awaits nothing, so it takes no time on a simulated clock".to_owned(),
            format!("as it is logged: {last}"),
        ],
    }]
}

/// What was logged within an hour, and the service's live bytes at its end.
fn an_hour(twin: Twin) -> (Vec<CleanUpRecord>, u64) {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without sockets can be made");
    runtime.block_on(async {
        let mut collector = Collector::new(twin, &CandleSource::generated());
        for _ in 0..ENTRY.steps {
            collector.fetch().await;
        }
        let live_bytes = collector.scope.usage().live_bytes;
        let data = collector.service.data();
        (data.log.iter().copied().collect(), live_bytes)
    })
}
