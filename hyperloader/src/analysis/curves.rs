//! Curves with fewer points.

/// At most `most` points: each is the mean of as many neighbors as needed. Values that are no numbers are left out first.
pub fn thinned(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    let points: Vec<(f64, f64)> = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let size = points.len().div_ceil(most.max(1)).max(1);
    let mean = |of: &[(f64, f64)]| {
        let (x, y) = of.iter().fold((0., 0.), |(x, y), point| (x + point.0, y + point.1));
        (x / of.len() as f64, y / of.len() as f64)
    };
    points.chunks(size).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbors_become_their_mean() {
        let points = [(1., 4.), (2., 2.), (3., f64::NAN), (4., 0.), (5., 0.), (6., 9.)];
        assert_eq!(thinned(&points, 10).len(), 5, "a curve that is short enough keeps its points");
        assert_eq!(thinned(&points, 3), [(1.5, 3.), (4.5, 0.), (6., 9.)]);
        assert_eq!(thinned(&[], 3), []);
    }
}
