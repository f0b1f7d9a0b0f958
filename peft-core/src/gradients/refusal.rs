//! A report as an error that names variables and operations.

use super::probe::{self, Finding};
use super::report::GradientReport;
use crate::{Error, Result};

impl GradientReport {
    /// The report, if every variable may train.
    ///
    /// # Errors
    /// [`Error::Gradients`] otherwise. It names the variables, and the operations of this build that have no backward pass or a wrong
    /// one. Candle keeps no trace of what cut a gradient, so they are suspects, whether the loss uses them or not.
    pub fn into_result(self) -> Result<Self> {
        if self.is_right() {
            return Ok(self);
        }
        let operations = probe::operations()?;
        let names = |finding: Finding| -> Vec<&str> {
            operations.iter().filter(|operation| operation.finding == finding).map(|operation| operation.name).collect()
        };
        let mut message = format!("gradient check: {self}");
        let mut suspects = false;
        for (what, names) in [("no backward pass", names(Finding::Missing)), ("a wrong one", names(Finding::Wrong))] {
            if !names.is_empty() {
                suspects = true;
                message.push_str(&format!("\noperations of this build with {what}: {}", names.join(", ")));
            }
        }
        message.push_str(match suspects {
            true => "\nUse other operations in the model (`peft_kernels::nn` has most of them), or a candle-nn with gradients.",
            false => "\nAll known operations have right gradients: look for `detach`, and for operations of your own.",
        });
        Err(Error::Gradients(message))
    }
}
