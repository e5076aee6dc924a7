#![doc = include_str!("../README.md")]

pub mod body;
pub mod content;
pub mod event;
mod field;
mod metric;
mod object;
pub mod rest;
pub mod time;
