//! A draft of the next words' tags: for each tag, the one that followed it most often so far.

/// How often each tag followed each other one.
#[derive(Debug)]
pub(super) struct Draft {
    /// By the number of the tag before, shifted by one: 0 is the beginning of a sentence.
    counts: Vec<Vec<usize>>,
}

impl Draft {
    pub(super) fn new(tags: usize) -> Self {
        Self { counts: vec![vec![0; tags]; tags + 1] }
    }

    fn row(before: Option<usize>) -> usize {
        before.map_or(0, |tag| tag + 1)
    }

    /// `tag` followed `before`.
    pub(super) fn learn(&mut self, before: Option<usize>, tag: usize) {
        if let Some(count) = self.counts.get_mut(Self::row(before)).and_then(|row| row.get_mut(tag)) {
            *count += 1;
        }
    }

    /// The tag that followed `before` most often; `None` if none ever did.
    pub(super) fn after(&self, before: Option<usize>) -> Option<usize> {
        let row = self.counts.get(Self::row(before))?;
        let (tag, count) = row.iter().enumerate().rev().max_by_key(|(_, count)| **count)?;
        (*count > 0).then_some(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_tag_that_followed_most_often_and_the_first_of_equals() {
        let mut draft = Draft::new(3);
        assert_eq!(draft.after(None), None);
        for (before, tag) in [(None, 2), (None, 1), (Some(2), 1), (Some(2), 0), (Some(2), 0)] {
            draft.learn(before, tag);
        }
        assert_eq!([draft.after(None), draft.after(Some(2)), draft.after(Some(1))], [Some(1), Some(0), None]);
    }
}
