//! The labelled sentences of a run.

use crate::analysis::Sentence;
use crate::eval::{Prediction, read_predictions};
use crate::run::RunDir;
use crate::{Error, Result};

/// The sentences of `task` as the run labelled them; `None` if it kept no predictions.
///
/// # Errors
/// [`Error::Malformed`] with the line that is no prediction.
pub(super) fn predictions(run: &RunDir, split: &str, task: &str) -> Result<Option<Vec<Sentence>>> {
    let path = run.predictions(split, task);
    if !path.is_file() {
        return Ok(None);
    }
    let sentence = |(line, prediction): (usize, Prediction)| {
        let Prediction { words, gold, predicted, spans } = prediction;
        let sentence = Sentence::new(words, gold, predicted, spans);
        sentence.map_err(|error| Error::malformed(&path, format!("line {}: {error}", line + 1)))
    };
    read_predictions(&path)?.into_iter().enumerate().map(sentence).collect::<Result<_>>().map(Some)
}
