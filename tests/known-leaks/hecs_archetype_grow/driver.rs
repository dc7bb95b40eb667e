//! A level of a game has a world of its own, in which entities are spawned one by one.
//! The leaky release never frees the memory from which an archetype has grown.

#![forbid(unsafe_code)]

use hecs::World;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

struct Position(f32, f32);
struct Health(u32);

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(500)
        .run(
            || (),
            |(), level| {
                let mut world = World::new();
                for enemy in 0..100_u16 {
                    world.spawn((Position(f32::from(enemy), 0.0), Health(level as u32)));
                }
                for (_, (position, health)) in &mut world.query::<(&mut Position, &Health)>() {
                    position.1 += health.0 as f32;
                    assert!(position.0 < 100.0);
                }
            },
        );
    println!("{}", report.to_json());
}
