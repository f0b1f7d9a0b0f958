//! A suite on several ranks: rank 0 works through the suite, and the others train with it.

use candle_core::Device;
use serde::{Deserialize, Serialize};

use super::plan::SuitePlan;
use crate::session::{RunOptions, pretrain, train};
use crate::train::{Ranks, share_value};
use crate::{Error, Result};

/// What all ranks do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Order {
    /// Pretrain the backbone.
    Backbone,
    /// Train the cell of this name.
    Cell(String),
    /// Nothing more.
    End,
}

/// Tells all ranks what comes next. Only rank 0 calls it.
///
/// # Errors
/// If a rank is gone.
pub(super) fn order(ranks: &Ranks, order: &Order) -> Result<()> {
    if ranks.are_many() {
        share_value(ranks, order)?;
    }
    Ok(())
}

/// Does what rank 0 orders, until the end.
///
/// # Errors
/// If training fails; a rank that was asked to stop waits for the next order instead.
pub(super) fn follow(plan: &SuitePlan, device: &Device, run: &RunOptions) -> Result<()> {
    loop {
        // What this rank gives counts for nothing.
        let done = match share_value(&run.ranks, &Order::End)? {
            Order::End => return Ok(()),
            Order::Backbone => {
                let config = plan.pretraining()?.ok_or_else(|| Error::Internal("a suite without backbone".into()))?;
                pretrain(&config, &plan.backbone_folder(), device, run).map(drop)
            }
            Order::Cell(name) => {
                let cells = plan.cells();
                let cell = cells.iter().find(|cell| cell.name() == name);
                let cell = cell.ok_or_else(|| Error::Internal(format!("a suite without cell {name}")))?;
                train(plan.config(cell)?, &cell.folder(&plan.options.out), device, run).map(drop)
            }
        };
        match done {
            Ok(()) | Err(Error::Interrupted { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}
