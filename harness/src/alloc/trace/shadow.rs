//! Which site each followed block belongs to: a map of the address space.
//!
//! One entry of eight bytes stands for sixteen of address space. Entries lie in
//! regions that are mapped when the first block falls into them and never given back;
//! the system provides pages only for what is used. So finding an entry takes two
//! loads, no lock and no hash, and all followed blocks can be enumerated in the order
//! of their addresses.

use super::super::memory;
use std::ptr;
use std::sync::atomic::{
    AtomicPtr, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

const ADDRESS_BITS: u32 = 47;
const REGION_BITS: u32 = 24;
/// What one entry stands for.
const GRANULE_BITS: u32 = 4;
const ENTRIES: usize = 1 << (REGION_BITS - GRANULE_BITS);
const REGIONS: usize = 1 << (ADDRESS_BITS - REGION_BITS);

/// An entry: the number of the site, the lowest bits of the address, and the size.
const SIZE_BITS: u32 = 40;
const LOW_BITS: u32 = GRANULE_BITS;

/// How many sites fit into an entry.
pub(super) const SITE_LIMIT: u32 = 1 << (64 - SIZE_BITS - LOW_BITS);

#[repr(C)]
struct Region {
    /// First, so that they are whole pages.
    entries: [AtomicU64; ENTRIES],
    next: AtomicPtr<Region>,
    /// The number of the region.
    place: AtomicU64,
}

/// The regions by their numbers; mapped at the first use.
static TABLE: AtomicPtr<AtomicPtr<Region>> = AtomicPtr::new(ptr::null_mut());
/// All regions that there are, the newest first.
static FIRST: AtomicPtr<Region> = AtomicPtr::new(ptr::null_mut());

/// A block that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) site: u32,
    pub(super) size: usize,
}

fn packed(address: usize, entry: Entry) -> Option<u64> {
    let size = entry.size as u64;
    let low = (address & ((1 << LOW_BITS) - 1)) as u64;
    (size < 1 << SIZE_BITS)
        .then(|| u64::from(entry.site) << (SIZE_BITS + LOW_BITS) | low << SIZE_BITS | size)
}

/// The entry, if it is for `address`.
fn unpacked(address: usize, packed: u64) -> Option<Entry> {
    let low = (packed >> SIZE_BITS) as usize & ((1 << LOW_BITS) - 1);
    let is_it = packed != 0 && low == address & ((1 << LOW_BITS) - 1);
    is_it.then_some(Entry {
        // The bits above are the site's alone.
        site: (packed >> (SIZE_BITS + LOW_BITS)) as u32,
        size: (packed & ((1 << SIZE_BITS) - 1)) as usize,
    })
}

/// Follows the block at `address`. False if it can't be: the system has no memory, or
/// another block shares its sixteen bytes.
pub(super) fn put(address: usize, entry: Entry) -> bool {
    let Some(slot) = slot(address, true) else {
        return false;
    };
    let Some(packed) = packed(address, entry) else {
        return false;
    };
    if slot.load(Relaxed) != 0 {
        return false;
    }
    // The block, and so the entry, is this thread's alone as of now.
    slot.store(packed, Relaxed);
    true
}

/// Stops following the block at `address`, and says what it was; none if it was not
/// followed.
pub(super) fn take(address: usize) -> Option<Entry> {
    let slot = slot(address, false)?;
    let entry = unpacked(address, slot.load(Relaxed))?;
    slot.store(0, Relaxed);
    Some(entry)
}

/// Follows nothing any more.
pub(super) fn clear() {
    for region in regions() {
        let entries = ptr::from_ref(&region.entries).cast_mut();
        memory::make_zero(entries.cast(), size_of_val(&region.entries));
    }
}

