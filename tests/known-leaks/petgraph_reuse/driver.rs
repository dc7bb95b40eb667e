//! A build graph holds the newest 40 modules, with a node for each file. Most modules are
//! small, and the room of nodes that were removed is used again.

#![forbid(unsafe_code)]

#[path = "../random.rs"]
mod random;

use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use random::mixed;
use std::collections::VecDeque;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[derive(Default)]
struct Build {
    graph: StableDiGraph<String, ()>,
    modules: VecDeque<Vec<NodeIndex>>,
}

fn main() {
    let report = highwater::Scenario::new(env!("CARGO_PKG_NAME"))
        .steps(500)
        .run(Build::default, |build, i| {
            if build.modules.len() == 40 {
                for file in build.modules.pop_front().expect("there are 40") {
                    build.graph.remove_node(file);
                }
            }
            let files = (3_000 / (mixed(i) % 300 + 1)).max(1);
            let mut module: Vec<NodeIndex> = Vec::new();
            for file in 0..files {
                let node = build.graph.add_node(format!("module {i} file {file}"));
                for other in 0..3 {
                    if let Some(back) = (mixed(file ^ (other << 20)) % (file + 1)).checked_sub(1) {
                        build.graph.add_edge(node, module[back as usize], ());
                    }
                }
                module.push(node);
            }
            build.modules.push_back(module);
        });
    println!("{}", report.to_json());
}
