#![doc = include_str!("../README.md")]

#[doc(hidden)]
pub mod declare;
mod fault;
mod field;
mod reader;
mod source;
mod table;
mod value;

pub use fault::{Fault, Faults};
pub use field::Field;
pub use reader::{Reader, process_environment};
pub use table::table;
pub use value::duration::print as print_duration;
pub use value::environment::Environment;
pub use value::secret::Secret;
pub use value::size::ByteSize;
pub use value::{Value, duration};

#[cfg(test)]
mod tests;
