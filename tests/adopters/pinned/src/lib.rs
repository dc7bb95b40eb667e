//! A service on old versions of tokio, bytes and serde, tested with highwater.

#![forbid(unsafe_code)]

use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// A trade as it travels.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub struct Trade {
    /// What was traded.
    pub symbol: String,
    /// At which price.
    pub price: u64,
}

/// Puts a trade into a frame: its length in one byte, then its JSON.
///
/// # Panics
/// If the JSON is longer than 255 bytes.
#[must_use]
pub fn frame(trade: &Trade) -> Bytes {
    let json = serde_json::to_vec(trade).expect("a trade is JSON");
    let mut frame = BytesMut::with_capacity(1 + json.len());
    frame.extend_from_slice(&[u8::try_from(json.len()).expect("a short trade")]);
    frame.extend_from_slice(&json);
    frame.freeze()
}

/// Takes the trade out of a frame.
///
/// # Panics
/// If the frame holds no trade.
#[must_use]
pub fn unframe(mut frame: Bytes) -> Trade {
    let length = usize::from(frame.get_u8());
    serde_json::from_slice(&frame[..length]).expect("the JSON of a trade")
}

/// Sends a trade through a task and back.
///
/// # Panics
/// If the trade does not fit a frame.
pub async fn echo(trade: &Trade) -> Trade {
    let (send, mut receive) = mpsc::channel(1);
    let frame = frame(trade);
    let task = tokio::spawn(async move { send.send(frame).await });
    let echoed = unframe(receive.recv().await.expect("the task sends"));
    task.await
        .expect("the task ends")
        .expect("somebody listens");
    echoed
}

#[cfg(test)]
#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[cfg(test)]
mod tests {
    use super::*;

    #[highwater::test(steps = 1_000, growth = "0 B", residue = "0 B")]
    async fn an_echo_keeps_nothing(i: u64) {
        let trade = Trade {
            symbol: "BTCUSDT".to_owned(),
            price: i % 10,
        };
        assert_eq!(echo(&trade).await, trade);
    }

    #[highwater::test(steps = 100)]
    #[should_panic(expected = "memory leak in `a_frame_that_is_kept_is_noticed`: ")]
    fn a_frame_that_is_kept_is_noticed(i: u64) {
        let symbol = i.to_string();
        std::mem::forget(frame(&Trade { symbol, price: i }));
    }
}
