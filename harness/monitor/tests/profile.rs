//! A profile on request, of a service that has highwater's allocator.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![forbid(unsafe_code)]

use highwater_monitor::{ProfileError, Recording};
use highwater_reports::heap_profile::HeapProfile;
use std::hint::black_box;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// There is one recording at a time, so these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[inline(never)]
fn open_session() -> Box<[u8; 1_000]> {
    black_box(Box::new([0; 1_000]))
}

#[test]
fn what_is_live_is_told_as_text_as_pprof_and_as_a_page() {
    let _turn = turn();
    let before = open_session();
    let recording = Recording::start().expect("nobody records");
    let sessions: Vec<_> = (0..500).map(|_| open_session()).collect();
    drop(open_session());
    let profile = recording.finish().expect("there are symbols");
    assert!(profile.live_bytes() >= 500_000);
    let (largest, _) = profile.sites().next().expect("there is one");
    assert_eq!(largest[0].function(), "profile::open_session");
    assert_eq!(largest[0].file(), Some("harness/monitor/tests/profile.rs"));
    let text = profile.to_string();
    let of_sessions = "500 kB in 500 blocks, Box<[u8; 1000]>\n  profile::open_session  \
                       harness/monitor/tests/profile.rs:";
    assert!(text.contains(of_sessions), "{text}");

    let directory = tempfile::tempdir().expect("there is room");
    let path = directory.path().join("heap.pb.gz");
    std::fs::write(&path, profile.pprof()).expect("there is room");
    let read = HeapProfile::read(&path).expect("it is one");
    assert_eq!(
        (read.value.as_str(), read.sampled_bytes),
        ("inuse_space", Some(1))
    );
    let (time, since) = read.time_nanos.zip(read.since_nanos).expect("it says when");
    assert!(since < time);
    assert!(read.stacks().any(|(_, bytes)| bytes == 500_000));

    let page = profile.page();
    for part in [
        "still live",
        "profile::open_session",
        "Box&lt;[u8; 1000]&gt;",
        "500,000 B",
        "what was allocated before is not in it",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    drop((before, sessions));
}

/// It says so, and is no page of nothing.
#[test]
fn a_second_one_is_refused() {
    let _turn = turn();
    let first = Recording::start().expect("nobody records");
    assert_eq!(Recording::start().err(), Some(ProfileError::Busy));
    drop(first);
    drop(Recording::start().expect("the first is over"));
    let errors = [
        ProfileError::Busy,
        ProfileError::NotInstalled,
        ProfileError::NoStacks,
        ProfileError::NoNames,
    ];
    let errors = errors.map(|error| error.to_string()).join("\n\n");
    insta::assert_snapshot!(errors);
}

#[test]
fn profiles_of_one_recording_go_on() {
    let _turn = turn();
    let recording = Recording::start().expect("nobody records");
    let mut sessions = Vec::with_capacity(10);
    let mut live = Vec::new();
    for _ in 0..3 {
        sessions.push(open_session());
        let profile = recording.profile().expect("there are symbols");
        let (_, of_sessions) = profile.sites().find(is_of_session).expect("it is there");
        live.push(of_sessions);
    }
    assert_eq!(live, [1_000, 2_000, 3_000]);
    drop(sessions);
}

fn is_of_session((frames, _): &(&[highwater::Frame], u64)) -> bool {
    frames
        .first()
        .is_some_and(|frame| frame.function() == "profile::open_session")
}
