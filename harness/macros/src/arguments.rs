//! What stands in the brackets of the attribute.
//!
//! One table lists the arguments. It drives what is accepted, what is generated
//! and what the errors suggest.

use crate::units;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprGroup, ExprLit, Lit, Token};

/// An argument that there is.
struct Known {
    name: &'static str,
    kind: Kind,
    /// A right use of it, for messages.
    example: &'static str,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Calls this method of `Scenario` with a number.
    Count(&'static str),
    /// With a size.
    Size(&'static str),
    /// With a text.
    Reason(&'static str),
    /// Makes the state of a scenario.
    State,
    /// With a duration.
    Time(&'static str),
    /// How long the test's process may take.
    TimeLimit,
    /// Stands alone.
    Word,
}

const KNOWN: [Known; 21] = [
    known("steps", Kind::Count("steps"), "steps = 10_000"),
    known("state", Kind::State, "state = Sessions::default()"),
    known("warm_up", Kind::Count("warm_up"), "warm_up = 100"),
    known("growth", Kind::Size("growth_ceiling"), "growth = \"1 MiB\""),
    known("peak", Kind::Size("peak_ceiling"), "peak = \"64 MiB\""),
    known(
        "residue",
        Kind::Size("residue_ceiling"),
        "residue = \"0 B\"",
    ),
    known(
        "live_blocks",
        Kind::Count("live_blocks_ceiling"),
        "live_blocks = 100",
    ),
    known(
        "step_blocks",
        Kind::Count("step_blocks_ceiling"),
        "step_blocks = 3",
    ),
    known(
        "step_bytes",
        Kind::Size("step_bytes_ceiling"),
        "step_bytes = \"1 KiB\"",
    ),
    known("threads", Kind::Count("thread_ceiling"), "threads = 0"),
    known("tasks", Kind::Count("task_ceiling"), "tasks = 0"),
    known(
        "descriptors",
        Kind::Count("descriptor_ceiling"),
        "descriptors = 0",
    ),
    known("mapped", Kind::Size("mapped_ceiling"), "mapped = \"1 MiB\""),
    known("future", Kind::Size("future_ceiling"), "future = \"4 KiB\""),
    known("stack", Kind::Size("stack_ceiling"), "stack = \"64 KiB\""),
    known(
        "accept_inconclusive",
        Kind::Reason("accept_inconclusive"),
        "accept_inconclusive = \"fills a cache for an hour\"",
    ),
    known(
        "accept_residue",
        Kind::Reason("accept_residue"),
        "accept_residue = \"the registry keeps each name\"",
    ),
    known(
        "time_budget",
        Kind::Time("time_budget"),
        "time_budget = \"60 s\"",
    ),
    known("time_limit", Kind::TimeLimit, "time_limit = \"60 s\""),
    known("in_process", Kind::Word, "in_process"),
    known("real_random", Kind::Word, "real_random"),
];

const fn known(name: &'static str, kind: Kind, example: &'static str) -> Known {
    Known {
        name,
        kind,
        example,
    }
}

/// All that stands in the brackets.
pub(crate) struct Arguments {
    /// The calls on a `Scenario` that the arguments stand for, in their order.
    pub(crate) calls: TokenStream,
    /// Whether the function is a step of a scenario, and not a plain test.
    pub(crate) is_scenario: bool,
    pub(crate) state: Option<TokenStream>,
    /// A ceiling that async functions alone can have, and where it is set.
    pub(crate) only_async: Option<(&'static str, Span)>,
    pub(crate) time_limit_ms: Option<u64>,
    pub(crate) in_process: bool,
    pub(crate) real_random: bool,
}

/// An argument as it was written.
struct Argument {
    known: &'static Known,
    name: Ident,
    /// None if it stands alone.
    value: Option<Expr>,
}

impl Arguments {
    pub(crate) fn read(arguments: TokenStream) -> syn::Result<Self> {
        let list = Punctuated::<Argument, Token![,]>::parse_terminated.parse2(arguments)?;
        let find = |name: &str| list.iter().find(|argument| argument.name == name);
        let has = |name: &str| find(name).is_some();
        let mut read = Self {
            calls: TokenStream::new(),
            is_scenario: has("steps"),
            state: None,
            only_async: ["tasks", "future"]
                .into_iter()
                .find_map(|name| Some((name, find(name)?.name.span()))),
            time_limit_ms: None,
            in_process: has("in_process"),
            real_random: has("real_random"),
        };
        for (index, argument) in list.iter().enumerate() {
            let name = &argument.name;
            if list.iter().take(index).any(|earlier| earlier.name == *name) {
                let problem = format!("`{name}` is given twice: remove one of them");
                return Err(Error::new(name.span(), problem));
            }
            if argument.known.is_of_scenario() && !read.is_scenario {
                let problem = format!(
                    "`{name}` belongs to a scenario, and without `steps` this is a plain test: \
                     add `steps = 10_000`, or remove `{name}`"
                );
                return Err(Error::new(name.span(), problem));
            }
            argument.add_to(&mut read)?;
        }
        Ok(read)
    }
}

impl Known {
    fn is_of_scenario(&self) -> bool {
        !matches!(self.kind, Kind::TimeLimit | Kind::Word)
    }

    /// What its value is, if that stands in quotes.
    fn quoted(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Size(_) => Some("a size in quotes"),
            Kind::Reason(_) => Some("a reason in quotes"),
            Kind::Time(_) | Kind::TimeLimit => Some("a duration in quotes"),
            Kind::Count(_) | Kind::State | Kind::Word => None,
        }
    }
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
        if matches!(known.kind, Kind::Word) {
            if !input.is_empty() && !input.peek(Token![,]) {
                let problem = format!("`{name}` takes no value: write `{name}` alone");
                return Err(Error::new(name.span(), problem));
            }
            let value = None;
            return Ok(Self { known, name, value });
        }
        let has_value = input.peek(Token![=]) && {
            input.parse::<Token![=]>()?;
            !input.is_empty() && !input.peek(Token![,])
        };
        if !has_value {
            let problem = format!("`{name}` needs a value, such as `{}`", known.example);
            return Err(Error::new(name.span(), problem));
        }
        let value: Expr = input.parse()?;
        if !input.is_empty() && !input.peek(Token![,]) {
            // As in `growth = 1 MiB`.
            if let Some(wanted) = known.quoted() {
                let problem = format!("`{name}` takes {wanted}, such as `{}`", known.example);
                return Err(Error::new_spanned(value, problem));
            }
        }
        let value = Some(value);
        Ok(Self { known, name, value })
    }
}

impl Argument {
    fn add_to(&self, arguments: &mut Arguments) -> syn::Result<()> {
        let Some(value) = &self.value else {
            return Ok(());
        };
        let (method, value) = match self.known.kind {
            Kind::Count(method) => (method, self.count(value)?),
            Kind::Size(method) => {
                let text = self.text(value, "a size in quotes")?;
                let bytes = units::bytes(&text).map_err(|problem| {
                    Error::new_spanned(value, units::not_a_size(&text, problem))
                })?;
                let bytes = Literal::u64_suffixed(bytes);
                (method, quote!(::highwater::ByteSize::b(#bytes)))
            }
            Kind::Reason(method) => {
                let text = self.text(value, "a reason in quotes")?;
                if text.trim().is_empty() {
                    return Err(self.wrong_value(value, "a reason in quotes"));
                }
                (method, quote!(#text))
            }
            Kind::State => {
                arguments.state = Some(quote!(#value));
                return Ok(());
            }
            Kind::Time(method) => {
                let limit = Literal::u64_suffixed(self.milliseconds(value)?);
                (method, quote!(::core::time::Duration::from_millis(#limit)))
            }
            Kind::TimeLimit => {
                arguments.time_limit_ms = Some(self.milliseconds(value)?);
                return Ok(());
            }
            Kind::Word => return Ok(()),
        };
        let method = Ident::new(method, self.name.span());
        arguments.calls.extend(quote!(.#method(#value)));
        Ok(())
    }

    /// A number, or an expression that is one, such as a constant.
    fn count(&self, value: &Expr) -> syn::Result<TokenStream> {
        let number = match literal(value) {
            None => return Ok(quote!(#value)),
            Some(Lit::Int(number)) if matches!(number.suffix(), "" | "u64") => number,
            Some(_) => return Err(self.wrong_value(value, "a whole number")),
        };
        let count: u64 = number.base10_parse().map_err(|_| {
            let problem = format!("{number} is more than a u64 can hold");
            Error::new(number.span(), problem)
        })?;
        if count == 0 && self.known.name == "steps" {
            let problem = "a scenario has at least one step, such as `steps = 10_000`";
            return Err(Error::new(number.span(), problem));
        }
        let count = Literal::u64_suffixed(count);
        Ok(quote!(#count))
    }

    fn milliseconds(&self, value: &Expr) -> syn::Result<u64> {
        let text = self.text(value, "a duration in quotes")?;
        units::milliseconds(&text).map_err(|why| Error::new_spanned(value, why))
    }

    fn text(&self, value: &Expr, wanted: &str) -> syn::Result<String> {
        match literal(value) {
            Some(Lit::Str(text)) if text.suffix().is_empty() => Ok(text.value()),
            _ => Err(self.wrong_value(value, wanted)),
        }
    }

    fn wrong_value(&self, value: &Expr, wanted: &str) -> Error {
        let Known { name, example, .. } = self.known;
        let problem = format!("`{name}` takes {wanted}, such as `{example}`");
        Error::new_spanned(value, problem)
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
