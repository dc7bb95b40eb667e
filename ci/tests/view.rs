//! The page: what is in it, and what a browser makes of it.

#![forbid(unsafe_code)]

mod support;

use highwater_reports::page::{Origin, render};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use support::{Project, REPORT};
use tempfile::TempDir;

/// The report under another name, with `changes` made to its fields.
fn report(name: &str, changes: &[(&str, Value)]) -> String {
    let mut report: Value = serde_json::from_str(REPORT).expect("JSON");
    report["name"] = json!(name);
    for (field, value) in changes {
        report[field] = value.clone();
    }
    report.to_string()
}

/// A project with a page on a leak, on something gone, and on what is the same.
fn viewed() -> Project {
    let project = Project::new();
    project.write("lib.rs", "");
    let steps = (0..=10).map(|i| i * 1_000);
    let curve =
        steps.map(|step| json!({"step": step, "live_bytes": step * 2, "live_blocks": step}));
    let leak = report(
        "leak <script>",
        &[
            ("growth_bytes", json!(20_000)),
            ("peak_bytes", json!(20_000)),
            ("verdict", json!("growing")),
            ("law", json!("linear")),
            (
                "failures",
                json!(["growing: by 2 B a step", "peak: too high"]),
            ),
            ("curve", curve.collect()),
        ],
    );
    let large = report("large", &[("peak_bytes", json!(7_000_000))]);
    project.write("target/highwater/leak.json", &leak);
    project.write("target/highwater/large.json", &large);
    project.write(
        "target/highwater/base/leak.json",
        &report("leak <script>", &[]),
    );
    project.write("target/highwater/base/large.json", &large);
    project.write("target/highwater/base/gone.json", &report("gone", &[]));
    project.write(
        "target/highwater/base/REVISION",
        "origin/main\n0123456789abcdef\n",
    );
    let path = project.reports().join("index.html");
    assert_eq!(project.run(&["view"], 0), format!("{}\n", path.display()));
    project
}

fn page(project: &Project) -> String {
    fs::read_to_string(project.reports().join("index.html")).expect("a page")
}

#[test]
fn the_page_has_everything_in_it() {
    let page = page(&viewed());
    for part in [
        "<title>Memory: 1 failed, 1 gone, 1 same</title>",
        "Compared with <code>origin/main</code>, commit <code>0123456789ab</code>",
        "<span class=\"pill failed\">1 failed</span>",
        "leak &lt;script&gt; ",
        "<p class=\"failure\">growing: by 2 B a step</p>",
        "<code>tests/memory.rs:12</code>",
        "aria-label=\"live memory of leak &lt;script&gt; over 10,000 steps, up to 20,000 bytes\"",
        "<span class=\"key base\">in the base</span>",
        "<span class=\"ceiling\">of 8 KiB</span>",
        "ceiling on the peak, 8 KiB",
        "<h1><code>leak &lt;script&gt;</code> now leaks at <code>tests/memory.rs:12</code>; \
         1 more differs</h1>",
        "<td class=\"figure\" data-label=\"base\" data-sort=\"1024\">1,024 B</td>\
         <td class=\"figure\" data-label=\"now\" data-sort=\"20000\">20,000 B</td>\
         <td class=\"figure more\" data-label=\"difference\" data-sort=\"18976\">\
         +18,976 B, ×19</td>",
        "<span class=\"difference more\">+18,976 B</span>",
        "<span class=\"value\">step 10,000: 20,000 B, in the base 1,024 B</span>",
        "<span>release, x86_64-linux-gnu, above System</span>",
        "there is no report of it any more",
    ] {
        assert!(page.contains(part), "{part} is missing in\n{page}");
    }
}

#[test]
fn the_page_loads_nothing() {
    let page = page(&viewed());
    let [all, one] = pages_with_sites();
    for page in [page, all, one] {
        for part in [
            "http://", "https://", " src=", "@import", "url(", "<link", "fetch(",
        ] {
            assert!(!page.contains(part), "{part}");
        }
    }
}

#[test]
fn the_page_is_written_where_it_is_asked_for() {
    let project = viewed();
    assert_eq!(
        project.run(&["view", "--output", "out/page.html"], 0),
        "out/page.html\n"
    );
    let other = fs::read_to_string(project.path().join("out/page.html"));
    assert_eq!(other.expect("a page"), page(&project));
}

