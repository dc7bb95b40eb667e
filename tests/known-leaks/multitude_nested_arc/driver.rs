//! Each request builds a small tree of shared nodes in an arena, drops it, and resets the
//! arena. In the leaky release a handle that lies in a chunk of the arena keeps the whole
//! chunk alive, and itself with it.

#![forbid(unsafe_code)]

use multitude::{Arc, Arena};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

enum Node {
    Number(u64),
    Sum(Arc<Node>, Arc<Node>),
}

fn value(node: &Node) -> u64 {
    match node {
        Node::Number(number) => *number,
        Node::Sum(left, right) => value(left) + value(right),
    }
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(100)
        .run(Arena::new, |arena: &mut Arena, request| {
            let one = arena.alloc_arc(Node::Number(1));
            let number = arena.alloc_arc(Node::Number(request));
            let sum = arena.alloc_arc(Node::Sum(number, one.clone()));
            let tree = arena.alloc_arc(Node::Sum(sum, one));
            assert_eq!(value(&tree), request + 2);
            drop(tree);
            arena.reset();
        });
    println!("{}", report.to_json());
}
