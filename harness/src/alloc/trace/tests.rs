//! The figures by site, exact whichever thread and whichever path counts them, and how
//! often the slow paths are entered.

use super::shadow::{self, Entry};
use super::{Live, Total, Trace, fast};
use crate::alloc::{HeldScope, OpenScope, ledger, unscoped};
use std::alloc::{self, Layout};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

thread_local! {
    /// How often this thread entered a slow path.
    static SLOW: Cell<u64> = const { Cell::new(0) };
}

pub(super) fn note_slow_path() {
    SLOW.set(SLOW.get() + 1);
}

/// Runs `work` in a scope whose blocks are followed.
fn traced<R>(work: impl FnOnce(&Trace, OpenScope) -> R) -> R {
    let trace = unscoped(Trace::start).expect("this thread traces nothing yet");
    let scope = OpenScope::enter("traced").expect("few are open");
    scope.follow(&trace);
    let result = work(&trace, scope);
    scope.leave();
    unscoped(|| drop(trace));
    result
}

/// What is live of all sites together, and all that they allocated.
fn sums(trace: &Trace) -> (Live, Total) {
    let (mut live, mut total) = (Live::default(), Total::default());
    for number in 0..trace.count() {
        live.bytes += trace.live(number).bytes;
        live.blocks += trace.live(number).blocks;
        total.bytes += trace.total(number).bytes;
        total.blocks += trace.total(number).blocks;
    }
    (live, total)
}

/// The sites agree with the scope, which counts on its own; a block that is resized counts
/// again for its site.
fn assert_agree(trace: &Trace, scope: OpenScope) {
    let (live, total) = sums(trace);
    let counted = scope.read().totals;
    let expected = Live {
        bytes: counted.live_bytes,
        blocks: counted.live_blocks(),
    };
    assert_eq!(live, expected);
    let expected = Total {
        bytes: counted.total_bytes - counted.regrown_bytes + counted.reallocated_bytes,
        blocks: counted.total_blocks + counted.reallocations,
    };
    assert_eq!(total, expected);
    assert_eq!(trace.lost(), 0);
}

/// The figures of the only site that allocated so many bytes.
fn site_of(trace: &Trace, bytes: u64) -> (Live, Total) {
    let mut sites = (0..trace.count()).filter(|number| trace.total(*number).bytes == bytes);
    let site = sites.next().expect("there is one");
    assert_eq!(sites.next(), None, "there is one");
    (trace.live(site), trace.total(site))
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("it is small")
}

/// A block by its address, so that it can go to any thread.
#[inline(never)]
fn allocate(size: usize) -> usize {
    // SAFETY: the layout is not empty.
    black_box(unsafe { alloc::alloc(layout(size)) } as usize)
}

#[inline(never)]
fn resize(block: usize, old_size: usize, new_size: usize) -> usize {
    // SAFETY: the callers pass a block that is live with this layout.
    black_box(unsafe { alloc::realloc(block as *mut u8, layout(old_size), new_size) } as usize)
}

#[inline(never)]
fn free(block: usize, size: usize) {
    // SAFETY: the callers pass a block that is live with this layout, and use it no more.
    unsafe { alloc::dealloc(black_box(block) as *mut u8, layout(size)) };
}

const SIZE: usize = 40;
const NEW_SIZE: usize = 72;
const BLOCKS: usize = 2_000;
const MAKERS: usize = 3;

/// Of each three blocks, frees one, resizes one and frees it, and resizes one that stays.
fn consume(blocks: &Receiver<usize>) -> Vec<usize> {
    let mut kept = Vec::with_capacity(MAKERS * BLOCKS);
    for (number, block) in blocks.iter().enumerate() {
        match number % 3 {
            0 => free(block, SIZE),
            1 => free(resize(block, SIZE, NEW_SIZE), NEW_SIZE),
            _ => kept.push(resize(block, SIZE, NEW_SIZE)),
        }
    }
    kept
}

fn make(to: &[SyncSender<usize>; 2]) {
    for number in 0..BLOCKS {
        to[number % 2].send(allocate(SIZE)).expect("it is heard");
    }
}

#[test]
fn sites_are_exact_whichever_thread_frees_or_resizes() {
    traced(|trace, scope| {
        let held = HeldScope::new(scope);
        let (to_followed, at_followed) = mpsc::sync_channel(64);
        let (to_other, at_other) = mpsc::sync_channel(64);
        // One thread stands in no scope, and is followed by nobody.
        let other = unscoped(|| thread::spawn(move || consume(&at_other)));
        let followed = thread::spawn(move || consume(&at_followed));
        let makers: Vec<_> = (0..MAKERS)
            .map(|_| {
                let to = [to_followed.clone(), to_other.clone()];
                thread::spawn(move || make(&to))
            })
            .collect();
        drop((to_followed, to_other));
        for maker in makers {
            maker.join().expect("it does not panic");
        }
        let kept = [followed.join(), other.join()].map(|kept| kept.expect("it does not panic"));
        let made = (MAKERS * BLOCKS) as u64;
        // What the other thread resized stays with the site, and counts again there.
        let resized_by_other = made / 2 / 3 * 2;
        let bytes = made * SIZE as u64 + resized_by_other * NEW_SIZE as u64;
        let (live, total) = site_of(trace, bytes);
        assert_eq!(total.blocks, made + resized_by_other);
        assert_eq!(live.blocks, kept[1].len() as i64);
        assert_eq!(live.bytes, (kept[1].len() * NEW_SIZE) as i64);
        assert_agree(trace, scope);
        for block in kept.iter().flatten() {
            free(*block, NEW_SIZE);
        }
        drop((kept, held));
        assert_agree(trace, scope);
    });
}

