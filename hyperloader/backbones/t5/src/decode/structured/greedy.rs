//! The likeliest token at every choice.

use super::draft::Draft;
use super::path::Path;
use super::tags::{TagSequence, Tags, room};
use crate::decode::source::Source;
use crate::decode_packed::{CacheSize, PackedStep, PackedTokens};
use crate::error::Result;
use crate::packed::PackedKvCache;

/// A pass over so few tokens takes about as long as a pass over one token, because reading the weights takes most of the
/// time. So passes are filled up to this many tokens with drafted ones, which are discarded where they turn out wrong.
const FULL_PASS: usize = 16;

/// One row of a pass: the certain tokens, the drafted tokens after them, and where there is a choice.
struct Feed {
    row: usize,
    tokens: Vec<u32>,
    certain: usize,
    /// The indices in `tokens` after which there is a choice, ascending; the first is that of the last certain token.
    choices: Vec<usize>,
}

/// The likeliest tags of each sentence. Each sentence advances at its own pace, and costs nothing once it is done.
pub(super) fn decode(decoder: &Tags, source: &Source<'_>, words: &[usize]) -> Result<Vec<TagSequence>> {
    let Source { t5, encoded, active, .. } = *source;
    let (grammar, start) = (&decoder.grammar, t5.config().decoder_start_token_id);
    let mut ctx = source.ctx();
    let mut paths: Vec<Path> = words.iter().map(|words| Path::new(grammar, start, *words)).collect();
    if paths.iter().all(Path::is_done) {
        return Ok(paths.into_iter().map(|path| path.sequence).collect());
    }
    let size = CacheSize { rows: 1, capacity: room(words) };
    let mut cache = t5.start_packed(encoded, active, size, &mut ctx)?;
    let mut draft = Draft::new(grammar.tags());
    loop {
        let feeds = feeds(decoder, &paths, &draft);
        if feeds.is_empty() {
            break;
        }
        let rows: Vec<PackedTokens<'_>> =
            feeds.iter().map(|f| PackedTokens { row: f.row, tokens: &f.tokens }).collect();
        let step = PackedStep { rows: &rows, read: &read(&feeds) };
        let hidden = t5.decode_packed(&step, &mut cache, active, &mut ctx)?;
        let mut logits = t5.candidate_logits(&hidden, &decoder.candidates, active, &mut ctx)?.into_iter();
        for feed in &feeds {
            let logits: Vec<Vec<f32>> = logits.by_ref().take(feed.choices.len()).collect();
            if let Some(path) = paths.get_mut(feed.row) {
                settle(decoder, path, feed, &logits, &mut cache, &mut draft);
            }
        }
    }
    Ok(paths.into_iter().map(|path| path.sequence).collect())
}

/// What the unfinished rows are fed, with as many drafted tokens as a pass has room for.
fn feeds(decoder: &Tags, paths: &[Path], draft: &Draft) -> Vec<Feed> {
    let live = || paths.iter().enumerate().filter(|(_, path)| !path.is_done());
    let certain: usize = live().map(|(_, path)| path.pending.len()).sum();
    let share = FULL_PASS.saturating_sub(certain) / live().count().max(1);
    live().map(|(row, path)| feed(decoder, row, path, draft, share)).collect()
}

fn feed(decoder: &Tags, row: usize, path: &Path, draft: &Draft, drafted: usize) -> Feed {
    let grammar = &decoder.grammar;
    let certain = path.pending.len();
    let mut choices = vec![certain.saturating_sub(1)];
    let mut ghost = path.clone();
    let mut tokens = path.pending.clone();
    // Only whole tags are drafted: within a tag, the draft would have to agree with what is written already.
    while let Some(tag) = draft.after(ghost.last_tag()) {
        let mut longer = ghost.clone();
        let mut at = Vec::new();
        let word = longer.state.word;
        while longer.state.word == word
            && let Some(token) =
                longer.spell(grammar, tag).filter(|token| grammar.follow(longer.state, *token).is_some())
        {
            longer.choose(grammar, token, 0.);
            at.push(longer.pending.len().saturating_sub(1));
        }
        if longer.state.word == word || longer.is_done() || longer.pending.len() > certain + drafted {
            break;
        }
        choices.extend(at);
        (tokens, ghost) = (longer.pending.clone(), longer);
    }
    Feed { row, tokens, certain, choices }
}

/// The indices of all choices among the tokens of a pass.
fn read(feeds: &[Feed]) -> Vec<u32> {
    let mut first = 0;
    let mut places = Vec::new();
    for feed in feeds {
        places.extend(feed.choices.iter().map(|choice| (first + choice) as u32));
        first += feed.tokens.len();
    }
    places
}

/// Chooses tokens as long as the draft agrees with them, and removes the rest of the draft from the cache.
fn settle(
    decoder: &Tags,
    path: &mut Path,
    feed: &Feed,
    logits: &[Vec<f32>],
    cache: &mut PackedKvCache,
    draft: &mut Draft,
) {
    let before = cache.lens().get(feed.row).copied().unwrap_or_default() - feed.tokens.len();
    let mut fed = feed.certain;
    path.pending.clear();
    for logits in logits {
        let options = decoder.grammar.weigh(path.state, logits);
        // Of equal options the first, as argmax does.
        let better = |best: (u32, f64), next: (u32, f64)| if next.1 > best.1 { next } else { best };
        let Some((token, log_p)) = options.into_iter().reduce(better) else { break };
        let (known, last) = (path.sequence.tags.len(), path.last_tag());
        path.choose(&decoder.grammar, token, log_p);
        path.sequence.tags.iter().skip(known).fold(last, |last, tag| {
            draft.learn(last, *tag);
            Some(*tag)
        });
        let drafted = feed.tokens.get(fed..).unwrap_or_default();
        let right = path.pending.iter().zip(drafted).take_while(|(token, draft)| token == draft).count();
        fed += right;
        path.pending.drain(..right);
        if !path.pending.is_empty() || path.is_done() {
            break;
        }
    }
    cache.truncate(feed.row, before + fed);
}
