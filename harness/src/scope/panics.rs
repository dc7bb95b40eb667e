//! The output of a panic, which counts in no scope.

use crate::alloc::{self, unscoped};
use std::any::Any;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Once, PoisonError, RwLock};

/// Read while a panic is printed, by which std has locks of its own.
static PRINTING: RwLock<()> = RwLock::new(());

/// Whether panics are printed past std, in one write.
static IS_PLAIN: AtomicBool = AtomicBool::new(false);

/// The text that a panic carries.
pub(crate) fn message_of(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(the panic carried no text)".to_owned())
}

/// A panic's message, its backtrace and the buffer that a test runner captures
/// them in are nothing that the scenario allocates: the hook that prints them
/// runs outside every scope.
pub(crate) fn keep_output_out_of_scopes() {
    static INSTALLED: Once = Once::new();
    // A hook cannot be set by a thread that is panicking; the next run will.
    if !std::thread::panicking() {
        INSTALLED.call_once(|| {
            let print = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                unscoped(|| {
                    if IS_PLAIN.load(Relaxed) {
                        alloc::print(format!("{info}\n").as_bytes());
                    } else {
                        let _printing = PRINTING.read().unwrap_or_else(PoisonError::into_inner);
                        print(info);
                    }
                });
            }));
        });
    }
}

/// Runs `work`, which must not panic, while no panic is being printed on another thread.
// Not needed where processes are not forked.
#[allow(dead_code)]
pub(crate) fn while_none_is_printed<R>(work: impl FnOnce() -> R) -> R {
    let _none = PRINTING.write().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// From now on panics of this process are printed without the locks that std's hook takes: it
/// was forked, and another thread may have held them.
// Not needed where processes are not forked.
#[allow(dead_code)]
pub(crate) fn print_without_locks() {
    IS_PLAIN.store(true, Relaxed);
}
