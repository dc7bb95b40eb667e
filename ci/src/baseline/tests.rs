//! The file of a baseline: what it looks like, and that what was written is read.

use super::*;

fn report() -> Report {
    serde_json::from_str(include_str!("../../reports/tests/data/bounded.json")).expect("a report")
}

#[test]
fn a_file_has_one_figure_a_line() {
    let mut report = report();
    report.growth_bytes = -1_234_567;
    report.variant = Some("of two".to_owned());
    let text = "\
highwater baseline 1

scenario       last-hundred (of two)
steps          10,000
growth         -1,234,567 B
peak           1,024 B
peak bound     0 B
residue        0 B
live           1,024 B
live blocks    1
total          1,024 B
total blocks   1
step bytes     1,024 B
step blocks    1
reallocations  5
verdict        bounded
law            constant
ceiling        growth: 4,096 B
ceiling        peak: 8,192 B
";
    let baseline = Baseline::of(&report);
    assert_eq!(baseline.to_text(), text);
    assert_eq!(Baseline::parse(text), Ok(baseline));
}

/// What only some scenarios have is a line where it was measured.
#[test]
fn a_figure_of_some_scenarios() {
    let mut report = report();
    let without = Baseline::of(&report).to_text();
    assert!(!without.contains("future"), "{without}");
    report.future_bytes = Some(5_000);
    let baseline = Baseline::of(&report);
    let text = baseline.to_text();
    assert!(
        text.contains("reallocations  5\nfuture         5,000 B\nverdict "),
        "{text}"
    );
    assert_eq!(Baseline::parse(&text), Ok(baseline));
}

#[test]
fn what_was_not_written_is_refused_with_its_line() {
    let text = Baseline::of(&report()).to_text();
    let problem = |text: &str| Baseline::parse(text).unwrap_err();
    let expected = (
        1,
        "`highwater baseline 1` is expected, not `baseline 2`".to_owned(),
    );
    assert_eq!(problem("baseline 2\n"), expected);
    let expected = (6, "`1 kB` is no figure for `peak`".to_owned());
    assert_eq!(
        problem(&text.replace("peak           1,024 B", "peak           1 kB")),
        expected
    );
    let (cut, _) = text.split_once("live blocks").expect("a line of it");
    assert_eq!(problem(cut), (10, "`live blocks` is missing".to_owned()));
}

#[test]
fn figures_of_different_builds_are_kept_apart() {
    let folder = folder(&report(), "rustc-1.95.0");
    assert_eq!(folder, "x86_64-linux-gnu-release-system-rustc-1.95.0");
    let file = file_name(Path::new("/target/highwater/a%2Eb@c.json"));
    assert_eq!(file, Path::new("a%2Eb@c.txt"));
}

#[test]
fn sites_are_for_the_reader() {
    let mut with_sites = Baseline::of(&report());
    with_sites.sites = vec!["112,000 B, 1,000 blocks: Box<Order> in Book::insert".to_owned()];
    let text = with_sites.to_text();
    let last = "site           112,000 B, 1,000 blocks: Box<Order> in Book::insert\n";
    assert!(text.ends_with(last), "{text}");
    assert_eq!(Baseline::parse(&text), Ok(with_sites));
    let expected = (
        21,
        "`ceiling`, `varies` or `site` is expected, not `more`".to_owned(),
    );
    assert_eq!(Baseline::parse(&(text + "more\n")), Err(expected));
}

#[test]
fn what_varies_is_read_as_it_was_written() {
    let runs = [-3, 1_200, 40].map(|growth_bytes| Report {
        growth_bytes,
        ..report()
    });
    let found = Baseline::of_runs(&runs[0], &[&runs[1], &runs[2]]);
    let text = found.to_text();
    assert!(
        text.contains("\nvaries         growth: -3 to 1,200 B\n"),
        "{text}"
    );
    assert_eq!(Baseline::parse(&text), Ok(found));
    for line in [
        "growth: 2 to 1 B",
        "growth: 1 B",
        "growth: 1 to x B",
        "size: 1 to 2 B",
    ] {
        let wrong = format!("{text}varies         {line}\n");
        assert!(Baseline::parse(&wrong).is_err(), "{line}");
    }
}

/// Names that break lines, look like escapes, or end in white space.
#[test]
fn every_text_is_read_as_it_was_written() {
    for name in [
        "",
        " ",
        " two  spaces ",
        "a\nverdict        growing",
        "\r\n\t\0\u{1b}[31m\u{7f}",
        "C:\\new\\u{41}\\",
        "it's \"quoted\"",
        "\u{a0}\u{2028}\u{3000}",
        "none",
    ] {
        let mut baseline = Baseline::of(&report());
        name.clone_into(&mut baseline.scenario);
        name.clone_into(&mut baseline.verdict);
        baseline.sites = vec![name.to_owned(); 2];
        let ceiling = (format!("live blocks of `{name}: b`"), "3 blocks".to_owned());
        baseline.ceilings = [ceiling].into();
        assert_eq!(Baseline::parse(&baseline.to_text()), Ok(baseline));
    }
    // As an earlier version wrote quotes.
    assert_eq!(unescaped("it\\'s"), Some("it's".to_owned()));
    let text = Baseline::of(&report()).to_text();
    let broken = text.replace("last-hundred", "last\\hundred");
    let problem = Baseline::parse(&broken).unwrap_err();
    assert_eq!(problem.0, 3);
}

/// `highwater.toml` may add one to that of the code.
#[test]
fn the_lowest_ceiling_is_recorded() {
    let mut report = report();
    for limit in [1_000, 1_000_000] {
        let growth = Ceiling {
            limit,
            ..report.ceilings[0].clone()
        };
        report.ceilings.push(growth);
    }
    assert_eq!(Baseline::of(&report).ceilings["growth"], "1,000 B");
}

#[test]
fn a_report_chooses_no_folder_elsewhere() {
    let mut report = report();
    "../../etc".clone_into(&mut report.target);
    report.allocator = Some("/tmp/x\\y".to_owned());
    let folder = folder(&report, "rustc-1.95.0");
    assert_eq!(folder, ".._.._etc-release-_tmp_x_y-rustc-1.95.0");
}
