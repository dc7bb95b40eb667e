//! Each request has a small map of its headers, which is dropped with the request. The
//! leaky release has no destructor, so that it loses every key and value.

#![forbid(unsafe_code)]

use micromap::Map;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || 0,
            |bytes: &mut usize, request| {
                let mut headers: Map<String, String, 8> = Map::new();
                headers.insert("host".to_owned(), "shop.example".to_owned());
                headers.insert("accept".to_owned(), "application/json".to_owned());
                headers.insert("x-request-id".to_owned(), format!("{request:016x}"));
                *bytes += headers.get("x-request-id").map_or(0, String::len);
            },
        );
    println!("{}", report.to_json());
}