#[test]
fn a_block_that_is_resized_goes_to_the_site_that_resizes_it() {
    traced(|trace, scope| {
        let mut blocks = Vec::with_capacity(100);
        blocks.extend((0..100).map(|_| allocate(SIZE)));
        for block in &mut blocks {
            *block = resize(*block, SIZE, NEW_SIZE);
        }
        let before = sums(trace);
        assert_eq!(
            resize(blocks[0], NEW_SIZE, 1 << 46),
            0,
            "nobody has so much"
        );
        assert_eq!(sums(trace), before, "what fails changes nothing");
        let (live, total) = site_of(trace, 100 * SIZE as u64);
        assert_eq!((live, total.blocks), (Live::default(), 100));
        let (live, total) = site_of(trace, 100 * NEW_SIZE as u64);
        assert_eq!((live.bytes, live.blocks), (100 * NEW_SIZE as i64, 100));
        assert_eq!(total.blocks, 100);
        assert_agree(trace, scope);
        for block in blocks.drain(..) {
            free(block, NEW_SIZE);
        }
        drop(blocks);
        assert_agree(trace, scope);
    });
}

/// Nothing else would fail if the fast paths did not find what the slow ones know.
#[test]
fn the_slow_paths_are_not_entered_once_all_is_known() {
    #[inline(never)]
    fn load(rounds: usize) -> u64 {
        let before = SLOW.get();
        for _ in 0..rounds {
            let block = allocate(SIZE);
            free(resize(block, SIZE, NEW_SIZE), NEW_SIZE);
            // SAFETY: the layout is not empty, and the block is freed with it.
            unsafe {
                let block = black_box(alloc::alloc_zeroed(layout(SIZE)));
                alloc::dealloc(block, layout(SIZE));
            }
        }
        SLOW.get() - before
    }
    traced(|trace, scope| {
        // From one place, or the stacks would be others: nobody knows how often.
        let mut entered = vec![0; black_box(3)];
        for entered in &mut entered {
            *entered = load(black_box(10_000));
            unscoped(|| drop(black_box(Box::new(1))));
        }
        // Of 30,000 blocks each: sites that are new, and memory where no block was before.
        assert!((3..10).contains(&entered[0]), "{entered:?}");
        assert!(entered[1..].iter().all(|slow| *slow < 3), "{entered:?}");
        assert_agree(trace, scope);
    });
}

#[test]
fn blocks_of_two_regions_in_turn_are_all_found() {
    traced(|_, _| {
        free(allocate(SIZE), SIZE);
        let own = ledger::own_follower().expect("there is memory");
        // SAFETY: the thread was found to be followed when it allocated the block.
        let entry_at = |address: usize| unsafe { fast::entry(address as *mut u8, own) };
        for (site, address) in (1..5).zip([0x1236_5000_0010, 0x1237_5000_0020].repeat(2)) {
            assert!(shadow::put(address, Entry { site, size: SIZE }));
            let entry = entry_at(address).expect("its region is mapped");
            assert_eq!(entry.load(Relaxed), shadow::bits(site, SIZE));
            let near = own.near();
            assert!(entry_at(address + 8).is_none(), "of no granule");
            assert!(entry_at(0x1239_5000_0010).is_none(), "of no region");
            assert_eq!(own.near(), near, "what is not found changes nothing");
            shadow::take(address);
            assert_eq!(entry.load(Relaxed), 0);
        }
    });
}

#[test]
fn what_is_live_at_the_peak_and_passes_a_limit_is_told_as_before() {
    traced(|trace, scope| {
        trace.note_peak_at(1_000);
        trace.stop_above(2_000);
        let blocks: Vec<_> = (0..60).map(|_| allocate(SIZE)).collect();
        let at_peak: i64 = (0..trace.count())
            .map(|n| trace.read(n).at_peak.bytes)
            .sum();
        assert!((1_000..1_000 + SIZE as i64).contains(&at_peak), "{at_peak}");
        let stopped = trace.stopped().expect("it passed the limit");
        assert_eq!(stopped.size, SIZE as u64);
        assert!((2_001..=2_000 + SIZE as i64).contains(&stopped.live_bytes));
        for block in blocks {
            free(block, SIZE);
        }
        assert_agree(trace, scope);
    });
}

#[test]
fn a_thread_without_counts_of_its_own_is_counted_by_the_site() {
    ledger::THERE_ARE_NONE.set(true);
    traced(|trace, scope| {
        assert!(ledger::own_follower().is_none());
        let block = allocate(SIZE);
        let block = resize(block, SIZE, NEW_SIZE);
        assert_eq!(site_of(trace, NEW_SIZE as u64).0.blocks, 1);
        assert_agree(trace, scope);
        free(block, NEW_SIZE);
        assert_agree(trace, scope);
    });
    ledger::THERE_ARE_NONE.set(false);
}
