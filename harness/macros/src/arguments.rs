//! What stands in the brackets of the attribute.
//!
//! One table lists the arguments. It drives what is accepted, what is generated
//! and what the errors suggest.

use crate::size;
use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprGroup, ExprLit, Lit, Token};

/// An argument that there is.
struct Known {
    name: &'static str,
    /// The method of `Scenario` that it calls.
    method: &'static str,
    kind: Kind,
    /// A right use of it, for messages.
    example: &'static str,
}

#[derive(Clone, Copy)]
enum Kind {
    Count,
    Size,
}

const KNOWN: [Known; 8] = [
    Known {
        name: "steps",
        method: "steps",
        kind: Kind::Count,
        example: "steps = 10_000",
    },
    Known {
        name: "warm_up",
        method: "warm_up",
        kind: Kind::Count,
        example: "warm_up = 100",
    },
    Known {
        name: "growth",
        method: "growth_ceiling",
        kind: Kind::Size,
        example: "growth = \"1 MiB\"",
    },
    Known {
        name: "peak",
        method: "peak_ceiling",
        kind: Kind::Size,
        example: "peak = \"64 MiB\"",
    },
    Known {
        name: "residue",
        method: "residue_ceiling",
        kind: Kind::Size,
        example: "residue = \"0 B\"",
    },
    Known {
        name: "threads",
        method: "thread_ceiling",
        kind: Kind::Count,
        example: "threads = 0",
    },
    Known {
        name: "descriptors",
        method: "descriptor_ceiling",
        kind: Kind::Count,
        example: "descriptors = 0",
    },
    Known {
        name: "mapped",
        method: "mapped_ceiling",
        kind: Kind::Size,
        example: "mapped = \"1 MiB\"",
    },
];

/// An argument as it was written.
struct Argument {
    known: &'static Known,
    name: Ident,
    value: Expr,
}

/// The calls on a `Scenario` that the arguments stand for, in their order.
pub(crate) fn builder_calls(arguments: TokenStream) -> syn::Result<TokenStream> {
    let arguments = Punctuated::<Argument, Token![,]>::parse_terminated.parse2(arguments)?;
    let mut calls = TokenStream::new();
    for (place, argument) in arguments.iter().enumerate() {
        let mut earlier = arguments.iter().take(place);
        if earlier.any(|earlier| earlier.name == argument.name) {
            let problem = format!("`{}` is given twice: remove one of them", argument.name);
            return Err(Error::new(argument.name.span(), problem));
        }
        calls.extend(argument.call()?);
    }
    Ok(calls)
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let Ok(name) = input.call(Ident::parse_any) else {
            return Err(input.error("expected an argument, such as `steps = 10_000`"));
        };
        let Some(known) = KNOWN.iter().find(|known| name == known.name) else {
            let names = KNOWN.map(|known| format!("`{}`", known.name)).join(", ");
            let problem = format!("unknown argument `{name}`: the arguments are {names}");
            return Err(Error::new(name.span(), problem));
        };
        let has_value = input.peek(Token![=]) && {
            input.parse::<Token![=]>()?;
            !input.is_empty() && !input.peek(Token![,])
        };
        if !has_value {
            let problem = format!("`{name}` needs a value, such as `{}`", known.example);
            return Err(Error::new(name.span(), problem));
        }
        let value = input.parse()?;
        Ok(Self { known, name, value })
    }
}

impl Argument {
    fn call(&self) -> syn::Result<TokenStream> {
        let method = Ident::new(self.known.method, self.name.span());
        match self.known.kind {
            Kind::Count => {
                let count = Literal::u64_suffixed(self.count()?);
                Ok(quote!(.#method(#count)))
            }
            Kind::Size => {
                let bytes = Literal::u64_suffixed(self.bytes()?);
                Ok(quote!(.#method(::highwater::ByteSize::b(#bytes))))
            }
        }
    }

    fn count(&self) -> syn::Result<u64> {
        match literal(&self.value) {
            Some(Lit::Int(number)) if matches!(number.suffix(), "" | "u64") => {
                number.base10_parse().map_err(|_| {
                    let problem = format!("{number} is more than a u64 can hold");
                    Error::new(number.span(), problem)
                })
            }
            _ => Err(self.wrong_value("a whole number")),
        }
    }

    fn bytes(&self) -> syn::Result<u64> {
        match literal(&self.value) {
            Some(Lit::Str(text)) if text.suffix().is_empty() => {
                size::bytes(&text.value()).map_err(|problem| Error::new(text.span(), problem))
            }
            _ => Err(self.wrong_value("a size in quotes")),
        }
    }

    fn wrong_value(&self, wanted: &str) -> Error {
        let Known { name, example, .. } = self.known;
        let problem = format!("`{name}` takes {wanted}, such as `{example}`");
        Error::new_spanned(&self.value, problem)
    }
}

/// The literal that `value` is. A fragment of `macro_rules!` wraps it in a group
/// that is not seen.
fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(ExprGroup { expr, .. }) => literal(expr),
        _ => None,
    }
}
