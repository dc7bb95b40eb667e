//! What is hard to judge, with real allocations: leaks that hide under other things,
//! and things that look like leaks.

#![forbid(unsafe_code)]

#[path = "known-leaks/random.rs"]
mod random;

use highwater::{ByteSize, Law, Report, Scenario};
use random::mixed;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, mpsc};
use std::thread;

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

#[track_caller]
fn assert_growing(report: &Report) {
    assert!(report.verdict().is_growing(), "{report}");
}

#[track_caller]
fn assert_bounded(report: &Report) {
    assert!(report.verdict().is_bounded(), "{report}");
}

/// A thousand blocks of up to 2 KiB, about a megabyte, one of which is replaced by
/// another in each step; every `leak_every` steps 8 bytes are kept.
fn churn(name: &str, leak_every: u64) -> Report {
    Scenario::new(name).steps(20_000).run(
        || {
            let blocks: Vec<_> = (0..1_000).map(|_| vec![0_u8; 1_024]).collect();
            (blocks, Vec::with_capacity(1_000))
        },
        |(blocks, kept), i| {
            let index = (mixed(i) % 1_000) as usize;
            let size = 1 + mixed(i ^ 1) % 2_047;
            blocks[index] = vec![0; usize::try_from(size).unwrap_or(1)];
            if i % leak_every == leak_every - 1 {
                kept.push(Box::new(i));
            }
        },
    )
}

#[test]
fn eight_bytes_every_thousand_steps_under_a_megabyte_of_churn() {
    assert_growing(&churn("leak-under-churn", 1_000));
    assert_bounded(&churn("churn", u64::MAX));
}

#[test]
fn a_leak_that_starts_at_step_50_000() {
    let report = Scenario::new("starts-late").steps(100_000).run(
        || Vec::with_capacity(2_000_000),
        |kept, i| {
            if i >= 50_000 {
                kept.push(Box::new(i));
            }
        },
    );
    assert_growing(&report);
}

#[test]
fn a_leak_on_one_of_16_threads() {
    struct Pool {
        workers: Vec<(mpsc::Sender<u64>, thread::JoinHandle<usize>)>,
        answers: mpsc::Receiver<()>,
    }
    impl Drop for Pool {
        fn drop(&mut self) {
            for (jobs, worker) in self.workers.drain(..) {
                drop(jobs);
                worker.join().expect("the worker ends");
            }
        }
    }
    let run = |name, leaky: Option<usize>| {
        Scenario::new(name).steps(100).run(
            || {
                let (answer, answers) = mpsc::channel();
                let worker = |index| {
                    let (jobs, work) = mpsc::channel::<u64>();
                    let answer = answer.clone();
                    let worker = thread::spawn(move || {
                        let mut kept = Vec::with_capacity(2_000);
                        for job in work {
                            let result = Box::new(job);
                            if leaky == Some(index) {
                                kept.push(result);
                            }
                            answer.send(()).expect("the step waits");
                        }
                        kept.len()
                    });
                    (jobs, worker)
                };
                let workers = (0..16).map(worker).collect();
                Pool { workers, answers }
            },
            |pool, i| {
                for (jobs, _) in &pool.workers {
                    jobs.send(i).expect("the worker lives");
                }
                for _ in &pool.workers {
                    pool.answers.recv().expect("the worker answers");
                }
            },
        )
    };
    assert_growing(&run("one-of-16-threads", Some(11)));
    assert_bounded(&run("16-threads", None));
}

#[test]
fn a_leak_on_one_of_1_000_keys() {
    let report = Scenario::new("one-of-1000-keys").steps(20_000).run(
        HashMap::<u64, Vec<Box<u64>>>::new,
        |sessions, i| {
            let session = sessions.entry(i % 1_000).or_default();
            if i % 1_000 != 7 {
                session.clear();
            }
            session.push(Box::new(i));
        },
    );
    assert_growing(&report);
}

#[test]
fn a_sawtooth_longer_than_the_first_windows() {
    let run = |name, leak: bool| {
        Scenario::new(name).steps(2_000).run(
            || (Vec::new(), Vec::with_capacity(20_000)),
            |(batch, kept), i| {
                batch.push(Box::new(i));
                if i % 3_000 == 2_999 {
                    *batch = Vec::new();
                }
                if leak && i % 10 == 0 {
                    kept.push(Box::new(i));
                }
            },
        )
    };
    assert_bounded(&run("long-sawtooth", false));
    assert_growing(&run("long-sawtooth-leak", true));
}

