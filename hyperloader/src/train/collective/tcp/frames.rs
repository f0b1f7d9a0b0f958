//! Messages with their lengths.

use std::io::{self, ErrorKind, Read, Write};

/// Sends `bytes` as one message.
pub(super) fn send(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(bytes)?;
    to.flush()
}

/// The next message. Memory grows with what has come, not with what the length announces.
pub(super) fn receive(from: impl Read) -> io::Result<Vec<u8>> {
    receive_at_most(from, u64::MAX)
}

/// The next message if it has at most so many bytes, which matters until it is known who is there.
pub(super) fn receive_at_most(mut from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > limit {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("a message of {length} bytes")));
    }
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// Several messages as one.
pub(super) fn join(messages: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    let mut joined = Vec::new();
    messages.iter().try_for_each(|message| send(&mut joined, message))?;
    Ok(joined)
}

/// The `count` messages that were joined.
pub(super) fn split(mut joined: &[u8], count: usize) -> io::Result<Vec<Vec<u8>>> {
    let messages = (0..count).map(|_| receive(&mut joined)).collect::<io::Result<Vec<_>>>()?;
    match joined.is_empty() {
        true => Ok(messages),
        false => Err(io::Error::new(ErrorKind::InvalidData, format!("{} bytes too many", joined.len()))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn messages_come_as_they_were_sent() {
        let messages = vec![b"a".to_vec(), Vec::new(), vec![7; 100_000]];
        let joined = join(&messages).unwrap();
        assert_eq!(split(&joined, 3).unwrap(), messages);
        assert_eq!(split(&joined, 2).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(split(&joined, 4).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_length_without_its_bytes_takes_no_memory_and_too_long_a_message_is_not_read() {
        let mut lie = u64::MAX.to_le_bytes().to_vec();
        lie.push(1);
        assert_eq!(receive(lie.as_slice()).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(receive_at_most(lie.as_slice(), 10).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
