#![doc = include_str!("../README.md")]

pub mod broker;
pub mod deployment;
pub mod oracle;
pub mod process;
pub mod proof;
pub mod vendor;
pub mod wait;
pub mod warehouse;