/// A report with call stacks, of every kind that there is.
const GROWING: &str = include_str!("../reports/tests/data/growing.json");

/// A page of that report: as one of all that `view` shows, and by itself.
fn pages_with_sites() -> [String; 2] {
    let project = Project::new();
    project.write("lib.rs", "");
    project.write("target/highwater/shop.json", GROWING);
    project.run(&["view"], 0);
    let report = serde_json::from_str(GROWING).expect("a report");
    [page(&project), render(&report, &Origin::default())]
}

#[test]
fn the_page_says_where_memory_comes_from() {
    for page in pages_with_sites() {
        for part in [
            "Over 10,000 steps live memory changed by +740,672 B, of which +8 B have no known \
             call stack. 3 blocks could not be tracked to their sites.",
            "Stopped at a block of 20 B, <code>String</code>, with which live memory was \
             65,540 B:",
            "<th scope=\"row\"><code>String</code></th>\
             <td class=\"figure\" data-label=\"growth\" data-sort=\"200000\">+200,000 B</td>\
             <td class=\"figure\" data-label=\"in blocks\" data-sort=\"10000\">+10,000</td>\
             <td class=\"figure\" data-label=\"at the peak\" data-sort=\"180000\">180,000 B</td>\
             <td class=\"figure\" data-label=\"at the end\" data-sort=\"200000\">200,000 B</td>",
            "<th scope=\"row\"><code>Vec&lt;u64&gt;</code></th>\
             <td class=\"figure\" data-label=\"growth\" data-sort=\"-64\">-64 B</td>\
             <td class=\"figure\" data-label=\"in blocks\" data-sort=\"-1\">-1</td>",
            "<th scope=\"row\"><span class=\"note\">type unknown</span></th>",
            "<li><code>shop::key</code> <span class=\"place\">src/shop.rs:21</span></li>",
            "data-sort=\"200000\">27.0 %<span class=\"bar\"><span style=\"width:27%\">",
            "9,998 of 10,000 blocks <span class=\"kind\">held by</span> <span class=\"crumbs\">\
             <code>static PRICE_CACHE</code><span class=\"to\"> → </span>\
             <code>HashMap&lt;String, f64&gt;</code><span class=\"to\"> → </span>\
             <code>String</code></span>",
            "<p class=\"note\">its call stack is not known</p>",
            "<summary>2 more frames</summary>",
        ] {
            assert!(page.contains(part), "{part} is missing in\n{page}");
        }
    }
}

const NEEDS_CHROMIUM: &str = "chromium is installed";

/// What Chromium prints, given a page, a fragment of its address, and more.
fn chromium(page: &Path, fragment: &str, arguments: &[OsString]) -> String {
    let profile = tempfile::tempdir().expect("a temporary directory");
    let mut directory = OsString::from("--user-data-dir=");
    directory.push(profile.path());
    let quiet = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--window-size=1200,1600",
    ];
    let output = Command::new("chromium")
        .args(quiet)
        .arg(directory)
        .args(arguments)
        .arg(format!("file://{}{fragment}", page.display()))
        .output()
        .expect(NEEDS_CHROMIUM);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The names in the table, in its order.
fn order(dom: &str) -> Vec<&str> {
    let (_, table) = dom.split_once("<tbody>").expect("a table");
    let (table, _) = table.split_once("</tbody>").expect("its end");
    let links = table.split("<a href=\"#s").skip(1);
    links
        .filter_map(|link| link.split_once('>')?.1.split_once("</a>"))
        .map(|(name, _)| name)
        .collect()
}

#[test]
#[ignore = "needs Chromium: cargo test -p cargo-highwater --test view -- --ignored"]
fn a_browser_sorts_it() {
    let project = viewed();
    let page = project.reports().join("index.html");
    let dump = [OsString::from("--dump-dom")];
    let dom = chromium(&page, "", &dump);
    assert_eq!(order(&dom), ["leak &lt;script&gt;", "gone", "large"]);
    let dom = chromium(&page, "#sort=peak", &dump);
    assert_eq!(order(&dom), ["gone", "leak &lt;script&gt;", "large"]);
    assert!(dom.contains("aria-sort=\"ascending\"><button type=\"button\">peak</button>"));
    let dom = chromium(&page, "#sort=-peak", &dump);
    assert_eq!(order(&dom), ["large", "leak &lt;script&gt;", "gone"]);
}

