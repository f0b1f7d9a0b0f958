//! The commands `train`, `adapt`, `pretrain` and `eval` as functions, and [`Session`]: a model with its configuration, tokenizer and variables.

mod adapt;
mod device;
mod inputs;
mod load;
mod place;
mod pretrain;
mod rank_device;
#[cfg(test)]
mod ranks_tests;
mod relocate;
mod resume;
mod score;
mod score_shards;
mod train;

pub use adapt::{AdaptOptions, Unfreeze, adapt};
pub use device::{allow_tf32, open_device};
pub(crate) use inputs::{of_labelling, of_samples};
pub use load::{Session, dtype_of};
pub(crate) use pretrain::random_shape;
pub use pretrain::{PretrainReport, pretrain};
pub use rank_device::open_rank_device;
pub use score::{ScoreOptions, score_run};
pub use score_shards::{ShardReport, merge_shards, score_shard};
pub use train::{RunOptions, train};
