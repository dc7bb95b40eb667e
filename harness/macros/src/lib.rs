//! `#[highwater::test]`: a test of one function, in a process of its own.
//!
//! Depend on `highwater`, which re-exports the attribute; nothing else in here
//! is of use. The attribute is thin on purpose: it writes the lines that a
//! person would write around `highwater::Scenario`, and checks its arguments
//! while it compiles, so that a mistake is shown where it was made. `arguments`
//! reads what stands in the brackets, `function` what the attribute stands on.

#![forbid(unsafe_code)]

mod arguments;
mod function;
#[cfg(test)]
mod tests;
mod units;

use arguments::Arguments;
use function::Function;
use proc_macro2::TokenStream;

/// Makes a test of a function, and gives it a process of its own.
///
/// The test program is started once more for this one test. In that process every
/// allocation counts for the test, on whichever thread, and the test cannot affect others.
/// Its output is shown as that of any other test. The test runs in the test program's own
/// process if it cannot have another one, or with `HIGHWATER_IN_PROCESS=1`, which helps with
/// a debugger. A runner that gives each test a process, as cargo-nextest does, runs the body
/// in that process. Addresses there are random unless `cargo highwater` started it.
///
/// With `steps` the function is one step of a scenario. The test runs the steps, then fails
/// if a ceiling was breached or memory grows without end. It is the same as a
/// `highwater::Scenario` named after the function and its module that is run and
/// asserted. Without `steps` it is a plain test: the body runs once.
///
/// # Arguments
/// All of them may be left out.
///
/// | argument | meaning |
/// |---|---|
/// | `time_limit = "60 s"` | how long the process may take, in `ms`, `s`, `min` or `h`; 600 s by default, or what `HIGHWATER_TIME_LIMIT` says |
/// | `in_process` | no process of its own |
/// | `real_random` | `getrandom` gives real random numbers, not the same ones in every run; figures may then differ from run to run |
/// | `steps = 10_000` | a scenario, and how many steps to run at least; this and the other counts may be a constant |
///
/// The others are a scenario's, and need `steps`.
///
/// | argument | meaning |
/// |---|---|
/// | `state = Sessions::default()` | makes the state, once for each run; the function's first parameter is `&mut` of it |
/// | `warm_up = 100` | how many steps to run before growth is counted; 0 by default |
/// | `growth = "1 MiB"` | the most by which live bytes may rise |
/// | `peak = "64 MiB"` | the most live bytes at any moment |
/// | `residue = "0 B"` | the most live bytes at the end |
/// | `live_blocks = 100` | the most live blocks at the end of the steps |
/// | `step_blocks = 3` | the most blocks that a step allocates, on average after the warm-up; with 0 the first one is a failure |
/// | `step_bytes = "1 KiB"` | the most bytes that a step allocates, likewise |
/// | `threads = 0` | the most by which the number of threads may rise |
/// | `tasks = 0` | the most by which the number of tasks of an async scenario may rise |
/// | `descriptors = 0` | the most by which the number of open descriptors may rise |
/// | `mapped = "1 MiB"` | the most by which memory mapped outside the heap may rise |
/// | `future = "4 KiB"` | the most bytes that the future of an async function may have |
/// | `stack = "64 KiB"` | the most stack that a step may use, on its own thread or one that it starts |
/// | `time_budget = "60 s"` | how long the extension for the verdict may take; 60 s by default |
/// | `accept_inconclusive = "why"` | passes although the verdict is left open |
/// | `accept_residue = "why"` | passes although each run leaves more behind |
///
/// Sizes are written as `highwater::ByteSize` reads them.
///
/// # The function
/// In a scenario its parameter is the number of the step, a `u64` that counts from 0,
/// behind the state if there is one; it may be left out. A plain test has no parameters.
/// The function may return a `Result` whose error is `Debug`: an error fails the test,
/// which says at which step. A step is called more often than `steps` says: once in a
/// rehearsal, and further where the verdict needs it. What those calls leave in a
/// `static` or a thread-local is there as well.
///
/// Beside `#[rstest]` it goes below the cases: each case is then a test of its own,
/// and with `steps` the call with that case's values is a step, which is not told its
/// number.
///
/// Other attributes, such as `#[ignore]` and `#[should_panic]`, work as they do
/// on any test. A process that ends by itself is no panic: without `expected`,
/// `#[should_panic]` does not let it pass. An `async` function runs on a current-thread
/// runtime of the test's own; it needs highwater's feature `tokio`.
#[proc_macro_attribute]
pub fn test(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(arguments.into(), item.into()).into()
}

/// The generated test; or the errors, followed by the item as it stood, so that
/// an editor still knows what is in it.
fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    generate(arguments, item.clone()).unwrap_or_else(|error| {
        let mut errors = error.into_compile_error();
        errors.extend(item);
        errors
    })
}

/// Both parts are read before either fails, so that the errors of both show.
fn generate(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let arguments = Arguments::read(arguments);
    let function = Function::read(item, arguments.as_ref().ok());
    match (arguments, function) {
        (Ok(arguments), Ok(function)) => Ok(function.into_test(&arguments)),
        (Err(mut error), Err(other)) => {
            error.combine(other);
            Err(error)
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}
