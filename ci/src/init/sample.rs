//! The sample: tests that pass as they are, in a file that stands for the project's own.

use super::rust_files;
use cargo_metadata::Package;
use std::fs;

const HEAD: &str = "\
//! What this package holds in memory. Run it with `cargo test --test memory`.
//!
//! Each test is one step, which is repeated. It fails if memory grows without end, or past a
//! limit. Replace `Prices` by what you want to watch.

use std::collections::VecDeque;
";

const ALLOCATOR: &str = "
#[global_allocator]
static ALLOC: highwater::Alloc = highwater::Alloc::system();
";

const STATE: &str = "
/// Keeps the newest hundred prices. Leave out `pop_front`, and the test fails.
#[derive(Default)]
struct Prices(VecDeque<u64>);

impl Prices {
    fn remember(&mut self, price: u64) {
        self.0.push_back(price);
        if self.0.len() > 100 {
            self.0.pop_front();
        }
    }
}

#[highwater::test(steps = 10_000, state = Prices::default(), growth = \"4 KiB\", residue = \"0 B\")]
fn prices_are_bounded(prices: &mut Prices, i: u64) {
    prices.remember(i);
}
";

/// The attribute gives it a runtime, of one thread, for all its steps.
const ASYNC: &str = "
#[highwater::test(steps = 1_000, residue = \"0 B\")]
async fn tasks_keep_nothing(i: u64) {
    let task = tokio::spawn(async move { i.to_string() });
    assert_eq!(task.await.expect(\"it ends\"), i.to_string());
}
";

/// The whole file. If `library` has an allocator in all builds, it is linked for that.
pub(super) fn text(is_async: bool, library: Option<&str>) -> String {
    let allocator = match library {
        Some(library) => format!("// It has the allocator.\nuse {library} as _;\n"),
        None => ALLOCATOR.to_owned(),
    };
    let tasks = if is_async { ASYNC } else { "" };
    format!("{HEAD}{allocator}{STATE}{tasks}")
}

/// Without the allocator, for a module of unit tests.
pub(super) fn tests(is_async: bool) -> String {
    let tasks = if is_async { ASYNC } else { "" };
    format!("use std::collections::VecDeque;\n{STATE}{tasks}")
}

/// Whether the package has tests of its own that use the library.
pub(super) fn is_needless(package: &Package) -> bool {
    let directory = package.manifest_path.as_std_path().with_file_name("tests");
    let mut files = rust_files(&directory).into_iter();
    files.any(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("highwater::")))
}

/// Whether the dependency, if there is one already, has what async tests need.
pub(super) fn may_be_async(package: &Package) -> bool {
    let mut ours = { package.dependencies.iter() }.filter(|d| d.name == "highwater");
    ours.all(|dependency| dependency.features.iter().any(|feature| feature == "tokio"))
}
