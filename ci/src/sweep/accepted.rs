//! What of the left-overs of tests `highwater.toml` accepts, by the signatures of their call sites.

use super::Extent;
use super::found::{Accepted, Status, Swept};
use super::stacks::SiteFound;
use crate::config::{AcceptedLeft, Config};
use highwater_reports::similar::did_you_mean;

/// Whether it must be known where this test's left-overs were allocated, for an entry is for it.
pub fn is_asked(test: &Swept, config: &Config) -> bool {
    let is_for_it = |left: &AcceptedLeft| left.is_of(&test.test);
    let leaves = test.status == Status::Passed && test.found.left_blocks > Some(0);
    leaves && config.accepted_left().iter().any(is_for_it)
}

/// Sets what is accepted of each test, by the call sites of what it leaves.
pub fn accept(tests: &mut [Swept], config: &Config) {
    for test in tests {
        let entries = config.accepted_left().iter();
        let entries = entries.filter(|left| left.is_of(&test.test) && config.ended(left).is_none());
        let mut accepted = Vec::<Accepted>::new();
        for entry in entries {
            // Of two entries for one call site the first counts.
            if accepted
                .iter()
                .any(|one| one.signature == entry.signature())
            {
                continue;
            }
            let [bytes, blocks] = at(test, entry.signature());
            if blocks > 0 {
                accepted.push(Accepted {
                    signature: entry.signature().to_owned(),
                    reason: entry.reason().to_owned(),
                    bytes,
                    blocks,
                });
            }
        }
        test.accepted = accepted;
    }
}

/// The bytes and blocks that a test left at call sites with this signature.
fn at(test: &Swept, signature: &str) -> [u64; 2] {
    let sites = test.found.left_sites.iter().flatten();
    let is_it = |site: &&SiteFound| site.signature().as_deref() == Some(signature);
    sites.filter(is_it).fold([0, 0], |[bytes, blocks], site| {
        [bytes + site.bytes, blocks + site.blocks]
    })
}

/// What there is to say of entries that accept nothing: their tests are not there, or leave nothing
/// of that kind any more, or they ended. Of a part of the tests nothing is said.
pub fn unused(tests: &[Swept], config: &Config, extent: Extent) -> Vec<String> {
    if extent != Extent::All {
        return Vec::new();
    }
    let told = |entry: &AcceptedLeft| {
        let of = || tests.iter().filter(|test| entry.is_of(&test.test));
        let (signature, name) = (entry.signature(), entry.test());
        let has_it = of().any(|test| at(test, signature) != [0, 0]);
        if of().next().is_none() {
            let names = tests.iter().map(|test| test.test.as_str());
            let similar = did_you_mean(name, names);
            Some(format!(
                "highwater.toml accepts what `{name}` leaves, and there is no such test{similar}"
            ))
        } else if let Some(until) = config.ended(entry).filter(|_| has_it) {
            let reason = entry.reason();
            Some(format!(
                "what `{name}` leaves at {signature} was accepted until {until}: {reason}"
            ))
        } else if !has_it && of().all(is_known) {
            Some(format!(
                "highwater.toml accepts what `{name}` leaves at {signature}, and it leaves nothing \
                 there: remove it"
            ))
        } else {
            None
        }
    };
    config.accepted_left().iter().filter_map(told).collect()
}

/// Whether it is known where all that the test left was allocated.
fn is_known(test: &Swept) -> bool {
    let is_nothing = test.found.left_blocks == Some(0);
    test.status == Status::Passed && (is_nothing || test.found.left_sites.is_some())
}
