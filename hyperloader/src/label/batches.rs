//! Which windows are labelled together.

/// The most tokens, of source and target, that the windows of a full batch have on average.
const TOKENS: usize = 160;
/// The fewest windows of a batch, however long they are: a pass over fewer windows takes the same time.
const FEWEST: usize = 8;

/// Cuts windows into successive batches of up to `most` windows. `tokens` counts a window's tokens, of source and target.
///
/// The keys and values of all tokens of a batch are in memory at once, so a batch of long windows has fewer of them.
pub(super) fn batches<T>(windows: &[T], tokens: impl Fn(&T) -> usize, most: usize) -> Vec<&[T]> {
    let mut batches = Vec::new();
    let mut rest = windows;
    while !rest.is_empty() {
        let mut sum = 0;
        let fits = |(i, window): &(usize, &T)| {
            sum += tokens(window);
            *i < FEWEST || sum <= TOKENS * most
        };
        let size = rest.iter().enumerate().take(most.max(1)).take_while(fits).count();
        let (batch, others) = rest.split_at_checked(size).unwrap_or((rest, &[]));
        batches.push(batch);
        rest = others;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(tokens: &[usize], most: usize) -> Vec<usize> {
        batches(tokens, |tokens| *tokens, most).iter().map(|batch| batch.len()).collect()
    }

    #[test]
    fn short_windows_fill_batches_and_long_ones_share_smaller_ones() {
        assert_eq!(sizes(&[], 32), Vec::<usize>::new());
        assert_eq!(sizes(&[50; 70], 32), [32, 32, 6]);
        assert_eq!(sizes(&[200; 60], 32), [25, 25, 10]);
        assert_eq!(sizes(&[600; 20], 32), [8, 8, 4]);
        assert_eq!(sizes(&[600; 5], 2), [2, 2, 1]);
        assert_eq!(sizes(&[10; 3], 1), [1, 1, 1]);
    }

    #[test]
    fn a_batch_ends_before_the_window_that_would_be_too_much() {
        assert_eq!(sizes(&[vec![60; 16], vec![300; 16]].concat(), 32), [29, 3]);
    }
}
