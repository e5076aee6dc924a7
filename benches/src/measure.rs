//! What is measured, and how: from outside, by the system's accounts, the broker's answers and what the
//! subject exposes.

mod exposition;
mod floor;
mod latency;
mod output;
pub(crate) mod position;
mod restart;
mod speed;
mod throughput;
mod usage;

pub(crate) use exposition::Histogram;
pub(crate) use floor::{Floor, commit_floor};
pub(crate) use latency::{LAST_MAX, Latency, latency};
pub(crate) use output::{Outputs, WRITTEN, outputs};
pub(crate) use position::Positions;
pub(crate) use restart::{Restart, restart};
pub(crate) use speed::Speed;
pub(crate) use throughput::{Throughput, saturate, sustain};
pub(crate) use usage::{Snapshot, Usage, await_quiet, peak_bytes};
