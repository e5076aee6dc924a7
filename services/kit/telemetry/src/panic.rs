//! Panics: their place is logged, and their payload is not.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;

use tracing::error;

use crate::metric;

/// Replaces a message that may hold data.
const WITHHELD: &str = "[withheld: it may hold data]";

/// Replaces the standard hook, which would print the message to stderr.
pub(crate) fn install() {
    panic::set_hook(Box::new(report));
}

fn report(panic: &PanicHookInfo<'_>) {
    metric::panics().increment(1);
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = message(panic.payload());
    // Only with RUST_BACKTRACE. A backtrace holds symbols and lines, but no values.
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        error!(thread, location, panic = message, %backtrace, "thread panicked");
    } else {
        error!(thread, location, panic = message, "thread panicked");
    }
}

/// The panic's message, if it is a fixed text of the program. A formatted message may quote an address, a
/// payload or a secret (E2).
fn message(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or(WITHHELD)
}
