//! The tree behind a flame graph: call stacks from the outermost function to what they
//! allocate, each box as wide as all that is below it.

use crate::report::{Frame, Site};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;

/// The frames of a stack that are drawn; of more, the innermost.
const DEEPEST: usize = 64;
/// Of one row, boxes that are narrower than one in so many of the whole are one box.
const NARROWEST: u128 = 400;

/// A call site, and how much of it is drawn.
pub(super) struct Leaf<'a> {
    pub(super) site: &'a Site,
    /// In bytes; less than none where memory became less.
    pub(super) bytes: i128,
    /// In how many blocks, likewise.
    pub(super) blocks: i128,
}

/// Whose code a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Project,
    Dependency,
    Unknown,
}

/// A function, and the lines of it that call or allocate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    pub(super) file: Option<&'a str>,
    pub(super) lines: BTreeSet<u32>,
}

/// What a box stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Functions of which each calls nothing else, the outermost first.
    Functions(Owner, Vec<Function<'a>>),
    /// What is allocated there, and the line.
    Type(Option<&'a str>, Option<(&'a str, u32)>),
    /// A call stack that is not known.
    NoStack,
    /// So many boxes that are too narrow to be drawn.
    Narrow(usize),
}

/// A box, and those below it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Node<'a> {
    pub(super) part: Part<'a>,
    /// The sum of what its leaves are wide, whether they became more or less.
    pub(super) width: u128,
    /// The sum of their bytes.
    pub(super) bytes: i128,
    /// The sum of their blocks.
    pub(super) blocks: i128,
    /// That of a leaf.
    pub(super) site: Option<&'a Site>,
    pub(super) children: Vec<Node<'a>>,
}

/// The outermost boxes, the widest first.
pub(super) fn tree<'a>(leaves: &[Leaf<'a>]) -> Vec<Node<'a>> {
    let whole: u128 = leaves.iter().map(|leaf| leaf.bytes.unsigned_abs()).sum();
    tree_from(leaves, whole.div_ceil(NARROWEST))
}

/// The same with all boxes, however narrow they are.
pub(super) fn whole_tree<'a>(leaves: &[Leaf<'a>]) -> Vec<Node<'a>> {
    tree_from(leaves, 0)
}

/// With the boxes that are at least so wide.
fn tree_from<'a>(leaves: &[Leaf<'a>], least: u128) -> Vec<Node<'a>> {
    let stacks: Vec<_> = leaves
        .iter()
        .filter(|leaf| leaf.bytes != 0)
        .map(|leaf| {
            let frames = &leaf.site.frames;
            (&frames[..frames.len().min(DEEPEST)], leaf)
        })
        .collect();
    level(&stacks, least)
}

/// The frames of a leaf that are not drawn yet, the outermost last.
type Stack<'s, 'a> = (&'a [Frame], &'s Leaf<'a>);

fn level<'a>(stacks: &[Stack<'_, 'a>], least: u128) -> Vec<Node<'a>> {
    let mut calls: BTreeMap<(&str, Option<&str>), Vec<Stack<'_, 'a>>> = BTreeMap::new();
    let mut nodes = Vec::new();
    for (frames, leaf) in stacks {
        match frames.last() {
            None => nodes.push(allocation(leaf)),
            Some(frame) => {
                let key = (frame.function.as_str(), frame.file.as_deref());
                calls.entry(key).or_default().push((frames, leaf));
            }
        }
    }
    nodes.extend(calls.values().filter_map(|stacks| call(stacks, least)));
    nodes.sort_by_key(|node| Reverse(node.width));
    with_narrow_ones_in_one(nodes, least)
}

/// The function that all of these stacks have outermost, and what it calls; in one box with
/// that if it calls nothing else of the same owner.
fn call<'a>(stacks: &[Stack<'_, 'a>], least: u128) -> Option<Node<'a>> {
    let split = stacks.iter().map(|(frames, leaf)| {
        let (outermost, inner) = frames.split_last()?;
        Some((outermost, (inner, *leaf)))
    });
    let (outermost, inner): (Vec<_>, Vec<_>) =
        split.collect::<Option<Vec<_>>>()?.into_iter().unzip();
    let frame = outermost.first()?;
    let owner = Owner::of(frame);
    let function = Function {
        name: &frame.function,
        file: frame.file.as_deref(),
        lines: outermost.iter().filter_map(|frame| frame.line).collect(),
    };
    let mut children = level(&inner, least);
    let mut functions = vec![function];
    if let [only] = children.as_mut_slice()
        && let Part::Functions(of, more) = &mut only.part
        && *of == owner
    {
        functions.append(more);
        children = mem::take(&mut only.children);
    }
    Some(Node::above(Part::Functions(owner, functions), children))
}

fn allocation<'a>(leaf: &Leaf<'a>) -> Node<'a> {
    let innermost = leaf.site.frames.first();
    let part = match innermost {
        Some(frame) => Part::Type(
            leaf.site.type_name.as_deref(),
            frame.file.as_deref().zip(frame.line),
        ),
        None => Part::NoStack,
    };
    Node {
        part,
        width: leaf.bytes.unsigned_abs(),
        bytes: leaf.bytes,
        blocks: leaf.blocks,
        site: Some(leaf.site),
        children: Vec::new(),
    }
}

fn with_narrow_ones_in_one(mut nodes: Vec<Node<'_>>, least: u128) -> Vec<Node<'_>> {
    let drawn = nodes.iter().take_while(|node| node.width >= least).count();
    if nodes.len() - drawn > 1 {
        let narrow = nodes.split_off(drawn);
        let count = narrow.len();
        nodes.push(Node {
            children: Vec::new(),
            ..Node::above(Part::Narrow(count), narrow)
        });
    }
    nodes
}

impl<'a> Node<'a> {
    /// One that is as wide as its children.
    fn above(part: Part<'a>, children: Vec<Self>) -> Self {
        Self {
            part,
            width: children.iter().map(|child| child.width).sum(),
            bytes: children.iter().map(|child| child.bytes).sum(),
            blocks: children.iter().map(|child| child.blocks).sum(),
            site: None,
            children,
        }
    }
}

impl Owner {
    /// By the file: those of dependencies begin with a package and its version.
    pub(super) fn of(frame: &Frame) -> Self {
        let Some(file) = frame.file.as_deref() else {
            return Self::Unknown;
        };
        let package = file.split_once('/').map_or("", |(package, _)| package);
        let is_version = |text: &str| {
            let numbers = text.split('.').take(3);
            let is_number = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
            numbers.filter(|text| is_number(text)).count() == 3
        };
        let mut cuts = package.match_indices('-');
        if cuts.any(|(at, _)| is_version(&package[at + 1..])) {
            Self::Dependency
        } else {
            Self::Project
        }
    }
}

#[cfg(test)]
mod tests;
