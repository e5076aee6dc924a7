//! Amounts of bytes as settings.

use std::cmp::Ordering;
use std::fmt;

use super::{Value, largest_unit, split_unit};

/// The units and their bytes, ascending, as sizes are printed. They are binary: `MB` and Kubernetes' `M` are
/// a million bytes to some readers and a mebibyte to others, so both are refused.
const UNITS: [(&str, u128); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// An amount of bytes, written `512B`, `64KiB`, `16MiB`, `2GiB` or `1TiB`, or as Kubernetes writes it: `512`,
/// `64Ki`, `16Mi`, `2Gi` or `1Ti`. So a limit of the pod can be passed on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl From<ByteSize> for u64 {
    fn from(size: ByteSize) -> u64 {
        size.0
    }
}

/// What a `usize` can't hold becomes its largest value: no memory is larger.
impl From<ByteSize> for usize {
    fn from(size: ByteSize) -> usize {
        usize::try_from(size.0).unwrap_or(usize::MAX)
    }
}

/// What a `u32` can't hold becomes its largest value.
impl From<ByteSize> for u32 {
    fn from(size: ByteSize) -> u32 {
        u32::try_from(size.0).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = largest_unit(u128::from(self.0), &UNITS);
        write!(f, "{number}{unit}")
    }
}

impl Value for ByteSize {
    const SHAPE: &'static str = "a size such as 512B, 64KiB, 16MiB or 2GiB";

    fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text)?;
        let (_, bytes_per_unit) = UNITS
            .iter()
            .find(|(name, _)| *name == unit || name.strip_suffix('B') == Some(unit))
            .ok_or_else(|| "its unit is none of B, KiB, MiB, GiB, TiB".to_owned())?;
        let bytes = number.checked_mul(*bytes_per_unit).and_then(|bytes| u64::try_from(bytes).ok());
        bytes.map(ByteSize).ok_or_else(|| "it is too large".to_owned())
    }

    fn compare(&self, bound: &Self) -> Option<Ordering> {
        Some(self.cmp(bound))
    }
}

#[cfg(test)]
mod tests {
    use super::{ByteSize, Value};
    use proptest::prelude::{any, proptest};

    proptest! {
        #[test]
        fn a_printed_size_parses_to_itself(bytes in any::<u64>(), shift in 0_u32..64) {
            for size in [ByteSize(bytes), ByteSize(1 << shift), ByteSize(bytes >> shift)] {
                assert_eq!(ByteSize::parse(&size.to_string()), Ok(size));
            }
        }
    }

    #[test]
    fn each_unit_is_read() {
        assert_eq!(ByteSize::parse("16MiB"), Ok(ByteSize(16 * 1024 * 1024)));
        assert_eq!(ByteSize::parse("0B"), Ok(ByteSize(0)));
        for (ours, theirs) in
            [("512B", "512"), ("3KiB", "3Ki"), ("16MiB", "16Mi"), ("2GiB", "2Gi"), ("1TiB", "1Ti")]
        {
            assert_eq!(ByteSize::parse(theirs), ByteSize::parse(ours), "{theirs}");
        }
        assert_eq!(ByteSize(1536).to_string(), "1536B");
        assert_eq!(ByteSize(0).to_string(), "0B");
    }

    #[test]
    fn an_ambiguous_or_unknown_unit_is_refused() {
        for text in [
            "",
            "Mi",
            "16M",
            "16MB",
            "16m",
            "16mi",
            "1e3",
            "1.5GiB",
            "1.5Gi",
            "-1",
            "-1B",
            "99999999Ti",
            "16 i",
        ] {
            assert!(ByteSize::parse(text).is_err(), "{text}");
        }
    }
}
