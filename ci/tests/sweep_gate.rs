//! `cargo highwater sweep` as a gate: against baselines, and against another revision.

#![forbid(unsafe_code)]
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod support;

use std::fs;
use std::path::PathBuf;
use support::Project;

/// Tests that hold, leave and free so many bytes.
const TESTS: &str = r"
use std::hint::black_box;

fn leave(bytes: usize) {
    if bytes > 0 {
        std::mem::forget(black_box(vec![1_u8; bytes]));
    }
}

#[test]
fn old_leak() { leave(OLD) }
#[test]
fn sound() { leave(SOUND) }
#[test]
fn large() { drop(black_box(vec![1_u8; PEAK])) }
";

fn source(old: u32, sound: u32, peak: u32) -> String {
    TESTS
        .replace("OLD", &old.to_string())
        .replace("SOUND", &sound.to_string())
        .replace("PEAK", &peak.to_string())
}

/// The one file of baselines.
fn baselines(project: &Project) -> PathBuf {
    let folders = fs::read_dir(project.path().join("sweep-baselines")).expect("there are some");
    let folders: Vec<_> = folders
        .map(|entry| entry.expect("a folder").path())
        .collect();
    assert_eq!(folders.len(), 1);
    let name = folders[0].file_name().expect("a name").to_string_lossy();
    assert!(
        name.starts_with("x86_64-linux-gnu-debug-rustc-1."),
        "{name}"
    );
    folders[0].join("orders.toml")
}

/// What is said of changes: without the table, whose figures depend on the standard library.
fn changes(printed: &str) -> String {
    let is_it = |line: &&str| line.starts_with("against ");
    let compared = printed.lines().find(is_it).unwrap_or_default();
    let lists = printed.split("\n\n").skip(2);
    format!("{compared}\n\n{}", lists.collect::<Vec<_>>().join("\n\n"))
}

/// The peaks are those of the test runner too.
fn without_peaks(text: &str) -> String {
    let cut = |line: &str| match line.split_once("peak_bytes = ") {
        Some((before, rest)) => {
            let (_, rest) = rest.split_once(',').expect("there is more");
            format!("{before}peak_bytes = …,{rest}\n")
        }
        None => format!("{line}\n"),
    };
    text.lines().map(cut).collect()
}

#[test]
fn new_left_overs_and_higher_peaks_fail() {
    let project = Project::plain(&source(1_000, 0, 5_000_000));
    // Without baselines, nothing is said of them.
    let printed = project.run(&["sweep"], 0);
    assert!(!printed.contains("baselines"), "{printed}");
    project.run(&["sweep", "--bless"], 0);
    let path = baselines(&project);
    let recorded = fs::read_to_string(&path).expect("it is written");
    insta::assert_snapshot!(without_peaks(&recorded));
    let printed = project.run(&["sweep"], 0);
    assert!(
        printed.contains("\nagainst the baselines: no change\n"),
        "{printed}"
    );

    // Old left-overs pass, and so do peaks within the tolerance.
    project.write("lib.rs", &source(1_000, 300, 5_400_000));
    let printed = project.run(&["sweep", "--sites", "0", "--junit", "junit.xml"], 1);
    insta::assert_snapshot!(changes(&printed));
    let xml = fs::read_to_string(project.path().join("junit.xml")).expect("it is written");
    assert!(
        xml.contains(
            "<testsuite name=\"orders\" tests=\"3\" skipped=\"0\" errors=\"0\" failures=\"1\""
        ),
        "{xml}"
    );
    assert!(
        xml.contains("<failure message=\"left 300 B in 1 block, all unreachable, before nothing"),
        "{xml}"
    );
    project.write("lib.rs", &source(1_000, 0, 6_000_000));
    let printed = project.run(&["sweep"], 1);
    assert!(printed.contains("\nworse:\n  large: peak 6.0"), "{printed}");
    let site = "\nlarge, at the peak:\n  6.00 MB in 1 block: orders::large (lib.rs:";
    assert!(printed.contains(site), "{printed}");
    project.write("highwater.toml", "[sweep]\npeak-tolerance = \"25 %\"\n");
    project.run(&["sweep"], 0);
    project.write("highwater.toml", "[sweep]\npeak-tolerance = \"much\"\n");
    let said = project.refuse(&["sweep"]);
    assert!(
        said.contains("is no share: write a whole number, such as \"10 %\""),
        "{said}"
    );
}

