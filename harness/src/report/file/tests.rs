//! What becomes of two reports with one name, and of one that can't be written.

use super::{ALL_WRITTEN, Relation, leave_word, publish, relation, write_atomically};
use std::fs;
use std::path::{Path, PathBuf};

fn report(line: u32, test: &str, steps: u32) -> String {
    format!(
        "{{\n  \"name\": \"x\",\n  \"location\": {line},\n  \"test\": \"{test}\",\n  \
         \"steps\": {steps}\n}}\n"
    )
}

#[test]
fn reports_of_another_place_or_test_say_something_else() {
    let first = report(1, "a", 1);
    let cases = [
        (report(1, "a", 1), Relation::Alike),
        (report(2, "b", 1), Relation::Alike),
        (report(1, "a", 2), Relation::Differs),
        (report(2, "a", 2), Relation::OfAnother),
        (report(1, "b", 2), Relation::OfAnother),
    ];
    for (other, expected) in cases {
        assert_eq!(relation(&first, &other), expected, "{other}");
    }
}

#[test]
fn how_memory_is_explained_makes_no_other_report() {
    let report = |sites: &str, explanation: &str| {
        format!(
            "{{\n  \"location\": 1,\n  \"test\": \"a\",\n  \"steps\": 1,\n  \"diagnosis\": {{\n    \
             \"sites\": [\n      {sites}\n    ]\n  }},\n  \"explanation\": \"{explanation}\"\n}}\n"
        )
    };
    let first = report("{\"type\": \"A\"}", "held by state");
    let second = report("{\"type\": \"B\"}", "lost");
    assert_eq!(relation(&first, &second), Relation::Alike);
    let other = second.replace("\"steps\": 1", "\"steps\": 2");
    assert_eq!(relation(&first, &other), Relation::Differs);
}

/// An empty directory for the test of this name.
fn directory(test: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("highwater-{test}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    directory
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is there").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.collect()
}

#[test]
fn the_first_of_many_at_a_time_is_published_once() {
    let directory = directory("published");
    let path = directory.join("x.json");
    let firsts = std::thread::scope(|scope| {
        let publish = |i: usize| publish(&path, &i.to_string()).expect("it is ours");
        let threads: Vec<_> = (0..8).map(|i| scope.spawn(move || publish(i))).collect();
        let firsts = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        firsts.filter(|first| *first).count()
    });
    assert_eq!(firsts, 1);
    let first = fs::read_to_string(&path).expect("it was written");
    write_atomically(&path, "again").expect("it is ours");
    assert!(first.len() == 1 && fs::read_to_string(&path).is_ok_and(|text| text == "again"));
    assert_eq!(names(&directory), ["x.json"], "nothing unfinished is left");
    fs::remove_dir_all(&directory).expect("it is ours");
}

#[test]
fn word_of_what_was_not_written_is_left_where_that_is_possible() {
    let directory = directory("unwritten");
    let [reports, fallback, file] =
        ["reports", "fallback", "file"].map(|name| directory.join(name));
    fs::create_dir_all(&fallback).expect("a directory");
    fs::write(fallback.join(ALL_WRITTEN), "").expect("a file in it");
    fs::write(&file, "").expect("a file");
    let marker = |directory: &Path| {
        let names = names(directory);
        let is_marker = |name: &&String| name.starts_with("unwritten-");
        names.iter().filter(is_marker).count()
    };

    leave_word("lost", &reports, Some(&fallback));
    assert_eq!((marker(&reports), marker(&fallback)), (1, 0));
    // There can be no directory where a file is.
    leave_word("lost", &file, Some(&fallback));
    assert_eq!(marker(&fallback), 1);
    assert!(fallback.join(ALL_WRITTEN).exists());
    let blocked = fallback.join(format!("unwritten-{:016x}.txt", super::fnv1a(b"lost too")));
    fs::create_dir(blocked).expect("a directory in place of the file");
    leave_word("lost too", &file, Some(&fallback));
    assert!(!fallback.join(ALL_WRITTEN).exists());
    fs::remove_dir_all(&directory).expect("it is ours");
}
