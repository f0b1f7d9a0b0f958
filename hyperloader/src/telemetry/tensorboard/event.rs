//! The parts of the protobuf messages `Event`, `Summary` and `SessionLog` (tensorflow/core/util/event.proto) that scalars
//! need, encoded by hand.

use std::time::{SystemTime, UNIX_EPOCH};

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What<'a> {
    /// The first event of every file: field 3, a string.
    FileVersion,
    /// A value on a curve: field 5, a `Summary` with one `Value`.
    Scalar {
        /// The name of the curve; `/` groups curves.
        tag: &'a str,
        /// The value.
        value: f32,
    },
    /// The run starts again at this step: field 7, a `SessionLog`. TensorBoard then drops the events of earlier files for
    /// this step and later ones.
    Restart,
}

/// One `Event`: when, at which step, what.
pub(super) fn encode(time: SystemTime, step: u64, what: &What<'_>) -> Vec<u8> {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let mut event = Message::default();
    event.fixed64(1, seconds.to_le_bytes());
    event.varint(2, step);
    match what {
        What::FileVersion => event.bytes(3, b"brain.Event:2"),
        What::Scalar { tag, value } => {
            let mut point = Message::default();
            point.bytes(1, tag.as_bytes());
            point.fixed32(2, value.to_le_bytes());
            let mut summary = Message::default();
            summary.bytes(1, &point.0);
            event.bytes(5, &summary.0);
        }
        What::Restart => {
            let mut log = Message::default();
            log.varint(1, 1);
            event.bytes(7, &log.0);
        }
    }
    event.0
}

/// A protobuf message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, field: u64, value: u64) {
        self.key(field, 0);
        self.raw_varint(value);
    }

    fn fixed64(&mut self, field: u64, value: [u8; 8]) {
        self.key(field, 1);
        self.0.extend(value);
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.key(field, 2);
        self.raw_varint(value.len() as u64);
        self.0.extend(value);
    }

    fn fixed32(&mut self, field: u64, value: [u8; 4]) {
        self.key(field, 5);
        self.0.extend(value);
    }

    fn key(&mut self, field: u64, wire_type: u64) {
        self.raw_varint(field << 3 | wire_type);
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_scalar_is_encoded_as_protobuf_prescribes() {
        let time = UNIX_EPOCH + Duration::from_millis(1500);
        let event = encode(time, 300, &What::Scalar { tag: "loss", value: 0.5 });
        let mut expected = vec![0x09];
        expected.extend(1.5_f64.to_le_bytes());
        expected.extend([0x10, 0xAC, 0x02]); // step 300
        expected.extend([0x2A, 13, 0x0A, 11]); // summary, value
        expected.extend(*b"\x0A\x04loss\x15");
        expected.extend(0.5_f32.to_le_bytes());
        assert_eq!(event, expected);
    }

    #[test]
    fn the_other_events_carry_their_markers() {
        let version = encode(UNIX_EPOCH, 0, &What::FileVersion);
        assert!(version.ends_with(b"\x1A\x0Dbrain.Event:2"));
        let restart = encode(UNIX_EPOCH, 1, &What::Restart);
        assert!(restart.ends_with(&[0x10, 1, 0x3A, 2, 0x08, 1]));
    }

    #[test]
    fn a_varint_takes_as_many_bytes_as_it_needs() {
        let varint = |value| {
            let mut message = Message::default();
            message.raw_varint(value);
            message.0
        };
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(127), [0x7F]);
        assert_eq!(varint(128), [0x80, 0x01]);
        assert_eq!(varint(u64::MAX).len(), 10);
    }
}
