//! Disks that rot.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::arena::Arena;
use crate::arena::dice::Dice;
use crate::arena::instance::files;

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

    fn strike(self, file: &Path, dice: &mut Dice) {
        let length = fs::metadata(file).expect("a file has a length").len();
        let open = || OpenOptions::new().write(true).open(file).expect("a file can be opened");
        match self {
            Damage::Gone => fs::remove_file(file).expect("a file can be removed"),
            Damage::Cut => open().set_len(length / 2).expect("a file can be cut"),
            _ => scribble(&open(), length, dice),
        }
    }
}

/// Up to 64 bytes of rubbish somewhere.
fn scribble(file: &File, length: u64, dice: &mut Dice) {
    let rubbish: Vec<u8> = (0..4).flat_map(|_| dice.number().to_le_bytes()).collect();
    let at = dice.below(length.max(1));
    let room = usize::try_from(length - at).unwrap_or(usize::MAX).min(rubbish.len());
    file.write_all_at(&rubbish[..room], at).expect("a file can be written");
}

impl Arena {
    pub(super) fn suffer_damage(&mut self, who: usize, damage: Damage, dice: u64) {
        self.kill(who);
        self.damage(who, damage, dice);
        self.start(who);
        self.await_commit(who);
        self.await_owned();
    }

    /// Damages what a processor left on its disk, where there is such a file.
    pub(crate) fn damage(&self, who: usize, damage: Damage, dice: u64) {
        let mut dice = Dice::new(dice, 0);
        let mut files = files(&self.instances[who].disk);
        files.retain(|file| file.file_name().is_some_and(|name| damage.hits(&name.to_string_lossy())));
        if !files.is_empty() {
            damage.strike(&files[dice.place(files.len())], &mut dice);
        }
    }
}
