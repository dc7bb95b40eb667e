//! The benchmark's loads on highwater, inside a scope.

#![forbid(unsafe_code)]

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let _scope = highwater::Scope::enter("benchmark");
    highwater_tests::load::main();
}
