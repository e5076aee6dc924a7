//! HTTP: connections, paths, bodies within their limits, and the few answers that can leave.

pub(crate) mod admission;
pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod listener;
pub(crate) mod route;
