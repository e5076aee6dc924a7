//! Writing the ids of a restore.

use std::fs;

use rocksdb::{IngestExternalFileOptions, SstFileWriter};

use super::folder::absent_is_fine;
use super::key::{self, IDS};
use super::{PartitionStore, StoreError};
use crate::state::changelog::Run;

/// Ids that are gathered before they become a file: 20 MB.
const IDS_MAX: usize = 1 << 20;
/// Fewer ids than this are written as a batch. A file would be too small, and each file costs a wait for the
/// disk.
const FILE_MIN: usize = 1 << 15;

/// The length of a key and of the value behind it, in bytes.
const ENTRY_BYTES: usize = key::ID_BYTES + size_of::<key::IdValue>();

/// The ids of a restore: gathered, sorted, and put into the store as whole files.
///
/// The dedupe changelog is in the order of time. So a whole file needs no memtable, no write-ahead log, and
/// hardly a compaction.
pub(crate) struct Bulk<'a> {
    store: &'a PartitionStore,
    /// `bucket ‖ id ‖ day of the append ‖ content`, as in the store's keys and values.
    entries: Vec<[u8; ENTRY_BYTES]>,
}

impl<'a> Bulk<'a> {
    pub(crate) fn new(store: &'a PartitionStore) -> Self {
        Self { store, entries: Vec::new() }
    }

    /// Gathers a run. Returns whether it is time to [`write`](Self::write).
    pub(crate) fn put_run(&mut self, run: &Run) -> bool {
        self.entries.extend(run.ids.iter().map(|seen| {
            let mut entry = [0; ENTRY_BYTES];
            entry[..key::ID_BYTES].copy_from_slice(&key::id(run.bucket, seen.id()));
            entry[key::ID_BYTES..].copy_from_slice(&key::id_value(run.appended, seen.content));
            entry
        }));
        self.entries.len() >= IDS_MAX
    }

    /// Puts everything gathered into the store. Once this returns, the ids are durable, and positions behind
    /// them may be noted.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub(crate) fn write(&mut self) -> Result<(), StoreError> {
        self.entries.sort_unstable();
        // Of two appends of a late id, the later one counts. It sorts last.
        self.entries.dedup_by(|later, kept| {
            let same = later[..key::ID_BYTES] == kept[..key::ID_BYTES];
            if same {
                *kept = *later;
            }
            same
        });
        if self.entries.len() < FILE_MIN {
            self.write_batch()?;
        } else {
            self.ingest()?;
        }
        self.entries.clear();
        Ok(())
    }

    fn write_batch(&self) -> Result<(), StoreError> {
        let mut batch = self.store.batch();
        let family = self.store.family(IDS);
        for entry in &self.entries {
            let (key, value) = parts(entry);
            batch.writes.put_cf(family, key, value);
        }
        batch.write()
    }

    fn ingest(&self) -> Result<(), StoreError> {
        let store = self.store;
        let failed = |source| store.failed(source);
        // In the store's folder, so that RocksDB can move the file, and so that a wipe removes it.
        let file = store.path.join("restored.ids");
        // After a crash this name may be a second link to a file that the store has taken over. Remove it,
        // never overwrite it.
        absent_is_fine(fs::remove_file(&file))
            .map_err(|source| StoreError::File { path: store.path.clone(), source })?;
        let options = store.memory.ids_options();
        let mut writer = SstFileWriter::create(&options);
        writer.open(&file).map_err(failed)?;
        for entry in &self.entries {
            let (key, value) = parts(entry);
            writer.put(key, value).map_err(failed)?;
        }
        writer.finish().map_err(failed)?;
        let mut moved = IngestExternalFileOptions::default();
        moved.set_move_files(true);
        store.db.ingest_external_file_cf_opts(store.family(IDS), &moved, vec![file]).map_err(failed)
    }
}

impl std::fmt::Debug for Bulk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bulk").field("ids", &self.entries.len()).finish_non_exhaustive()
    }
}

/// Key and value of an entry.
fn parts(entry: &[u8; ENTRY_BYTES]) -> (&[u8], &[u8]) {
    let key = &entry[..key::ID_BYTES];
    let value = entry.last_chunk().expect("an entry ends in a value");
    (key, key::stored_of(key::day_of_id(key).unwrap_or_default(), value))
}
