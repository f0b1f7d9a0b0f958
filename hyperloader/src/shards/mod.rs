//! Work in shards: several processes, on one machine or many, each do a part, and know nothing of each other.
//!
//! - [`Shard`]: a part, by its number; [`ShardChoice`] says which one, or that Slurm or Kubernetes says it.
//! - [`LineSection`]: the lines of a text file that belong to a shard, found without reading the file.
//! - [`ShardFolder`]: the folder that all shards of a [`Job`] write to.

mod choice;
mod folder;
mod job;
mod section;
mod shard;

pub use choice::ShardChoice;
pub use folder::ShardFolder;
pub use job::Job;
pub use section::{LineSection, checksum};
pub use shard::Shard;
