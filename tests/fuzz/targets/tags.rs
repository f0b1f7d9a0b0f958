//! Tags: what is parsed shows as it was, and well-formed tags come back from the words that a model writes.
#![no_main]

use datasets::labels::{Tag, TagSet, TagWords, decode, restore, simplify};
use datasets::metrics::{ScoringMode, score};
use hyperloader_fuzz::limits::bounded;

libfuzzer_sys::fuzz_target!(|data: &str| {
    bounded(data.len(), || {
        let tags: Vec<&str> = data.lines().collect();
        let parsed: Vec<Option<Tag<'_>>> = tags.iter().map(|tag| Tag::parse(tag).ok()).collect();
        for (tag, parsed) in tags.iter().zip(&parsed) {
            assert!(parsed.is_none_or(|parsed| parsed.to_string() == *tag));
        }
        let decoded = decode(data, tags.len());
        assert_eq!(decoded.len(), tags.len());
        let written = restore(&tags);
        assert_eq!(written.len(), tags.len());
        for mode in [ScoringMode::Default, ScoringMode::Strict] {
            let _ = score(&[&decoded], &[&decoded], mode).expect("well-formed tags");
        }
        let _ = TagWords::new(data.lines().filter_map(|line| line.split_once('=')));
        let Ok(words) = simplify(&tags) else { return };
        let set = TagSet::of_tags(&tags).expect("simplified tags are a set");
        assert!(words.iter().all(|word| set.simplified().any(|known| known == *word)));
        // An `I-X` that continues no `X` cannot come back.
        let continues = |before: Option<&Tag<'_>>, kind| before.and_then(|before| before.kind()) == Some(kind);
        let parsed: Vec<Tag<'_>> = parsed.into_iter().flatten().collect();
        let well_formed = parsed.iter().enumerate().all(|(index, tag)| match tag {
            Tag::Inside(kind) => continues(index.checked_sub(1).and_then(|index| parsed.get(index)), kind),
            _ => true,
        });
        if well_formed {
            assert_eq!(restore(&words), tags);
        }
    });
});
