//! Which call sites hold more or less than before.
//!
//! A site is known again by its type and its functions, not by its lines, which move
//! with every edit above them.

use crate::report::{Diagnosis, Site};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A call site that holds more or less.
#[derive(Clone, Copy, Debug)]
pub struct Difference<'a> {
    /// As it is now; as it was, if it is gone.
    pub site: &'a Site,
    /// Its bytes in the base.
    pub before_bytes: i64,
    /// Its bytes now.
    pub after_bytes: i64,
}

impl Difference<'_> {
    /// By how much it is more; less than none if it is less.
    pub fn bytes(&self) -> i128 {
        i128::from(self.after_bytes) - i128::from(self.before_bytes)
    }
}

type Key<'a> = (Option<&'a str>, Vec<&'a str>);

/// The sites of which `bytes` is not the same in both, the largest difference first. Sites
/// without call stacks are not known again. Without a base, all of them.
pub fn differences<'a>(
    base: Option<&'a Diagnosis>,
    head: &'a Diagnosis,
    bytes: impl Fn(&Site) -> i64,
) -> Vec<Difference<'a>> {
    let mut found: BTreeMap<Key<'a>, Difference<'a>> = BTreeMap::new();
    let of_head = head.sites.iter().map(|site| (site, true));
    let of_base = base.into_iter().flat_map(|base| &base.sites);
    let of_base = of_base.map(|site| (site, false));
    for (site, is_of_head) in of_head.chain(of_base) {
        if site.frames.is_empty() {
            continue;
        }
        let functions = site.frames.iter().map(|frame| frame.function.as_str());
        let key = (site.type_name.as_deref(), functions.collect());
        let difference = found.entry(key).or_insert(Difference {
            site,
            before_bytes: 0,
            after_bytes: 0,
        });
        let sum = if is_of_head {
            &mut difference.after_bytes
        } else {
            &mut difference.before_bytes
        };
        *sum = sum.saturating_add(bytes(site));
    }
    let mut differences: Vec<_> = found.into_values().collect();
    differences.retain(|difference| difference.bytes() != 0);
    differences.sort_by_key(|difference| Reverse(difference.bytes().unsigned_abs()));
    differences
}
