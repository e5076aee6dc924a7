//! Which warehouse: `AFTERSEND_WAREHOUSE`.

use std::fmt;
use std::path::PathBuf;

use settings::Value;

use super::sqlite::Sqlite;
use super::{Error, Target};
use crate::Settings;

/// A warehouse by its URL-like name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `sqlite:PATH`: one file on a local disk.
    Sqlite(PathBuf),
}

impl Location {
    /// Opens it, and makes what isn't there yet. Each kind of warehouse takes what it needs from `settings`.
    ///
    /// # Errors
    /// Where the warehouse can't be used; the text names the mend.
    pub fn open(&self, settings: &Settings) -> Result<Box<dyn Target>, Error> {
        match self {
            Self::Sqlite(path) => {
                Ok(Box::new(Sqlite::open(path, settings.lock_wait)?.keeping(settings.keep)))
            }
        }
    }
}

impl Value for Location {
    const SHAPE: &'static str = "sqlite:PATH (the one kind of warehouse that this version writes)";

    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", "")) => Err("its path is empty".to_owned()),
            Some(("sqlite", path)) => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("bigquery" | "parquet", _)) => Err("a later version writes it".to_owned()),
            Some(_) => Err("its kind is unknown".to_owned()),
            None => Err("it names no kind".to_owned()),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Location, Value};

    #[test]
    fn a_path_may_hold_anything() {
        for text in ["sqlite:warehouse.sqlite", "sqlite:/var/lib/after send/w:1.sqlite", "sqlite:./x"] {
            assert_eq!(Location::parse(text).map(|found| found.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn every_other_text_is_refused_with_its_reason() {
        for (text, why) in [
            ("sqlite:", "empty"),
            ("bigquery:project.dataset", "later version"),
            ("parquet:/archive", "later version"),
            ("postgres://db", "unknown"),
            ("warehouse.sqlite", "no kind"),
            ("", "no kind"),
        ] {
            let refusal = Location::parse(text).expect_err(text);
            assert!(refusal.contains(why), "{text}: {refusal}");
        }
    }
}
