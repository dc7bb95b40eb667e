//! Each match runs in a world of its own, which is dropped at the end. The leaky release
//! loses one of the three parts of the world's queue of commands.

#![forbid(unsafe_code)]

use bevy_ecs::component::Component;
use bevy_ecs::world::World;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Component)]
struct Player(String);

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(500)
        .run(
            || 0,
            |players: &mut usize, game| {
                let mut world = World::new();
                for place in 0..4 {
                    let name = format!("player {place} of match {game:08}");
                    world.commands().spawn(Player(name));
                }
                world.flush();
                let mut query = world.query::<&Player>();
                *players += query.iter(&world).filter(|it| !it.0.is_empty()).count();
            },
        );
    println!("{}", report.to_json());
}
