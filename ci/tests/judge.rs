//! `cargo highwater judge`: series of profiles whose verdict is known, and files that are none.
//!
//! Directories are temporary; in what is compared, their path reads `[DIR]`.

#![forbid(unsafe_code)]

mod support {
    #[path = "../support/profiles.rs"]
    pub(crate) mod profiles;
    #[path = "../support/mod.rs"]
    pub(crate) mod project;
}

use cargo_highwater::exit_code::{FAILED, NO_ANSWER, PASSED};
use std::fs;
use std::path::{Path, PathBuf};
use support::profiles::{Frame, MINUTE, Profile, START, gzip, write};
use support::project;
use tempfile::TempDir;

/// What a stack begins with when `tikv_jemallocator` is the allocator, the innermost first.
const ALLOCATOR: [Frame; 3] = [
    ("_rjem_je_prof_backtrace", "", 0),
    ("__rustc::__rust_alloc", "", 0),
    (
        "alloc::raw_vec::RawVecInner<A>::finish_grow",
        "/rustc/29483883eed69d5fb4db01964cdf2af4d86e9cb2/library/alloc/src/raw_vec/mod.rs",
        769,
    ),
];
const HYPER: &str = "/home/ci/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/hyper-1.6.0/src/proto/h1/dispatch.rs";
const SERVE: [Frame; 6] = [
    ALLOCATOR[0],
    ALLOCATOR[1],
    ALLOCATOR[2],
    (
        "hyper::proto::h1::dispatch::Dispatcher<D,Bs,I,T>::poll_read",
        HYPER,
        210,
    ),
    (
        "hyper::proto::h1::dispatch::Dispatcher<D,Bs,I,T>::poll_loop",
        HYPER,
        170,
    ),
    (
        "shop::sessions::Sessions::serve",
        "/build/shop/src/sessions.rs",
        50,
    ),
];
const PRICES: [Frame; 4] = [
    ALLOCATOR[0],
    ALLOCATOR[1],
    ALLOCATOR[2],
    (
        "shop::prices::Prices::remember",
        "/build/shop/src/prices.rs",
        7,
    ),
];

/// 48 profiles, one every ten minutes; `bytes` are those of the two stacks in each.
fn series(bytes: impl Fn(i64) -> [i64; 2]) -> Vec<Profile> {
    let at = |number: i64| {
        let [serve, prices] = bytes(number);
        let stacks: [(&[Frame], i64); 2] = [(&SERVE, serve), (&PRICES, prices)];
        Profile::of_jemalloc(number * 10, &stacks)
    };
    (0..48).map(at).collect()
}

fn steady() -> Vec<Profile> {
    series(|number| [4_000_000 + number % 5 * 10_000, 9_000_000])
}

fn growing() -> Vec<Profile> {
    series(|number| [4_000_000 + number * 350_000 + number % 3 * 9_000, 9_000_000])
}

struct Judged {
    directory: TempDir,
    text: String,
    errors: String,
    code: u8,
}

/// Judges these files in a directory that is no project.
fn judge(paths: &[PathBuf], options: &[&str], directory: TempDir) -> Judged {
    let here = directory.path().to_owned();
    judge_in(&here, paths, options, directory)
}

fn judge_in(here: &Path, paths: &[PathBuf], options: &[&str], directory: TempDir) -> Judged {
    let mut tool = project::tool();
    tool.arg("judge")
        .args(options)
        .args(paths)
        .current_dir(here);
    let output = tool.output().expect("it starts");
    let path = directory
        .path()
        .to_str()
        .expect("a path in UTF-8")
        .to_owned();
    let redacted = |text: &[u8]| String::from_utf8_lossy(text).replace(&path, "[DIR]");
    let code = output
        .status
        .code()
        .and_then(|code| u8::try_from(code).ok());
    Judged {
        text: redacted(&output.stdout),
        errors: redacted(&output.stderr),
        code: code.expect("no signal ended it"),
        directory,
    }
}

fn judge_all(profiles: impl IntoIterator<Item = Profile>) -> Judged {
    let directory = tempfile::tempdir().expect("there is room");
    let paths = write(directory.path(), profiles);
    judge(&paths, &[], directory)
}

impl Judged {
    /// The verdict and what is printed, in lines that fit.
    #[track_caller]
    fn check(&self, code: u8, name: &str) {
        assert_eq!(self.code, code, "{}{}", self.text, self.errors);
        let is_short = |line: &str| line.chars().count() <= 80;
        assert!(self.text.lines().all(is_short), "{}", self.text);
        insta::assert_snapshot!(name, format!("{}{}", self.text, self.errors));
    }
}

