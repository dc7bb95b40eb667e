//! [`OfType`]: live blocks of one type, and how many there may be.

use crate::diagnosis::{Diagnosis, Site};
use crate::text::{Blocks, Thousands};

/// How many blocks of a type were live, for a scenario that
/// [limits them](crate::Scenario::live_blocks_of).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OfType {
    pub(crate) name: String,
    pub(crate) limit: u64,
    /// None without call stacks.
    found: Option<Found>,
}

#[derive(Clone, Debug, PartialEq)]
struct Found {
    blocks: u64,
    /// Blocks that may be of any type.
    unknown: u64,
    /// What allocated one of these, where the types of others are known.
    unknown_function: Option<String>,
}

impl OfType {
    pub(crate) fn of(name: &str, limit: u64, diagnosis: Option<&Diagnosis>) -> Self {
        let live = |site: &Site| u64::try_from(site.live.blocks).unwrap_or(0);
        let found = diagnosis.map(|diagnosis| {
            let sites = || diagnosis.sites.iter().filter(|site| live(site) > 0);
            let of_type =
                sites().filter(|site| site.type_name().is_some_and(|own| is_of(own, name)));
            let unknown = || sites().filter(|site| site.type_name().is_none());
            let has_types = diagnosis
                .sites
                .iter()
                .any(|site| site.type_name().is_some());
            let function = unknown().find_map(|site| site.frames.first());
            Found {
                blocks: of_type.map(live).sum(),
                unknown: diagnosis.lost_blocks + unknown().map(live).sum::<u64>(),
                unknown_function: function
                    .filter(|_| has_types)
                    .map(|frame| frame.function.clone()),
            }
        });
        Self {
            name: name.to_owned(),
            limit,
            found,
        }
    }

    /// Whether there are too many. Those that are not known could only be more.
    pub(crate) fn is_breached(&self) -> bool {
        self.found
            .as_ref()
            .is_some_and(|found| found.blocks > self.limit)
    }

    /// Why it can't be told whether there are, if it can't.
    pub(crate) fn obstacle(&self) -> Option<String> {
        let name = &self.name;
        let why = match &self.found {
            None => "no call stacks were taken".to_owned(),
            Some(found) if self.is_breached() || found.unknown == 0 => return None,
            Some(found) => {
                let how = found.unknown_function.as_ref().map_or_else(
                    || "build with -Csymbol-mangling-version=v0 and debug = \"limited\"".to_owned(),
                    |function| format!("such as that of `{function}`"),
                );
                let blocks = Blocks(found.unknown);
                format!("the type of {blocks} is not known; {how}")
            }
        };
        Some(format!("live blocks of `{name}` can't be counted: {why}"))
    }

    /// In a few words.
    pub(super) fn told(&self) -> String {
        let blocks = self.found.as_ref().map_or(0, |found| found.blocks);
        let (blocks, limit) = (Blocks(blocks), Thousands(self.limit));
        format!("{blocks} of `{}`, ceiling {limit}", self.name)
    }
}

/// Whether a block of the type `known`, as sites name it, is of the type `wanted`: it is that
/// type, or a container of values of it, such as a box.
pub(crate) fn is_of(known: &str, wanted: &str) -> bool {
    let is_it = |part: &str| {
        let part = part.trim().trim_start_matches("dyn ");
        part == wanted || part.split('<').next() == Some(wanted)
    };
    let inner = known.split_once('<').map_or("", |(_, inner)| inner);
    let inner = inner.strip_suffix('>').unwrap_or(inner);
    is_it(known) || parts(inner).into_iter().any(is_it)
}

/// What stands between the commas that are in no brackets.
fn parts(list: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    list.split(|mark| {
        match mark {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
        mark == ',' && depth == 0
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn containers_are_of_what_they_hold() {
        let wanted = "Session";
        let are = [
            "Session",
            "Box<Session>",
            "Arc<Session>",
            "Vec<Session>",
            "HashMap<u64, Session>",
            "BTreeMap<(u8, u8), Session>",
            "Box<dyn Session>",
            "Box<Session<u8>>",
        ];
        for known in are {
            assert!(is_of(known, wanted), "{known}");
        }
        let are_not = [
            "Sessions",
            "Box<OldSession>",
            "Vec<Box<Session>>",
            "HashMap<(u8, Session), u8>",
            "String",
            "",
        ];
        for known in are_not {
            assert!(!is_of(known, wanted), "{known}");
        }
        assert!(is_of("Vec<Box<Session>>", "Vec<Box<Session>>"));
        assert!(is_of("Vec<Box<Session>>", "Box<Session>"));
    }
}