/// A screenshot, as its size and the colours of its pixels.
fn screenshot(page: &Path, setting: &str) -> ((u32, u32), Vec<[u8; 3]>) {
    let directory: TempDir = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("page.png");
    let mut to = OsString::from("--screenshot=");
    to.push(&path);
    chromium(page, "", &[to, setting.into()]);
    let file = BufReader::new(File::open(&path).expect("a screenshot"));
    let mut reader = png::Decoder::new(file).read_info().expect("a picture");
    let size = reader.info().size();
    let mut bytes = vec![0; reader.output_buffer_size().expect("one that fits")];
    let frame = reader.next_frame(&mut bytes).expect("its pixels");
    let pixels = bytes.chunks_exact(frame.color_type.samples());
    (
        size,
        pixels.map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
    )
}

#[test]
#[ignore = "needs Chromium: cargo test -p cargo-highwater --test view -- --ignored"]
fn a_browser_shows_it_light_and_dark_and_without_scripts() {
    let project = viewed();
    let page = project.reports().join("index.html");
    // The colours of page.css: the page, what failed, the curve and the ceiling.
    let light = [
        [255, 255, 255],
        [253, 236, 234],
        [29, 95, 209],
        [180, 35, 24],
    ];
    let dark = [[20, 23, 27], [61, 21, 18], [116, 169, 255], [255, 143, 133]];
    // What a browser that runs no scripts shows: headless, this one can't do without.
    let text = self::page(&project);
    let (without_scripts, _) = text.split_once("<script>").expect("a script");
    project.write("target/without-scripts.html", without_scripts);
    let without_scripts = project.target().join("without-scripts.html");
    let cases = [
        (&page, 1, light),
        (&page, 0, dark),
        (&without_scripts, 1, light),
    ];
    for (page, scheme, colours) in cases {
        let setting = format!("--blink-settings=preferredColorScheme={scheme}");
        let (size, pixels) = screenshot(page, &setting);
        assert_eq!(size, (1200, 1600));
        assert_eq!(pixels[0], colours[0]);
        for colour in colours {
            let count = pixels.iter().filter(|pixel| **pixel == colour).count();
            assert!(count > 100, "{count} pixels of {colour:?} with {setting}");
        }
    }
}

#[test]
#[ignore = "needs Chromium: cargo test -p cargo-highwater --test view -- --ignored"]
fn a_browser_shows_where_memory_comes_from() {
    let directory: TempDir = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("page.html");
    let [_, one] = pages_with_sites();
    fs::write(&path, one).expect("a page");
    // The colours of page.css: the page, the panel, the curve and the bars, what failed.
    let light = [
        [255, 255, 255],
        [246, 247, 249],
        [29, 95, 209],
        [180, 35, 24],
    ];
    let dark = [[20, 23, 27], [28, 32, 38], [116, 169, 255], [255, 143, 133]];
    for (scheme, colours) in [(1, light), (0, dark)] {
        let setting = format!("--blink-settings=preferredColorScheme={scheme}");
        let (_, pixels) = screenshot(&path, &setting);
        assert_eq!(pixels[0], colours[0]);
        for colour in colours {
            let count = pixels.iter().filter(|pixel| **pixel == colour).count();
            assert!(count > 100, "{count} pixels of {colour:?} with {setting}");
        }
    }
}

/// A type's name as generics make them, without a place to break it.
fn long_type() -> String {
    format!("Vec<{}u8{}>", "Arc<Mutex<".repeat(14), ">>".repeat(14))
}

/// A page of a comparison, with call stacks on both sides and names that are long.
fn compared() -> Project {
    let project = Project::new();
    project.write("lib.rs", "");
    let with = |changes: &dyn Fn(&mut Value)| {
        let mut report: Value = serde_json::from_str(GROWING).expect("JSON");
        report["name"] = json!("shop::".repeat(12));
        let site = &mut report["diagnosis"]["sites"][0];
        site["type"] = json!(long_type());
        site["holders"][0]["path"][1] = json!(long_type());
        site["frames"][0]["function"] = json!(long_type());
        changes(&mut report);
        report.to_string()
    };
    project.write("target/highwater/shop.json", &with(&|_| {}));
    let base = with(&|report| {
        report["growth_bytes"] = json!(40);
        report["verdict"] = json!("bounded");
        report["failures"] = json!([]);
        report["diagnosis"]["sites"][0]["live_bytes"] = json!(1_000);
        report["diagnosis"]["sites"][2]["live_bytes"] = json!(900);
    });
    project.write("target/highwater/base/shop.json", &base);
    let revision = "origin/main\n0123456789abcdef\n";
    project.write("target/highwater/base/REVISION", revision);
    project.run(&["view"], 0);
    project
}

