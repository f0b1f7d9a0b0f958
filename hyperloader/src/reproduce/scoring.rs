//! From a trained cell to its `cell.json`.

use std::collections::BTreeMap;
use std::time::Instant;

use candle_core::Device;

use super::cell::Cell;
use super::outcome::{CellResult, Score, SentenceCounts};
use super::plan::SuitePlan;
use super::protocols::{predict_task, test_sentences};
use super::statistics::Counts;
use crate::Result;
use crate::config::Config;
use crate::eval::stage_predictions;
use crate::run::RunDir;
use crate::session::Session;
use crate::tasks::SplitName;
use peft_files::{create_folders, parent};

/// The key of the average in `metrics.jsonl`.
const AVERAGE: &str = "validation/average_micro_f1";

/// Scores the trained model in the folder of `cell` and writes what came out. `started` is when the work on the cell began.
///
/// # Errors
/// If the model cannot be opened, labelling fails, or a file cannot be written.
pub fn score_cell(plan: &SuitePlan, cell: &Cell, device: &Device, started: Instant) -> Result<CellResult> {
    let folder = cell.folder(&plan.options.out);
    let run = RunDir::new(&folder);
    let (mut session, best_step) = Session::load(&run, device)?;
    let config = session.config.clone();
    let split = SplitName::Test.to_string();
    let (mut scores, mut counts): (_, SentenceCounts) = (BTreeMap::new(), BTreeMap::new());
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for task in &config.tasks {
        let corpus = config.corpus(task)?;
        let examples = test_sentences(&corpus, plan.settings.test_sentences)?;
        let predicted = predict_task(&mut session, &corpus, &examples)?;
        let path = run.predictions(&split, &task.name);
        folders.push(create_folders(parent(&path))?);
        files.push(stage_predictions(&path, &predicted.predictions)?);
        let mut of_task = BTreeMap::new();
        for (protocol, sentences) in predicted.counts {
            of_task.insert(protocol, Score::from(sentences.iter().copied().sum::<Counts>()));
            counts.entry(protocol).or_default().insert(task.name.clone(), sentences);
        }
        scores.insert(task.name.clone(), of_task);
    }
    let validations = validations(&run)?;
    let final_validation = validations.last().map(|(_, score)| *score);
    let result = CellResult {
        cell: cell.clone(),
        tasks: config.tasks.iter().map(|task| task.name.clone()).collect(),
        trainable: session.model.store().num_parameters(),
        total: session.parameters()?,
        steps: config.train.max_steps.get(),
        sentences: sentences(&config),
        best_step,
        final_validation,
        steps_to_90: steps_to(&validations, 0.9),
        seconds: started.elapsed().as_secs_f64(),
        scores,
    };
    result.write(&folder, &counts, files)?;
    folders.into_iter().for_each(peft_files::NewFolders::keep);
    Ok(result)
}

/// The sentences that a run of `config` trains on, repetitions counted.
pub fn sentences(config: &Config) -> usize {
    let train = &config.train;
    train.max_steps.get() * train.batch_size.get() * train.gradient_accumulation_steps.get()
}

/// The average validation micro-F1 of each validation, by its step.
fn validations(run: &RunDir) -> Result<Vec<(usize, f64)>> {
    let path = run.root().join("metrics.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(Vec::new()) };
    let read = |line: &str| -> Option<(usize, f64)> {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        Some((usize::try_from(line.get("step")?.as_u64()?).ok()?, line.get(AVERAGE)?.as_f64()?))
    };
    Ok(text.lines().filter_map(read).collect())
}

/// The first step whose score is at least `share` of the last score; `None` without validations, or if the last score is 0.
fn steps_to(validations: &[(usize, f64)], share: f64) -> Option<usize> {
    let (_, last) = validations.last().filter(|(_, score)| *score > 0.)?;
    validations.iter().find(|(_, score)| *score >= share * last).map(|(step, _)| *step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_of_learning_is_the_first_step_near_the_end() {
        let curve = [(10, 0.), (20, 0.5), (30, 0.91), (40, 0.89), (50, 1.)];
        assert_eq!(steps_to(&curve, 0.9), Some(30));
        assert_eq!(steps_to(&[(10, 0.), (20, 0.)], 0.9), None);
        assert_eq!(steps_to(&[], 0.9), None);
    }
}