#[test]
fn a_cache_that_is_full_only_after_8_times_the_requested_steps() {
    let report = Scenario::new("late-cap").steps(1_000).run(
        HashMap::new,
        |cache: &mut HashMap<u64, Box<u64>>, i| {
            cache.insert(i % 8_000, Box::new(i));
        },
    );
    assert_bounded(&report);
    assert!(report.extended_steps() >= 16_000, "{report}");
}

#[test]
fn logarithmic_growth_is_named_and_passes() {
    let report = Scenario::new("logarithmic").steps(10_000).run(
        || Vec::with_capacity(64),
        |levels, i| {
            if i.is_power_of_two() {
                levels.push(vec![0_u8; 4_096]);
            }
        },
    );
    assert_bounded(&report);
    assert_eq!(report.verdict().law(), Some(Law::Logarithmic), "{report}");
}

#[test]
fn a_square_root_is_growth() {
    let report = Scenario::new("square-root").steps(10_000).run(
        || Vec::with_capacity(1_000),
        |kept, i| {
            if i.isqrt().pow(2) == i {
                kept.push(Box::new([0_u8; 64]));
            }
        },
    );
    assert_growing(&report);
    assert_eq!(report.verdict().law(), Some(Law::Sublinear), "{report}");
}

/// A buffer grows by 12 blocks in each step, and a copy of it is held while it is gone
/// through: for longer and longer. The floor of the whole is at the odd moment without a
/// copy, and whether a window has one late is chance.
#[test]
fn a_buffer_whose_copies_come_and_go() {
    #[derive(Default)]
    struct Buffered {
        rows: Vec<Vec<u64>>,
        copy: Option<Vec<Vec<u64>>>,
        done_ms: u64,
    }
    let run = |steps| {
        Scenario::new("growing-copy")
            .steps(steps)
            .run(Buffered::default, |buffered, i| {
                // A step is the 1,000 ms from here on; in the first 110 a pass may end.
                let begin_ms = i * 1_000;
                buffered.rows.extend((0..12).map(|row| vec![row]));
                if buffered.done_ms <= begin_ms {
                    buffered.copy = Some(buffered.rows.clone());
                    buffered.done_ms = begin_ms + buffered.rows.len() as u64 * 6;
                }
                if buffered.done_ms <= begin_ms + 110 {
                    buffered.copy = None;
                }
            })
    };
    for steps in [10, 20, 40, 100] {
        let report = run(steps);
        assert_growing(&report);
    }
}

/// Blocks of random size up to 1 MB come and go, one in each step, and text is appended.
fn text_under_noise(name: &str, letter_every: u64) -> Report {
    Scenario::new(name).steps(10_000).run(
        || (vec![0_u8; 1], String::new()),
        |(block, text), i| {
            let size = 1 + mixed(i) % 1_000_000;
            *block = Vec::with_capacity(usize::try_from(size).unwrap_or(1));
            if i % letter_every == letter_every - 1 {
                text.push('.');
            }
        },
    )
}

#[test]
fn one_byte_every_100_steps_under_blocks_of_random_size() {
    let report = text_under_noise("letters-under-noise", 100);
    assert_growing(&report);
    let reason = report.verdict().reason();
    assert!(reason.contains("; at String in "), "{reason}");
    assert_bounded(&text_under_noise("noise", u64::MAX));
}

#[test]
fn a_slow_leak_beside_a_slow_shrink_of_equal_size() {
    let report = Scenario::new("leak-beside-shrink")
        .steps(1_000)
        .diagnose(true)
        .run(
            || {
                let shrinking: Vec<_> = (0..16_000_u64).map(Box::new).collect();
                (shrinking, Vec::with_capacity(100_000))
            },
            |(shrinking, kept), i| {
                shrinking.pop();
                kept.push(Box::new(i));
            },
        );
    assert_growing(&report);
}

/// Entries of one code path take the place of another's: one site rises while another falls,
/// until all are replaced.
#[test]
fn a_cache_whose_entries_another_path_replaces() {
    let report = Scenario::new("handover").steps(2_000).diagnose(true).run(
        || {
            (0..10_000)
                .map(|n| vec![n; 4].into_boxed_slice())
                .collect::<Vec<_>>()
        },
        |entries, i| {
            let index = usize::try_from(i % 10_000).unwrap_or(0);
            entries[index] = Box::new([i; 4]);
        },
    );
    assert_bounded(&report);
}

/// A cache decays while something grows behind it, more slowly.
#[test]
fn a_cache_that_decays_hides_no_leak() {
    let report = Scenario::new("decay").steps(10_000).run(
        || {
            let cache: Vec<_> = (0..20_000_u64).map(Box::new).collect();
            (cache, Vec::with_capacity(100_000))
        },
        |(cache, kept), i| {
            if i % 3 == 2 {
                cache.pop();
            }
            if i % 37 == 36 {
                kept.push(Box::new(i));
            }
        },
    );
    assert_growing(&report);
}

