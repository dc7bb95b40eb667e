//! Trees: how wide boxes are, and what is one box.

use super::{Leaf, Node, Owner, Part, tree};
use crate::report::Site;
use serde_json::json;

/// A site with these functions, the innermost first, all in this file.
fn site(type_name: &str, file: &str, functions: &[&str]) -> Site {
    let frames: Vec<_> = (1..)
        .zip(functions)
        .map(|(line, function)| json!({"function": function, "file": file, "line": line}))
        .collect();
    let site = json!({
        "type": type_name, "growth_bytes": 0, "growth_blocks": 0, "live_bytes": 0,
        "live_blocks": 0, "peak_bytes": null, "peak_blocks": null, "total_blocks": 0,
        "verdict": "growing", "frames": frames,
    });
    serde_json::from_value(site).expect("a site")
}

fn leaves(sites: &[(Site, i128)]) -> Vec<Leaf<'_>> {
    let leaves = sites.iter();
    leaves
        .map(|(site, bytes)| Leaf {
            site,
            bytes: *bytes,
            blocks: 0,
        })
        .collect()
}

/// Each box in a line of its own, below the one that has it.
fn drawn(nodes: &[Node<'_>], depth: usize) -> String {
    let mut text = String::new();
    for node in nodes {
        let name = match &node.part {
            Part::Functions(_, functions) => {
                let names: Vec<_> = functions.iter().map(|function| function.name).collect();
                names.join(" > ")
            }
            Part::Type(name, _) => name.unwrap_or("?").to_owned(),
            Part::NoStack => "no stack".to_owned(),
            Part::Narrow(count) => format!("{count} more"),
        };
        let indent = "  ".repeat(depth);
        text.push_str(&format!("{indent}{name}: {}\n", node.width));
        text.push_str(&drawn(&node.children, depth + 1));
    }
    text
}

/// Whether each box is as wide as those below it, if there are some.
fn adds_up(nodes: &[Node<'_>]) -> bool {
    nodes.iter().all(|node| {
        let below: u128 = node.children.iter().map(|child| child.width).sum();
        (node.children.is_empty() || below == node.width) && adds_up(&node.children)
    })
}

#[test]
fn boxes_are_as_wide_as_what_is_below_them_and_chains_are_one_box() {
    let file = "src/a.rs";
    let sites = [
        (site("String", file, &["key", "price", "serve", "run"]), 60),
        (site("Map", file, &["grow", "price", "serve", "run"]), 30),
        (site("Vec", file, &["list", "run"]), 10),
        (site("Nothing", file, &["list", "run"]), 0),
    ];
    let nodes = tree(&leaves(&sites));
    let expected = "run: 100\n  serve > price: 90\n    key: 60\n      String: 60\n    grow: 30\n      \
                    Map: 30\n  list: 10\n    Vec: 10\n";
    assert_eq!(drawn(&nodes, 0), expected);
    assert!(adds_up(&nodes));
}

#[test]
fn chains_end_where_the_code_is_of_others() {
    let mut mixed = site("Node", "src/a.rs", &["insert", "put", "serve", "run"]);
    for frame in mixed.frames.iter_mut().take(2) {
        frame.file = Some("btree-1.2.3-rc.1/src/lib.rs".to_owned());
    }
    mixed.frames[3].file = None;
    let sites = [(mixed, 5)];
    let nodes = tree(&leaves(&sites));
    assert_eq!(
        drawn(&nodes, 0),
        "run: 5\n  serve: 5\n    put > insert: 5\n      Node: 5\n"
    );
    let owners = sites[0].0.frames.iter().map(Owner::of);
    let dependency = Owner::Dependency;
    let expected = [dependency, dependency, Owner::Project, Owner::Unknown];
    assert_eq!(owners.collect::<Vec<_>>(), expected);
}

#[test]
fn what_became_less_is_as_wide_as_what_became_more() {
    let sites = [
        (site("New", "src/a.rs", &["new", "run"]), 70),
        (site("Old", "src/a.rs", &["old", "run"]), -30),
    ];
    let nodes = tree(&leaves(&sites));
    assert_eq!((nodes[0].width, nodes[0].bytes), (100, 40));
    assert!(adds_up(&nodes));
}

#[test]
fn what_is_too_narrow_is_one_box() {
    let wide = [(site("Wide", "src/a.rs", &["wide", "run"]), 100_000)];
    let narrow = (0..50).map(|i| (site("Narrow", "src/a.rs", &[&format!("f{i}"), "run"]), 2));
    let sites: Vec<_> = wide.into_iter().chain(narrow).collect();
    let nodes = tree(&leaves(&sites));
    assert_eq!(
        drawn(&nodes, 0),
        "run: 100100\n  wide: 100000\n    Wide: 100000\n  50 more: 100\n"
    );
    assert!(adds_up(&nodes));
}

#[test]
fn no_stack_is_too_deep_and_no_figure_too_large() {
    let functions: Vec<_> = (0..100_000).map(|i| format!("f{}", i % 7)).collect();
    let functions: Vec<_> = functions.iter().map(String::as_str).collect();
    let sites = [
        (site("Deep", "src/a.rs", &functions), i128::from(i64::MAX)),
        (site("None", "src/a.rs", &[]), i128::from(i64::MIN)),
    ];
    let nodes = tree(&leaves(&sites));
    assert_eq!(nodes[0].part, Part::NoStack);
    let Part::Functions(_, chain) = &nodes[1].part else {
        panic!("{}", drawn(&nodes, 0));
    };
    assert_eq!(chain.len(), 64);
}
