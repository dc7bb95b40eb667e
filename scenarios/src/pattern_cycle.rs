//! A parent owns its children and each child points back at its parent. With a
//! counted pointer both ways the count never falls to zero: the family can no longer be
//! reached, and nothing frees it. The fix is a weak pointer back.

use crate::{Entry, Inputs, Reads, Twin};
use highwater::{ByteSize, Report, Scenario};
use highwater_fixtures::{ParentLink, family};

pub(crate) static ENTRY: Entry = Entry {
    id: "pattern-cycle",
    what: "a family of Rc is made and dropped each step; children point back weakly",
    defect: "children hold their parent strongly",
    steps: 1_000,
    growth_ceiling: ByteSize::b(0),
    peak_ceiling: ByteSize::kb(4),
    reads: Reads::Nothing,
    findings: None,
    run,
};

fn run(scenario: &Scenario, twin: Twin, _: &Inputs) -> Report {
    let link = match twin {
        Twin::Sound => ParentLink::Weak,
        Twin::Leaky => ParentLink::Strong,
    };
    scenario.run(|| (), |(), i| drop(family(link, i)))
}
