//! A curve in one line of text.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How many bars a line has at most.
const WIDTH: usize = 20;

/// `curve` as bars, from nothing to the highest point of it and of `other`: two
/// curves that are drawn with each other can be compared by eye. Empty if there is
/// no point.
pub fn sparkline(curve: &[u64], other: &[u64]) -> String {
    let highest = curve.iter().chain(other).max().copied().unwrap_or(0).max(1);
    let bar = |value: u64| {
        let last = BARS.len() as u128 - 1;
        let place = (u128::from(value) * last + u128::from(highest) / 2) / u128::from(highest);
        BARS[usize::try_from(place).unwrap_or(0).min(BARS.len() - 1)]
    };
    let width = curve.len().min(WIDTH);
    // The first and the last point are always among them.
    let place = |i: usize| match width {
        0 | 1 => i,
        _ => i * (curve.len() - 1) / (width - 1),
    };
    (0..width).map(|i| bar(curve[place(i)])).collect()
}
