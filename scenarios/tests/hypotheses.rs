//! The register of hypotheses about the trade aggregator. One of them is about resident
//! memory, which is the whole process's: a test beside this one would change it. So there
//! is one test in here.

#![forbid(unsafe_code)]

use highwater_scenarios::{Experiment, HYPOTHESES, Memory, Register, Tested};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[test]
fn every_hypothesis_is_decided_and_in_the_same_way_each_time() {
    let register: Register = HYPOTHESES.iter().map(Experiment::test).collect();
    if cfg!(target_os = "linux") {
        insta::assert_snapshot!(register);
    }
    let again: Register = HYPOTHESES.iter().map(Experiment::test).collect();
    assert_eq!(register.to_string(), again.to_string());
    let is_exact = |tested: &&Tested| tested.hypothesis().memory() == Memory::Live;
    let exact = |register: &Register| {
        let effects = register.tested().iter().filter(is_exact);
        effects.map(Tested::effect_bytes).collect::<Vec<_>>()
    };
    assert_eq!(exact(&register).len(), 7);
    assert!(exact(&register).iter().all(Option::is_some));
    assert_eq!(exact(&register), exact(&again));
}
