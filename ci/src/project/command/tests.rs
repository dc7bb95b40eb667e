//! How some of the tests are asked for once more.

use super::*;

fn tests<'a>(arguments: &'a [OsString], only: &'a [String]) -> Tests<'a> {
    Tests {
        directory: Path::new("."),
        target: None,
        reports: Path::new("."),
        environment: Vec::new(),
        arguments,
        only,
    }
}

fn words(text: &str) -> Vec<OsString> {
    text.split_whitespace().map(OsString::from).collect()
}

#[test]
fn names_stand_for_the_filters_of_nextest() {
    let only = ["a::b".to_owned(), "odd, (name)".to_owned()];
    let filter = ["-E", r"test(=a::b) + test(=odd\, (name\))"].map(OsString::from);
    let cases = [
        ("", ""),
        ("-p x some_name --release", "-p x some_name --release"),
        ("-E all() -p x --partition hash:1/4", "-p x"),
        ("-Eall() --filterset=none() --partition=count:1/2 y", "y"),
        ("--workspace -- --skip -E", "--workspace -- --skip -E"),
    ];
    for (arguments, expected) in cases {
        let arguments = words(arguments);
        assert_eq!(tests(&arguments, &[]).nextest_arguments(), arguments);
        let expected = [&filter[..], &words(expected)].concat();
        assert_eq!(tests(&arguments, &only).nextest_arguments(), expected);
    }
}

#[test]
fn names_are_added_for_cargo_test() {
    let only = ["a::b".to_owned(), "c".to_owned()];
    let cases = [
        ("", "-- --exact a::b c"),
        ("-p x name", "-p x name -- --exact a::b c"),
        (
            "-p x -- --nocapture y",
            "-p x -- --exact a::b c --nocapture y",
        ),
    ];
    for (arguments, expected) in cases {
        let arguments = words(arguments);
        assert_eq!(tests(&arguments, &[]).cargo_arguments(), arguments);
        assert_eq!(tests(&arguments, &only).cargo_arguments(), words(expected));
    }
}

#[test]
fn word_of_what_was_not_written_is_found_in_either_place() {
    let [reports, other] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let word = || word_of_unwritten(reports.path(), other.path()).expect("it can be read");
    fs::write(other.path().join(ALL_WRITTEN), "").expect("a file in it");
    assert_eq!(word(), None);
    fs::write(other.path().join("unwritten-1.txt"), "highwater: a\n").expect("a file in it");
    assert_eq!(word().as_deref(), Some("a"));
    // It is kept for those who come later.
    assert!(reports.path().join("unwritten-1.txt").exists());

    let [reports, other] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let word = word_of_unwritten(reports.path(), other.path()).expect("it can be read");
    assert_eq!(word.as_deref(), Some("its test could say no more"));
}
