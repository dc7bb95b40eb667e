//! The scenario that judges a test of a sweep, as a text to begin with.

use super::found::Swept;
use super::text::figures_told;
use crate::table::printable;
use highwater::__private::wrapped_to;

/// How wide a line of the text is.
const WIDTH: usize = 77;

/// The text for this test.
pub fn render(test: &Swept) -> String {
    let (module, function) = match test.test.rsplit_once("::") {
        Some((module, function)) => (format!("the module `{module}`"), function),
        None => ("the root".to_owned(), &*test.test),
    };
    let figures = match &test.found.no_figures {
        Some(reason) => format!("no figures, since {reason}"),
        None => figures_told(&test.found),
    };
    let comment = [
        format!("`{}` of {}: {figures}.", test.test, test.binary),
        "This scenario repeats it. The verdict is growing if each call leaves memory behind, and \
         bounded if only the first one does, as with a static."
            .to_owned(),
        format!(
            "Its place is beside the test, in {module} of {}. `cargo highwater init -p {}` adds \
             the library and its allocator, if the package does not have them.",
            test.binary, test.package
        ),
    ];
    let comment: String = comment
        .iter()
        .flat_map(|paragraph| {
            let lines = wrapped_to(&printable(paragraph), 0, WIDTH);
            let lines = lines.lines().map(|line| format!("// {}\n", line.trim()));
            lines.collect::<Vec<_>>()
        })
        .collect();
    format!(
        "{comment}#[cfg(test)]\n#[highwater::test(steps = 100)]\nfn {function}_again() {{\n    {function}();\n}}\n"
    )
}
