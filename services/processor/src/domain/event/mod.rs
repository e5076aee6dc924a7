//! A vendor's event in the form that all consumers read.

pub mod content;
pub mod normalise;
