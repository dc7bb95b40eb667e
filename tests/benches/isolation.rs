//! What a process of its own costs a test: this program starts itself, runs nothing, and
//! looks at what became of it.

#![forbid(unsafe_code)]

use highwater::__private::Child;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn nothing() -> Child {
    Child {
        name: "nothing".to_owned(),
        arguments: Vec::new(),
        time_limit: None,
        real_random: false,
    }
}

fn main() {
    if std::env::var_os("HIGHWATER_CHILD").is_some() {
        nothing().run(|| ());
    }
    divan::main();
}

#[divan::bench]
fn a_process_of_its_own(bencher: divan::Bencher<'_, '_>) {
    let child = nothing();
    bencher.bench_local(|| assert_eq!(child.run(|| ()).outcome, Ok(())));
}
