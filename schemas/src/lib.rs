#![doc = include_str!("../README.md")]

pub mod codec;
pub mod dead_letter;
mod frame;
pub mod header;
pub mod id;
pub mod key;
pub mod partition;
pub mod record;
pub mod token;
pub mod topic;
pub mod trait_table;
pub mod vocabulary;