#[test]
fn what_is_better_new_or_gone_is_to_be_recorded() {
    let project = Project::plain(&source(1_000, 0, 5_000_000));
    project.run(&["sweep", "--bless"], 0);
    let changed = source(400, 0, 5_000_000).replace("fn sound()", "fn sound_too()");
    project.write("lib.rs", &changed);
    let printed = project.run(&["sweep", "--sites", "0"], 3);
    let printed = changes(&printed);
    let (before, rest) = printed.split_once("sound_too: peak ").expect("it is new");
    let (_, rest) = rest.split_once(", left ").expect("what it left");
    insta::assert_snapshot!(format!("{before}sound_too: peak …, left {rest}"));
    // A part of the tests says nothing of the others.
    project.run(&["sweep", "--", "--", "large"], 0);
    project.run(&["sweep", "--bless", "--", "--", "old"], 0);
    let recorded = fs::read_to_string(baselines(&project)).expect("it is written");
    assert!(recorded.contains("\nsound = "), "{recorded}");
    assert!(recorded.contains("left_bytes = 400,"), "{recorded}");
    project.run(&["sweep", "--bless"], 0);
    let recorded = fs::read_to_string(baselines(&project)).expect("it is written");
    assert!(!recorded.contains("\nsound = "), "{recorded}");
    project.run(&["sweep"], 0);
    // A test that is new and leaves memory behind fails at once.
    let more = "#[test]\nfn more() { leave(7) }\n";
    project.write("lib.rs", &(changed + more));
    let printed = project.run(&["sweep"], 1);
    assert!(
        printed.contains("\nworse:\n  more: new, peak "),
        "{printed}"
    );
    fs::write(
        baselines(&project),
        "version = 1\n[binary.orders]\nlarge = 3\n",
    )
    .expect("it is there");
    let said = project.refuse(&["sweep"]);
    let at = said.find("error: ").expect("an error");
    let folder = baselines(&project);
    let folder = folder
        .parent()
        .and_then(|path| path.file_name())
        .expect("a name");
    insta::assert_snapshot!(said[at..].replace(&*folder.to_string_lossy(), "[FOLDER]"));
}

#[test]
fn what_is_left_is_accepted_by_the_signature_of_its_call_site() {
    let project = Project::plain(&source(0, 0, 5_000_000));
    project.run(&["sweep", "--bless"], 0);
    project.write("lib.rs", &source(0, 300, 5_000_000));
    let printed = project.run(&["sweep"], 1);
    let site = &printed[printed.find("sound, left:").expect("its call site")..];
    let (_, rest) = site.split_once("\n    signature ").expect("a signature");
    let signature = rest[..16].to_owned();
    let entry = |more: &str| {
        let entry = format!(
            "[[accepted-left]]\ntest = \"so*\"\nsignature = \"{signature}\"\n\
             reason = \"names live as long as the process\"\n{more}"
        );
        project.write("highwater.toml", &entry);
    };
    let told = |code| {
        let printed = changes(&project.run(&["sweep", "--sites", "0"], code));
        printed.replace(&signature, "[SIGNATURE]")
    };
    entry("");
    insta::assert_snapshot!("accepted", told(0));
    // Lines move, and sizes too.
    project.write("lib.rs", &format!("\n\n{}", source(0, 400, 5_000_000)));
    assert!(told(0).contains("\naccepted:\n  sound: left 400 B in 1 block, "));
    // More than what is accepted is not.
    let more = "#[test]\nfn sound_too() { leave(7) }\n";
    project.write("lib.rs", &(source(0, 400, 5_000_000) + more));
    let printed = told(1);
    assert!(
        printed.contains("against the baselines: 1 worse\n"),
        "{printed}"
    );
    project.write("lib.rs", &source(0, 300, 5_000_000));
    entry("until = \"2020-02-29\"\n");
    insta::assert_snapshot!("accepted-until", told(1));
    entry("");
    project.write("lib.rs", &source(0, 0, 5_000_000));
    insta::assert_snapshot!("accepted-and-gone", told(3));
    project.write(
        "lib.rs",
        &source(0, 0, 5_000_000).replace("fn sound()", "fn a()"),
    );
    let printed = told(3);
    assert!(
        printed.contains("accepts what `so*` leaves, and there is no such test"),
        "{printed}"
    );
}

