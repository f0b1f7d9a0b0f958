//! The n best sequences: a beam over whole tags.

use peft_core::Ctx;

use super::path::Path;
use super::tags::{TagSequence, Tags, room};
use crate::decode::source::Source;
use crate::decode_packed::{CacheSize, PackedStep, PackedTokens};
use crate::error::Result;
use crate::packed::PackedKvCache;

/// One way to extend a hypothesis by one word: with a tag, or with the beginning of one.
#[derive(Debug, Clone)]
struct Branch {
    /// The number of the hypothesis.
    origin: usize,
    /// What the hypothesis becomes; its pending tokens are those after the hypothesis's own.
    path: Path,
}

/// The hypotheses of one sentence and the ways to extend them by one word.
#[derive(Debug)]
struct Search {
    /// Best first; each has its row of the cache.
    hypotheses: Vec<Path>,
    /// Best first.
    branches: Vec<Branch>,
    words: usize,
    word: usize,
}

impl Search {
    /// The unfinished branches among the `beams` best, at most one for each hypothesis: no other can push them out, for
    /// probabilities only fall.
    fn unfinished(&self, beams: usize) -> Vec<usize> {
        let mut origins = Vec::new();
        let best = self.branches.iter().take(beams).enumerate();
        let open = best.filter(|(_, branch)| branch.path.state.word == self.word && !branch.path.is_done());
        open.filter(|(_, branch)| {
            let new = !origins.contains(&branch.origin);
            origins.push(branch.origin);
            new
        })
        .map(|(place, _)| place)
        .collect()
    }

    fn is_done(&self) -> bool {
        self.word >= self.words
    }

    /// The branches before anything is read: what each hypothesis must write.
    fn begin(&mut self) {
        let branch = |(origin, hypothesis): (usize, &Path)| Branch { origin, path: hypothesis.clone() };
        self.branches = self.hypotheses.iter().enumerate().map(branch).collect();
    }

    /// Makes the best branches the hypotheses, and gives the hypothesis that each one extends.
    fn finish_word(&mut self, beams: usize) -> Vec<usize> {
        let best: Vec<Branch> = self.branches.drain(..).take(beams).collect();
        self.word += 1;
        let (origins, hypotheses) = best.into_iter().map(|branch| (branch.origin, branch.path)).unzip();
        self.hypotheses = hypotheses;
        origins
    }
}

/// The `beams` best sequences of each sentence, best first.
pub(super) fn decode(
    decoder: &Tags,
    source: &Source<'_>,
    words: &[usize],
    beams: usize,
) -> Result<Vec<Vec<TagSequence>>> {
    let Source { t5, encoded, .. } = *source;
    let sentences = words.len() as u32;
    let rows: Vec<u32> = (0..sentences).flat_map(|sentence| std::iter::repeat_n(sentence, beams)).collect();
    let active = source.active.select_rows(&rows)?;
    let mut ctx = source.ctx();
    let size = CacheSize { rows: beams, capacity: room(words) };
    let mut cache = t5.start_packed(encoded, source.active, size, &mut ctx)?;
    let start = t5.config().decoder_start_token_id;
    let search = |words: &usize| {
        let hypotheses = vec![Path::new(&decoder.grammar, start, *words)];
        Search { hypotheses, branches: Vec::new(), words: *words, word: 0 }
    };
    let mut searches: Vec<Search> = words.iter().map(search).collect();
    while searches.iter().any(|search| !search.is_done()) {
        searches.iter_mut().filter(|search| !search.is_done()).for_each(Search::begin);
        while expand(decoder, source, &active, &mut searches, beams, &mut cache, &mut ctx)? {}
        finish_word(&mut searches, beams, &mut cache)?;
    }
    let sequences = |search: Search| search.hypotheses.into_iter().map(|path| path.sequence).collect();
    Ok(searches.into_iter().map(sequences).collect())
}