#[test]
fn a_leak_is_told_with_its_site_and_a_test() {
    let directory = tempfile::tempdir().expect("there is room");
    let paths = write(directory.path(), growing());
    let page = directory.path().join("judged.html");
    let judged = judge(&paths, &["--page", &page.to_string_lossy()], directory);
    judged.check(FAILED, "growing");
    let page = fs::read_to_string(page).expect("it was written");
    assert!(page.contains("<h1>1 of 2 stacks grows, by 2.10 MB an hour"));
}

#[test]
fn steady_memory_is_bounded() {
    judge_all(steady()).check(PASSED, "steady");
}

/// Newer versions of `jemalloc_pprof` leave out where the program is.
#[test]
fn a_restart_that_cannot_show_is_told() {
    let unmoved = |profile: Profile| {
        let (file, build, _) = profile.program;
        Profile {
            program: (file, build, 0),
            ..profile
        }
    };
    judge_all(steady().into_iter().map(unmoved)).check(PASSED, "restart-unknown");
    // A leak in a service that is started again every two hours.
    let restarts = series(|number| [100_000 + number % 12 * 900_000, 1_000_000]);
    judge_all(restarts.into_iter().map(unmoved)).check(NO_ANSWER, "restart-likely");
}

#[test]
fn what_replaces_another_is_no_leak_yet() {
    let moves = series(|number| [number * 200_000, 10_000_000 - number * 200_000]);
    judge_all(moves).check(PASSED, "replaces");
}

#[test]
fn times_order_the_profiles() {
    let expected = judge_all(growing());
    let reversed = judge_all(growing().into_iter().rev());
    assert_eq!((reversed.text, reversed.code), (expected.text, FAILED));
}

#[test]
fn without_times_the_arguments_do() {
    let untimed = growing()
        .into_iter()
        .map(|profile| Profile { time: 0, ..profile });
    judge_all(untimed).check(FAILED, "no-times");
    let equal = growing().into_iter().map(|profile| Profile {
        time: profile.time.min(START + 46 * 10 * MINUTE),
        ..profile
    });
    let judged = judge_all(equal);
    assert!(
        judged.text.contains("some of their times are equal"),
        "{}",
        judged.text
    );
    assert_eq!(judged.code, FAILED);
}

/// Go's profiles have four values, a period, and functions named in Go's way.
#[test]
fn profiles_of_go_are_read() {
    let stack: [Frame; 3] = [
        ("bytes.growSlice", "/usr/local/go/src/bytes/buffer.go", 249),
        ("main.(*Sessions).serve", "/src/shop/server/main.go", 50),
        (
            "net/http.(*conn).serve",
            "/usr/local/go/src/net/http/server.go",
            2039,
        ),
    ];
    let at = |number: i64| Profile {
        values: vec![
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ],
        period: 524_288,
        program: ("/usr/bin/shop", "", 0x40_0000),
        stacks: vec![(
            stack.to_vec(),
            vec![
                number * 90,
                number * 900_000,
                8,
                1_000_000 + number * 524_288,
            ],
        )],
        ..Profile::of_jemalloc(number * 60, &[])
    };
    judge_all((0..72).map(at)).check(FAILED, "go");
}

#[test]
fn addresses_do_for_names() {
    let at = |number: i64| {
        let base = 0x5500_0000_0000;
        let leak: &[Frame] = &[("", "", base + 0x1000), ("", "", base + 0x2000)];
        let rest: &[Frame] = &[("", "", base + 0x1000), ("", "", base + 0x3000)];
        let stacks = [(leak, number * 100_000), (rest, 5_000_000)];
        Profile::of_jemalloc(number * 10, &stacks)
    };
    judge_all((0..48).map(at)).check(FAILED, "addresses");
}

/// A function whose address is known.
#[cfg(target_os = "linux")]
fn keeps_more() -> u64 {
    std::hint::black_box(7)
}

/// The program's file, its build, and where the function is: in the part of the file that starts
/// there. None if the linker writes no identifiers of builds.
#[cfg(target_os = "linux")]
fn this_program() -> Option<(String, String, u64, u64, u64)> {
    use object::Object as _;
    let path = std::env::current_exe().expect("it runs");
    let data = fs::read(&path).expect("it is there");
    let id = object::File::parse(&*data).expect("it is ELF").build_id();
    let id = id
        .expect("it is sound")?
        .iter()
        .map(|byte| format!("{byte:02x}"));
    let address = keeps_more as fn() -> u64 as usize as u64;
    let maps = fs::read_to_string("/proc/self/maps").expect("it is Linux");
    let part = maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let offset = number(rest.split(' ').nth(1)?)?;
        let (start, end) = (number(start)?, number(end)?);
        (start..end).contains(&address).then_some((start, offset))
    });
    let (start, offset) = part.expect("it is mapped");
    let path = path.to_str().expect("it is text").to_owned();
    Some((path, id.collect(), start, offset, address + 1))
}

