//! Each message has a small buffer that first takes the words of its subject, is cleared, and
//! is then made large enough for the words of its body. The leaky release loses the block of
//! a buffer that it enlarges when it is empty.

#![forbid(unsafe_code)]

use smallvec::SmallVec;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const BODY: &str = "the quick brown fox jumps over the lazy dog and then over the fence";

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(
            || 0,
            |words: &mut usize, message| {
                let subject = format!("Re: order {message} was shipped");
                let mut buffer: SmallVec<&str, 4> = SmallVec::new();
                buffer.extend(subject.split(' '));
                *words += buffer.len();
                buffer.clear();
                buffer.reserve(BODY.len() / 4);
                buffer.extend(BODY.split(' '));
                *words += buffer.len();
            },
        );
    println!("{}", report.to_json());
}
