//! Where values come from. The environment overrides the file, and the file overrides the defaults.

mod file;
mod variable;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::{Fault, Field};
use variable::Variables;

/// A value's text and its origin, which the fault's mend names.
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) origin: String,
}

/// All sources of one reading.
pub(crate) struct Sources {
    known: BTreeSet<&'static str>,
    file: BTreeMap<String, String>,
    variables: Variables,
}

impl Sources {
    /// Reads the file and the environment. Adds to `faults` what is wrong, and to `warnings` what may be
    /// wrong.
    pub(crate) fn gather(
        catalogue: &[&'static Field],
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
        faults: &mut Vec<Fault>,
        warnings: &mut Vec<String>,
    ) -> Sources {
        let known = catalogue.iter().map(|field| field.key).collect();
        let file = file.map(|path| file::read(path, &known, faults)).unwrap_or_default();
        let variables = Variables::new(env);
        warnings.extend(variables.unknown(catalogue));
        Sources { known, file, variables }
    }

    /// The value of `field` from the strongest source that has one.
    ///
    /// # Errors
    /// Sources that contradict each other, a secret's file that can't be read, or a field outside the
    /// catalogue.
    pub(crate) fn find(&self, field: &Field) -> Result<Option<Found>, Fault> {
        if !self.known.contains(field.key) {
            return Err(undocumented(field));
        }
        if let Some(found) = self.variables.find(field)? {
            return Ok(Some(found));
        }
        let from_file = self
            .file
            .get(field.key)
            .map(|text| Found { text: text.clone(), origin: format!("{} in the settings file", field.key) });
        let from_default =
            || field.default.map(|text| Found { text: text.to_owned(), origin: "the default".to_owned() });
        Ok(from_file.or_else(from_default))
    }
}

/// A field outside the catalogue would be missing from the documentation, and refused in the file.
fn undocumented(field: &Field) -> Fault {
    Fault::new(
        field,
        "a field outside the catalogue",
        "every field that is read to be listed in its role's FIELDS and given to the reader",
        "this is a bug in Aftersend: report it",
    )
}
