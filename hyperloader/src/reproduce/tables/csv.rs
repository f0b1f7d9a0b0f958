//! One line for each cell, task and protocol.

use std::fmt::Write;

use super::results::SuiteResults;

const HEADER: &str = "suite,scale,system,task,fraction,seed,protocol,micro_f1,precision,recall,support,trainable,total,steps,sentences,\
                      best_step,final_validation,steps_to_90";

/// The table. Times are left out, so that the same results give the same bytes. Names have no commas and no quotes.
pub(super) fn text(results: &SuiteResults) -> String {
    let mut text = format!("{HEADER}\n");
    let (suite, scale) = (results.record.suite.name(), results.record.scale.name());
    for (result, _) in &results.cells {
        let cell = &result.cell;
        let number = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
        let steps_to_90 = result.steps_to_90.map(|steps| steps.to_string()).unwrap_or_default();
        for (task, scores) in &result.scores {
            for (protocol, score) in scores {
                let _ = writeln!(
                    text,
                    "{suite},{scale},{},{task},{},{},{},{:.6},{:.6},{:.6},{},{},{},{},{},{},{},{steps_to_90}",
                    cell.system,
                    cell.fraction,
                    cell.seed,
                    protocol.name(),
                    score.micro_f1,
                    score.precision,
                    score.recall,
                    score.support,
                    result.trainable,
                    result.total,
                    result.steps,
                    result.sentences,
                    result.best_step,
                    number(result.final_validation),
                );
            }
        }
    }
    text
}
