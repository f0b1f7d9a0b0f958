//! What makes a Unigram vocabulary T5's: its special tokens and the way text reaches the model.

use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Replace, Sequence, Strip};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, ModelWrapper, NormalizerWrapper, Tokenizer};

use crate::error::{Error, Result};

/// Padding, also the decoder's start token.
pub(super) const PAD: &str = "<pad>";
/// End of sequence.
pub(super) const EOS: &str = "</s>";
/// Unknown piece.
pub(super) const UNK: &str = "<unk>";
/// How many sentinels T5 has: `<extra_id_0>` to `<extra_id_99>`.
pub const SENTINELS: usize = 100;
/// Sentencepiece's visible space; a piece that starts with it starts a word.
pub(super) const SPACE: char = '▁';

/// A piece and its log probability.
pub(super) type Piece = (String, f64);

/// The text of the `index`-th sentinel.
pub(super) fn sentinel_text(index: usize) -> String {
    format!("<extra_id_{index}>")
}

/// The sentinels in the order of their ids: `<extra_id_0>` has the highest.
pub(super) fn sentinel_pieces() -> impl Iterator<Item = Piece> {
    (0..SENTINELS).rev().map(|index| (sentinel_text(index), 0.0))
}

/// A `tokenizers` error as this crate's.
pub(super) fn foreign(error: impl std::fmt::Display) -> Error {
    Error::Tokenizer(error.to_string())
}

/// Builds the tokenizer around a vocabulary that already holds the special tokens.
///
/// `rewrite` are the character rewrites that come before the spaces are tidied.
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

/// Makes text between special tokens read as T5's own (slow) tokenizer reads it: stripped, every
/// word after a space or a sentinel marked, `</s>` at the end, nothing cut or padded behind our back.
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

/// Appends the stripping of trailing spaces, unless the normalizer ends so already. Leading ones
/// need none: they become the mark of the first word.
fn stripped(normalizer: Option<NormalizerWrapper>) -> NormalizerWrapper {
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
