//! `params`: the number of parameters of a configuration.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;

use super::args::ParamsArgs;
use super::output::{json, written};
use crate::Result;
use crate::model::{Group, Inventory, ParamCount, shape_of};

#[derive(Serialize)]
struct Counts {
    #[serde(flatten)]
    total: ParamCount,
    groups: BTreeMap<Group, ParamCount>,
}

pub(super) fn params(args: &ParamsArgs, out: &mut dyn Write) -> Result<()> {
    let config = args.config.load()?;
    let shape = shape_of(&config.model)?;
    let inventory = Inventory::of(&shape, config.parts()?, config.model.trainable)?;
    let counts = Counts { total: inventory.total(), groups: inventory.by_group() };
    if args.json { json(out, &counts) } else { table(&counts, out) }
}

fn table(counts: &Counts, out: &mut dyn Write) -> Result<()> {
    written(writeln!(out, "{:<16}{:>14}{:>14}{:>14}", "", "trainable", "frozen", "total"))?;
    let name = |group: &Group| match group {
        Group::Backbone => "backbone",
        Group::LayerNorms => "layer norms",
        Group::TaskEmbeddings => "task embeddings",
        Group::Hypernetwork => "hypernetwork",
        Group::Static => "static PEFT",
    };
    let rows = counts.groups.iter().map(|(group, count)| (name(group), count));
    for (name, count) in rows.chain([("all", &counts.total)]) {
        written(writeln!(out, "{name:<16}{:>14}{:>14}{:>14}", count.trainable, count.frozen, count.total))?;
    }
    let share = 100. * counts.total.trainable as f64 / counts.total.total.max(1) as f64;
    written(writeln!(out, "{share:.2} % of the parameters train"))
}
