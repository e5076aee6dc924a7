//! One kind of fault each.

mod crash;
