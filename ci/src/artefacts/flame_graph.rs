//! Flame graphs: of each site as many bytes as a function says, as SVG.

use super::{NO_STACK, type_of};
use crate::report::{Diagnosis, Site};
use inferno::flamegraph::color::{BasicPalette, Palette};
use inferno::flamegraph::{Options, from_lines};

/// The graph, the outermost functions below and the types on top; none if no site has
/// more than nothing.
pub(super) fn render(
    title: String,
    diagnosis: &Diagnosis,
    bytes: impl Fn(&Site) -> Option<i64>,
) -> Option<Vec<u8>> {
    let of_site = |site| Some((site, bytes(site).filter(|bytes| *bytes > 0)?));
    let sites = diagnosis.sites.iter().filter_map(of_site);
    let lines: Vec<_> = sites
        .map(|(site, bytes)| format!("{} {bytes}", stack(site)))
        .collect();
    let mut options = Options::default();
    options.title = title;
    options.count_name = "bytes".into();
    options.colors = Palette::Basic(BasicPalette::Mem);
    options.deterministic = true;
    let mut svg = Vec::new();
    // Writing to a vector cannot fail; without lines there is nothing to draw.
    from_lines(&mut options, lines.iter().map(String::as_str), &mut svg).ok()?;
    Some(svg)
}

fn stack(site: &Site) -> String {
    let known = site.frames.iter().map(|frame| frame.function.as_str());
    let mut stack: Vec<_> = known.rev().collect();
    if stack.is_empty() {
        stack.push(NO_STACK);
    }
    let kind = format!("[{}]", type_of(site));
    stack.push(&kind);
    // A semicolon ends a frame; arrays have them, such as `[u8; 4]`.
    let frames: Vec<_> = stack.iter().map(|frame| frame.replace(';', ",")).collect();
    frames.join(";")
}
