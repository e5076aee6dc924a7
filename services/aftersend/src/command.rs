//! The subcommands that run to their end, one file each. The roles, which run until they are stopped, are in
//! `role.rs`.

pub(crate) mod bootstrap;
pub(crate) mod finalize_upgrade;
pub(crate) mod healthcheck;
pub(crate) mod leave;
pub(crate) mod reset;
pub(crate) mod token;
pub(crate) mod verify_signature;
