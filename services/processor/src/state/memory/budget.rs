//! How the processor's memory is divided.

use thiserror::Error;

/// The smallest write buffer of each family of each partition, in bytes. With less, files are too small, and
/// compactions rewrite each record too often.
const WRITE_BUFFER_MIN: u64 = 8 << 20;
/// The largest write buffer of a family, in bytes. A restart after a kill reads it from the log again.
const WRITE_BUFFER_MAX: u64 = 32 << 20;
/// Families of a partition.
const FAMILIES: u64 = 2;

/// How the processor's memory is divided. All sizes are in bytes.
///
/// | share | of the whole |
/// |---|---|
/// | `write_buffer_bytes` | 1/2 |
/// | `block_cache_bytes`, which the write buffers count into | 3/4 |
/// | `prefetch_bytes` | 3/32 |
/// | `batch_bytes` | 1/32 |
/// | `producer_queue_bytes` | 1/8 |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The whole.
    pub total_bytes: u64,
    /// Records that are written and not yet in a file.
    pub write_buffer_bytes: u64,
    /// Blocks, indexes and filters, and the write buffers.
    pub block_cache_bytes: u64,
    /// Records that are read ahead from the input and from changelogs under restore.
    pub prefetch_bytes: u64,
    /// Records that are read and not yet committed, of all workers. What is made of them before the commit
    /// (customers, changes, outputs) takes several times as much, and is not part of the budget.
    pub batch_bytes: u64,
    /// Records that are queued in producers.
    pub producer_queue_bytes: u64,
}

/// A budget is too small for its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "processor.memory of {} MiB is too small: this instance may come to own all {partitions} partitions, and each needs {} MiB of \
     write buffers, half of the whole: set AFTERSEND_PROCESSOR_MEMORY to {} MiB or more",
    .found_bytes >> 20,
    (FAMILIES * WRITE_BUFFER_MIN) >> 20,
    .wanted_bytes >> 20
)]
pub struct BudgetTooSmall {
    /// Partitions of the input.
    pub partitions: u32,
    /// The whole budget.
    pub found_bytes: u64,
    /// The smallest budget that is enough.
    pub wanted_bytes: u64,
}

impl Budget {
    /// Divides `total_bytes`.
    #[must_use]
    pub const fn of(total_bytes: u64) -> Self {
        Self {
            total_bytes,
            write_buffer_bytes: total_bytes / 2,
            block_cache_bytes: total_bytes / 4 * 3,
            prefetch_bytes: total_bytes / 32 * 3,
            batch_bytes: total_bytes / 32,
            producer_queue_bytes: total_bytes / 8,
        }
    }

    /// The smallest budget for an input of `partitions`.
    #[must_use]
    pub const fn least(partitions: u32) -> Self {
        Self::of(2 * FAMILIES * WRITE_BUFFER_MIN * partitions as u64)
    }

    /// Checks that the budget is enough for an input of `partitions`, because one instance may come to own
    /// all of them.
    ///
    /// # Errors
    /// [`BudgetTooSmall`], which says what to do.
    pub fn check(&self, partitions: u32) -> Result<(), BudgetTooSmall> {
        let least = Self::least(partitions);
        if self.write_buffer_bytes >= least.write_buffer_bytes {
            return Ok(());
        }
        Err(BudgetTooSmall { partitions, found_bytes: self.total_bytes, wanted_bytes: least.total_bytes })
    }

    /// The write buffer of one family of one partition.
    pub(super) fn family_bytes(&self) -> u64 {
        (self.write_buffer_bytes / 8).clamp(WRITE_BUFFER_MIN, WRITE_BUFFER_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_partition_s_share_of_the_least_budget_queues_the_largest_record() {
        for partitions in [1_u32, 6, 32, 256] {
            let share = Budget::least(partitions).producer_queue_bytes / u64::from(partitions);
            assert!(share >= u64::from(schemas::topic::RECORD_BYTES_MAX), "{partitions} partitions: {share}");
        }
    }

    #[test]
    fn the_shares_are_never_more_than_the_whole() {
        for total in [0, 7, 64 * MIB, 1_024 * MIB, u64::MAX] {
            let budget = Budget::of(total);
            let read = budget.prefetch_bytes + budget.batch_bytes;
            let used = [budget.block_cache_bytes, read, budget.producer_queue_bytes];
            assert!(used.into_iter().sum::<u64>() <= total, "{total}");
            assert!(budget.write_buffer_bytes <= budget.block_cache_bytes || total < 8, "{total}");
        }
        let budget = Budget::of(1_024 * MIB);
        assert_eq!((budget.write_buffer_bytes, budget.block_cache_bytes), (512 * MIB, 768 * MIB));
    }

    #[test]
    fn a_budget_below_eight_mebibytes_per_family_and_partition_is_refused_with_the_mend() {
        assert_eq!(Budget::of(1_024 * MIB).check(32), Ok(()));
        let shortage = Budget::of(1_023 * MIB).check(32).expect_err("too small");
        assert_eq!(shortage.wanted_bytes, 1_024 * MIB);
        assert!(shortage.to_string().contains("AFTERSEND_PROCESSOR_MEMORY to 1024 MiB"), "{shortage}");
        assert_eq!(Budget::least(6).check(6), Ok(()));
        assert!(Budget::least(6).check(7).is_err());
    }
}
