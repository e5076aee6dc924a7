use std::fs;

use rocksdb::{IngestExternalFileOptions, SstFileWriter};

use super::folder::absent_is_fine;
use super::{IDS, PartitionStore, StoreError};
use crate::domain::window::LATE;
use crate::state::changelog::Run;

/// Ids gathered before they become a file: 20 MB.
const IDS_MAX: usize = 1 << 20;
/// Below this many they go the usual way: a file of their own would be too small, and each costs a wait for the disk.
const FILE_MIN: usize = 1 << 15;

/// Ids of a restore, gathered, sorted and put into the store as whole files: what is read in the order of time needs no memtable, no
/// log, and hardly a compaction.
pub(crate) struct Bulk<'a> {
    store: &'a PartitionStore,
    /// `bucket ‖ id ‖ day of the append`, as in the store's keys and values.
    entries: Vec<[u8; 20]>,
}

impl<'a> Bulk<'a> {
    pub(crate) fn new(store: &'a PartitionStore) -> Self {
        Self { store, entries: Vec::new() }
    }

    /// Gathers a run; answers whether it is time to [`write`](Self::write).
    pub(crate) fn put_run(&mut self, run: &Run) -> bool {
        let (bucket, appended) = (run.bucket.to_be_bytes(), run.appended.to_be_bytes());
        self.entries.extend(run.ids.iter().map(|id| {
            let mut entry = [0; 20];
            entry[..2].copy_from_slice(&bucket);
            entry[2..18].copy_from_slice(id);
            entry[18..].copy_from_slice(&appended);
            entry
        }));
        self.entries.len() >= IDS_MAX
    }

    /// Puts everything gathered into the store. It is there for good when this returns: positions may be noted.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub(crate) fn write(&mut self) -> Result<(), StoreError> {
        self.entries.sort_unstable();
        // Of two appends of a late id, the later one counts: it comes last.
        self.entries.dedup_by(|later, kept| {
            let same = later[..18] == kept[..18];
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
        // In the store's folder, so that it can be moved, and goes with it.
        let file = store.path.join("restored.ids");
        // A crash may have left it as a second name of a file that the store has taken over by now: it must not be written over.
        absent_is_fine(fs::remove_file(&file))
            .map_err(|source| StoreError::File { path: store.path.clone(), source })?;
        let options = store.shared.ids_options();
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

fn parts(entry: &[u8; 20]) -> (&[u8], &[u8]) {
    let (key, appended) = entry.split_at(18);
    (key, if key[..2] == LATE.to_be_bytes() { appended } else { &[] })
}
