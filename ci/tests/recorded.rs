//! Profiles that a service has written while it ran, judged by the tool.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![forbid(unsafe_code)]

#[path = "support/mod.rs"]
mod project;

use cargo_highwater::exit_code::{FAILED, NO_ANSWER};
use highwater::__private::Recording;
use highwater_reports::recorded::Recorded;
use std::collections::VecDeque;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// A service that forgets to close sessions, and keeps the last prices.
#[derive(Default)]
struct Service {
    sessions: Vec<Box<[u8]>>,
    prices: VecDeque<Box<[u8]>>,
}

const LEAKS_AT: u32 = line!() + 5;

impl Service {
    #[inline(never)]
    fn open_session(&mut self) {
        self.sessions.push(black_box(Box::from([0; 1_000])));
    }

    #[inline(never)]
    fn remember_price(&mut self) {
        self.prices.push_back(black_box(Box::from([0; 100])));
        if self.prices.len() > 200 {
            self.prices.pop_front();
        }
    }

    fn ten_minutes(&mut self) {
        for _ in 0..50 {
            self.open_session();
            self.remember_price();
        }
    }
}

/// A series of one recording, one profile every ten minutes of a clock that is made up.
fn series(directory: &Path) -> Vec<PathBuf> {
    let mut service = Service::default();
    service.sessions.reserve(10_000);
    let recording = Recording::start().expect("nobody records");
    let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let path = |number: u32| directory.join(format!("heap.{number:02}.pb.gz"));
    for number in 1..=40 {
        service.ten_minutes();
        let lasted = Duration::from_mins(10) * number;
        let program = "/srv/shop".to_owned();
        let recorded = Recorded::new(program, (began, lasted), (0, 0), &recording.levels());
        fs::write(path(number), recorded.pprof()).expect("there is room");
    }
    (1..=40).map(path).collect()
}

fn judge(paths: &[PathBuf]) -> (Option<i32>, String) {
    let output = project::tool().arg("judge").args(paths).output();
    let output = output.expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn a_leak_is_told_by_profiles_of_one_recording_and_by_no_others() {
    let directory = tempfile::tempdir().expect("there is room");
    let mut paths = series(directory.path());
    let (code, text) = judge(&paths);
    assert_eq!(code, Some(i32::from(FAILED)), "{text}");
    let (answer, _) = text
        .split_once("\n40 profiles")
        .expect("what was judged follows");
    let answer = answer.replace("\n ", "");
    let expected = format!(
        "stacks grows, by 300 kB an hour: in `<Service>::open_session` at \
         ci/tests/recorded.rs:{LEAKS_AT}"
    );
    assert!(
        answer.starts_with("1 of ") && answer.ends_with(&expected),
        "{text}"
    );
    let of_price = text.split_once("<Service>::remember_price");
    let (_, of_price) = of_price.expect("it is there");
    let (of_price, _) = of_price.split_once("\n\n").expect("it ends");
    assert!(of_price.contains("bounded"), "{text}");

    // Each of them alone tells nothing of the others.
    let another = Recording::start().expect("nobody records");
    let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_030_000);
    let program = "/srv/shop".to_owned();
    let lasted = Duration::from_secs(30);
    let recorded = Recorded::new(program, (began, lasted), (0, 0), &another.levels());
    let path = directory.path().join("heap.99.pb.gz");
    fs::write(&path, recorded.pprof()).expect("there is room");
    paths.push(path);
    let (code, text) = judge(&paths);
    assert_eq!(code, Some(i32::from(NO_ANSWER)), "{text}");
    assert!(text.contains("are of different recordings"), "{text}");
}
