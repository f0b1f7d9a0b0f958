//! The tags of a data set in another scheme.

use crate::error::Result;
use crate::example::Example;
use crate::labels::{Evidence, TagScheme, from_iob2, notation, recognize, to_iob2};
use crate::read::dataset::Dataset;

/// The sentences with their IOB2 tags in `scheme`.
pub(super) fn converted(dataset: &Dataset, scheme: TagScheme) -> Result<Dataset> {
    let example = |example: &Example| Ok(Example { tags: from_iob2(&example.tags, scheme)?, ..example.clone() });
    Ok(Dataset::from_examples(dataset.examples.iter().map(example).collect::<Result<_>>()?))
}

/// The number of sentences that get other tags when they are written in `scheme` and read back.
///
/// There are some if the scheme cannot tell neighbors of one type apart (`io`, `bare`), or if most spans of an IOB2 corpus
/// begin with `I-`, so that it looks like another scheme.
///
/// # Errors
/// As [`from_iob2`].
///
/// ```
/// use datasets::labels::TagScheme;
/// use datasets::read::{Dataset, Example, changed_by};
/// let dataset = Dataset::from_examples(vec![Example::new(["Rome", "Oslo", "."], ["B-city", "B-city", "O"])]);
/// assert_eq!(changed_by(&dataset, TagScheme::Bioes)?, 0);
/// assert_eq!(changed_by(&dataset, TagScheme::Io)?, 1);
/// # Ok::<(), datasets::Error>(())
/// ```
pub fn changed_by(dataset: &Dataset, scheme: TagScheme) -> Result<usize> {
    let mut written = match scheme {
        TagScheme::Iob2 => dataset.clone(),
        _ => converted(dataset, scheme)?,
    };
    let evidence = Evidence::of(tags_of(&written));
    if let Some(notation) = notation(&evidence, None, tags_of(&written)) {
        written.examples.iter_mut().for_each(|example| notation.apply(&mut example.tags));
    }
    let found = recognize(tags_of(&written));
    let pairs = written.examples.iter_mut().zip(&dataset.examples);
    Ok(pairs
        .filter_map(|(back, example)| {
            let same = to_iob2(found, &mut back.tags).is_ok() && back.tags == example.tags;
            (!same).then_some(())
        })
        .count())
}

fn tags_of(dataset: &Dataset) -> impl Iterator<Item = &[String]> + Clone {
    dataset.examples.iter().map(|example| example.tags.as_slice())
}
