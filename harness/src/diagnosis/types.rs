//! The sum of the sites by type. A type may have several sites.

use super::Site;
use crate::alloc::Live;
use std::collections::BTreeMap;

/// By how much the blocks of each type grew, those that grew most first; a type that is
/// not known is none.
pub(super) fn growth_by_type(sites: &[Site]) -> Vec<(Option<&str>, Live)> {
    let mut types: BTreeMap<Option<&str>, Live> = BTreeMap::new();
    for site in sites {
        let sum = types.entry(site.type_name.as_deref()).or_default();
        sum.bytes += site.growth.bytes;
        sum.blocks += site.growth.blocks;
    }
    let grew = types
        .into_iter()
        .filter(|(_, growth)| growth.bytes > 0 || growth.blocks > 0);
    let mut grew: Vec<_> = grew.collect();
    grew.sort_by_key(|(_, growth)| std::cmp::Reverse((growth.bytes, growth.blocks)));
    grew
}
