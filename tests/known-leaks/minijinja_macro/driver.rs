//! A page is rendered from a template with a macro that reads a value of the site. In
//! the leaky release, the macro and the variables that it closes over own each other,
//! and stay after the page is done.

#![forbid(unsafe_code)]

use minijinja::{Environment, context};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const PAGE: &str = "\
{%- macro heading(title) -%}<h1>{{ title }} at {{ site.name }}</h1>{%- endmacro -%}
{{ heading(title) }}
{%- for item in items %}<li>{{ item }}</li>{% endfor %}";

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || {
                let mut pages = Environment::new();
                pages
                    .add_template("page", PAGE)
                    .expect("the template parses");
                pages
            },
            |pages, request| {
                let page = pages.get_template("page").expect("it was added");
                let html = page
                    .render(context! {
                        site => context! { name => "the shop" },
                        title => format!("Order {request}"),
                        items => ["tea", "milk"],
                    })
                    .expect("the page renders");
                assert!(html.contains("the shop"));
            },
        );
    println!("{}", report.to_json());
}