/// One round: reads the logits after the best unfinished branches and replaces each branch by those that may follow. Gives
/// whether there was an unfinished branch.
fn expand(
    decoder: &Tags,
    source: &Source<'_>,
    active: &peft_core::ActiveAdapters<'_>,
    searches: &mut [Search],
    beams: usize,
    cache: &mut PackedKvCache,
    ctx: &mut Ctx,
) -> Result<bool> {
    // For each branch that is read: its sentence, its row, and how many of its tokens the row keeps.
    let mut reads = Vec::new();
    for (sentence, search) in searches.iter().enumerate().filter(|(_, search)| !search.is_done()) {
        for place in search.unfinished(beams) {
            let Some(branch) = search.branches.get(place) else { continue };
            let certain = search.hypotheses.get(branch.origin).map_or(0, |h| h.pending.len());
            reads.push(Read { sentence, place, row: sentence * beams + branch.origin, certain });
        }
    }
    if reads.is_empty() {
        return Ok(false);
    }
    let fed: Vec<(&Read, &Path)> = reads.iter().filter_map(|read| Some((read, path(searches, read)?))).collect();
    let rows: Vec<PackedTokens<'_>> =
        fed.iter().map(|(read, path)| PackedTokens { row: read.row, tokens: &path.pending }).collect();
    let last = rows.iter().scan(0u32, |end, row| {
        *end += row.tokens.len() as u32;
        Some(end.saturating_sub(1))
    });
    let step = PackedStep { rows: &rows, read: &last.collect::<Vec<u32>>() };
    let hidden = source.t5.decode_packed(&step, cache, active, ctx)?;
    let logits = source.t5.candidate_logits(&hidden, &decoder.candidates, active, ctx)?;
    for (read, logits) in reads.iter().zip(&logits) {
        take(decoder, searches, read, logits, cache);
    }
    for search in searches.iter_mut() {
        search.branches.retain(|branch| branch.origin != GONE);
        search.branches.sort_by(|a, b| b.path.total().total_cmp(&a.path.total()));
    }
    Ok(true)
}

/// A branch that is read in a pass.
struct Read {
    sentence: usize,
    place: usize,
    row: usize,
    /// The tokens of the hypothesis that the row is fed first, and keeps.
    certain: usize,
}

/// The origin of a branch that was replaced by what follows it.
const GONE: usize = usize::MAX;

fn path<'a>(searches: &'a [Search], read: &Read) -> Option<&'a Path> {
    Some(&searches.get(read.sentence)?.branches.get(read.place)?.path)
}

/// Replaces a branch by those that may follow it, and removes what was fed of the branch alone from the cache.
fn take(decoder: &Tags, searches: &mut [Search], read: &Read, logits: &[f32], cache: &mut PackedKvCache) {
    let Some(search) = searches.get_mut(read.sentence) else { return };
    let Some(branch) = search.branches.get_mut(read.place) else { return };
    let (origin, mut path) = (std::mem::replace(&mut branch.origin, GONE), branch.path.clone());
    let own = path.pending.len() - read.certain;
    cache.truncate(read.row, cache.lens().get(read.row).map_or(0, |len| len - own));
    // What the row keeps is no longer pending, in the hypothesis and in all its branches.
    if let Some(hypothesis) = search.hypotheses.get_mut(origin) {
        hypothesis.pending.clear();
    }
    for other in search.branches.iter_mut().filter(|other| other.origin == origin) {
        other.path.was_read(read.certain);
    }
    path.was_read(read.certain);
    for (token, log_p) in decoder.grammar.weigh(path.state, logits) {
        let mut path = path.clone();
        path.choose(&decoder.grammar, token, log_p);
        search.branches.push(Branch { origin, path });
    }
}

/// Goes on to the next word in all sentences that have one.
fn finish_word(searches: &mut [Search], beams: usize, cache: &mut PackedKvCache) -> Result<()> {
    let mut rows: Vec<u32> = (0..).take(searches.len() * beams).collect();
    for (sentence, search) in searches.iter_mut().enumerate().filter(|(_, search)| !search.is_done()) {
        let first = sentence * beams;
        for (beam, origin) in search.finish_word(beams).into_iter().enumerate() {
            if let Some(row) = rows.get_mut(first + beam) {
                *row = (first + origin) as u32;
            }
        }
    }
    cache.select(&rows)
}