/// As `jemalloc_pprof` writes profiles by default: addresses, and the build.
#[cfg(target_os = "linux")]
#[test]
fn a_program_that_is_here_names_its_functions() {
    let Some((path, build, start, offset, address)) = this_program() else {
        return;
    };
    let (path, build) = (&*path.leak(), &*build.leak());
    let at = |number: i64| {
        let stack: &[Frame] = &[("", "", address)];
        Profile {
            program: (path, build, start),
            offset,
            ..Profile::of_jemalloc(number * 10, &[(stack, number * 100_000)])
        }
    };
    let judged = judge_all((0..48).map(at));
    assert!(
        judged.text.contains("`judge::keeps_more`"),
        "{}",
        judged.text
    );
    let line = "judge::keeps_more  tests/judge.rs:";
    assert!(judged.text.contains(line), "{}", judged.text);
    let other = |profile| Profile {
        program: (path, "b01d", start),
        ..profile
    };
    let judged = judge_all((0..48).map(at).map(other));
    assert!(
        judged.text.contains("functions are not known"),
        "{}",
        judged.text
    );
}

#[test]
fn names_command_no_terminal_and_break_no_line() {
    let at = |number: i64| {
        let hostile: [Frame; 1] = [("a::b\n\u{1b}[2Jfine", "/x/\u{202e}lib\n.rs", 1)];
        Profile::of_jemalloc(number * 10, &[(&hostile, number * 100_000)])
    };
    let judged = judge_all((0..48).map(at));
    let hidden = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
    assert!(!judged.text.contains(hidden), "{}", judged.text);
    assert!(
        judged.text.contains("a::b\\n\\u{1b}[2Jfine"),
        "{}",
        judged.text
    );
}

#[test]
fn too_few_profiles_are_counted() {
    judge_all(growing().into_iter().take(31)).check(NO_ANSWER, "too-few");
    assert_eq!(judge_all([]).code, NO_ANSWER);
}

#[test]
fn profiles_of_other_processes_are_refused() {
    let other = |program| {
        let mut profiles = growing();
        profiles[40].program = program;
        judge_all(profiles)
    };
    let (file, build, start) = growing()[0].program;
    other(("/srv/bin/till", build, start)).check(NO_ANSWER, "other-program");
    other((file, "b02d", start)).check(NO_ANSWER, "other-build");
    other((file, build, start + 0x1000)).check(NO_ANSWER, "restarted");
}

#[test]
fn long_gaps_are_refused() {
    let mut profiles = growing();
    for profile in &mut profiles[24..] {
        profile.time += 10_000 * MINUTE;
    }
    judge_all(profiles).check(NO_ANSWER, "gap");
}

/// Judges a sound series in which one file has these bytes.
fn judge_with(bytes: &[u8]) -> Judged {
    let directory = tempfile::tempdir().expect("there is room");
    let paths = write(directory.path(), growing());
    fs::write(&paths[5], bytes).expect("there is room");
    judge(&paths, &[], directory)
}

#[test]
fn files_that_are_no_heap_profiles_are_refused() {
    let plain = growing()[5].encode();
    assert_eq!(judge_with(&plain).code, FAILED, "compressed or not");
    let packed = gzip(&plain);
    judge_with(&packed[..packed.len() / 2]).check(NO_ANSWER, "cut-off");
    judge_with(&plain[..plain.len() - 5]).check(NO_ANSWER, "cut-off-plain");
    judge_with(&[]).check(NO_ANSWER, "empty");
    judge_with(b"{\"dhatFileVersion\":2}").check(NO_ANSWER, "json");
    judge_with(b"heap_v2/524288\n  t*: 1: 2 [0: 0]\n").check(NO_ANSWER, "jemalloc-text");
    judge_with(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff]).check(NO_ANSWER, "gzip-damaged");
    let cpu = Profile {
        values: vec![("samples", "count"), ("cpu", "nanoseconds")],
        ..growing().remove(5)
    };
    judge_with(&cpu.encode()).check(NO_ANSWER, "cpu");
    let missing = Profile {
        values: vec![("alloc_space", "bytes"), ("inuse_space", "bytes")],
        ..growing().remove(5)
    };
    judge_with(&missing.encode()).check(NO_ANSWER, "values-missing");
}

