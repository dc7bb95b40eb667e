//! Which site each followed block belongs to: a map of the address space.
//!
//! One entry of eight bytes stands for sixteen of address space. Entries lie in
//! regions that are mapped when the first block falls into them and never given back;
//! the system provides pages only for what is used. So finding an entry takes two
//! loads, no lock and no hash, and all followed blocks can be enumerated in the order
//! of their addresses. A thread remembers the region of its last block, so most entries are
//! found without the table of regions.

use super::super::memory;
use super::sites::LIMIT;
use crate::alloc::ledger::Near;
use std::ptr;
use std::sync::atomic::{
    AtomicPtr, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

/// Those of a program's addresses: Linux maps nothing above, unless it is asked to.
const ADDRESS_BITS: u32 = if cfg!(target_arch = "x86_64") { 47 } else { 48 };
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

type Table = [AtomicPtr<Region>; REGIONS];

/// The regions by their numbers; mapped at the first use.
static TABLE: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());
/// All regions that there are, the newest first.
static FIRST: AtomicPtr<Region> = AtomicPtr::new(ptr::null_mut());

/// A block that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) site: u32,
    pub(super) size: usize,
}

/// The entry of a block of the site with this number, whose size fits and whose address is one of a
/// granule.
#[inline(always)]
pub(super) const fn bits(number: u32, size: usize) -> u64 {
    (number as u64) << (SIZE_BITS + LOW_BITS) | size as u64
}

/// The number of an entry's site, if it is of a block of `size` bytes at an address of a
/// granule and the site is one of those that are told apart.
#[inline(always)]
pub(super) fn site(entry: u64, size: usize) -> Option<u32> {
    // Bits that differ come to stand above the site's.
    let differing = (entry ^ size as u64).rotate_right(SIZE_BITS + LOW_BITS);
    (differing.wrapping_sub(1) < LIMIT as u64 - 1).then_some(differing as u32)
}

/// The entry of a block at `address`, if that is of a granule and in this region.
///
/// # Safety
/// `near` is what [`near`](near()) found.
#[inline(always)]
pub(super) unsafe fn entry(near: Near, address: usize) -> Option<&'static AtomicU64> {
    // A region starts at an address of a granule. Any other address than one of a granule has
    // a number that is too large, as has one outside of the region.
    let number = address.wrapping_sub(near.start).rotate_right(GRANULE_BITS);
    if number >= ENTRIES {
        return None;
    }
    // SAFETY: the caller's promise; so it is a region that was published complete and is never
    // unmapped.
    let region = unsafe { &*near.region.cast::<Region>() };
    Some(&region.entries[number])
}

/// The region of a block at `address`, for [`entry`], if it is mapped.
#[inline(always)]
pub(super) fn near(address: usize) -> Option<Near> {
    Some(Near {
        start: address >> REGION_BITS << REGION_BITS,
        region: ptr::from_ref(region(address)?).cast(),
    })
}

/// Whether the size of a block fits into an entry.
#[inline(always)]
pub(super) const fn fits(size: usize) -> bool {
    size < 1 << SIZE_BITS
}

fn packed(address: usize, entry: Entry) -> Option<u64> {
    let low = (address & ((1 << LOW_BITS) - 1)) as u64;
    fits(entry.size).then(|| bits(entry.site, entry.size) | low << SIZE_BITS)
}

