//! The partition of a key, as Java's producer computes it by default. So another team can join these topics
//! with its own without a shuffle.

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;

/// The partition of `key` among `count` partitions: `toPositive(murmur2(key)) % count`, as in Kafka's
/// `BuiltInPartitioner.partitionForKey`.
///
/// `count` is at least 1; Kafka has no topic with fewer.
#[must_use]
pub fn of(key: &[u8], count: u32) -> i32 {
    let partition = positive(key) % count.max(1);
    i32::try_from(partition).expect("a 31-bit number modulo a count fits 31 bits")
}

/// `Utils.toPositive(Utils.murmur2(key))` of Kafka's Java client.
#[must_use]
pub fn positive(key: &[u8]) -> u32 {
    murmur2(key) & 0x7fff_ffff
}

fn murmur2(data: &[u8]) -> u32 {
    // Java's length is an int; a key of 4 GiB cannot travel.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let mut words = data.chunks_exact(4);
    for word in words.by_ref() {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(MULTIPLIER);
        k ^= k >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ k.wrapping_mul(MULTIPLIER);
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        let last = tail.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}
