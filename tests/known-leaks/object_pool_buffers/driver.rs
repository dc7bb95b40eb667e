//! Pages are rendered into buffers of a pool, up to 32 at once. Buffers go back with the
//! room of their largest page, at most 32 kB, and the pool never shrinks.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use object_pool::Pool;
use random::mixed;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(200)
        .run(
            || Pool::<Vec<u8>>::new(1, Vec::new),
            |pool, i| {
                let pages = (40 / (mixed(i) % 40 + 1)).clamp(1, 32);
                let mut rendered = Vec::new();
                for page in 0..pages {
                    let mut buffer = pool.pull(Vec::new);
                    buffer.clear();
                    let length = (400_000 / (mixed(i ^ (page << 40)) % 400 + 1)).min(32_768);
                    buffer.resize(length as usize, b'x');
                    rendered.push(buffer);
                }
            },
        );
    println!("{}", report.to_json());
}
