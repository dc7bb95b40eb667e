//! A curve in one line of text.

/// A sparkline has at most this many characters.
const WIDTH: usize = 20;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// `curve` as bars, from nothing to the highest point of it and of `other`: two curves that
/// are drawn with each other can be compared by eye. Empty if there is no point.
#[doc(hidden)]
pub fn sparkline(curve: &[u64], other: &[u64]) -> String {
    let highest = curve.iter().chain(other).max().copied();
    let highest = u128::from(highest.unwrap_or(0).max(1));
    let width = curve.len().min(WIDTH);
    // The first and the last point are always among them.
    let point = |place: usize| match width {
        0 | 1 => place,
        _ => place * (curve.len() - 1) / (width - 1),
    };
    let bar = |place| {
        let level = u128::from(curve[point(place)]) * 7 / highest;
        BARS[usize::try_from(level).unwrap_or(7)]
    };
    (0..width).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn curves_are_drawn_from_nothing_to_the_highest_point() {
        assert_eq!(sparkline(&[], &[]), "");
        assert_eq!(sparkline(&[0], &[]), "▁");
        assert_eq!(sparkline(&[5], &[]), "█");
        assert_eq!(sparkline(&[0, 1, 2, 3, 4, 5, 6, 7], &[]), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[7], &[14]), "▄");
        let long: Vec<_> = (0..1_000).collect();
        let line = sparkline(&long, &[]);
        assert_eq!(line.chars().count(), 20);
        assert!(line.starts_with('▁') && line.ends_with('█'));
        assert_eq!(sparkline(&[u64::MAX, u64::MAX / 2], &[]), "█▄");
    }
}
