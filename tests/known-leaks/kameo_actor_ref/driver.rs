//! A session has an actor, which answers one message, and whose only reference is
//! then dropped. The leaky release holds a reference of its own, so that the actor
//! never stops.

#![forbid(unsafe_code)]

use kameo::actor::PreparedActor;
use kameo::message::{Context, Message};
use kameo::{Actor, mailbox};

use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Actor)]
struct Session {
    count: u64,
}

struct Add(u64);

impl Message<Add> for Session {
    type Reply = u64;

    async fn handle(&mut self, message: Add, _: &mut Context<Self, u64>) -> u64 {
        self.count += message.0;
        self.count
    }
}

async fn one_session(number: u64) {
    let prepared = PreparedActor::<Session>::new(mailbox::bounded(16));
    let session = prepared.actor_ref().clone();
    prepared.spawn(Session { count: 1 });
    let answer = session.ask(Add(number)).await.expect("the actor answers");
    assert_eq!(answer, number + 1);
    drop(session);
    // The actor may stop now, if it ever does.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(250)
        .run(
            || Builder::new_current_thread().build().expect("a runtime"),
            |runtime: &mut Runtime, number| runtime.block_on(one_session(number)),
        );
    println!("{}", report.to_json());
}
