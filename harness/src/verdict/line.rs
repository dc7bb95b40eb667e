//! Levels over steps as points: whether they rise, how far from a line they lie, and which
//! law comes closest to them.

use super::Law;

/// A level over the step at which it was reached.
pub(super) type Point = (f64, f64);

/// Whether each is higher than the one before.
pub(super) fn is_rising(points: &[Point]) -> bool {
    points.windows(2).all(|pair| pair[0].1 < pair[1].1)
}

/// Whether the floors of the sixteenths rise all the time, and so evenly that it
/// is no coincidence.
pub(super) fn is_rising_evenly(floors: &[Point]) -> bool {
    is_rising_within(floors, 0.2)
}

/// Whether each is higher than the one before, and none farther from a line than
/// this part of the whole rise.
pub(super) fn is_rising_within(points: &[Point], tolerance: f64) -> bool {
    let rise = points[points.len() - 1].1 - points[0].1;
    is_rising(points) && Line::through(points).farthest <= tolerance * rise
}

/// The law that comes closest to levels: their distance, by least squares, from
/// a + b·f(steps), for each law's f.
pub(super) fn law_by_shape(points: &[Point]) -> Law {
    type Shape = fn(f64) -> f64;
    const SHAPES: [(Law, Shape); 5] = [
        (Law::Saturating, |x| -1.0 / x),
        (Law::Logarithmic, f64::ln),
        (Law::Sublinear, f64::sqrt),
        (Law::Linear, |x| x),
        (Law::Superlinear, |x| x * x),
    ];
    let distance = |shape: Shape| {
        let shaped: Vec<_> = points
            .iter()
            .map(|(step, level)| (shape(*step), *level))
            .collect();
        Line::through(&shaped).squares
    };
    let nearest = |a: &(Law, f64), b: &(Law, f64)| a.1.total_cmp(&b.1);
    let distances = SHAPES.map(|(law, shape)| (law, distance(shape)));
    (distances.into_iter().min_by(nearest)).map_or(Law::Constant, |(law, _)| law)
}

/// A line of least squares.
pub(super) struct Line {
    pub(super) slope: f64,
    /// The sum of the squared distances.
    squares: f64,
    /// The largest distance.
    pub(super) farthest: f64,
}

impl Line {
    pub(super) fn through(points: &[Point]) -> Self {
        let count = points.len() as f64;
        let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
        let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
        let products = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y));
        let squares = points.iter().map(|(x, _)| (x - mean_x).powi(2));
        let (products, squares): (f64, f64) = (products.sum(), squares.sum());
        let slope = if squares > 0.0 {
            products / squares
        } else {
            0.0
        };
        let distances = (points.iter()).map(|(x, y)| (y - mean_y - slope * (x - mean_x)).abs());
        Self {
            slope,
            squares: distances.clone().map(|distance| distance.powi(2)).sum(),
            farthest: distances.fold(0.0, f64::max),
        }
    }
}

/// The slope of the line of least squares.
pub(super) fn slope(points: &[Point]) -> f64 {
    Line::through(points).slope
}

/// The same levels without jumps, which are rises of more than four times the usual between
/// two neighbours, and the largest of them; none if there are more than three, or nothing
/// usual.
pub(super) fn without_jumps(points: &[Point]) -> Option<(Vec<Point>, f64)> {
    let rises = points.windows(2);
    let rises = rises.map(|pair| (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1));
    let rises: Vec<_> = rises.filter(|(steps, _)| *steps > 0.0).collect();
    let mut slopes: Vec<_> = rises.iter().map(|(steps, rise)| rise / steps).collect();
    slopes.sort_by(f64::total_cmp);
    let usual = *slopes.get(slopes.len() / 2)?;
    let beyond = |(steps, rise): &(f64, f64)| {
        let beyond = rise - usual * steps;
        Some(beyond).filter(|_| *rise > 4.0 * usual * steps)
    };
    let jumps = rises.iter().filter_map(beyond);
    if usual <= 0.0 || !(1..=3).contains(&jumps.clone().count()) {
        return None;
    }
    let mut smooth = vec![points[0]];
    for rise in &rises {
        let (step, level) = smooth[smooth.len() - 1];
        let jump = beyond(rise).unwrap_or(0.0);
        smooth.push((step + rise.0, level + rise.1 - jump));
    }
    Some((smooth, jumps.fold(0.0, f64::max)))
}
