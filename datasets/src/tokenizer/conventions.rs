//! T5's conventions for a Unigram vocabulary: special tokens, and the normalization of text.

use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Replace, Sequence, Strip};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, ModelWrapper, NormalizerWrapper, Tokenizer};

use crate::error::{Error, Result};

/// Padding, and also the decoder's start token.
pub(super) const PAD: &str = "<pad>";
/// End of sequence.
pub(super) const EOS: &str = "</s>";
/// Unknown piece.
pub(super) const UNK: &str = "<unk>";
/// The number of T5's sentinels, `<extra_id_0>` to `<extra_id_99>`.
pub const SENTINELS: usize = 100;
/// Sentencepiece's visible space. A piece that starts with it starts a word.
pub(super) const SPACE: char = '▁';

/// A piece and its log probability.
pub(super) type Piece = (String, f64);

/// The text of the `index`-th sentinel.
pub(super) fn sentinel_text(index: usize) -> String {
    format!("<extra_id_{index}>")
}

/// The sentinels in the order of their ids. `<extra_id_0>` has the highest id.
pub(super) fn sentinel_pieces() -> impl Iterator<Item = Piece> {
    (0..SENTINELS).rev().map(|index| (sentinel_text(index), 0.0))
}

/// An error of `tokenizers` as an error of this crate. Its names for the forms that a part may have tell a user nothing.
pub(super) fn foreign(error: impl std::fmt::Display) -> Error {
    let text = error.to_string();
    Error::Tokenizer(match text.contains("untagged enum") || text.contains("expected struct") {
        true => {
            "a part of it has no form that is known; expected a tokenizer.json of Hugging Face tokenizers".to_owned()
        }
        false => text,
    })
}

/// Builds the tokenizer of a vocabulary that already has the special tokens.
///
/// The character rewrites in `rewrite` come before repeated spaces are joined.
pub(super) fn assemble(model: Unigram, rewrite: Vec<NormalizerWrapper>) -> Result<Tokenizer> {
    let mut steps = rewrite;
    let runs = ReplacePattern::Regex(" {2,}".to_owned());
    steps.push(Replace::new(runs, " ").map_err(foreign)?.into());
    let mut tokenizer = Tokenizer::new(ModelWrapper::Unigram(model));
    tokenizer.with_normalizer(Some(NormalizerWrapper::Sequence(Sequence::new(steps)))).map_err(foreign)?;
    let special = [PAD, EOS, UNK].into_iter().map(str::to_owned);
    let sentinels = (0..SENTINELS).map(sentinel_text);
    let added = special.chain(sentinels).map(|text| AddedToken::from(text, true));
    tokenizer.add_special_tokens(added).map_err(foreign)?;
    follow_conventions(&mut tokenizer)?;
    Ok(tokenizer)
}

/// Makes the tokenizer read text as T5's own (slow) tokenizer does. Text between special tokens is stripped, every word
/// after a space or a sentinel is marked, `</s>` comes last, and nothing is cut off or padded.
pub(super) fn follow_conventions(tokenizer: &mut Tokenizer) -> Result<()> {
    let metaspace = Metaspace::new(SPACE, PrependScheme::Always, true);
    let stripped = stripped(tokenizer.get_normalizer().cloned());
    tokenizer.with_normalizer(Some(stripped)).map_err(foreign)?;
    tokenizer.with_pre_tokenizer(Some(metaspace.clone()));
    tokenizer.with_decoder(Some(metaspace));
    let eos = tokenizer.token_to_id(EOS).ok_or_else(|| Error::Tokenizer(format!("the vocabulary lacks `{EOS}`")))?;
    let template = TemplateProcessing::builder()
        .try_single(format!("$A {EOS}"))
        .and_then(|builder| builder.try_pair(format!("$A {EOS} $B {EOS}")))
        .map_err(Error::Tokenizer)?
        .special_tokens(vec![(EOS, eos)])
        .build()
        .map_err(foreign)?;
    tokenizer.with_post_processor(Some(template));
    tokenizer.with_truncation(None).map_err(foreign)?;
    tokenizer.with_padding(None);
    Ok(())
}

/// Adds the removal of trailing spaces, unless the normalizer has it. Leading spaces stay, because they become the mark
/// of the first word.
pub(super) fn stripped(normalizer: Option<NormalizerWrapper>) -> NormalizerWrapper {
    let mut steps = match normalizer {
        None => Vec::new(),
        Some(NormalizerWrapper::Sequence(sequence)) => sequence.as_ref().to_vec(),
        Some(single) => vec![single],
    };
    let ends_stripped =
        |step: &NormalizerWrapper| matches!(step, NormalizerWrapper::StripNormalizer(strip) if strip.strip_right);
    if !steps.iter().any(ends_stripped) {
        steps.push(Strip::new(false, true).into());
    }
    NormalizerWrapper::Sequence(Sequence::new(steps))
}
