//! T5's span corruption.

use crate::encode::Pair;
use crate::error::{Error, Result};
use crate::tokenizer::T5Tokenizer;

/// Hides the tokens for which `mask` is `true`.
///
/// One sentinel replaces each hidden span in the source. The target has each sentinel followed by its span, and one more
/// sentinel at the end (Raffel et al. 2020, figure 2). For `a b c d e` with `b c` and `e` hidden:
///
/// ```text
/// source  a <extra_id_0> d <extra_id_1> </s>
/// target  <extra_id_0> b c <extra_id_1> e <extra_id_2> </s>
/// ```
///
/// Spans after the 99th are not hidden.
///
/// # Errors
/// If `ids` and `mask` have different lengths.
pub fn corrupt_spans(tokenizer: &T5Tokenizer, ids: &[u32], mask: &[bool]) -> Result<Pair> {
    if ids.len() != mask.len() {
        let what = "tokens and noise mask".to_owned();
        return Err(Error::LengthMismatch { what, left: ids.len(), right: mask.len() });
    }
    let mut sentinels = tokenizer.sentinels().iter().copied();
    let (mut source, mut target) = (Vec::with_capacity(ids.len() + 1), Vec::new());
    let (mut in_span, mut hiding) = (false, false);
    for (&id, &masked) in ids.iter().zip(mask) {
        if masked && !in_span {
            // The last sentinel is reserved to close the target.
            let sentinel = if sentinels.len() > 1 { sentinels.next() } else { None };
            hiding = sentinel.is_some();
            source.extend(sentinel);
            target.extend(sentinel);
        }
        in_span = masked;
        if masked && hiding { target.push(id) } else { source.push(id) }
    }
    target.extend(sentinels.next());
    source.push(tokenizer.eos_id());
    target.push(tokenizer.eos_id());
    Ok(Pair { source, target, source_truncated: false, target_truncated: false })
}
