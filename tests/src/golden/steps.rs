//! Training on a golden folder's batches, as the reference did; by several ranks, each of which has a part of every batch's sentences.

use candle_core::Tensor;
use hyperloader::optim::{AdamW, AdamWConfig, AdamWFlavor, Gradients, Unreached};
use hyperloader::train::{Ranks, sum_gradients};
use peft_core::{Ctx, ParamStore, PeftModel};
use peft_kernels::{Kernels, Reduction, SmoothedCrossEntropy};
use peft_t5::{T5, T5Batch};

use super::Golden;

/// Of gradients and stepped weights, relative to the largest value of the tensor (of 1 for weights).
pub const TOLERANCE: f64 = 2e-5;

/// The loss of the reference's steps.
pub fn smoothed_sum(golden: &Golden) -> SmoothedCrossEntropy {
    let ignore_index = golden.description.backbone.pad;
    SmoothedCrossEntropy { label_smoothing: 0.1, ignore_index, reduction: Reduction::Sum }
}

/// The rows of `batch` that this rank has: all, if it is alone.
///
/// # Panics
/// If there are fewer rows than ranks.
fn own_rows(mut batch: T5Batch, ranks: &Ranks) -> T5Batch {
    let (rows, size, rank) = (batch.labels.dims()[0], ranks.size().get(), ranks.rank());
    let (start, end) = (rows * rank / size, rows * (rank + 1) / size);
    assert!(start < end, "rank {rank} of {size} has none of {rows} sentences");
    let own = |tensor: &Tensor| tensor.narrow(0, start, end - start).expect("rows");
    for part in [&mut batch.source, &mut batch.mask, &mut batch.labels] {
        *part = own(part);
    }
    batch
}

/// The gradients of batch `n` for `task`, of all ranks together.
///
/// # Panics
/// If an operation fails.
pub fn gradients(
    (model, store): &(PeftModel<T5>, ParamStore),
    golden: &Golden,
    (n, task): (usize, &str),
    kernels: Kernels,
    ranks: &Ranks,
) -> Gradients {
    let active = model.active(golden.condition(task)).expect("weights");
    let batch = own_rows(golden.batch(n), ranks);
    let mut ctx = Ctx::eval().with_kernels(kernels);
    let loss = model.backbone().smoothed_loss(&batch, &smoothed_sum(golden), &active, &mut ctx).expect("a loss");
    let own = Gradients::from_store(&loss.backward().expect("gradients"), &store.vars());
    sum_gradients(&**ranks, vec![own], &store.vars()).expect("a sum")
}

/// What is trained by `steps` steps, batch `i` with task `tasks[i]`.
///
/// # Panics
/// If an operation fails.
pub fn train(
    golden: &Golden,
    tasks: &[&str],
    unreached: Unreached,
    steps: usize,
    kernels: Kernels,
    ranks: &Ranks,
) -> ParamStore {
    let model = golden.model();
    let settings = &golden.description.optimizer;
    let config = AdamWConfig {
        flavor: AdamWFlavor::Transformers35,
        betas: settings.betas,
        eps: settings.eps,
        weight_decay: settings.weight_decay,
        unreached,
        ..AdamWConfig::default()
    };
    let mut optimizer = AdamW::new(model.1.vars(), config).expect("an optimizer");
    for step in 0..steps {
        let n = step % tasks.len();
        let mut gradients = gradients(&model, golden, (n, tasks[n]), kernels, ranks);
        gradients.clip_grad_norm(settings.max_grad_norm).expect("a norm");
        optimizer.apply_gradients(&gradients, settings.lr).expect("a step");
    }
    model.1
}

/// The largest difference between what `train` returns and the weights of `stem`, relative to the tolerance; `None` if the golden lacks
/// them.
///
/// # Panics
/// If other weights were trained.
pub fn weights_gap(golden: &Golden, stem: &str, train: impl Fn() -> ParamStore) -> Option<f64> {
    let theirs = golden.find_weights(stem)?;
    let ours = train().tensors();
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{} {stem}", golden.name);
    Some(ours.iter().map(|(name, ours)| gap(ours, &theirs[name])).fold(0., f64::max) / TOLERANCE)
}

/// The largest gap of gradients, relative to the tolerance.
///
/// # Panics
/// If other variables were reached than in the reference.
pub fn gradients_gap(golden: &Golden, ours: &Gradients) -> f64 {
    let theirs = golden.find_weights("grads").expect("grads.safetensors");
    let names = |n: Vec<&str>| n.into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        names(ours.iter().map(|(n, _)| n).collect()),
        names(theirs.keys().map(String::as_str).collect()),
        "{}",
        golden.name
    );
    let errors = theirs.iter().map(|(name, theirs)| {
        let gap = gap(ours.get(name).expect("a gradient"), theirs);
        // A gradient of zeros (the rows of B's partner while B is zero) must be zeros.
        if gap == 0. { 0. } else { gap / largest(theirs) }
    });
    errors.fold(0., f64::max) / TOLERANCE
}

/// The largest absolute value.
///
/// # Panics
/// If the tensor is empty.
pub fn largest(t: &Tensor) -> f64 {
    let found = t.abs().and_then(|t| t.max_all()?.to_scalar::<f32>());
    f64::from(found.expect("a number"))
}

/// The largest difference.
///
/// # Panics
/// If the shapes differ.
pub fn gap(ours: &Tensor, golden: &Tensor) -> f64 {
    assert_eq!(ours.dims(), golden.dims());
    largest(&(ours - golden).expect("a difference"))
}
