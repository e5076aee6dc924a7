#![doc = include_str!("../README.md")]

pub mod admin;
pub mod clock;
mod health;
pub mod healthcheck;
pub mod metric;
pub mod open_files;
mod stop;

pub use health::{Component, Health, Report, State, Vital};
pub use stop::Stop;

/// Why a part of the lifecycle failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The admin server's listener is unusable.
    #[error("the admin server can't serve its listener; check AFTERSEND_ADMIN and the process's file limit")]
    Admin(#[source] std::io::Error),
}
