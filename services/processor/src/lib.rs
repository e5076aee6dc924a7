#![doc = include_str!("../README.md")]

mod application;
pub mod apply;
mod clock;
pub mod commit;
pub mod domain;
pub mod drill;
mod engine;
mod instance;
mod leave;
pub mod metric;
pub mod reset;
mod restore;
mod run;
pub mod settings;
pub mod state;

pub use self::application::{Application, ApplicationId};
pub use self::engine::SessionError;
pub use self::instance::InstanceError;
pub use self::leave::{LeaveError, Leaving, leave};
pub use self::restore::{Refusal, RestoreError};
pub use self::run::{Error, run};
pub use self::settings::Settings;
pub use self::state::format::FormatLevel;
