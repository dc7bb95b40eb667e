//! What the attribute writes, and what it refuses in which words.

use super::expand;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Item, LitStr};

#[track_caller]
fn check(arguments: TokenStream, item: TokenStream, expected: &TokenStream) {
    assert_eq!(expand(arguments, item).to_string(), expected.to_string());
}

/// Checks the errors; what follows them must be the item as it was.
#[track_caller]
fn check_errors(arguments: TokenStream, item: TokenStream, expected: &[&str]) {
    let text = item.to_string();
    let expansion = expand(arguments, item);
    let file: syn::File = syn::parse2(expansion).expect("the expansion is a list of items");
    let errors: Vec<String> = file.items.iter().filter_map(error_of).collect();
    assert_eq!(errors, expected);
    let rest = &file.items[errors.len()..];
    assert_eq!(quote!(#(#rest)*).to_string(), text);
}

fn error_of(item: &Item) -> Option<String> {
    match item {
        Item::Macro(call) if call.mac.path.segments.last()?.ident == "compile_error" => {
            call.mac.parse_body().ok().map(|text: LitStr| text.value())
        }
        _ => None,
    }
}

/// Checks the one error for `arguments` on a function that has nothing wrong.
#[track_caller]
fn check_arguments(arguments: TokenStream, expected: &str) {
    check_errors(
        arguments,
        quote!(
            fn bounded() {}
        ),
        &[expected],
    );
}

/// Checks the one error for `item` without arguments.
#[track_caller]
fn check_function(item: TokenStream, expected: &str) {
    check_errors(TokenStream::new(), item, &[expected]);
}

/// The test that `name` becomes, around what it does.
fn test(
    attributes: &TokenStream,
    of: &TokenStream,
    keys: &Keys,
    work: &TokenStream,
) -> TokenStream {
    let Keys {
        visibility,
        name,
        text,
        time_limit_ms,
        flags: [in_process, real_random, any_panic_passes],
    } = keys;
    quote! {
        #attributes
        #[::core::prelude::v1::test]
        #visibility fn #name() {
            #of

            ::highwater::__private::isolated(
                &::highwater::__private::Isolated {
                    module: ::core::module_path!(),
                    name: #text,
                    time_limit_ms: #time_limit_ms,
                    in_process: #in_process,
                    real_random: #real_random,
                    any_panic_passes: #any_panic_passes,
                },
                || { #work },
            );
        }
    }
}

struct Keys {
    visibility: TokenStream,
    name: TokenStream,
    text: &'static str,
    time_limit_ms: TokenStream,
    flags: [bool; 3],
}

/// Nothing was asked for.
fn bounded() -> Keys {
    Keys {
        visibility: quote!(),
        name: quote!(bounded),
        text: "bounded",
        time_limit_ms: quote!(::core::option::Option::None),
        flags: [false; 3],
    }
}

#[test]
fn a_bare_function() {
    let function = quote!(
        fn bounded() {
            work();
        }
    );
    let expected = test(&quote!(), &function, &bounded(), &quote!(bounded();));
    check(quote!(), function, &expected);
}

#[test]
fn a_plain_test_with_all_that_it_may_have() {
    let function = quote!(
        fn bounded() -> io::Result<()> {
            work()
        }
    );
    let attributes = quote!(#[should_panic]);
    let keys = Keys {
        time_limit_ms: quote!(::core::option::Option::Some(90000u64)),
        flags: [true; 3],
        ..bounded()
    };
    let work = quote! {
        if let ::core::result::Result::Err(error) = bounded() {
            ::core::panic!("Error: {error:?}")
        }
    };
    check(
        quote!(in_process, time_limit = "90 s", real_random),
        quote!(#attributes #function),
        &test(&attributes, &function, &keys, &work),
    );
}

#[test]
fn every_argument_and_attribute() {
    let attributes = quote! {
        /// Bounded.
        #[ignore]
        #[should_panic(expected = "peak")]
    };
    let function = quote!(
        fn r#try(mut i: u64) -> () {
            i += 1;
        }
    );
    let work = quote! {
        ::highwater::Scenario::new(::core::concat!(::core::module_path!(), "::", "try"))
            .steps(10000u64)
            .warm_up(100u64)
            .growth_ceiling(::highwater::ByteSize::b(1048576u64))
            .peak_ceiling(::highwater::ByteSize::b(1500u64))
            .residue_ceiling(::highwater::ByteSize::b(0u64))
            .accept_inconclusive("it fills")
            .accept_residue("it keeps")
            .time_budget(::core::time::Duration::from_millis(90000u64))
            .run(|| (), |(), i| r#try(i))
            .assert();
    };
    let keys = Keys {
        visibility: quote!(pub(crate)),
        name: quote!(r#try),
        text: "r#try",
        ..bounded()
    };
    check(
        quote!(
            steps = 10_000,
            warm_up = 100u64,
            growth = "1 MiB",
            peak = "1.5 KB",
            residue = "0 B",
            accept_inconclusive = "it fills",
            accept_residue = "it keeps",
            time_budget = "90 s",
        ),
        quote!(#attributes pub(crate) #function),
        &test(&attributes, &function, &keys, &work),
    );
}

#[track_caller]
fn check_scenario(arguments: TokenStream, function: TokenStream, calls: &TokenStream) {
    let work = quote! {
        ::highwater::Scenario::new(::core::concat!(::core::module_path!(), "::", "bounded"))
            #calls
            .assert();
    };
    let expected = test(&quote!(), &function, &bounded(), &work);
    check(arguments, function, &expected);
}

#[test]
fn a_step_that_can_fail() {
    check_scenario(
        quote!(steps = 0x10),
        quote!(
            fn bounded(i: u64) -> io::Result<()> {
                work(i)
            }
        ),
        &quote! {
            .steps(16u64)
            .run(|| (), |(), i| {
                if let ::core::result::Result::Err(error) = bounded(i) {
                    ::core::panic!("step {i} failed: {error:?}")
                }
            })
        },
    );
}

#[test]
fn a_scenario_with_a_state() {
    check_scenario(
        quote!(state = Sessions::with(8), steps = 16),
        quote!(
            fn bounded(sessions: &mut Sessions, i: u64) {}
        ),
        &quote!(.steps(16u64).run(|| Sessions::with(8), |state, i| bounded(state, i))),
    );
    check_scenario(
        quote!(steps = 16, state = (1, 2)),
        quote!(
            fn bounded(pair: &mut (u64, u64)) {}
        ),
        &quote!(.steps(16u64).run(|| (1, 2), |state, _| bounded(state))),
    );
}

#[test]
fn what_belongs_to_a_scenario_needs_steps() {
    check_arguments(
        quote!(time_limit = "1 s", growth = "1 MiB"),
        "`growth` belongs to a scenario, and without `steps` this is a plain test: \
         add `steps = 10_000`, or remove `growth`",
    );
    check_arguments(
        quote!(state = 1, in_process),
        "`state` belongs to a scenario, and without `steps` this is a plain test: \
         add `steps = 10_000`, or remove `state`",
    );
}

#[test]
fn words_and_texts_that_are_wrong() {
    check_arguments(
        quote!(in_process = true),
        "`in_process` takes no value: write `in_process` alone",
    );
    check_arguments(
        quote!(time_limit = 60),
        "`time_limit` takes a duration in quotes, such as `time_limit = \"60 s\"`",
    );
    check_arguments(
        quote!(time_limit = "1 d"),
        "\"1 d\" is not a duration: write a whole number above 0 and one of ms, s, min, h, \
         such as \"500 ms\", \"60 s\" or \"5 min\"",
    );
    let expected = "`accept_residue` takes a reason in quotes, such as \
                    `accept_residue = \"the registry keeps each name\"`";
    check_arguments(quote!(steps = 1, accept_residue = true), expected);
    check_arguments(quote!(steps = 1, accept_residue = " "), expected);
}

#[test]
fn arguments_that_do_not_exist() {
    let expected = "unknown argument `step`: the arguments are \
                    `steps`, `state`, `warm_up`, `growth`, `peak`, `residue`, `live_blocks`, \
                    `step_blocks`, `step_bytes`, `threads`, `tasks`, `descriptors`, `mapped`, \
                    `future`, `stack`, `accept_inconclusive`, `accept_residue`, `time_budget`, \
                    `time_limit`, `in_process`, `real_random`";
    check_arguments(quote!(step = 10), expected);
    let expected = "expected an argument, such as `steps = 10_000`";
    check_arguments(quote!(10), expected);
    check_arguments(quote!("1 MiB"), expected);
    check_arguments(quote!(,), expected);
}

#[test]
fn arguments_given_twice() {
    check_arguments(
        quote!(peak = "1 MB", steps = 10, peak = "1 MB"),
        "`peak` is given twice: remove one of them",
    );
}

#[test]
fn arguments_without_a_value() {
    let expected = "`steps` needs a value, such as `steps = 10_000`";
    check_arguments(quote!(steps), expected);
    check_arguments(quote!(steps =), expected);
    check_arguments(quote!(steps(10)), expected);
    check_arguments(quote!(peak = "1 MB", steps =, warm_up = 1), expected);
    check_arguments(
        quote!(growth),
        "`growth` needs a value, such as `growth = \"1 MiB\"`",
    );
}

#[test]
fn counts_that_are_none() {
    let expected = "`warm_up` takes a whole number, such as `warm_up = 100`";
    check_arguments(quote!(steps = 1, warm_up = "100"), expected);
    check_arguments(quote!(steps = 1, warm_up = 100u8), expected);
    check_arguments(quote!(steps = 1, warm_up = 1.5), expected);
    check_arguments(
        quote!(steps = 18446744073709551616),
        "18446744073709551616 is more than a u64 can hold",
    );
}

#[test]
fn sizes_that_are_none() {
    check_arguments(
        quote!(steps = 1, growth = "1 MiB", peak = "64 TiB"),
        "\"64 TiB\" is not a size: the unit is not known; write a number and one of \
         B, KB, MB, GB, KiB, MiB, GiB, such as \"100 MB\" or \"64 MiB\"",
    );
    let expected = "`residue` takes a size in quotes, such as `residue = \"0 B\"`";
    check_arguments(quote!(steps = 1, residue = 0), expected);
    check_arguments(quote!(steps = 1, residue = b"0 B"), expected);
    check_arguments(quote!(steps = 1, residue = NOTHING), expected);
}

#[test]
fn async_functions_need_the_feature() {
    let item = quote!(
        async fn bounded(i: u64) {}
    );
    let text = expand(quote!(steps = 1), item).to_string();
    if cfg!(feature = "tokio") {
        let dense = text.replace(' ', "");
        let expected = ".run_async(async||(),async|(),i|\
                        ::highwater::__private::future_of_step(bounded(i)).await)";
        assert!(dense.contains(expected), "{dense}");
        let plain = quote!(
            async fn bounded() {}
        );
        let dense = expand(quote!(), plain).to_string().replace(' ', "");
        let expected = "||{::highwater::__private::block_on(bounded());}";
        assert!(dense.contains(expected), "{dense}");
    } else {
        assert!(text.contains("takes async functions only with highwater's feature `tokio`"));
    }
}

#[test]
fn tasks_and_futures_are_those_of_an_async_function() {
    let expected = "`#[highwater::test]` with `tasks` takes an async function, whose tasks it \
                    measures: add `async`, or remove `tasks`";
    check_arguments(quote!(steps = 10, tasks = 0), expected);
    let expected = "`#[highwater::test]` with `future` takes an async function, whose future it \
                    measures: add `async`, or remove `future`";
    check_arguments(quote!(steps = 10, future = "1 KiB"), expected);
}

#[test]
fn functions_that_cannot_be_tests() {
    check_function(
        quote!(
            const fn bounded() {}
        ),
        "`#[highwater::test]` does not take const functions: remove `const`",
    );
    check_function(
        quote!(
            unsafe fn bounded() {}
        ),
        "`#[highwater::test]` does not take unsafe functions: \
         write an `unsafe` block in a safe one",
    );
    check_function(
        quote!(
            extern "C" fn bounded() {}
        ),
        "`#[highwater::test]` does not take functions with another ABI: remove `extern`",
    );
    check_function(
        quote!(
            fn bounded<T: Default>() {}
        ),
        "`#[highwater::test]` does not take generic functions: \
         call the generic one in a plain function",
    );
}

#[test]
fn parameters_that_do_not_fit() {
    let check = |arguments, item, expected: &str| check_errors(arguments, item, &[expected]);
    check(
        quote!(steps = 1),
        quote!(
            fn bounded(i: u64, j: u64) {}
        ),
        "`#[highwater::test]` takes a function of at most one parameter, the number of the step: \
         remove this one, and those after it, or add `state = ...`, which is then the first",
    );
    check(
        quote!(),
        quote!(
            fn bounded(i: u64) {}
        ),
        "`#[highwater::test]` without `steps` takes a function without parameters: remove this \
         one, and those after it, or add `steps = 10_000`, whose number it then is",
    );
    check(
        quote!(steps = 1, state = 7),
        quote!(
            fn bounded() {}
        ),
        "`#[highwater::test]` with `state` takes a function whose first parameter is the state: \
         add `state: &mut` and its type",
    );
    check(
        quote!(steps = 1, state = 7),
        quote!(
            fn bounded(state: &mut u64, i: u64, j: u64) {}
        ),
        "`#[highwater::test]` with `state` takes a function of at most two parameters, the state \
         and the number of the step: remove this one, and those after it",
    );
    check(
        quote!(steps = 1),
        quote!(
            fn bounded(&self, i: u64) {}
        ),
        "`#[highwater::test]` does not take methods: \
         use a function without `self`, outside of `impl`",
    );
}

#[test]
fn items_that_are_no_plain_functions() {
    check_function(
        quote!(
            #[test]
            fn bounded() {}
        ),
        "`#[highwater::test]` makes the function a test already: remove `#[test]`",
    );
    check_function(
        quote!(
            struct Bounded;
        ),
        "`#[highwater::test]` goes on a function: expected `fn`",
    );
}

#[test]
fn errors_in_both_parts_show() {
    check_errors(
        quote!(steps),
        quote!(
            const unsafe fn bounded() {}
        ),
        &[
            "`steps` needs a value, such as `steps = 10_000`",
            "`#[highwater::test]` does not take const functions: remove `const`",
            "`#[highwater::test]` does not take unsafe functions: \
             write an `unsafe` block in a safe one",
        ],
    );
}
