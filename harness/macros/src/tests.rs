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

#[test]
fn a_bare_function() {
    check(
        quote!(),
        quote!(
            fn bounded() {
                work();
            }
        ),
        &quote! {
            #[::core::prelude::v1::test]
            fn bounded() {
                fn bounded() {
                    work();
                }

                ::highwater::Scenario::new(
                    ::core::concat!(::core::module_path!(), "::", "bounded")
                )
                    .run(|| (), |(), _| bounded())
                    .assert();
            }
        },
    );
}

#[test]
fn every_argument_and_attribute() {
    check(
        quote!(
            steps = 10_000,
            warm_up = 100u64,
            growth = "1 MiB",
            peak = "1.5 KB",
            residue = "0 B",
        ),
        quote! {
            /// Bounded.
            #[ignore]
            #[should_panic(expected = "peak")]
            pub(crate) fn r#try(mut i: u64) -> () {
                i += 1;
            }
        },
        &quote! {
            /// Bounded.
            #[ignore]
            #[should_panic(expected = "peak")]
            #[::core::prelude::v1::test]
            pub(crate) fn r#try() {
                fn r#try(mut i: u64) -> () {
                    i += 1;
                }

                ::highwater::Scenario::new(
                    ::core::concat!(::core::module_path!(), "::", "try")
                )
                    .steps(10000u64)
                    .warm_up(100u64)
                    .growth_ceiling(::highwater::ByteSize::b(1048576u64))
                    .peak_ceiling(::highwater::ByteSize::b(1500u64))
                    .residue_ceiling(::highwater::ByteSize::b(0u64))
                    .run(|| (), |(), i| r#try(i))
                    .assert();
            }
        },
    );
}

#[test]
fn a_function_that_can_fail() {
    check(
        quote!(steps = 0x10),
        quote!(
            fn bounded(i: u64) -> io::Result<()> {
                work(i)
            }
        ),
        &quote! {
            #[::core::prelude::v1::test]
            fn bounded() {
                fn bounded(i: u64) -> io::Result<()> {
                    work(i)
                }

                ::highwater::Scenario::new(
                    ::core::concat!(::core::module_path!(), "::", "bounded")
                )
                    .steps(16u64)
                    .run(|| (), |(), i| {
                        if let ::core::result::Result::Err(error) = bounded(i) {
                            ::core::panic!("step {i} failed: {error:?}")
                        }
                    })
                    .assert();
            }
        },
    );
}

#[test]
fn arguments_that_do_not_exist() {
    let expected = "unknown argument `step`: the arguments are \
                    `steps`, `warm_up`, `growth`, `peak`, `residue`, `threads`, \
                    `descriptors`, `mapped`";
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
    check_arguments(quote!(warm_up = "100"), expected);
    check_arguments(quote!(warm_up = -1), expected);
    check_arguments(quote!(warm_up = 1.5), expected);
    check_arguments(quote!(warm_up = 100u8), expected);
    check_arguments(quote!(warm_up = WARM_UP), expected);
    check_arguments(
        quote!(steps = 18446744073709551616),
        "18446744073709551616 is more than a u64 can hold",
    );
}

#[test]
fn sizes_that_are_none() {
    check_arguments(
        quote!(growth = "1 MiB", peak = "64 TiB"),
        "\"64 TiB\" is not a size: the unit is not known; write a number and one of \
         B, KB, MB, GB, KiB, MiB, GiB, such as \"100 MB\" or \"64 MiB\"",
    );
    let expected = "`residue` takes a size in quotes, such as `residue = \"0 B\"`";
    check_arguments(quote!(residue = 0), expected);
    check_arguments(quote!(residue = b"0 B"), expected);
    check_arguments(quote!(residue = NOTHING), expected);
}

#[test]
fn async_functions_need_the_feature() {
    let item = quote!(
        async fn bounded(i: u64) {}
    );
    let text = expand(quote!(), item).to_string();
    if cfg!(feature = "tokio") {
        let dense = text.replace(' ', "");
        let expected = ".run_async(async||(),async|(),i|bounded(i).await)";
        assert!(dense.contains(expected), "{dense}");
    } else {
        assert!(text.contains("takes async functions only with highwater's feature `tokio`"));
    }
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
fn parameters_that_are_too_many() {
    let expected = "`#[highwater::test]` takes a function of at most one parameter, \
                    the number of the step: remove this one, and those after it";
    check_function(
        quote!(
            fn bounded(i: u64, j: u64) {}
        ),
        expected,
    );
    let expected = "`#[highwater::test]` does not take methods: \
                    use a function without `self`, outside of `impl`";
    check_function(
        quote!(
            fn bounded(&self, i: u64) {}
        ),
        expected,
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
