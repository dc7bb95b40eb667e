//! A line of `/proc/self/maps`, read without allocating.

/// The start and the end of the mapping that `line` is of, and what stands behind them.
pub(crate) fn range(line: &str) -> Option<(usize, usize, &str)> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some((address(start)?, address(end)?, rest))
}