#[test]
fn another_revision_is_compared_with() {
    let project = Project::plain(&source(1_000, 0, 5_000_000));
    project.commit("sound");
    project.write("lib.rs", &source(1_000, 300, 5_000_000));
    let output = project.highwater(&["sweep", "--sites", "0", "--base", "HEAD"]);
    let [printed, said] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert_eq!(output.status.code(), Some(1), "{printed}\n{said}");
    assert!(
        said.contains("running 1 test again, for figures changed"),
        "{said}"
    );
    insta::assert_snapshot!(changes(&printed));
    // What failed in the base was there, so what it leaves now is not new.
    let failing = TESTS.replace("leave(SOUND)", "panic!()");
    let failing = failing.replace("OLD", "1_000").replace("PEAK", "5_000_000");
    project.write("lib.rs", &failing);
    project.commit("failing");
    project.write("lib.rs", &source(1_000, 300, 5_000_000));
    let printed = project.run(&["sweep", "--base", "HEAD"], 0);
    assert!(
        printed.contains("\nagainst the base HEAD: 1 new\n"),
        "{printed}"
    );
    project.git(&["reset", "--hard", "HEAD~1"]);
    project.write("lib.rs", &source(0, 0, 5_000_000));
    // Nothing is to be recorded.
    let printed = project.run(&["sweep", "--base", "HEAD"], 0);
    assert!(
        printed.contains("\nagainst the base HEAD: 1 better\n"),
        "{printed}"
    );
    project.refuse(&["sweep", "--base", "nothing"]);
    project.refuse(&["sweep", "--base", "HEAD", "--bless"]);
}

#[test]
fn a_test_becomes_a_scenario() {
    let project = Project::new().with_default_features();
    let tests = "#[global_allocator]\nstatic ALLOC: highwater::Alloc = highwater::Alloc::system();\n\
                 #[test]\nfn leaks() { std::mem::forget(std::hint::black_box(vec![1_u8; 100])); }\n\
                 mod inner {\n    #[test]\n    fn sound() { drop(std::hint::black_box(vec![1_u8; 100])); }\n\
                 // HERE\n}\n";
    project.write("lib.rs", tests);
    let leaks = project.run(&["sweep", "--scaffold", "leaks"], 0);
    let sound = project.run(&["sweep", "--scaffold", "inner::sound"], 0);
    let (figures, rest) = sound
        .split_once("// This scenario")
        .expect("it is explained");
    assert!(
        figures.starts_with("// `inner::sound` of orders: peak "),
        "{figures}"
    );
    insta::assert_snapshot!(format!("// This scenario{rest}"));
    project.write("lib.rs", &(tests.replace("// HERE", &sound) + &leaks));
    let printed = project.run(&["run"], 1);
    let verdict = |name: &str| {
        let line = printed.lines().find(|line| line.contains(name));
        line.unwrap_or_default().to_owned()
    };
    assert!(verdict("leaks_again").contains("growing"), "{printed}");
    assert!(verdict("sound_again").contains("bounded"), "{printed}");
    let said = project.refuse_with_output(&["sweep", "--scaffold", "other"]);
    insta::assert_snapshot!(said.lines().last().unwrap_or_default());
}

#[test]
fn not_every_test_becomes_a_scenario() {
    let project = Project::plain("#[test]\nfn fails() { panic!(\"as it should\") }\n");
    let output = project.highwater(&["sweep", "--scaffold", "fails"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert!(
        said.contains("---- orders fails ----") && said.contains("as it should"),
        "{said}"
    );
    let last = said.lines().last();
    assert_eq!(
        last,
        Some("highwater: there is no scenario for a test that fails")
    );
    // Names of another harness are no functions.
    let listing = "fn main() { if !std::env::args().any(|a| a == \"--ignored\") { \
                   println!(\"one: test\") } }";
    project.write("tests/lists.rs", listing);
    project.append_to_manifest("[[test]]\nname = \"lists\"\nharness = false\n");
    let said = project.refuse_with_output(&["sweep", "--scaffold", "one"]);
    insta::assert_snapshot!(said.lines().last().unwrap_or_default());
}

#[test]
fn wrong_baselines_are_found_before_the_tests_run() {
    let project = Project::plain("#[test]\nfn fails() { panic!(\"as it should\") }\n");
    let output = project.highwater(&["sweep", "--bless"]);
    assert_eq!(output.status.code(), Some(1));
    // What failed is told once.
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("as it should").count(), 1, "{said}");
    fs::write(baselines(&project), "version = 2\n").expect("it is there");
    let said = project.refuse(&["sweep"]);
    assert!(said.contains("`version` is 2"), "{said}");
    assert!(!said.contains("as it should"), "{said}");
    project.commit("sound");
    project.write("highwater.toml", "wrong");
    project.commit("wrong");
    fs::remove_file(project.path().join("highwater.toml")).expect("it is there");
    let said = project.refuse(&["sweep", "--base", "HEAD"]);
    assert!(!said.contains("as it should"), "{said}");
}
