//! Environment variables, their aliases, and the files that hold secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::Found;
use crate::declare::PREFIX;
use crate::fault::nearest;
use crate::{Fault, Field};

/// Ends the name of a variable that holds the path of a secret's file, as container platforms mount secrets.
const FILE_SUFFIX: &str = "_FILE";

/// The environment without its empty variables.
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(super) fn new(env: impl IntoIterator<Item = (String, String)>) -> Variables {
        Variables(env.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// The value of `field`, from the variable or the alias that is set.
    ///
    /// # Errors
    /// Two variables that contradict each other, or a file that can't be read.
    pub(super) fn find(&self, field: &Field) -> Result<Option<Found>, Fault> {
        let mut first: Option<Found> = None;
        for name in field.variables() {
            let Some(found) = self.one(field, name)? else { continue };
            match &first {
                Some(other) if other.text != found.text => {
                    return Err(contradiction(field, &other.origin, &found.origin));
                }
                Some(_) => {}
                None => first = Some(found),
            }
        }
        Ok(first)
    }

    /// A warning for each variable that begins with [`PREFIX`] and is no setting.
    pub(super) fn unknown(&self, catalogue: &[&'static Field]) -> Vec<String> {
        let known: BTreeSet<String> = catalogue.iter().flat_map(|field| names(field)).collect();
        let ours = self.0.keys().filter(|name| name.starts_with(PREFIX));
        ours.filter(|name| !known.contains(*name))
            .map(|name| match nearest(name, known.iter().map(String::as_str)) {
                Some(meant) => format!("{name} is not a setting; did you mean {meant}?"),
                None => format!("{name} is not a setting"),
            })
            .collect()
    }

    /// The value under one of the field's names: the variable itself or, for a secret, the file it names.
    fn one(&self, field: &Field, name: &str) -> Result<Option<Found>, Fault> {
        let value = self.0.get(name).map(|text| Found { text: text.clone(), origin: name.to_owned() });
        if !field.secret {
            return Ok(value);
        }
        let file_name = format!("{name}{FILE_SUFFIX}");
        match (value, self.0.get(&file_name)) {
            (Some(_), Some(_)) => Err(contradiction(field, name, &file_name)),
            (None, Some(path)) => read_secret(field, &file_name, path).map(Some),
            (value, None) => Ok(value),
        }
    }
}

/// Every variable a field may be set by.
fn names(field: &Field) -> Vec<String> {
    let plain = field.variables().map(str::to_owned);
    if field.secret {
        plain.flat_map(|name| [format!("{name}{FILE_SUFFIX}"), name]).collect()
    } else {
        plain.collect()
    }
}

/// Reads a secret's file. The fault does not repeat the path, because a frequent mistake is to put the secret
/// there.
fn read_secret(field: &Field, variable: &str, path: &str) -> Result<Found, Fault> {
    match fs::read_to_string(path) {
        Ok(content) => {
            Ok(Found { text: content.trim().to_owned(), origin: format!("the file of {variable}") })
        }
        Err(err) => Err(Fault::new(
            field,
            format!("a path in {variable} that can't be read ({})", err.kind()),
            "the path of a readable UTF-8 file that holds the secret",
            format!("correct {variable}, or set {} instead", field.env),
        )),
    }
}

fn contradiction(field: &Field, one: &str, other: &str) -> Fault {
    let got = format!("two values, from {one} and from {other}");
    Fault::new(field, got, "one source", format!("unset {one} or {other}"))
}
