//! Rendered tiles are cached, 4 MB of them. Few tiles are popular, so the cache fills
//! ever more slowly; later it swaps unpopular tiles for others of another size.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use moka::sync::Cache;
use random::mixed;
use std::hash::{BuildHasherDefault, DefaultHasher};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

const TILES: f64 = 30_000.0;

/// The tile of a request: one in ten asks for the first few, one for the last third.
fn tile(request: u64) -> u64 {
    let share = (mixed(request) >> 11) as f64 / (1_u64 << 53) as f64;
    TILES.powf(share) as u64
}

fn render(tile: u64) -> Vec<u8> {
    vec![0; 200 + (mixed(tile) % 4_000) as usize]
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(1_000)
        .run(
            || {
                Cache::builder()
                    .max_capacity(4_000_000)
                    .weigher(|_, tile: &Vec<u8>| tile.len() as u32)
                    .build_with_hasher(BuildHasherDefault::<DefaultHasher>::default())
            },
            |cache, i| {
                // A clone of the tile is sent to the client.
                let tile = tile(i);
                drop(cache.get_with(tile, || render(tile)));
            },
        );
    println!("{}", report.to_json());
}
