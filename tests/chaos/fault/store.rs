//! Disks that rot.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::run::ChaosRun;
use crate::run::dice::Dice;
use crate::run::instance::files;

/// What is damaged of one partition's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The list of files.
    Manifest,
    /// Which list counts.
    Current,
    /// A table of keys.
    Table,
    /// The write-ahead log.
    Log,
    /// A file, cut in half.
    Cut,
    /// A file, gone.
    Gone,
}

impl Damage {
    /// Every kind.
    pub(crate) const ALL: [Damage; 6] =
        [Damage::Manifest, Damage::Current, Damage::Table, Damage::Log, Damage::Cut, Damage::Gone];

    fn hits(self, file: &str) -> bool {
        match self {
            Damage::Manifest => file.starts_with("MANIFEST"),
            Damage::Current => file == "CURRENT",
            Damage::Table => file.ends_with(".sst"),
            Damage::Log => file.ends_with(".log"),
            Damage::Cut | Damage::Gone => {
                ["MANIFEST", "CURRENT"].iter().any(|name| file.starts_with(name)) || file.ends_with(".sst")
            }
        }
    }

    /// Whether no store that is damaged like this can be opened. What is damaged of others may be of no use
    /// any more, or read later.
    fn is_fatal(self) -> bool {
        matches!(self, Damage::Manifest | Damage::Current | Damage::Gone)
    }

    fn strike(self, file: &Path, dice: &mut Dice) {
        let length = fs::metadata(file).expect("a file has a length").len();
        let open = || OpenOptions::new().write(true).open(file).expect("a file can be opened");
        match self {
            Damage::Gone => fs::remove_file(file).expect("a file can be removed"),
            Damage::Cut => open().set_len(length / 2).expect("a file can be cut"),
            // Later in it, rubbish in place of a record's length is taken for the end: the list as it once
            // was.
            Damage::Manifest => scribble(&open(), length, 0, dice),
            _ => scribble(&open(), length, dice.below(length.max(1)), dice),
        }
    }
}

/// Up to 64 bytes of rubbish.
fn scribble(file: &File, length: u64, at: u64, dice: &mut Dice) {
    let rubbish: Vec<u8> = (0..4).flat_map(|_| dice.number().to_le_bytes()).collect();
    let room = usize::try_from(length - at).unwrap_or(usize::MAX).min(rubbish.len());
    file.write_all_at(&rubbish[..room], at).expect("a file can be written");
}

impl ChaosRun {
    pub(super) fn inject_damage(&mut self, who: usize, damage: Damage, dice: u64) {
        self.kill(who);
        while self.damageable(who, damage).is_empty() {
            // A store is young: the next start makes a table of its log.
            self.start(who);
            self.await_commit(who);
            self.kill(who);
        }
        self.damage(who, damage, dice);
        self.start(who);
        self.await_commit(who);
        self.await_owned();
        // Where there are several, the store may have been another's by then.
        if damage.is_fatal() && self.instances.len() == 1 {
            let wiped = self.instances[who].wiped();
            assert!(wiped > 0, "{} says nothing of {damage:?}", self.instances[who].name());
        }
    }

    /// Damages what a processor left on its disk.
    pub(crate) fn damage(&self, who: usize, damage: Damage, dice: u64) {
        let (mut dice, files) = (Dice::new(dice, 0), self.damageable(who, damage));
        assert!(!files.is_empty(), "{} has left nothing for {damage:?}", self.instances[who].name());
        damage.strike(&files[dice.place(files.len())], &mut dice);
    }

    fn damageable(&self, who: usize, damage: Damage) -> Vec<PathBuf> {
        let mut files = files(&self.instances[who].disk);
        files.retain(|file| file.file_name().is_some_and(|name| damage.hits(&name.to_string_lossy())));
        files
    }
}
