//! Retention paths, written with the types on the way. Blocks with the same path share it.
//! Repeated types appear once, as in a list whose nodes hold each other. So there are few paths,
//! however many blocks there are.

use std::collections::HashMap;

/// A path, by its number.
pub(super) type Path = u32;

/// Before the first element.
const NOTHING: Path = u32::MAX;
/// How far back a type is looked for, before it is taken for one that repeats.
const REPEATS_WITHIN: usize = 6;

#[derive(Default)]
pub(super) struct Paths {
    /// What each is without its last element, and that element.
    all: Vec<(Path, u32)>,
    known: HashMap<(Path, u32), Path>,
    /// What was asked for last, and is likely to be asked for again.
    last: Option<((Path, u32), Path)>,
    elements: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Paths {
    /// The number of an element.
    pub(super) fn element(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = number_of(self.elements.len());
        self.elements.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    /// The path of this element alone.
    pub(super) fn from(&mut self, element: u32) -> Path {
        self.add(NOTHING, element)
    }

    /// `path`, and this element.
    pub(super) fn then(&mut self, path: Path, element: u32) -> Path {
        match self.last {
            Some((asked, found)) if asked == (path, element) => found,
            _ => {
                let found = self.find_or_add(path, element);
                self.last = Some(((path, element), found));
                found
            }
        }
    }

    fn find_or_add(&mut self, path: Path, element: u32) -> Path {
        let mut earlier = path;
        for _ in 0..REPEATS_WITHIN {
            let (before, last) = self.all[earlier as usize];
            if last == element || self.is_state_of(last, element) {
                return earlier;
            }
            if before == NOTHING {
                break;
            }
            earlier = before;
        }
        self.add(path, element)
    }

    /// A state that is a list, say, and the list's own block are one to a reader.
    fn is_state_of(&self, root: u32, element: u32) -> bool {
        let state = self.elements[root as usize].strip_prefix("state ");
        state == Some(self.elements[element as usize].as_str())
    }

    fn add(&mut self, before: Path, element: u32) -> Path {
        let number = number_of(self.all.len());
        let known = self.known.entry((before, element)).or_insert(number);
        if *known == number {
            self.all.push((before, element));
        }
        *known
    }

    /// Its elements, from the root on.
    pub(super) fn elements(&self, path: Path) -> Vec<String> {
        let mut elements = Vec::new();
        let mut rest = path;
        while rest != NOTHING {
            let (before, element) = self.all[rest as usize];
            elements.push(self.elements[element as usize].clone());
            rest = before;
        }
        elements.reverse();
        elements
    }
}

fn number_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_is_written_once() {
        let mut paths = Paths::default();
        let [root, list, text] = ["static LIST", "Box<Node>", "String"].map(|e| paths.element(e));
        let first = paths.from(root);
        let node = paths.then(first, list);
        let next = paths.then(node, list);
        assert_eq!(node, next);
        let leaf = paths.then(next, text);
        assert_eq!(paths.then(leaf, list), node, "back in the list");
        assert_eq!(paths.elements(leaf), ["static LIST", "Box<Node>", "String"]);
        let state = paths.element("state Box<Node>");
        let first = paths.from(state);
        assert_eq!(paths.then(first, list), first);
    }
}
