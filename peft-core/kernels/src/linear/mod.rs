//! The linear map `y = x W^T`, without the gradient of a frozen weight, and operations that contain it.
//!
//! | file | is |
//! |---|---|
//! | `map.rs` | the linear map for every kind of weight |
//! | `low_rank.rs` | a linear map with a low-rank branch |
//! | `feed_forward.rs` | two linear maps with ReLU and dropout between them |
//! | `frozen.rs` | the map with a frozen weight |
//! | `general.rs` | the map whose weight may train or may differ between examples |
//! | `device.rs` | the maps on a device |
//! | `dims.rs` | sizes and kinds of weights |

pub(crate) mod device;
mod dims;
mod feed_forward;
mod frozen;
mod general;
mod low_rank;
mod map;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

pub use self::feed_forward::{FeedForward, feed_forward, feed_forward_plain};
pub use self::low_rank::{LowRank, linear_low_rank, linear_low_rank_plain};
pub use self::map::{linear, linear_plain};