#[test]
fn the_page_of_a_comparison_says_which_sites_changed() {
    let page = page(&compared());
    for part in [
        "<label for=\"flame-0-live-change\">base → now</label>",
        "<span class=\"name\">+199,000 B, -852 B</span>",
        "<div class=\"box less\" tabindex=\"0\"><span class=\"name\">[u8; 4]</span>",
        "<caption>Call sites that hold more or less than in the base</caption>",
        "<td class=\"figure\" data-label=\"base\" data-sort=\"1000\">1,000 B</td>\
         <td class=\"figure\" data-label=\"now\" data-sort=\"200000\">200,000 B</td>\
         <td class=\"figure more\" data-label=\"difference\" data-sort=\"199000\">+199,000 B</td>",
        "<td class=\"figure less\" data-label=\"difference\" data-sort=\"-852\">-852 B</td>",
    ] {
        assert!(page.contains(part), "{part} is missing in\n{page}");
    }
    assert_eq!(page.matches("<polyline class=\"base\"").count(), 2);
}

/// What `script` makes of the page at that width, as a text. The page is in a frame: the
/// browser's own window cannot be as narrow as a phone.
fn asked(page: &str, width: u32, script: &str) -> String {
    let directory: TempDir = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("outer.html");
    let (rest, end) = page.split_at(page.len() - "</body></html>".len());
    let asking = "<script>parent.document.title = ";
    let text = json!(format!("{rest}{asking}{script}</script>{end}")).to_string();
    let outer = format!(
        "<title></title><iframe style='width: {width}px; height: 1600px; border: 0'></iframe>\
         <script>frames[0].frameElement.srcdoc = {}</script>",
        text.replace("</", "<\\/")
    );
    fs::write(&path, outer).expect("a page");
    let wide = "--window-size=1400,1800".into();
    let dom = chromium(&path, "", &["--dump-dom".into(), wide]);
    let (_, title) = dom.split_once("<title>").expect("a title");
    let (title, _) = title.split_once("</title>").expect("its end");
    title.to_owned()
}

#[test]
#[ignore = "needs Chromium: cargo test -p cargo-highwater --test view -- --ignored"]
fn a_browser_has_no_need_to_scroll_sideways() {
    let [_, one] = pages_with_sites();
    for page in [page(&viewed()), page(&compared()), one] {
        for width in [1280, 1000, 768, 390] {
            let script = "[innerWidth, document.documentElement.scrollWidth, ...new Set([\
                          ...document.querySelectorAll('body *')].filter((one) => \
                          one.getBoundingClientRect().right > innerWidth + 1).map((one) => \
                          one.tagName + '.' + one.className))].join(' ')";
            assert_eq!(asked(&page, width, script), format!("{width} {width}"));
        }
    }
}

#[test]
#[ignore = "needs Chromium: cargo test -p cargo-highwater --test view -- --ignored"]
fn a_browser_draws_boxes_as_wide_as_their_shares() {
    let page = page(&compared());
    let of = |what: &str| {
        let script = format!(
            "(() => {{ const view = document.querySelector('.view.{what}'); \
             document.querySelector('input.{what}').click(); \
             const width = (one) => one.getBoundingClientRect().width; \
             const rows = [...view.querySelectorAll('ul')].map((row) => \
             [width(row), [...row.children].reduce((sum, one) => sum + width(one), 0)]); \
             return rows.every(([row, sum]) => row > 0 && Math.abs(row - sum) < 1); }})()"
        );
        asked(&page, 1280, &script)
    };
    for view in ["live-change", "growth", "peak", "allocated"] {
        assert_eq!(of(view), "true", "{view}");
    }
}