#[test]
fn no_file_takes_more_than_its_share() {
    // 100 MB of texts, packed in less than 1 MB.
    let bomb = gzip(&vec![b'2'; 100_000_000]);
    assert!(bomb.len() < 1_000_000);
    judge_with(&bomb).check(NO_ANSWER, "bomb");
    // Two million samples without anything.
    let empty = [0x12, 0x00].repeat(2_000_000);
    judge_with(&gzip(&empty)).check(NO_ANSWER, "many-parts");
    // Stacks of a million frames each.
    let frames = |number: usize| {
        let names = ["a::a", "a::b", "a::c", "a::d", "a::e"];
        let mut frames = vec![("a::f", "", 1); 1_000_000];
        frames.push((names[number], "", 1));
        frames
    };
    let deep = Profile {
        stacks: (0..5).map(|number| (frames(number), vec![1])).collect(),
        ..growing().remove(5)
    };
    judge_with(&deep.encode()).check(NO_ANSWER, "deep");
    let mut long = vec![0x32, 0x80, 0x80, 0x80, 0x02];
    long.resize(5 << 20, b'a');
    judge_with(&long).check(NO_ANSWER, "long-part");
}

#[test]
fn files_that_are_not_there_are_named() {
    let directory = tempfile::tempdir().expect("there is room");
    let paths: Vec<_> = (0..40)
        .map(|number| directory.path().join(format!("{number}")))
        .collect();
    judge(&paths, &[], directory).check(NO_ANSWER, "not-there");
}

/// A report whose only call site is this function's.
fn report(function: &str, file: &str) -> String {
    let mut report: serde_json::Value = serde_json::from_str(project::REPORT).expect("JSON");
    report["diagnosis"] = serde_json::json!({
        "first_step": 0, "last_step": 10, "growth_bytes": 0, "explained_bytes": 0,
        "lost_blocks": 0, "sites": [{
            "type": null, "growth_bytes": 0, "growth_blocks": 0, "live_bytes": 0,
            "live_blocks": 0, "peak_bytes": null, "peak_blocks": null, "total_blocks": 1,
            "verdict": "bounded",
            "frames": [
                {"function": "Slab::insert", "file": "slab-0.4.12/src/lib.rs", "line": 3},
                {"function": function, "file": file, "line": 48},
            ],
        }],
    });
    report.to_string()
}

#[test]
fn scenarios_of_the_project_are_looked_at() {
    let service = project::Project::plain("");
    service.write("src/sessions.rs", "");
    let judge = || {
        let directory = tempfile::tempdir().expect("there is room");
        let paths = write(directory.path(), growing());
        judge_in(service.path(), &paths, &[], directory)
    };
    let told = |name: &str| {
        let judged = judge();
        let (_, next) = judged.text.split_once("\n2.").expect("the leak's rate");
        insta::assert_snapshot!(name, format!("2.{next}"));
        assert_eq!(judged.code, FAILED);
    };
    told("no-reports");
    service.write("target/highwater/x.json", project::REPORT);
    told("no-call-stacks");
    service.write(
        "target/highwater/x.json",
        &report("Prices::remember", "src/prices.rs"),
    );
    told("not-covered");
    let covering = report("<Sessions>::serve::{closure#0}", "src/sessions.rs");
    service.write("target/highwater/x.json", &covering);
    told("covered");
}

#[test]
fn all_stacks_are_in_the_json() {
    let directory = tempfile::tempdir().expect("there is room");
    let paths = write(directory.path(), growing());
    let json = directory.path().join("judged.json");
    let options = ["--top", "1", "--json", json.to_str().expect("it is text")];
    let judged = judge(&paths, &options, directory);
    assert!(
        judged.text.contains("and 1 more; --top N prints N stacks"),
        "{}",
        judged.text
    );
    let text = fs::read_to_string(judged.directory.path().join("judged.json"));
    let json: serde_json::Value = serde_json::from_str(&text.expect("it is there")).expect("JSON");
    let schema = include_str!("../../docs/judge.schema.json");
    let schema = serde_json::from_str(schema).expect("JSON");
    jsonschema::validate(&schema, &json).expect("it is as published");
    assert_eq!(json["schema"], 1);
    assert_eq!(json["per"], "hour");
    assert_eq!(json["stacks"].as_array().map(Vec::len), Some(2));
    let leak = &json["stacks"][0];
    assert_eq!(leak["state"], "growing");
    let site = leak["site"]
        .as_u64()
        .and_then(|site| usize::try_from(site).ok());
    assert_eq!(leak["frames"][site.expect("it is known")]["line"], 50);
    assert_eq!(leak["bytes"].as_array().map(Vec::len), Some(48));
}
