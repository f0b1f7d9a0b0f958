//! A wrapped model as a backbone.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::base::Base;
use super::model::{Change, Wrapped};
use crate::{ActiveAdapters, Backbone, Ctx, Error, Merged, ParamStore, Refusal, Result, Sites};

impl<M, B> Backbone for Wrapped<M, B> {
    type Batch = B;

    fn sites(&self) -> &Sites {
        &self.sites
    }

    fn name(&self) -> Option<&str> {
        self.base.name.as_deref()
    }

    fn device(&self) -> &Device {
        &self.base.device
    }

    fn parameters(&self) -> Result<BTreeMap<String, Tensor>> {
        Ok(self.base.weights.clone())
    }

    fn train(self, covers: &dyn Fn(&str) -> bool, store: &ParamStore) -> Result<Self> {
        let mut base = Base::clone(&self.base);
        for (name, weight) in base.weights.iter_mut().filter(|(name, _)| covers(name)) {
            let value = || Ok(weight.detach());
            // The variable is f32. The model gets it in the type that it asks for.
            *weight = store.get_or_insert_with(name, weight.shape(), value)?;
        }
        Ok(self.with_base(base))
    }

    fn loss(&self, batch: &B, active: &ActiveAdapters<'_>, ctx: &mut Ctx) -> Result<Tensor> {
        if ctx.is_training() {
            self.check_dropout(active)?;
        }
        self.loss_of(self.build(active)?, batch, ctx)
    }

    fn merge_and_unload(&self, active: &ActiveAdapters<'_>) -> Result<Merged<Self>> {
        let mut base = Base::clone(&self.base);
        let (mut merged, mut refused) = (self.merged.clone(), Vec::new());
        for (id, site) in self.sites.ids().filter(|(id, _)| !active.is_idle(*id)) {
            let reason = match self.merged.contains(&id.index()) {
                true => format!(
                    "the weight of {} holds what was merged before, so that methods no longer act there; merge into the \
                     model from before that merge",
                    site.path
                ),
                false => match self.change(id, site, active)? {
                    Change::Weights(weights) => {
                        base.weights.extend(weights);
                        merged.insert(id.index());
                        continue;
                    }
                    Change::Refused(reason) => reason,
                },
            };
            refused.push(Refusal { site: site.path.clone(), reason });
        }
        for weight in base.weights.values_mut() {
            *weight = weight.detach();
        }
        let mut model = self.clone().with_base(base);
        model.merged = merged;
        Ok(Merged { model, refused })
    }
}

impl<M, B> Wrapped<M, B> {
    /// Refuses methods with dropout in their branch.
    fn check_dropout(&self, active: &ActiveAdapters<'_>) -> Result<()> {
        let dropping = self.acting(active).find_map(|(id, site)| Some((site, active.dropout(id)?)));
        match dropping {
            None => Ok(()),
            Some((site, (peft_type, p))) => Err(Error::Mismatch(format!(
                "{peft_type} at {} drops its input with probability {p} in training, which a change of a weight cannot do; set its \
                 dropout to 0 and put dropout into the model, or take a backbone that calls its sites",
                site.path
            ))),
        }
    }
}