/// Passes on all blocks that are followed, each with its address. What threads do meanwhile
/// may be among them or not.
pub(super) fn for_each(mut pass_on: impl FnMut(usize, Entry)) {
    for region in regions() {
        let start = region.place.load(Relaxed) as usize;
        for (number, entry) in region.entries.iter().enumerate() {
            let packed = entry.load(Relaxed);
            let low = (packed >> SIZE_BITS) as usize & ((1 << LOW_BITS) - 1);
            let address = start << REGION_BITS | number << GRANULE_BITS | low;
            if let Some(entry) = unpacked(address, packed) {
                pass_on(address, entry);
            }
        }
    }
}

fn regions() -> impl Iterator<Item = &'static Region> {
    // SAFETY: null, or a region that was published complete and is never unmapped.
    let first = unsafe { FIRST.load(Acquire).as_ref() };
    std::iter::successors(first, |region| {
        // SAFETY: as above.
        unsafe { region.next.load(Acquire).as_ref() }
    })
}

/// The entry for `address`, whose region is mapped now if `make` and it was not yet.
fn slot(address: usize, make: bool) -> Option<&'static AtomicU64> {
    let place = address >> REGION_BITS;
    if place >= REGIONS {
        return None;
    }
    let mut table = TABLE.load(Acquire);
    if table.is_null() {
        if !make {
            return None;
        }
        table = published(&TABLE, REGIONS * size_of::<AtomicPtr<Region>>(), |_| ())?;
    }
    // SAFETY: the table has so many pointers, which are null or of regions.
    let cell = unsafe { &*table.add(place) };
    let mut region = cell.load(Acquire);
    if region.is_null() {
        if !make {
            return None;
        }
        region = published(cell, size_of::<Region>(), |region: *mut Region| {
            // SAFETY: just published, and zeroed memory is a region.
            let region = unsafe { &*region };
            region.place.store(place as u64, Relaxed);
            let mut first = FIRST.load(Acquire);
            loop {
                region.next.store(first, Relaxed);
                let own = ptr::from_ref(region).cast_mut();
                match FIRST.compare_exchange(first, own, AcqRel, Acquire) {
                    Ok(_) => break,
                    Err(now) => first = now,
                }
            }
        })?;
    }
    // SAFETY: not null, so a region, which is never unmapped.
    let region = unsafe { &*region };
    let entry = (address >> GRANULE_BITS) & (ENTRIES - 1);
    Some(&region.entries[entry])
}

/// What `cell` points to, mapped and put there now; by whoever is first, who also calls
/// `then` with it.
fn published<T>(cell: &AtomicPtr<T>, bytes: usize, then: impl FnOnce(*mut T)) -> Option<*mut T> {
    let fresh: *mut T = memory::zeroed(bytes)?.cast();
    match cell.compare_exchange(ptr::null_mut(), fresh, AcqRel, Acquire) {
        Ok(_) => {
            then(fresh);
            Some(fresh)
        }
        Err(first) => {
            memory::give_back(fresh.cast(), bytes);
            Some(first)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_what_is_put_into_them() {
        let entry = Entry {
            site: SITE_LIMIT - 1,
            size: (1 << SIZE_BITS) - 1,
        };
        let bits = packed(0x7fff_1234_5678, entry).expect("it fits");
        assert_eq!(unpacked(0x7fff_1234_5678, bits), Some(entry));
        assert_eq!(unpacked(0x7fff_1234_5679, bits), None, "another block");
        let large = Entry {
            site: 1,
            size: 1 << SIZE_BITS,
        };
        assert_eq!(packed(0, large), None);
    }

    #[test]
    fn blocks_are_followed_until_they_are_taken() {
        let address = 0x1234_5000_0010;
        let entry = Entry { site: 7, size: 24 };
        assert_eq!(take(address), None);
        assert!(put(address, entry));
        assert!(!put(address + 8, entry), "it shares the sixteen bytes");
        let mut found = Vec::new();
        for_each(|address, entry| found.push((address, entry)));
        assert!(found.contains(&(address, entry)));
        assert_eq!(take(address + 8), None);
        assert_eq!(take(address), Some(entry));
        assert_eq!(take(address), None);
        assert!(!put(1 << ADDRESS_BITS, entry));
    }
}
