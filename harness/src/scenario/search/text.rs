//! What a search found, as text: the sequence as a test, in one screen of 80 columns.

use super::{Found, Searched};
use crate::text::fitted::{WIDTH, wrapped};
use crate::text::{Blocks, Rate, Thousands};
use std::fmt;

/// The test stands so far to the right, and its operations further.
const INDENT: &str = "    ";

impl Searched {
    fn leak(&self, found: &Found) -> String {
        let leaves = match found.operations.as_slice() {
            [_] => "leaves",
            _ => "leave",
        };
        let sequence = sequence(&found.operations);
        let each = found.each_time();
        let head = format!(
            "leak found in `{}`: {sequence} {leaves} {each} each time",
            self.name
        );
        let mut text = wrapped(&head, 0) + "\n" + &self.test(&found.operations) + "\n";
        let place = found.report.first_place();
        if !place.is_empty() {
            text.push_str(&(place + "\n"));
        }
        let (tried, budget) = (Thousands(self.tried), Thousands(self.budget));
        let shortened = Thousands(self.shortened);
        text.push_str(&wrapped(&found.rise(), 2));
        let effort = format!(
            "sequence {tried} of {budget}, seed {}; {shortened} more tried to shorten it",
            self.seed
        );
        text + &wrapped(&effort, 2)
    }

    fn no_leak(&self) -> String {
        let (name, tried, seed) = (&self.name, Thousands(self.tried), self.seed);
        let Some((operations, why)) = &self.first_open else {
            let text = format!("no leak found in `{name}`: {tried} sequences tried, seed {seed}");
            return wrapped(&text, 0);
        };
        let sequence = sequence(operations);
        let head =
            format!("inconclusive search in `{name}`: {sequence} could not be judged: {why}");
        let all = format!(
            "{} of {tried} sequences could not be judged, seed {seed}; no other leaks",
            Thousands(self.open)
        );
        wrapped(&head, 0) + "\n" + &self.test(operations) + "\n" + &wrapped(&all, 2)
    }

    /// The sequence as a test that can be pasted beside the search.
    fn test(&self, operations: &[String]) -> String {
        let name = identifier(&self.name);
        let variants = variants(operations, self.type_name);
        let variants = variants.map(|name| format!("    use {name}::*;\n"));
        let test = format!(
            "#[test]\nfn {name}_does_not_leak() {{\n{}    let ops = {};\n    \
             highwater::Scenario::new({:?})\n        \
             .run(setup, |state, _| ops.iter().for_each(|op| apply(state, op)))\n        \
             .assert();\n}}\n",
            variants.unwrap_or_default(),
            list(operations),
            self.name,
        );
        test.lines()
            .map(|line| format!("{INDENT}{line}\n"))
            .collect()
    }
}

impl Found {
    fn each_time(&self) -> String {
        if let Some((bytes, blocks)) = self.each {
            let bytes = format!("{} B", Thousands(bytes));
            return match u64::try_from(blocks) {
                Ok(0) | Err(_) => bytes,
                Ok(blocks) => format!("{bytes} in {}", Blocks(blocks)),
            };
        }
        let average = |risen: u64| Rate(risen as f64 / self.repetitions as f64).significant();
        let [bytes, blocks] = [self.risen_bytes, self.risen_blocks].map(average);
        format!("{bytes} B and {blocks} blocks on average")
    }

    /// By how much it rose in the last trial, and what the drop of the state freed of it.
    fn rise(&self) -> String {
        let (times, risen) = (Thousands(self.repetitions), Thousands(self.risen_bytes));
        let left = match self.left_bytes {
            0 => "nothing is left".to_owned(),
            left => format!("{} B are left", Thousands(left)),
        };
        format!("{times} times: {risen} B more; {left} when the state was dropped")
    }
}

/// The operations in a sentence, or how many they are.
fn sequence(operations: &[String]) -> String {
    let all = operations.join(", ");
    if all.chars().count() <= WIDTH && !all.contains('\n') {
        return all;
    }
    format!("{} operations", Thousands(operations.len() as u64))
}

/// The operations as an array, on one line if there is room.
fn list(operations: &[String]) -> String {
    let short = format!("[{}]", operations.join(", "));
    let room = WIDTH - INDENT.len() - "    let ops = ;".len();
    if short.chars().count() <= room && !short.contains('\n') {
        return short;
    }
    let lines: String = { operations.iter() }
        .map(|operation| format!("        {operation},\n"))
        .collect();
    format!("[\n{lines}    ]")
}

/// The enum whose variants the operations are, by its name, if they are those of one.
fn variants<'a>(operations: &[String], type_name: &'a str) -> Option<&'a str> {
    let path = type_name.split('<').next().unwrap_or(type_name);
    let (_, name) = path.rsplit_once("::")?;
    let is_variant = |operation: &String| {
        let end = operation.find(|c: char| !c.is_alphanumeric() && c != '_');
        let word = &operation[..end.unwrap_or(operation.len())];
        word.starts_with(char::is_uppercase) && word != name
    };
    operations.iter().all(is_variant).then_some(name)
}

/// The name of a search as that of a function.
fn identifier(name: &str) -> String {
    let to_word = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(to_word).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("_{name}");
    }
    name
}

impl fmt::Display for Searched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.found {
            Some(found) => self.leak(found),
            None => self.no_leak(),
        };
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::{identifier, list, variants};

    fn owned(operations: &[&str]) -> Vec<String> {
        operations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn variants_are_brought_into_scope() {
        let ops = owned(&["Put(0, \"a\")", "Clear", "Move { to: 1 }"]);
        assert_eq!(variants(&ops, "cache::tests::Op"), Some("Op"));
        assert_eq!(
            variants(&ops, "cache::Op<alloc::string::String>"),
            Some("Op")
        );
        assert_eq!(variants(&owned(&["Op { key: 1 }"]), "cache::Op"), None);
        assert_eq!(variants(&owned(&["7"]), "u8"), None);
        assert_eq!(variants(&owned(&["(1, 2)"]), "(u8, u8)"), None);
        assert_eq!(variants(&owned(&["\"a\""]), "alloc::string::String"), None);
    }

    #[test]
    fn long_operations_have_lines_of_their_own() {
        assert_eq!(list(&owned(&["Put(0)", "Clear"])), "[Put(0), Clear]");
        let long = "x".repeat(40);
        let expected = format!("[\n        {long},\n        {long},\n    ]");
        assert_eq!(list(&owned(&[&long, &long])), expected);
    }

    #[test]
    fn names_become_those_of_functions() {
        assert_eq!(identifier("LRU cache-2"), "lru_cache_2");
        assert_eq!(identifier("2 caches"), "_2_caches");
    }
}
