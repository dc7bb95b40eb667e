//! The one screen that a failure gets, with the lines that allocated: alike in debug and
//! release.

#![forbid(unsafe_code)]

use highwater::{ByteSize, Report, Scenario};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();

/// What the failed test prints, without the command to run it again, which depends on who
/// runs it.
fn printed(report: &Report) -> String {
    let payload = catch_unwind(AssertUnwindSafe(|| report.assert())).expect_err("it fails");
    let text = payload.downcast_ref::<String>().expect("it is formatted");
    for line in text.lines().filter(|line| !line.contains(" cargo ")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let is_kept = |line: &&str| !line.contains("run again ");
    let lines: Vec<_> = text.lines().filter(is_kept).collect();
    lines.join("\n")
}

#[derive(Default)]
struct Shop {
    sessions: BTreeMap<u64, Vec<String>>,
    recent: Vec<u64>,
}

impl Shop {
    #[inline(never)]
    fn serve(&mut self, id: u64) {
        self.sessions.entry(id % 50).or_default().push(line(id));
        self.recent.push(id);
        self.recent.truncate(100);
    }
}

#[inline(never)]
fn line(id: u64) -> String {
    format!("order {id:010} was placed")
}

#[inline(never)]
fn place(shop: &mut Shop, id: u64) {
    shop.serve(id);
}

#[test]
fn a_leak_of_several_types() {
    let scenario = Scenario::new("bad orders").steps(1_000);
    let report = scenario.run(Shop::default, place);
    insta::assert_snapshot!(printed(&report));
}

#[test]
fn a_leak_of_as_much_in_each_step() {
    let scenario = Scenario::new("shop::tests::orders_are_bounded").steps(100);
    let room = || Vec::with_capacity(100_000);
    let report = scenario.run(room, |lines, id| lines.push(line(id)));
    let printed = printed(&report);
    let third = printed.lines().nth(2).expect("a third line");
    assert!(third.contains("summary.rs:"), "{printed}");
    insta::assert_snapshot!(printed);
}

#[test]
fn a_peak() {
    let scenario = Scenario::new("peak").steps(64);
    let scenario = scenario.peak_ceiling(ByteSize::kb(1));
    let report = scenario.run(|| (), |(), id| drop(vec![line(id); 50]));
    insta::assert_snapshot!(printed(&report));
}

/// A single block among the steps is one too many.
#[test]
fn an_allocation_in_a_step() {
    let scenario = Scenario::new("hot").steps(1_000).warm_up(10);
    let scenario = scenario.step_blocks_ceiling(0);
    let report = scenario.run(|| (), |(), id| drop((id == 500).then(|| line(id))));
    insta::assert_snapshot!(printed(&report));
}

#[test]
fn bytes_of_a_step() {
    let scenario = Scenario::new("costly").steps(100);
    let scenario = scenario.step_bytes_ceiling(ByteSize::b(64));
    let report = scenario.run(
        || Vec::with_capacity(2),
        |lines: &mut Vec<String>, id| {
            lines.clear();
            lines.extend([line(id), line(id)]);
            drop(std::hint::black_box(id.to_string()));
        },
    );
    insta::assert_snapshot!(printed(&report));
}

#[test]
fn an_allocation_that_is_stopped() {
    let scenario = Scenario::new("stopped").steps(1_000);
    let scenario = scenario.stop_at(ByteSize::kib(4));
    let report = scenario.run(Shop::default, place);
    insta::assert_snapshot!(printed(&report));
}

/// More lines that grow than are shown.
#[derive(Default)]
struct Many([Vec<String>; 5]);

#[test]
fn leaks_at_many_lines() {
    let report = Scenario::new("many")
        .steps(200)
        .run(Many::default, |many, i| {
            many.0[0].push(i.to_string());
            many.0[1].push(i.to_string());
            many.0[2].push(i.to_string());
            many.0[3].push(i.to_string());
            many.0[4].push(i.to_string());
        });
    let printed = printed(&report);
    assert!(printed.contains(" other places, "), "{printed}");
}

mod a_module_with_a_long_name {
    pub(super) mod and_another_one {
        #[inline(never)]
        pub(in super::super) fn keep_what_has_a_name_that_is_long(kept: &mut Vec<String>, i: u64) {
            kept.push(super::super::line(i));
        }
    }
}

/// Lines of the program are never cut off.
#[test]
fn a_leak_in_functions_with_long_names() {
    use a_module_with_a_long_name::and_another_one::keep_what_has_a_name_that_is_long;

    let report = Scenario::new("long").steps(200).run(Vec::new, |kept, i| {
        keep_what_has_a_name_that_is_long(kept, i);
    });
    let printed = printed(&report);
    let called_by = printed.lines().find(|line| line.contains("called by "));
    let called_by = called_by.unwrap_or_else(|| panic!("{printed}"));
    assert!(called_by.contains("  tests/summary.rs:"), "{printed}");
    assert!(!printed.contains('…'), "{printed}");
}

/// A terminal with this text, as a picture.
fn picture(text: &str) -> String {
    const LINE: usize = 18;
    let lines: Vec<_> = text.lines().collect();
    let height = lines.len() * LINE + 24;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"{height}\" \
         viewBox=\"0 0 720 {height}\">\n\
         <title>What a failed test prints</title>\n\
         <rect width=\"720\" height=\"{height}\" rx=\"6\" fill=\"#1b1f24\"/>\n\
         <g font-family=\"monospace\" font-size=\"14\" fill=\"#d8dee4\">\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let y = 26 + number * LINE;
        let line = line.replace('&', "&amp;").replace('<', "&lt;");
        // Others would be folded.
        let line = line.replace(' ', "\u{a0}");
        let colour = match number {
            0 => " fill=\"#ff8e8e\" font-weight=\"bold\"",
            _ if line.contains(".rs:") => " fill=\"#ffd479\"",
            _ => "",
        };
        if !line.is_empty() {
            svg.push_str(&format!("<text x=\"14\" y=\"{y}\"{colour}>{line}</text>\n"));
        }
    }
    svg + "</g>\n</svg>\n"
}

/// The picture in the README. `HIGHWATER_UPDATE_DOCS=1` writes it.
#[test]
fn bad_orders_are_bounded() {
    let scenario = Scenario::new("bad_orders").steps(1_000);
    let report = scenario.run(Shop::default, place);
    let drawn = picture(&printed(&report));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/failure.svg");
    if std::env::var_os("HIGHWATER_UPDATE_DOCS").is_some() {
        std::fs::write(path, &drawn).expect("the folder is there");
    }
    let shown = std::fs::read_to_string(path).expect("it is there");
    assert_eq!(drawn, shown, "HIGHWATER_UPDATE_DOCS=1 writes it anew");
}
