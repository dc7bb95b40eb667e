//! [`Sampling`]: the thread that samples.

use crate::monitor::Monitor;
use std::fmt;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};

/// A thread that takes a sample every interval, until this is dropped.
#[must_use = "sampling ends when this is dropped"]
pub struct Sampling {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Monitor {
    /// Starts a thread that takes a sample now and after every interval.
    ///
    /// # Errors
    /// If the system starts no more threads.
    pub fn start(&self) -> io::Result<Sampling> {
        let (stop, stopped) = mpsc::channel();
        let monitor = self.clone();
        let sample_until_stopped = move || loop {
            monitor.sample();
            match stopped.recv_timeout(monitor.interval()) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        };
        let thread = thread::Builder::new().name("highwater".to_owned());
        Ok(Sampling {
            thread: Some(thread.spawn(sample_until_stopped)?),
            stop: Some(stop),
        })
    }
}

impl Drop for Sampling {
    /// Ends the thread, and waits for that.
    fn drop(&mut self) {
        drop(self.stop.take());
        // A callback that panicked has said so.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl fmt::Debug for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampling").finish_non_exhaustive()
    }
}