/// The entry, if it is for `address`.
pub(super) fn unpacked(address: usize, packed: u64) -> Option<Entry> {
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
    let Some(slot) = existing(address).or_else(|| made(address)) else {
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

/// Stops following the block at `address`, and says what its entry was; 0 if it was not
/// followed.
pub(super) fn take(address: usize) -> u64 {
    let Some(slot) = existing(address) else {
        return 0;
    };
    let entry = slot.load(Relaxed);
    if unpacked(address, entry).is_none() {
        return 0;
    }
    slot.store(0, Relaxed);
    entry
}

/// Follows a block again of which `entry` was taken, and which was not freed meanwhile.
pub(super) fn put_back(address: usize, entry: u64) {
    if entry != 0
        && let Some(slot) = existing(address)
    {
        slot.store(entry, Relaxed);
    }
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
#[cfg_attr(not(highwater_holders), allow(dead_code))]
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

/// The entry for `address`, if its region is mapped.
fn existing(address: usize) -> Option<&'static AtomicU64> {
    Some(region(address)?.entry(address))
}

/// The region of `address`, if it is mapped.
#[inline(always)]
fn region(address: usize) -> Option<&'static Region> {
    let place = address >> REGION_BITS;
    if place >= REGIONS {
        return None;
    }
    // SAFETY: null, or a table that is never unmapped and has so many pointers, each null
    // or of a region that was published complete and is never unmapped.
    unsafe {
        let table = TABLE.load(Acquire).as_ref()?;
        table[place].load(Acquire).as_ref()
    }
}

/// The entry for `address`, whose region is mapped now if it was not yet.
#[cold]
#[inline(never)]
fn made(address: usize) -> Option<&'static AtomicU64> {
    let place = address >> REGION_BITS;
    if place >= REGIONS {
        return None;
    }
    let mut table = TABLE.load(Acquire);
    if table.is_null() {
        table = published(&TABLE, size_of::<Table>(), |_| ())?;
    }
    // SAFETY: not null, so the table, which is never unmapped.
    let cell = unsafe { &(*table)[place] };
    let mut region = cell.load(Acquire);
    if region.is_null() {
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
    Some(unsafe { &*region }.entry(address))
}

impl Region {
    #[inline(always)]
    fn entry(&self, address: usize) -> &AtomicU64 {
        &self.entries[(address >> GRANULE_BITS) & (ENTRIES - 1)]
    }
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
    fn a_site_is_that_of_the_very_block() {
        let of = |address, site, size| packed(address, Entry { site, size }).unwrap();
        let entry = of(0x7fff_1234_5670, 9, 24);
        assert_eq!(entry, bits(9, 24));
        assert_eq!(site(entry, 24), Some(9));
        assert_eq!(site(entry, 25), None, "another size");
        assert_eq!(site(of(0x7fff_1234_5678, 9, 24), 24), None, "another block");
        assert_eq!(site(0, 0), None, "no entry");
        assert_eq!(site(bits(0, 24), 24), None, "not told apart");
        let most = LIMIT as u32 - 1;
        assert_eq!(site(bits(most, 24), 24), Some(most));
        assert_eq!(site(bits(most + 1, 24), 24), None);
    }

    #[test]
    fn both_ways_lead_to_one_entry() {
        let address = 0x1234_6000_0010;
        let made = made(address).unwrap();
        let found = near(address).unwrap();
        assert_eq!(near(address | 0x00ff_fff0), Some(found), "of one region");
        // SAFETY: it was found.
        let entry_at = |address| unsafe { entry(found, address) };
        assert!(ptr::eq(existing(address).unwrap(), made));
        assert!(ptr::eq(entry_at(address).unwrap(), made));
        assert!(entry_at(address + 8).is_none(), "of no granule");
        assert!(entry_at(address + (1 << REGION_BITS)).is_none(), "behind");
        assert!(entry_at(address - (1 << REGION_BITS)).is_none(), "before");
        assert!(near(1 << ADDRESS_BITS).is_none(), "of nobody");
        assert!(near(0x1235_6000_0010).is_none(), "of no region");
    }

    #[test]
    fn blocks_are_followed_until_they_are_taken() {
        let address = 0x1234_5000_0010;
        let entry = Entry { site: 7, size: 24 };
        assert_eq!(take(address), 0);
        assert!(put(address, entry));
        assert!(!put(address + 8, entry), "it shares the sixteen bytes");
        let mut found = Vec::new();
        for_each(|address, entry| found.push((address, entry)));
        assert!(found.contains(&(address, entry)));
        assert_eq!(take(address + 8), 0);
        let taken = take(address);
        assert_eq!(unpacked(address, taken), Some(entry));
        assert_eq!(take(address), 0);
        put_back(address, taken);
        assert_eq!(take(address), taken);
        assert!(!put(1 << ADDRESS_BITS, entry));
    }
}
