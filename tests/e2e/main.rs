//! The product as its user runs it: the real binary, real sockets, a real broker, a simulated Customer.io.
//!
//! Each test has topics, folders and ports of its own and shares nothing but the broker.

mod acceptance;
mod balance;
mod crash;
mod demo;
mod reports;
mod restore;
mod start;
mod verdict;
mod writeback;
