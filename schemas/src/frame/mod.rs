//! Framing: what stands in front of a record's body and says which schema wrote the body.

pub(crate) mod single_object;