#[test]
#[ignore = "needs Chromium: cargo test -p cargo-highwater --test view -- --ignored"]
fn a_browser_goes_from_box_to_box_by_keys() {
    let page = page(&compared());
    let script = "(() => { const said = []; \
        const press = (key) => document.activeElement.dispatchEvent(\
            new KeyboardEvent('keydown', { key, bubbles: true })); \
        const say = () => { const box = document.activeElement; said.push(\
            box.querySelector('.name').textContent.slice(0, 12) + ' ' + \
            Math.round(100 * box.offsetWidth / box.closest('.view').offsetWidth) + ' ' + \
            getComputedStyle(box.querySelector('.tip')).display); }; \
        document.querySelector('.flame [tabindex=\"0\"]').focus(); say(); \
        for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight', 'Enter', 'Escape', 'ArrowLeft', \
            'ArrowUp']) { press(key); say(); } \
        return said.join('; '); })()";
    let expected = [
        "+199,000 B,  100 block",
        "run::{closur 100 block",
        "Vec&lt;Arc&lt;Mute 100 block",
        "&lt;[u8; 4]&gt;::b 1 block",
        "&lt;[u8; 4]&gt;::b 100 block",
        "&lt;[u8; 4]&gt;::b 1 block",
        "Vec&lt;Arc&lt;Mute 100 block",
        "run::{closur 100 block",
    ];
    assert_eq!(asked(&page, 1280, script), expected.join("; "));
}

/// A report with what its call sites held after some steps.
const SERIES: &str = include_str!("../reports/tests/data/series.json");

#[test]
#[ignore = "needs Chromium: cargo test -p cargo-highwater --test view -- --ignored"]
fn a_browser_draws_the_graph_for_a_range_of_steps() {
    let report = serde_json::from_str(SERIES).expect("a report");
    let page = render(&report, &Origin::default());
    let script = include_str!("support/range.js");
    let expected = [
        "growth none; 0 to 160: +3,328 B in 2 call stacks, -5,000 B in 1 call stack; -1,672 B on \
         the curve.",
        "range 23 63; 600 to 1,600: +16,192 B in 2 call stacks; +16,192 B on the curve. \
         step 100 more, Vec&lt;Box&lt;u64&gt; 51 more, kept 49 more, Box&lt;u64&gt; 49 more",
        "range 0 3; 0 to 70: +2,584 B in 3 call stacks, -5,000 B in 1 call stack; -2,416 B on the \
         curve. step 34 more, Vec&lt;Box&lt;u64&gt; 14 more, kept 7 more, Box&lt;u64&gt; 7 more, \
         once 13 more, Box&lt;[u8; 100 13 more, page ← set_u 66 less, Box&lt;[u8; 100 66 less",
    ];
    for width in [1280, 390] {
        assert_eq!(asked(&page, width, script), expected.join(" | "), "{width}");
    }
    // Nothing of it is seen without the page's script.
    let (without_scripts, _) = page.split_once("<script>").expect("a script");
    let script = "[...document.querySelectorAll('.range, [for$=range], .brush, .mark')]\
                  .map((one) => one.getClientRects().length).join(' ')";
    let page = format!("{without_scripts}</body></html>");
    assert_eq!(asked(&page, 1280, script), "0 0 0 0 0");
}

#[test]
#[ignore = "needs Chromium: cargo test -p cargo-highwater --test view -- --ignored"]
fn a_browser_filters_and_sorts_every_table() {
    let [_, one] = pages_with_sites();
    let script = "(() => { const table = document.querySelector('table.types'); \
        const names = () => [...table.tBodies[0].rows].filter((row) => !row.hidden) \
            .map((row) => row.cells[0].textContent).join(', '); \
        const said = [names()]; \
        table.querySelectorAll('th button')[3].click(); said.push(names()); \
        const field = document.querySelector('.flame .filter'); \
        field.value = 'SHOP::key'; field.dispatchEvent(new Event('input')); \
        const marked = document.querySelectorAll('.view.growth .box:not(.dim) > .name'); \
        said.push([...marked].map((name) => name.textContent).join(', ')); \
        return said.join('; '); })()";
    assert_eq!(
        asked(&one, 1280, script),
        "HashMap&lt;String, f64&gt;, String, [u8; 4], type unknown, Vec&lt;u64&gt;; \
         type unknown, [u8; 4], Vec&lt;u64&gt;, String, HashMap&lt;String, f64&gt;; shop::key"
    );
}
