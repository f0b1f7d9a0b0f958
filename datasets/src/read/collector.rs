//! Collects the sentences of all readers. Only here are tags converted to IOB2, and only here is it decided whether a bad
//! sentence stops the reading.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use super::check::{self, Reason};
use super::dataset::{Dataset, Origin, Skipped};
use super::decided::Decided;
use super::format::Format;
use super::options::{OnBadLine, ReadOptions};
use super::tag_names;
use crate::error::{Error, Place, Result};
use crate::example::Example;
use crate::labels::{Evidence, SchemeFound, TagScheme, marked, notation, to_iob2};

pub(super) struct Collector<'a> {
    path: &'a Path,
    options: &'a ReadOptions,
    /// The names of tags that are numbers.
    names: Option<Cow<'a, [String]>>,
    /// What the reader decides; it fills in columns and text.
    pub(super) decided: Decided,
    examples: Vec<Example>,
    /// What their tags show about the scheme.
    evidence: Evidence,
    /// The lines of the tokens of sentences whose lines do not follow each other, by the index of the sentence.
    lines: BTreeMap<usize, Vec<usize>>,
    /// Whether a token of a sentence has a line of its own.
    line_per_token: bool,
    rows: bool,
    skipped: Vec<Skipped>,
}

/// Tokens and tags as a reader found them.
pub(super) type Found = (Vec<String>, Vec<String>);

impl<'a> Collector<'a> {
    pub(super) fn new(path: &'a Path, options: &'a ReadOptions) -> Self {
        Self {
            path,
            options,
            names: options.tag_names.as_deref().map(Cow::Borrowed),
            decided: Decided::default(),
            examples: Vec::new(),
            evidence: Evidence::default(),
            lines: BTreeMap::new(),
            line_per_token: false,
            rows: false,
            skipped: Vec::new(),
        }
    }

