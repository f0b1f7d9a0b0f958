//! CRC-32C (Castagnoli), the checksum of TFRecords; not the CRC-32 of zip and PNG.

/// The polynomial 0x1EDC6F41 with its bits reversed.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// The change of the checksum for each value of its low byte.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ POLYNOMIAL } else { value >> 1 };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
}

/// The CRC-32C of `bytes` (RFC 3720, appendix B.4).
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        let index = (crc ^ u32::from(*byte)) & 0xFF;
        (crc >> 8) ^ TABLE[index as usize]
    })
}

/// The checksum as TFRecords store it: rotated right by 15 bits, plus a constant.
pub(super) fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_vectors() {
        assert_eq!(crc32c(b""), 0);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        // RFC 3720, appendix B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&rising), 0x46DD_794E);
    }

    #[test]
    fn the_mask_is_that_of_the_first_record_of_every_event_file() {
        // The length of a file-version event is 24; its masked checksum opens every file that TensorBoard's own
        // writer makes.
        assert_eq!(masked_crc32c(&24_u64.to_le_bytes()).to_le_bytes(), [0xA3, 0x7F, 0x4B, 0x22]);
    }
}
