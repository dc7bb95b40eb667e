//! Each file that is compiled has names of its own, which are interned and dropped with the
//! file. The leaky release keeps every name in a global store.

#![forbid(unsafe_code)]

use hstr::Atom;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || 0,
            |bytes: &mut usize, file| {
                let mut names = vec![Atom::from("constructor"), Atom::from("prototype")];
                for place in 0..4 {
                    names.push(Atom::from(format!("local_{place}_of_{file:08}")));
                }
                *bytes += names.iter().map(|name| name.len()).sum::<usize>();
            },
        );
    println!("{}", report.to_json());
}
