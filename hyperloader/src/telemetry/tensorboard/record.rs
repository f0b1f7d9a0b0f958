//! TFRecord framing: length, checksum of the length, data, checksum of the data.

use std::io::{self, Write};

/// The checksum as TFRecords store it: CRC-32C (not the CRC-32 of zip and PNG), rotated right by 15 bits, plus a constant.
fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// Writes `data` as one record.
pub(super) fn write_record(file: &mut impl Write, data: &[u8]) -> io::Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_crc32c(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_crc32c(data).to_le_bytes());
    file.write_all(&record)
}

/// The data of all records in `bytes`, or why `bytes` holds no records.
#[cfg(test)]
pub(super) fn read_records(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or("no length")?;
        let (length_crc, rest) = rest.split_first_chunk::<4>().ok_or("no checksum of the length")?;
        if u32::from_le_bytes(*length_crc) != masked_crc32c(length) {
            return Err("the length is damaged");
        }
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| "too long")?;
        let (data, rest) = rest.split_at_checked(length).ok_or("cut short")?;
        let (data_crc, rest) = rest.split_first_chunk::<4>().ok_or("no checksum of the data")?;
        if u32::from_le_bytes(*data_crc) != masked_crc32c(data) {
            return Err("the data are damaged");
        }
        records.push(data.to_vec());
        bytes = rest;
    }
    Ok(records)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_agrees_with_the_published_vectors() {
        // RFC 3720, appendix B.4, then the first record of every event file: its length is 24.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c::crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(masked_crc32c(&24_u64.to_le_bytes()).to_le_bytes(), [0xA3, 0x7F, 0x4B, 0x22]);
    }

    proptest! {
        #[test]
        fn records_come_back_and_a_flipped_bit_is_noticed(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..5),
            place in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let mut bytes = Vec::new();
            for record in &records {
                write_record(&mut bytes, record).unwrap();
            }
            prop_assert_eq!(read_records(&bytes).unwrap(), records);
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            prop_assert!(read_records(&bytes).is_err());
        }
    }
}
