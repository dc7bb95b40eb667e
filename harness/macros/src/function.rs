//! The function that the attribute stands on, and the test that it becomes.

use crate::arguments::Arguments;
use proc_macro2::{Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, FnArg, Meta, ReturnType, Signature, Type, Visibility};

/// A function that can be a test. The body stays unread: it is the compiler's to
/// judge, and may use syntax that is newer than this crate.
pub(crate) struct Function {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
    body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse().map_err(|error| {
                let problem = format!("`#[highwater::test]` goes on a function: {error}");
                Error::new(error.span(), problem)
            })?,
            body: input.parse()?,
        })
    }
}

impl Function {
    /// The function, if it can be a test with these arguments; with any, if they could not
    /// be read.
    pub(crate) fn read(item: TokenStream, arguments: Option<&Arguments>) -> syn::Result<Self> {
        let function: Self = syn::parse2(item)?;
        let mut errors = function.problems();
        errors.extend(arguments.and_then(|arguments| function.misfit(arguments)));
        let mut errors = errors.into_iter();
        match errors.next() {
            None => Ok(function),
            Some(mut error) => {
                error.extend(errors);
                Err(error)
            }
        }
    }

    /// The test function. The user's own is an item within it, so that the test
    /// can have its name, and the name still means it in its body.
    pub(crate) fn into_test(self, arguments: &Arguments) -> TokenStream {
        let work = if arguments.is_scenario {
            self.scenario(arguments)
        } else {
            self.plain()
        };
        let any_panic_passes = self.attributes.iter().any(is_bare_should_panic);
        let Self {
            attributes,
            visibility,
            signature,
            body,
        } = self;
        let name = &signature.ident;
        let text = name.to_string();
        let time_limit = if let Some(limit) = arguments.time_limit_ms {
            let limit = Literal::u64_suffixed(limit);
            quote!(::core::option::Option::Some(#limit))
        } else {
            quote!(::core::option::Option::None)
        };
        let Arguments {
            in_process,
            real_random,
            ..
        } = arguments;
        // The path keeps `use highwater::test` from being taken for the attribute
        // that the compiler knows.
        quote! {
            #(#attributes)*
            #[::core::prelude::v1::test]
            #visibility fn #name() {
                #signature #body

                ::highwater::__private::isolated(
                    &::highwater::__private::Isolated {
                        module: ::core::module_path!(),
                        name: #text,
                        time_limit_ms: #time_limit,
                        in_process: #in_process,
                        real_random: #real_random,
                        any_panic_passes: #any_panic_passes,
                    },
                    || { #work },
                );
            }
        }
    }

    /// A scenario of which the function is a step.
    fn scenario(&self, arguments: &Arguments) -> TokenStream {
        let text = self.signature.ident.unraw().to_string();
        let calls = &arguments.calls;
        let state = arguments.state.clone().unwrap_or_else(|| quote!(()));
        let (run, setup) = match self.signature.asyncness {
            Some(_) => (quote!(run_async), quote!(async || #state)),
            None => (quote!(run), quote!(|| #state)),
        };
        let step = self.step(arguments.state.is_some());
        quote! {
            ::highwater::Scenario::new(::core::concat!(::core::module_path!(), "::", #text))
                #calls
                .#run(#setup, #step)
                .assert();
        }
    }

    /// The function's own call, which fails if it returns an error.
    fn plain(&self) -> TokenStream {
        let name = &self.signature.ident;
        let call = if self.signature.asyncness.is_some() {
            quote!(::highwater::__private::block_on(#name()))
        } else {
            quote!(#name())
        };
        let Some(value) = self.fallible() else {
            return quote!(#call;);
        };
        quote_spanned! {generated_at(value.span())=>
            if let ::core::result::Result::Err(error) = #call {
                ::core::panic!("Error: {error:?}")
            }
        }
    }

    /// The closure that is a step. Its parts stand where the user wrote the types
    /// that they must fit, for the compiler's errors.
    fn step(&self, has_state: bool) -> TokenStream {
        let name = &self.signature.ident;
        let inputs = &self.signature.inputs;
        let passed = inputs.iter().enumerate().map(|(index, parameter)| {
            let span = match parameter {
                FnArg::Typed(parameter) => parameter.ty.span(),
                FnArg::Receiver(receiver) => receiver.span(),
            };
            if has_state && index == 0 {
                quote_spanned!(generated_at(span)=> state)
            } else {
                quote_spanned!(generated_at(span)=> i)
            }
        });
        let call = quote!(#name(#(#passed),*));
        let (asynchronous, call) = match self.signature.asyncness {
            Some(_) => {
                let noted = quote!(::highwater::__private::future_of_step(#call).await);
                (quote!(async), noted)
            }
            None => (quote!(), call),
        };
        let state = if has_state { quote!(state) } else { quote!(()) };
        if let Some(value) = self.fallible() {
            let check = quote_spanned! {generated_at(value.span())=>
                if let ::core::result::Result::Err(error) = #call {
                    ::core::panic!("step {i} failed: {error:?}")
                }
            };
            return quote!(#asynchronous |#state, i| { #check });
        }
        let is_numbered = inputs.len() > usize::from(has_state);
        let number = if is_numbered { quote!(i) } else { quote!(_) };
        quote!(#asynchronous |#state, #number| #call)
    }

    /// What the function returns, if that can be an error.
    fn fallible(&self) -> Option<&Type> {
        match &self.signature.output {
            ReturnType::Type(_, value) if !is_unit_or_never(value) => Some(value),
            _ => None,
        }
    }

    /// Why the function's parameters do not fit the arguments, if they don't.
    fn misfit(&self, arguments: &Arguments) -> Option<Error> {
        let refuse = |span, problem: &str| {
            let problem = format!("`#[highwater::test]` {problem}");
            Some(Error::new(span, problem))
        };
        let inputs = &self.signature.inputs;
        if let Some(FnArg::Receiver(_)) = inputs.first() {
            return None;
        }
        let is_async = self.signature.asyncness.is_some();
        if let Some((name, span)) = arguments.only_async.filter(|_| !is_async) {
            let problem = format!(
                "with `{name}` takes an async function, whose {name} it measures: add `async`, \
                 or remove `{name}`"
            );
            return refuse(span, &problem);
        }
        match (arguments.is_scenario, &arguments.state) {
            (false, _) => refuse(
                inputs.first()?.span(),
                "without `steps` takes a function without parameters: remove this one, and \
                 those after it, or add `steps = 10_000`, whose number it then is",
            ),
            (true, None) => refuse(
                inputs.get(1)?.span(),
                "takes a function of at most one parameter, the number of the step: \
                 remove this one, and those after it, or add `state = ...`, which is then \
                 the first",
            ),
            (true, Some(_)) if inputs.is_empty() => refuse(
                self.signature.ident.span(),
                "with `state` takes a function whose first parameter is the state: add \
                 `state: &mut` and its type",
            ),
            (true, Some(_)) => refuse(
                inputs.get(2)?.span(),
                "with `state` takes a function of at most two parameters, the state and the \
                 number of the step: remove this one, and those after it",
            ),
        }
    }

    /// Why the function cannot be a test, if it cannot.
    fn problems(&self) -> Vec<Error> {
        let signature = &self.signature;
        let mut problems = Vec::new();
        let mut refuse = |span, problem: &str| {
            problems.push(Error::new(span, format!("`#[highwater::test]` {problem}")));
        };
        if let (Some(async_token), false) = (&signature.asyncness, cfg!(feature = "tokio")) {
            refuse(
                async_token.span,
                "takes async functions only with highwater's feature `tokio`: \
                 add `features = [\"tokio\"]` to the dependency",
            );
        }
        if let Some(const_token) = &signature.constness {
            refuse(
                const_token.span,
                "does not take const functions: remove `const`",
            );
        }
        if let Some(unsafe_token) = &signature.unsafety {
            refuse(
                unsafe_token.span,
                "does not take unsafe functions: write an `unsafe` block in a safe one",
            );
        }
        if let Some(abi) = &signature.abi {
            refuse(
                abi.extern_token.span,
                "does not take functions with another ABI: remove `extern`",
            );
        }
        if !signature.generics.params.is_empty() {
            refuse(
                signature.generics.span(),
                "does not take generic functions: call the generic one in a plain function",
            );
        }
        if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
            refuse(
                receiver.self_token.span,
                "does not take methods: use a function without `self`, outside of `impl`",
            );
        }
        if let Some(attribute) = self.attributes.iter().find(|a| is_plain_test(a)) {
            refuse(
                attribute.span(),
                "makes the function a test already: remove `#[test]`",
            );
        }
        problems
    }
}

/// A span for generated code that is shown to be at `span`.
fn generated_at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

fn is_unit_or_never(value: &Type) -> bool {
    match value {
        Type::Tuple(tuple) => tuple.elems.is_empty(),
        Type::Never(_) => true,
        _ => false,
    }
}

fn is_plain_test(attribute: &Attribute) -> bool {
    matches!(&attribute.meta, Meta::Path(path) if path.is_ident("test"))
}

/// `#[should_panic]` without a text, which any panic satisfies.
fn is_bare_should_panic(attribute: &Attribute) -> bool {
    matches!(&attribute.meta, Meta::Path(path) if path.is_ident("should_panic"))
}
