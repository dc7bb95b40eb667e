//! The output of a panic, which counts in no scope.

use crate::alloc::unscoped;
use std::any::Any;
use std::panic;
use std::sync::Once;

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
            panic::set_hook(Box::new(move |info| unscoped(|| print(info))));
        });
    }
}