    /// The file that is being read.
    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    /// How it is read.
    pub(super) fn options(&self) -> &'a ReadOptions {
        self.options
    }

    /// Whether tags may be numbers.
    pub(super) fn has_names(&self) -> bool {
        self.names.is_some()
    }

    /// The names of tags that the file itself holds. Those that the caller gave come first.
    #[cfg(feature = "tables")]
    pub(super) fn offer_names(&mut self, names: Vec<String>) {
        self.names.get_or_insert(Cow::Owned(names));
    }

    /// Adds a sentence that begins at `place`, or its fault. Whether the fault stops the reading is decided at the end: an
    /// earlier sentence may have a tag that is wrong, which shows only when all tags are known.
    pub(super) fn take(&mut self, place: Place, found: Result<Found, Reason>) {
        self.rows = matches!(place, Place::Row(_));
        let checked = found.and_then(|(tokens, mut tags)| {
            check::shape(&tokens, &tags)?;
            if let Some(names) = &self.names {
                tag_names::apply(names, &mut tags)?;
            }
            Ok(Example { tokens, tags, line: Some(place.number()) })
        });
        match checked {
            Ok(example) => {
                // Here the tags are still in the processor's cache.
                self.evidence.add(&example.tags);
                self.examples.push(example);
            }
            Err(reason) => self.skipped.push(Skipped { place, reason }),
        }
    }

    /// The same for a sentence whose tokens are on these lines.
    pub(super) fn take_lines(&mut self, lines: &[usize], found: Found) {
        let first = lines.first().copied().unwrap_or_default();
        self.line_per_token = true;
        if lines.last().is_some_and(|last| last - first + 1 != lines.len()) {
            self.lines.insert(self.examples.len(), lines.to_vec());
        }
        self.take(Place::Line(first), Ok(found));
    }

    /// The data set of a file. It must not be empty.
    pub(super) fn finish(mut self, format: Format) -> Result<Dataset> {
        let mut origin = Origin { path: self.path.to_owned(), format, decided: std::mem::take(&mut self.decided) };
        let (mut dataset, tags) = self.settled()?;
        origin.decided.notable |= tags.spans > 0 && (tags.scheme != TagScheme::Iob2 || tags.notation.is_some());
        origin.decided.tags = tags;
        dataset.origin = Some(origin);
        Ok(dataset)
    }

    /// The same for a data set that was not read from a file.
    #[cfg(feature = "tables")]
    pub(super) fn finish_unnamed(self) -> Result<Dataset> {
        Ok(self.settled()?.0)
    }

    fn settled(mut self) -> Result<(Dataset, SchemeFound)> {
        let found = self.convert();
        let Self { path, options, examples, mut skipped, .. } = self;
        skipped.sort_by_key(|skipped| skipped.place);
        if let (OnBadLine::Fail, Some(Skipped { place, reason })) = (options.on_bad_line, skipped.first().cloned()) {
            return Err(Error::BadLine { path: path.to_owned(), place, reason });
        }
        if !examples.is_empty() {
            return Ok((Dataset { examples, skipped, origin: None }, found));
        }
        let reason = match skipped.first() {
            None => "no sentences in it".to_owned(),
            Some(first) => {
                let count = skipped.len();
                format!("no good sentence in it; {count} skipped, the first at {}: {}", first.place, first.reason)
            }
        };
        Err(Error::file(path, reason))
    }

    /// Recognizes the tag scheme by all sentences and converts them to IOB2. Sentences with a tag that the scheme does not
    /// have are bad.
    fn convert(&mut self) -> SchemeFound {
        let given = self.options.scheme;
        let notation = notation(&self.evidence, given, tags_of(&self.examples));
        if let Some(notation) = notation {
            self.examples.iter_mut().for_each(|example| notation.apply(&mut example.tags));
            self.evidence = Evidence::of(tags_of(&self.examples));
        }
        let scheme = given.unwrap_or_else(|| self.evidence.scheme(tags_of(&self.examples)));
        let mut found = SchemeFound { scheme, given: given.is_some(), notation, ..SchemeFound::default() };
        if given.is_none() && scheme == TagScheme::Bare {
            found.marked = marked(tags_of(&self.examples));
        }
        if let Some((spans, irregular)) = self.evidence.counts_as_iob2().filter(|_| scheme == TagScheme::Iob2) {
            return SchemeFound { spans, irregular, ..found };
        }
        let mut bad = BTreeMap::new();
        for (index, example) in self.examples.iter_mut().enumerate() {
            match to_iob2(scheme, &mut example.tags) {
                Ok(irregular) => {
                    found.irregular += irregular;
                    found.spans += spans(&example.tags);
                }
                Err(malformed) => {
                    bad.insert(index, malformed);
                }
            }
        }
        let fault = |index: usize, at: usize| {
            let line = self.examples.get(index).and_then(|example| example.line).unwrap_or_default();
            match (self.lines.get(&index), self.line_per_token, self.rows) {
                (Some(lines), ..) => Place::Line(lines.get(at).copied().unwrap_or(line)),
                (None, true, _) => Place::Line(line + at),
                (None, false, true) => Place::Row(line),
                (None, false, false) => Place::Line(line),
            }
        };
        let faults = bad
            .iter()
            .map(|(&index, malformed)| Skipped { place: fault(index, malformed.at), reason: malformed.reason.clone() });
        self.skipped.extend(faults);
        if !bad.is_empty() {
            let mut index = 0..;
            self.examples.retain(|_| index.next().is_none_or(|index| !bad.contains_key(&index)));
        }
        found
    }
}

fn tags_of(examples: &[Example]) -> impl Iterator<Item = &[String]> + Clone {
    examples.iter().map(|example| example.tags.as_slice())
}

/// The number of spans of IOB2 tags. An `I-X` that continues no span begins one.
fn spans(tags: &[String]) -> usize {
    let mut before: Option<&str> = None;
    let mut count = 0;
    for tag in tags {
        let kind = tag.get(2..);
        count += usize::from(kind.is_some() && (tag.starts_with('B') || kind != before));
        before = kind;
    }
    count
}
