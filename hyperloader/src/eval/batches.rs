//! Which windows are labelled together.

/// Tokens of source and target that a sentence of a full batch has at most, on average.
const TOKENS: usize = 160;
/// Sentences of a batch at least, however long they are: with fewer a pass would take as long.
const FEWEST: usize = 8;

/// Cuts windows that take `tokens` each, of source and target, into successive batches of up to `most`: fewer where they are
/// long, since keys and values of all of a batch's tokens are in memory at once.
pub(super) fn batches(tokens: impl IntoIterator<Item = usize>, most: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    let (mut size, mut sum) = (0, 0);
    for tokens in tokens {
        if size == most || size >= FEWEST && sum + tokens > TOKENS * most {
            sizes.push(size);
            (size, sum) = (0, 0);
        }
        (size, sum) = (size + 1, sum + tokens);
    }
    sizes.extend((size > 0).then_some(size));
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_sentences_fill_batches_and_long_ones_share_smaller_ones() {
        assert_eq!(batches([], 32), Vec::<usize>::new());
        assert_eq!(batches([50; 70], 32), [32, 32, 6]);
        assert_eq!(batches([200; 60], 32), [25, 25, 10]);
        assert_eq!(batches([600; 20], 32), [8, 8, 4]);
        assert_eq!(batches([600; 5], 2), [2, 2, 1]);
        assert_eq!(batches([10; 3], 1), [1, 1, 1]);
    }

    #[test]
    fn a_batch_ends_before_the_sentence_that_would_be_too_much() {
        let sizes = batches([vec![60; 16], vec![300; 16]].concat(), 32);
        assert_eq!(sizes, [29, 3]);
    }
}
