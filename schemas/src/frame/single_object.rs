//! [Avro single-object encoding](https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding):
//! `C3 01`, then the CRC-64-AVRO fingerprint of the writer's schema in little-endian, then the body.

const MARKER: [u8; 2] = [0xc3, 0x01];

/// Length of what stands in front of the body, in bytes.
pub(crate) const HEADER_BYTES: usize = 10;

/// Appends the header of a body that is written with the schema of this `fingerprint`.
pub(crate) fn write_header(fingerprint: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&fingerprint.to_le_bytes());
}

/// The writer schema's fingerprint, and the body. `None` where `bytes` do not begin with a header.
pub(crate) fn split(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let fingerprint = header.strip_prefix(&MARKER)?.try_into().ok()?;
    Some((u64::from_le_bytes(fingerprint), body))
}
