//! TensorBoard's event files, written without its stack: scalars in protobuf, framed as TFRecords.

mod event;
mod record;
mod writer;

pub use writer::EventWriter;
