//! The function that the attribute stands on, and the test that it becomes.

use proc_macro2::{Span, TokenStream};
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
        let function = Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse().map_err(|error| {
                let problem = format!("`#[highwater::test]` goes on a function: {error}");
                Error::new(error.span(), problem)
            })?,
            body: input.parse()?,
        };
        let mut errors = function.problems().into_iter();
        match errors.next() {
            None => Ok(function),
            Some(mut error) => {
                error.extend(errors);
                Err(error)
            }
        }
    }
}

impl Function {
    /// The test function. The user's own is an item within it, so that the test
    /// can have its name, and the name still means it in its body.
    pub(crate) fn into_test(self, calls: &TokenStream) -> TokenStream {
        let step = self.step();
        let Self {
            attributes,
            visibility,
            signature,
            body,
        } = self;
        let name = &signature.ident;
        let text = name.unraw().to_string();
        let (run, setup) = match signature.asyncness {
            Some(_) => (quote!(run_async), quote!(async || ())),
            None => (quote!(run), quote!(|| ())),
        };
        // The path keeps `use highwater::test` from being taken for the attribute
        // that the compiler knows.
        quote! {
            #(#attributes)*
            #[::core::prelude::v1::test]
            #visibility fn #name() {
                #signature #body

                ::highwater::Scenario::new(::core::concat!(::core::module_path!(), "::", #text))
                    #calls
                    .#run(#setup, #step)
                    .assert();
            }
        }
    }

    /// The closure that is a step. Its parts stand where the user wrote the types
    /// that they must fit, for the compiler's errors.
    fn step(&self) -> TokenStream {
        let name = &self.signature.ident;
        let number = self.signature.inputs.iter().map(|parameter| {
            let place = match parameter {
                FnArg::Typed(parameter) => parameter.ty.span(),
                FnArg::Receiver(receiver) => receiver.span(),
            };
            quote_spanned!(generated_at(place)=> i)
        });
        let (asynchronous, awaited) = match self.signature.asyncness {
            Some(_) => (quote!(async), quote!(.await)),
            None => (quote!(), quote!()),
        };
        let call = quote!(#name(#(#number),*)#awaited);
        match &self.signature.output {
            ReturnType::Type(_, value) if !is_unit_or_never(value) => {
                let check = quote_spanned! {generated_at(value.span())=>
                    if let ::core::result::Result::Err(error) = #call {
                        ::core::panic!("step {i} failed: {error:?}")
                    }
                };
                quote!(#asynchronous |(), i| { #check })
            }
            _ if self.signature.inputs.is_empty() => quote!(#asynchronous |(), _| #call),
            _ => quote!(#asynchronous |(), i| #call),
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
        match (signature.inputs.first(), signature.inputs.get(1)) {
            (Some(FnArg::Receiver(receiver)), _) => refuse(
                receiver.self_token.span,
                "does not take methods: use a function without `self`, outside of `impl`",
            ),
            (_, Some(second)) => refuse(
                second.span(),
                "takes a function of at most one parameter, the number of the step: \
                 remove this one, and those after it",
            ),
            _ => {}
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
