//! Audits: deep sizes against the allocator, and the trade aggregator accounted for.

#![forbid(unsafe_code)]

use get_size2::GetSize;
use highwater_scenarios::{CrossAudit, Twin};
use rstest::rstest;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

type FixedHasher = BuildHasherDefault<DefaultHasher>;

/// The value's size by its own account, and the live bytes that it has.
#[track_caller]
fn sizes<T: GetSize>(make: impl FnOnce() -> T) -> (u64, u64) {
    let (value, usage) = highwater::measure(make);
    (value.get_heap_size() as u64, usage.live_bytes)
}

#[track_caller]
fn assert_exact<T: GetSize>(make: impl FnOnce() -> T) {
    let (deep, live) = sizes(make);
    assert!(live > 0, "there is something to count");
    assert_eq!(deep, live);
}

fn name(number: usize) -> String {
    format!("number {number}")
}

#[rstest]
fn deep_sizes_of_buffers_and_of_hashbrown_tables_are_exact(
    #[values(1, 7, 8, 100, 1_000)] count: usize,
) {
    assert_exact(|| (0..count).map(name).collect::<Vec<_>>());
    assert_exact(|| Vec::<u64>::with_capacity(3 * count));
    assert_exact(|| (0..count).map(name).collect::<VecDeque<_>>());
    assert_exact(|| (0..count).map(name).collect::<BinaryHeap<_>>());
    assert_exact(|| name(count).into_boxed_str());
    assert_exact(|| Some(Box::new(count)));
    assert_exact(|| {
        let mut grown = hashbrown::HashMap::with_hasher(FixedHasher::new());
        grown.extend((0..count).map(|number| (name(number), number)));
        grown
    });
    assert_exact(|| {
        let mut emptied = hashbrown::HashSet::with_hasher(FixedHasher::new());
        emptied.extend(0..count);
        emptied.retain(|number| number % 3 == 0);
        emptied
    });
}

/// What they miss, `docs/audit.md` has in a table.
#[test]
fn deep_sizes_of_other_collections_are_lower_bounds() {
    let missed = |(deep, live): (u64, u64)| live - deep;
    let table = |count: u64| {
        let pairs = (0..count).map(|number| (number, number));
        pairs.collect::<HashMap<_, _, FixedHasher>>()
    };
    // The eighth part of the buckets that stays empty, and a byte for each of them.
    assert_eq!(missed(sizes(|| table(1_000))), 256 * 16 + 2_048 + 16);
    let tree = |count: u64| {
        let pairs = (0..count).map(|number| (number, number));
        pairs.collect::<BTreeMap<_, _>>()
    };
    assert_eq!(missed(sizes(|| tree(1))), 176);
    assert_eq!(missed(sizes(|| tree(1_000))), 2_432);
    assert_eq!(missed(sizes(|| Arc::new(7_u64))), 16);
}

#[rstest]
#[case(Twin::Sound, "aggregator-audit")]
#[case(Twin::Leaky, "aggregator-audit-leaky")]
fn the_aggregator_is_accounted_for(#[case] twin: Twin, #[case] snapshot: &str) {
    let audit = CrossAudit::after_two_minutes(twin);
    assert!(audit.accounted.accounted_share() >= Some(0.99));
    assert!(audit.accounted.unaccounted_bytes() > 0);
    assert!(audit.counted.accounted_share() < Some(0.3));
    let accounted = audit.accounted.to_string();
    let lines = accounted.lines();
    let same_each_time = lines.filter(|line| !line.starts_with("resident memory"));
    let same_each_time: Vec<_> = same_each_time.collect();
    let text = format!("{}\n{}", audit.counted, same_each_time.join("\n"));
    insta::assert_snapshot!(snapshot, text);
}

#[test]
fn the_queue_held_661_records_when_it_was_looked_at() {
    let audit = CrossAudit::after_two_minutes(Twin::Leaky);
    assert_eq!(audit.log_records, 661);
}
