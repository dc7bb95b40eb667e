//! Each job has scratch space for every thread that works on it, dropped with the
//! job. The leaky release frees the places without dropping what is in them.

#![forbid(unsafe_code)]

use thread_local::ThreadLocal;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || (),
            |(), i| {
                let scratch = ThreadLocal::new();
                let own: &String = scratch.get_or(|| format!("scratch of job {i:010}"));
                assert_eq!(own.len(), 25);
            },
        );
    println!("{}", report.to_json());
}
