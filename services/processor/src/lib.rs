#![doc = include_str!("../README.md")]

pub mod domain;
mod engine;
pub mod instance;
pub mod metric;
pub mod reset;
pub mod restore;
mod run;
pub mod settings;
pub mod state;
pub mod transaction;

pub use self::engine::SessionError;
pub use self::restore::RestoreError;
pub use self::run::{Error, run};
pub use self::settings::Settings;
