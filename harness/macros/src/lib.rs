//! `#[highwater::test]`: a test of one function, run as a scenario.
//!
//! Depend on `highwater`, which re-exports the attribute; nothing else in here
//! is of use. The attribute is thin on purpose: it writes the lines that a
//! person would write around `highwater::Scenario`, and checks its arguments
//! while it compiles, so that a mistake is shown where it was made. `arguments`
//! reads what stands in the brackets, `function` what the attribute stands on.

#![forbid(unsafe_code)]

mod arguments;
mod function;
mod size;
#[cfg(test)]
mod tests;

use function::Function;
use proc_macro2::TokenStream;

/// Makes a test of a function whose body is one step of a scenario.
///
/// ```
/// #[global_allocator]
/// static ALLOC: highwater::Alloc = highwater::Alloc::system();
///
/// #[highwater::test(steps = 10_000, growth = "1 KiB", peak = "64 KiB")]
/// fn numbers_are_not_kept(i: u64) {
///     assert_eq!(i.to_string().parse(), Ok(i));
/// }
/// # fn main() {}
/// ```
///
/// The test runs the steps, then fails if a ceiling was breached or memory grows
/// without end. It is the same as a `highwater::Scenario` with nothing to set
/// up, named after the function and its module, that is run and asserted. A
/// scenario with a state of its own is written out with `highwater::Scenario`.
///
/// # Arguments
/// All of them may be left out.
///
/// | argument | meaning |
/// |---|---|
/// | `steps = 10_000` | how many steps to run at least; 1,000 by default |
/// | `warm_up = 100` | how many steps to run before growth is counted; 0 by default |
/// | `growth = "1 MiB"` | the most by which live bytes may rise |
/// | `peak = "64 MiB"` | the most live bytes at any moment |
/// | `residue = "0 B"` | the most live bytes at the end |
/// | `threads = 0` | the most by which the number of threads may rise |
/// | `descriptors = 0` | the most by which the number of open descriptors may rise; waits until no other scenario runs |
/// | `mapped = "1 MiB"` | the most by which memory mapped outside the heap may rise; waits likewise |
///
/// Sizes are written as `highwater::ByteSize` reads them.
///
/// # The function
/// Its parameter is the number of the step, a `u64` that counts from 0; it may be
/// left out. The function may return a `Result` whose error is `Debug`: an error
/// fails the test, which says at which step. The function is called more often
/// than `steps` says: once in a rehearsal, and further where the verdict needs
/// it. What those calls leave in a `static` or a thread-local is there as well.
///
/// Beside `#[rstest]` it goes below the cases: each case is then a test of its own,
/// and the call with that case's values is a step, which is not told its number.
///
/// Other attributes, such as `#[ignore]` and `#[should_panic]`, work as they do
/// on any test. An `async` function runs on a current-thread runtime of the test's
/// own; it needs highwater's feature `tokio`.
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
    let calls = arguments::builder_calls(arguments);
    let function = syn::parse2::<Function>(item);
    match (calls, function) {
        (Ok(calls), Ok(function)) => Ok(function.into_test(&calls)),
        (Err(mut error), Err(other)) => {
            error.combine(other);
            Err(error)
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}
