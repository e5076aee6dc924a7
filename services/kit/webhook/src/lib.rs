#![doc = include_str!("../README.md")]

pub mod body;
pub mod content;
pub mod event;
mod metric;
mod object;
pub mod time;
