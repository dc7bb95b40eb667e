//! Each job records commands that own their names, and every second job is cancelled before
//! they are applied. The leaky release drops a queue without the commands in it.

#![forbid(unsafe_code)]

use bevy_ecs::component::Component;
use bevy_ecs::system::CommandQueue;
use bevy_ecs::world::World;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Component)]
struct Name(String);

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(2_000)
        .run(World::new, |world, job| {
            let mut queue = CommandQueue::default();
            for part in 0..3 {
                let name = format!("part {part} of job {job:08}");
                queue.push(move |world: &mut World| {
                    let entity = world.spawn(Name(name)).id();
                    let length = world.get::<Name>(entity).map(|name| name.0.len());
                    assert_eq!(length, Some(22));
                    world.despawn(entity);
                });
            }
            let is_cancelled = job % 2 == 1;
            if !is_cancelled {
                queue.apply(world);
            }
            world.clear_trackers();
        });
    println!("{}", report.to_json());
}