/// What leaks is kept in pages that double, in a static. A second run in the same process
/// starts with the pages that the first has filled, and may find room in them for all its
/// steps.
#[test]
fn a_leak_into_pages_that_a_static_keeps() {
    static PAGES: Mutex<Vec<Vec<u64>>> = Mutex::new(Vec::new());
    let report = Scenario::new("pages").steps(500).run(
        || (),
        |(), i| {
            // What comes and goes hides nothing of the size of a page.
            let noise = vec![0_u8; usize::try_from(1 + mixed(i) % 64).unwrap_or(1)];
            let mut pages = PAGES.lock().expect("nothing in it panics");
            if pages
                .last()
                .is_none_or(|page| page.len() == page.capacity())
            {
                let slots = 32 << pages.len();
                pages.push(Vec::with_capacity(slots));
            }
            let page = pages.last_mut().expect("there is one");
            page.push(noise.len() as u64);
        },
    );
    assert_growing(&report);
}

#[test]
fn a_chunk_every_7_000_steps() {
    let report = Scenario::new("chunks").steps(10_000).run(
        || Vec::with_capacity(1_000),
        |chunks: &mut Vec<Vec<u8>>, i| {
            if i % 7_000 == 6_999 {
                chunks.push(vec![0; 65_536]);
            }
        },
    );
    assert_growing(&report);
}

/// Snapshots are kept, each smaller than the one before beside what there is.
#[test]
fn jumps_of_one_block_that_get_rarer_are_a_logarithm() {
    let report = Scenario::new("rarer").steps(5_000).run(
        || (Vec::with_capacity(1_000), 1.0_f64),
        |(kept, next), i| {
            if i as f64 >= *next {
                kept.push(vec![0_u8; 512]);
                *next = (*next * 1.13).max(*next + 1.0);
            }
        },
    );
    assert_bounded(&report);
    assert_eq!(report.verdict().law(), Some(Law::Logarithmic), "{report}");
}

#[test]
fn batches_that_grow_while_the_floor_rests() {
    let report =
        Scenario::new("batches")
            .steps(2_000)
            .run(Vec::new, |batch: &mut Vec<Box<u64>>, i| {
                if i % 50 == 0 {
                    *batch = Vec::new();
                } else {
                    batch.extend((0..=i / 50).map(Box::new));
                }
            });
    assert_growing(&report);
    let reason = report.verdict().reason();
    assert!(reason.starts_with("the average level rises"), "{reason}");
}

#[test]
fn an_index_that_grows_beside_a_cache_of_random_sizes() {
    let report = Scenario::new("index").steps(5_000).run(
        || (vec![Vec::new(); 100], Vec::new()),
        |(cache, index): &mut (Vec<Vec<u8>>, Vec<u64>), i| {
            let slot = usize::try_from(mixed(i) % 100).unwrap_or(0);
            let size = usize::try_from(mixed(i ^ 5) % 20_000).unwrap_or(0);
            cache[slot] = Vec::with_capacity(size);
            index.push(i);
        },
    );
    assert_growing(&report);
}

#[test]
fn a_run_is_extended_until_it_would_detect_what_was_asked_for() {
    let ring = |scenario: Scenario| {
        scenario.run(
            || (vec![0_u64; 64], Vec::with_capacity(100)),
            |(ring, kept), i| {
                ring[(i % 64) as usize] = i;
                if i % 20_000 == 19_999 {
                    kept.push(Box::new(i));
                }
            },
        )
    };
    let short = ring(Scenario::new("undetected").steps(1_000));
    assert_bounded(&short);
    assert_eq!(short.extended_steps(), 1_000);
    let long = ring(
        Scenario::new("detected")
            .steps(1_000)
            .detect(ByteSize::b(8), 20_000),
    );
    assert_growing(&long);
}

#[test]
fn a_ring_in_a_static_that_the_rehearsal_began_to_fill() {
    thread_local! {
        static RING: RefCell<VecDeque<u64>> = RefCell::default();
    }
    let report = Scenario::new("ring in a static").steps(10_000).run(
        || (),
        |(), i| {
            RING.with_borrow_mut(|ring| {
                ring.push_back(i);
                if ring.len() > 100 {
                    ring.pop_front();
                }
            });
        },
    );
    // It allocates nothing in its steps: it makes larger what was there before.
    assert_eq!(report.total_blocks(), 0);
    assert_bounded(&report);
}
