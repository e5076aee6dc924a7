#![doc = include_str!("../README.md")]

pub mod broker;
pub mod oracle;
pub mod process;
pub mod proof;
pub mod vendor;
pub mod wait;
pub mod warehouse;
pub mod world;
