//! What is measured, each in a process of its own, so that its processor time is its own.

mod child;
pub(crate) mod pass_through;
mod processor;
mod streams;

pub(crate) use child::Child;
pub(crate) use processor::Processor;
pub(crate) use streams::{Streams, build as build_streams};
